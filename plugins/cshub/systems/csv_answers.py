"""Answers that are CSV tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cshub.core.errors import ProtocolFault
from cshub.systems.answers import Answer, discard

LARGEST_CELL = 2**31 - 1  # characters: one text that is long must not keep all other rows from being read


@dataclass(frozen=True, slots=True)
class CsvTable:
    """``rows``: the lines below the header, by column."""

    columns: Sequence[str]
    rows: Sequence[Mapping[str, str]]


def as_table(answer: Answer) -> CsvTable:
    """The table; blank lines are left out, and so is a last line without line end, which may have been cut.

    Raises :class:`ProtocolFault` for a web page, and for a table whose last line is plainly not complete.
    """
    discard(answer)
    text = answer.body.decode("utf-8-sig", "replace")
    try:
        with _any_length():
            lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise ProtocolFault(f"the answer is not CSV, or was cut after {len(answer.body)} bytes") from error
    if not lines or any(len(line) != len(lines[0]) for line in lines):
        raise ProtocolFault(f"the answer is not a CSV table, or was cut after {len(answer.body)} bytes")
    header, rows = lines[0], lines[1:] if text.endswith(("\n", "\r")) else lines[1:-1]
    return CsvTable(header, [dict(zip(header, row, strict=True)) for row in rows])


@contextmanager
def _any_length() -> Iterator[None]:
    """The limit of a cell belongs to the whole process: it is put back for whoever else reads CSV."""
    before = csv.field_size_limit(LARGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)

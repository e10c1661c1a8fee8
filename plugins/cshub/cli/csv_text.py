"""CSV for spreadsheets: a cell can never become a formula."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from cshub.core.errors import SpecError

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
STDOUT = "-"


def cell(value: Any) -> str:
    """``value`` as text; one that a spreadsheet would take for a formula gets an apostrophe in front.

    No value is the empty cell; lists and objects are JSON. Numbers stay numbers.
    """
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    text = value if isinstance(value, str) else orjson.dumps(value).decode() if _nested(value) else str(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def write_csv(place: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write to the file ``place``, or to standard output for ``-``; the number of rows comes back.

    Raises :class:`SpecError` when the file cannot be written.
    """
    if place == STDOUT:
        return _write(sys.stdout, header, rows)
    try:
        with Path(place).open("w", encoding="utf-8", errors="replace", newline="") as file:
            return _write(file, header, rows)
    except OSError as error:
        raise SpecError(f"{place} cannot be written: {error.strerror}. Name another file after --csv.") from error


def _write(file: Any, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    writer = csv.writer(file, lineterminator="\r\n" if file is not sys.stdout else "\n")
    writer.writerow(header)
    count = 0
    for row in rows:
        writer.writerow([cell(value) for value in row])
        count += 1
    return count


def _nested(value: Any) -> bool:
    return isinstance(value, (list, tuple, dict))

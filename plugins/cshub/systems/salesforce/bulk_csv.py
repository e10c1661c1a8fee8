"""Rows as the CSV of Bulk 2.0, and back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from cshub.core.errors import DataError, ProtocolFault
from cshub.core.ids import to_18
from cshub.systems.salesforce.soql import name_of

LARGEST_UPLOAD = 100_000_000  # bytes of one job: 150 MB after base64 (docs/vendors/salesforce.md §3.2)
_NULL = "#N/A"  # clears a field; an empty cell leaves it (docs/vendors/salesforce.md §3.3)


def keys_of(rows: Sequence[Mapping[str, Any]], column: str) -> list[str]:
    """Each row's value in ``column``. Raises :class:`DataError` when they do not tell the rows apart."""
    name_of(column)
    keys = [key_of(column, "" if row.get(column) is None else str(row[column])) for row in rows]
    if "" in keys or len(set(keys)) != len(keys):
        raise DataError(f"The column {column} does not tell the rows apart: every row needs a value of its own in it.")
    return keys


def key_of(column: str, value: str) -> str:
    """A value as keys are compared: ids have 18 characters. Raises :class:`DataError` for an ``Id`` that is none."""
    return to_18(value) if column == "Id" else value


def cell(row: Mapping[str, Any], name: str) -> str:
    """A value as CSV has it, "" where the row lacks the field. Raises :class:`DataError` for what CSV cannot hold."""
    if name not in row:
        return ""
    value = row[name]
    if value is None or value == "":
        return _NULL
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime) and value.tzinfo is None:
        raise DataError(f"{name}: {value.isoformat()} has no time zone. Correct the mapping.")
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    if text == _NULL or "\x00" in text:
        raise DataError(f"{name}: a bulk job cannot hold this text. Correct the record or its mapping.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{name}: the text holds half a character. Correct the record or its mapping.") from error
    return text


def uploads(columns: Sequence[str], cells: Mapping[int, Sequence[str]]) -> Iterator[tuple[list[int], bytes]]:
    """Row numbers and CSV of each job, none larger than one job may be."""
    header = _line(columns)
    indexes: list[int] = []
    lines: list[bytes] = []
    size = len(header)
    for index, row in cells.items():
        line = _line(row)
        if indexes and size + len(line) > LARGEST_UPLOAD:
            yield indexes, header + b"".join(lines)
            indexes, lines, size = [], [], len(header)
        indexes.append(index)
        lines.append(line)
        size += len(line)
    if indexes:
        yield indexes, header + b"".join(lines)


def _line(values: Sequence[str]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue().encode()


def table(body: bytes) -> list[dict[str, str]]:
    """The rows of a CSV answer; line breaks within values stay. Raises :class:`ProtocolFault` for what is no CSV."""
    reader = csv.DictReader(io.StringIO(body.decode("utf-8", "replace"), newline=""), strict=True)
    try:
        rows = [dict(row) for row in reader]
    except csv.Error as error:
        raise ProtocolFault("Salesforce's CSV cannot be read, or was cut. Run again.") from error
    if any(None in row or None in row.values() for row in rows):
        raise ProtocolFault("A row of Salesforce's CSV has not as many values as its header. Run again.")
    return rows

"""The records of an org: plain dicts by id, with indexes that keep queries over 100,000 rows fast.

A row maps API field names (API casing) to stored values: text, numbers, booleans, aware UTC datetimes, dates, None. An
absent name means null (for a boolean: false). Rows are replaced, never edited: change them through the table only, so
that its indexes stay true.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from cshub_sandbox.salesforce.objects import FieldKind, FieldType, ObjectType
from cshub_sandbox.salesforce_ids import to_18

Row = Mapping[str, Any]
DEFAULT_API_VERSION = "67.0"
WATERMARK = "SystemModstamp"


def full_id(identifier: str) -> str | None:
    """The 18-character form of a 15- or 18-character id; None for text that cannot be an id.

    The first 15 characters decide, with regard to case (docs/vendors/salesforce.md §5).
    """
    well_formed = len(identifier) in (15, 18) and identifier.isascii() and identifier.isalnum()
    return to_18(identifier[:15]) if well_formed else None


class Table:
    """All rows of one object, deleted and archived ones included."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._rows: dict[str, Row] = {}
        self._indexes: dict[str, dict[Any, set[str]]] = {}
        self._stamps: list[tuple[datetime, str]] = []
        self._stamps_sorted = True

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __contains__(self, record_id: str) -> bool:
        return record_id in self._rows

    @property
    def ids(self) -> Collection[str]:
        return self._rows.keys()

    def get(self, record_id: str) -> Row | None:
        """The row of an 18-character id."""
        return self._rows.get(record_id)

    def put(self, row: Row) -> None:
        """Add a row, or put it in the place of the one with the same ``Id`` (18 characters)."""
        record_id = row["Id"]
        before = self._rows.get(record_id)
        self._rows[record_id] = row
        for name, index in self._indexes.items():
            if before is not None:
                _unindex(index, before.get(name), record_id)
            _index(index, row.get(name), record_id)
        stamp = row.get(WATERMARK)
        if stamp is not None and (before is None or before.get(WATERMARK) != stamp):
            self._stamps_sorted = self._stamps_sorted and (not self._stamps or self._stamps[-1] <= (stamp, record_id))
            self._stamps.append((stamp, record_id))

    def update(self, record_id: str, changes: Row) -> Row:
        """Replace some values of a row and return the new row. Raises ``KeyError`` when there is no such row."""
        row = {**self._rows[record_id], **changes}
        self.put(row)
        return row

    def remove(self, record_id: str) -> None:
        """Forget a row for good, as a purge of the recycle bin does. Raises ``KeyError`` when there is no such row."""
        row = self._rows.pop(record_id)
        for name, index in self._indexes.items():
            _unindex(index, row.get(name), record_id)

    def find(self, name: str, value: Any) -> list[str]:
        """Ids of rows whose field equals ``value``, text without regard to case, in order of id.

        The index of a field is built when it is first asked for and kept true from then on.
        """
        index = self._indexes.get(name)
        if index is None:
            index = self._indexes[name] = {}
            for record_id, row in self._rows.items():
                _index(index, row.get(name), record_id)
        return sorted(index.get(_folded(value), ()))

    def changed_since(self, since: datetime) -> Iterator[str]:
        """Ids of rows with ``SystemModstamp >= since``, ordered by SystemModstamp, then id.

        To be consumed before the table is changed again.
        """
        if not self._stamps_sorted or len(self._stamps) > 2 * len(self._rows):
            self._stamps = sorted({(stamp, id_) for stamp, id_ in self._stamps if self._is_current(stamp, id_)})
            self._stamps_sorted = True
        log = self._stamps
        for place in range(bisect_left(log, (since, "")), len(log)):
            stamp, record_id = log[place]
            if self._is_current(stamp, record_id) and (place == 0 or log[place - 1] != log[place]):
                yield record_id

    def _is_current(self, stamp: datetime, record_id: str) -> bool:
        row = self._rows.get(record_id)
        return row is not None and row.get(WATERMARK) == stamp


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _index(index: dict[Any, set[str]], value: Any, record_id: str) -> None:
    index.setdefault(_folded(value), set()).add(record_id)


def _unindex(index: dict[Any, set[str]], value: Any, record_id: str) -> None:
    index[_folded(value)].discard(record_id)


class Store:
    """The tables of one org by object name (compared without regard to case); a table is made when first asked for."""

    def __init__(self) -> None:
        self._tables: dict[str, Table] = {}

    def table(self, name: str) -> Table:
        key = name.lower()
        if key not in self._tables:
            self._tables[key] = Table(name)
        return self._tables[key]

    @property
    def tables(self) -> list[Table]:
        return list(self._tables.values())

    def get(self, record_id: str) -> Row | None:
        """The row of an 18-character id, in whichever table it is."""
        found = self.locate(record_id)
        return found[1] if found else None

    def locate(self, record_id: str) -> tuple[Table, Row] | None:
        """The table and the row of an 18-character id."""
        for table in self._tables.values():
            row = table.get(record_id)
            if row is not None:
                return table, row
        return None

    def rows(self, kind: ObjectType) -> Iterator[Row]:
        """All rows of an object, those it borrows from another table included."""
        rows = iter(self.table(kind.table))
        return rows if kind.subset is None else (row for row in rows if belongs(kind, row))


def belongs(kind: ObjectType, row: Row) -> bool:
    """Whether a row of ``kind.table`` is one of ``kind``."""
    subset = kind.subset
    return subset is None or str(row.get(subset.column) or "").startswith(subset.prefixes)


def value_of(kind: ObjectType, field: FieldType, row: Row) -> Any:
    """The value a reader sees: Name of a person is made of its parts, an absent boolean is false."""
    value = row.get(field.name)
    if value is None and field.name == "Name" and field.name_field and kind.field("LastName") is not None:
        return " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part) or None
    if value is None and field.kind is FieldKind.BOOLEAN:
        return False
    return value


def json_value(value: Any) -> Any:
    """A stored value as the REST API writes it: ``2026-11-20T08:11:12.000+0000``, ``2026-11-20``."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + ".000+0000"
    if isinstance(value, date):
        return value.isoformat()
    return value


def attributes(kind: ObjectType, record_id: str, api_version: str = DEFAULT_API_VERSION) -> dict[str, str]:
    """What begins every record: its type and its address."""
    return {"type": kind.name, "url": f"/services/data/v{api_version}/sobjects/{kind.name}/{record_id}"}


def record_json(
    kind: ObjectType, row: Row, fields: Iterable[FieldType] | None = None, *, api_version: str = DEFAULT_API_VERSION
) -> dict[str, Any]:
    """One record as the REST API writes it; all fields of ``kind`` when none are named."""
    shown = kind.fields.values() if fields is None else fields
    return {"attributes": attributes(kind, row["Id"], api_version)} | {
        field.name: json_value(value_of(kind, field, row)) for field in shown
    }

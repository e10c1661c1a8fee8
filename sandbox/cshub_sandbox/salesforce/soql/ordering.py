"""ORDER BY: nulls first unless asked otherwise, text without regard to case, equal rows by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cshub_sandbox.salesforce.objects import FieldType
from cshub_sandbox.salesforce.rows import WATERMARK, Row
from cshub_sandbox.salesforce.soql.columns import Column, Parents, Read


@dataclass(frozen=True, slots=True)
class Ordering:
    """One column to sort by."""

    column: Column
    descending: bool
    nulls_last: bool


def ordered(rows: list[Row], orderings: Sequence[Ordering], parents: Parents) -> list[Row]:
    """The rows in order. The last column is sorted first: each sort keeps the order of equals."""
    rows = sorted(rows, key=lambda row: str(row["Id"]))
    for ordering in reversed(orderings):
        rows = _sorted(rows, ordering, parents.reader(ordering.column))
    return rows


def is_watermark_order(orderings: Sequence[Ordering]) -> bool:
    """Whether the order is SystemModstamp and then Id, both ascending: the order in which a table keeps its log."""
    names = [ordering.column.name for ordering in orderings]
    return names in ([WATERMARK], [WATERMARK, "Id"]) and not any(ordering.descending for ordering in orderings)


def _sorted(rows: list[Row], ordering: Ordering, read: Read) -> list[Row]:
    field: FieldType = ordering.column.field
    keyed = [(read(row), row) for row in rows]
    nulls = [row for value, row in keyed if value is None]
    filled = [(field.fold(value), row) for value, row in keyed if value is not None]
    filled.sort(key=lambda pair: pair[0], reverse=ordering.descending)
    known = [row for _, row in filled]
    return known + nulls if ordering.nulls_last else nulls + known

"""Which rows a condition can hold for at all, found by index, so that few of 100,000 rows are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cshub_sandbox.salesforce.objects import ID_KINDS, FieldKind, FieldType, ObjectType
from cshub_sandbox.salesforce.rows import WATERMARK, Row, Store, Table, belongs
from cshub_sandbox.salesforce.soql.conditions import Conditions, Period, lower_bound
from cshub_sandbox.salesforce.soql.syntax import Comparison, Condition, Literal, Membership, Operator, joined


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows to test. ``by_watermark`` says that they come ordered by SystemModstamp, then Id."""

    rows: Iterable[Row]
    by_watermark: bool = False


def candidates(store: Store, kind: ObjectType, condition: Condition | None, conditions: Conditions) -> Candidates:
    """The fewest rows that an index gives: by id, by an indexed value, by SystemModstamp; else all rows."""
    table = store.table(kind.table)
    parts = list(joined(condition))
    for indexed in (_is_id, _is_indexed):
        for part in parts:
            ids = _equal_to(table, part, conditions, indexed)
            if ids is not None:
                return Candidates(_existing(table, kind, ids))
    since = max(_lower_bounds(parts, conditions), default=None)
    if since is not None:
        return Candidates(_existing(table, kind, table.changed_since(since)), by_watermark=True)
    return Candidates(store.rows(kind))


def _existing(table: Table, kind: ObjectType, ids: Iterable[str]) -> Iterator[Row]:
    for record_id in ids:
        row = table.get(record_id)
        if row is not None and belongs(kind, row):
            yield row


def _is_id(field: FieldType) -> bool:
    return field.kind is FieldKind.ID


def _is_indexed(field: FieldType) -> bool:
    return field.kind in ID_KINDS or field.unique or field.external_id


def _equal_to(
    table: Table, part: Condition, conditions: Conditions, indexed: Callable[[FieldType], bool]
) -> list[str] | None:
    """Ids of the rows that an equality or IN on an indexed field of the object itself can hold for."""
    match part:
        case Comparison(path, Operator.EQUAL, literal):
            literals: tuple[Literal, ...] = (literal,)
        case Membership(path, False, literals):
            pass
        case _:
            return None
    column = conditions.filterable(path)
    if column.steps or not indexed(column.field):
        return None
    values = [value for value in conditions.values(column, literals) if not isinstance(value, Period)]
    if column.field.kind is FieldKind.ID:
        return list(dict.fromkeys(values))
    return list(dict.fromkeys(found for value in values for found in table.find(column.field.name, value)))


def _lower_bounds(parts: Iterable[Condition], conditions: Conditions) -> Iterator[datetime]:
    for part in parts:
        if isinstance(part, Comparison):
            column = conditions.filterable(part.path)
            if column.name == WATERMARK:
                bound = lower_bound(part.operator, *conditions.values(column, [part.literal]))
                if bound is not None:
                    yield bound

"""Running a query over the rows of an org, as one user, at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Any

from cshub_sandbox.salesforce.objects import FieldKind, ObjectType, Schema
from cshub_sandbox.salesforce.rows import DEFAULT_API_VERSION, Row, Store, belongs
from cshub_sandbox.salesforce.soql.candidates import candidates
from cshub_sandbox.salesforce.soql.columns import Binder, Column, Parents
from cshub_sandbox.salesforce.soql.conditions import Conditions, Predicate
from cshub_sandbox.salesforce.soql.ordering import Ordering, is_watermark_order, ordered
from cshub_sandbox.salesforce.soql.refusals import (
    invalid_field,
    malformed,
    no_such_object,
    no_such_relationship,
    out_of_range,
    wrong_operator,
)
from cshub_sandbox.salesforce.soql.selection import RenderChildren, Selection
from cshub_sandbox.salesforce.soql.syntax import Path, Query

MAX_OFFSET = 2_000  # docs/vendors/salesforce.md §2.1


def _see_all(row: Row) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a query depends on beside its text and the rows.

    ``now`` is an aware datetime; ``zone`` is that of the running user and decides what TODAY is. ``include_deleted`` is
    queryAll: deleted and archived rows too. ``visible`` hides rows that the caller keeps back. ``given_id`` is the id
    that a text in a condition means.
    """

    now: datetime
    zone: tzinfo = UTC
    include_deleted: bool = False
    api_version: str = DEFAULT_API_VERSION
    visible: Predicate = _see_all
    given_id: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of a query. ``ids`` are the found rows in order; JSON is made for one page at a time.

    ``total`` is ``totalSize``. ``first_batch_only`` is true for a query with OFFSET: no further page may be offered
    (docs/vendors/salesforce.md §2.1). ``columns`` names the plain fields for answers that are tables.
    """

    total: int
    ids: Sequence[str] = ()
    first_batch_only: bool = False
    columns: Sequence[str] = ()
    _read: Callable[[str], Row | None] = field(default=lambda record_id: None, repr=False)
    _selection: Selection | None = field(default=None, repr=False)
    _aggregates: tuple[dict[str, Any], ...] = ()

    def page(self, start: int = 0, size: int | None = None) -> list[dict[str, Any]]:
        """Records ``start`` to ``start + size`` as JSON-ready values; rows purged meanwhile are left out."""
        if self._selection is None:
            return list(self._aggregates)
        return [self._selection.record(row) for row in self._rows(start, size)]

    def cells(self, start: int = 0, size: int | None = None) -> list[list[Any]]:
        """The same records as stored values in the order of ``columns``: datetimes and dates are not yet text."""
        if self._selection is None:
            return []
        return [self._selection.cells(row) for row in self._rows(start, size)]

    def _rows(self, start: int, size: int | None) -> Iterator[Row]:
        chosen = self.ids[start:] if size is None else self.ids[start : start + size]
        return (row for record_id in chosen if (row := self._read(record_id)) is not None)


def run(query: Query, store: Store, schema: Schema, setting: Setting) -> Result:
    """Run ``query`` as the user who sees ``schema``.

    Raises the refusals of docs/vendors/salesforce.md §2.2: INVALID_TYPE, INVALID_FIELD, MALFORMED_QUERY,
    INVALID_QUERY_FILTER_OPERATOR, NUMBER_OUTSIDE_VALID_RANGE, all with status 400.
    """
    kind = schema.get(query.object_name.names[0])
    if kind is None or not kind.queryable:
        raise no_such_object(query.text, query.object_name.at, str(query.object_name))
    return _Run(query, kind, store, schema, setting).result()


def check(query: Query, schema: Schema, setting: Setting) -> None:
    """Raise what :func:`run` would raise, without looking at any row."""
    run(query, Store(), schema, setting)


class _Run:
    def __init__(self, query: Query, kind: ObjectType, store: Store, schema: Schema, setting: Setting) -> None:
        self._query = query
        self._kind = kind
        self._store = store
        self._schema = schema
        self._setting = setting
        self._binder = Binder(query.text, schema, kind, query.alias)
        self._parents = Parents(store, schema)
        self._conditions = Conditions(
            query.text,
            self._binder,
            self._parents,
            today=setting.now.astimezone(setting.zone).date(),
            zone=setting.zone,
            run_semi_join=self._semi_join,
            given_id=setting.given_id,
        )
        condition = query.condition
        self._holds = None if condition is None else self._conditions.predicate(condition)
        self._orderings = [self._ordering(item.path, item.descending, item.nulls_last) for item in query.order]
        if query.offset is not None and query.offset > MAX_OFFSET:
            raise out_of_range(f"Maximum SOQL offset allowed is {MAX_OFFSET}")

    def result(self) -> Result:
        if self._query.counts:
            return self._counted()
        selection = self._selection()
        ids = [str(row["Id"]) for row in self._window(self._found(in_order=True))]
        return Result(
            total=len(ids),
            ids=ids,
            first_batch_only=self._query.offset is not None,
            columns=[column.name for column in selection.columns],
            _read=self._store.table(self._kind.table).get,
            _selection=selection,
        )

    def _selection(self) -> Selection:
        return Selection(
            self._query,
            self._kind,
            self._schema,
            self._binder,
            self._parents,
            api_version=self._setting.api_version,
            bind_children=self._bind_children,
        )

    def _found(self, *, in_order: bool) -> Iterator[Row]:
        source = candidates(self._store, self._kind, self._query.condition, self._conditions)
        found = (row for row in source.rows if self._matches(row))
        if not in_order or (source.by_watermark and is_watermark_order(self._orderings)):
            return found
        return iter(ordered(list(found), self._orderings, self._parents))

    def _matches(self, row: Row) -> bool:
        setting = self._setting
        if not setting.include_deleted and (row.get("IsDeleted") or row.get("IsArchived")):
            return False
        return setting.visible(row) and (self._holds is None or self._holds(row))

    def _window(self, rows: Iterator[Row]) -> Iterator[Row]:
        start = self._query.offset or 0
        return islice(rows, start, None if self._query.limit is None else start + self._query.limit)

    def _counted(self) -> Result:
        counts = self._query.counts
        plain = next((item for item in self._query.items if isinstance(item, Path)), None)
        if plain is not None:
            raise malformed(f"Field must be grouped or aggregated: {plain}")
        if len(counts) != len(self._query.items) or (len(counts) > 1 and any(c.path is None for c in counts)):
            raise malformed("COUNT() must stand alone in SELECT")
        columns = [None if count.path is None else self._binder.column(count.path) for count in counts]
        rows = list(self._window(self._found(in_order=False)))
        if columns[0] is None:
            return Result(total=len(rows))
        answer: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
        unnamed = 0
        for count, column in zip(counts, columns, strict=True):
            name = count.alias or f"expr{unnamed}"
            unnamed += count.alias is None
            answer[name] = sum(1 for row in rows if column and self._parents.reader(column)(row) is not None)
        return Result(total=1, _aggregates=(answer,))

    def _ordering(self, path: Path, descending: bool, nulls_last: bool) -> Ordering:
        column = self._binder.column(path)
        if not column.field.sortable:
            message = f"field '{column.field.name}' can not be sorted in a query call"
            raise invalid_field(self._query.text, path.at, message)
        return Ordering(column, descending, nulls_last)

    def _semi_join(self, query: Query, outer: Column) -> frozenset[str]:
        """The ids that the inner query selects; both sides must be ids or references."""
        if len(query.items) != 1 or not isinstance(query.items[0], Path):
            raise malformed("The inner select of a semi-join must select one field")
        inner = run(query, self._store, self._schema, self._setting)
        selected = query.items[0]
        kind = self._schema.object(str(query.object_name))
        field = Binder(query.text, self._schema, kind, query.alias).column(selected).field
        for each, at in ((outer.field, query.object_name.at), (field, selected.at)):
            if each.kind not in (FieldKind.ID, FieldKind.REFERENCE):
                raise wrong_operator(query.text, at, f"semi-joins need ID or reference fields, not '{each.name}'")
        return frozenset(str(cells[0]) for cells in inner.cells() if cells[0] is not None)

    def _bind_children(self, query: Query) -> tuple[str, RenderChildren]:
        name = str(query.object_name)
        wanted = name.lower()
        child = next(
            (c for c in self._schema.children(self._kind.name) if c.name is not None and c.name.lower() == wanted), None
        )
        if child is None or child.name is None:
            raise no_such_relationship(self._query.text, query.object_name.at, name)
        if any(not isinstance(item, Path) for item in query.items):
            raise malformed("A child query may select fields only")
        inner = _Run(query, self._schema.object(child.child), self._store, self._schema, self._setting)
        return child.name, inner.children_of(child.field)

    def children_of(self, reference: str) -> RenderChildren:
        """How the rows that point to a parent through ``reference`` are shown within it: null when there are none."""
        selection = self._selection()
        table = self._store.table(self._kind.table)

        def render(parent: Row) -> dict[str, Any] | None:
            own = (table.get(record_id) for record_id in table.find(reference, parent["Id"]))
            found = [row for row in own if row is not None and belongs(self._kind, row) and self._matches(row)]
            shown = list(self._window(iter(ordered(found, self._orderings, self._parents))))
            records = [selection.record(row) for row in shown]
            return {"totalSize": len(records), "done": True, "records": records} if records else None

        return render

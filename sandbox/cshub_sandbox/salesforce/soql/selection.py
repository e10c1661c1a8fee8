"""SELECT: the shape of a record in the answer, bound once and filled in row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cshub_sandbox.salesforce.objects import FieldType, ObjectType, Schema
from cshub_sandbox.salesforce.objects_standard import NAME_OBJECT
from cshub_sandbox.salesforce.rows import Row, attributes, json_value
from cshub_sandbox.salesforce.soql.columns import Binder, Column, Parents, Step, direct_reader, parent_value
from cshub_sandbox.salesforce.soql.refusals import invalid_field, malformed, no_such_object, no_such_relationship
from cshub_sandbox.salesforce.soql.syntax import ChildQuery, FieldGroup, Fields, Path, Query, TypeOf

MAX_FIELDS_LIMIT = 200  # rows of a query with FIELDS(), docs/vendors/salesforce.md §6.2
MAX_CHILD_QUERIES = 20  # docs/vendors/salesforce.md §2.1

_ReadAs = Callable[[ObjectType, Row], Any]
RenderChildren = Callable[[Row], dict[str, Any] | None]
BindChildren = Callable[[Query], tuple[str, RenderChildren]]


@dataclass(slots=True)
class _Node:
    """One level of the answer: its own fields by name, and the parents below it by relationship name."""

    readers: dict[str, _ReadAs] = field(default_factory=dict)
    below: dict[str, _Below] = field(default_factory=dict)


@dataclass(slots=True)
class _Below:
    """A parent: its object picks among ``branches``; ``node`` is for all others."""

    step: Step
    node: _Node | None = None
    branches: dict[str, _Node] = field(default_factory=dict)


class Selection:
    """What to show of each row. ``columns`` are the plain fields in order, for answers that are tables."""

    def __init__(
        self,
        query: Query,
        kind: ObjectType,
        schema: Schema,
        binder: Binder,
        parents: Parents,
        *,
        api_version: str,
        bind_children: BindChildren,
    ) -> None:
        self._text = query.text
        self._kind = kind
        self._schema = schema
        self._binder = binder
        self._parents = parents
        self._api_version = api_version
        self._root = _Node()
        self._children: dict[str, RenderChildren] = {}
        self.columns: list[Column] = []
        for item in query.items:
            if isinstance(item, Path):
                self._add(binder.column(item), item.at)
            elif isinstance(item, Fields):
                self._add_group(item, query.limit)
            elif isinstance(item, TypeOf):
                self._add_type_of(item)
            elif isinstance(item, ChildQuery):
                name, render = bind_children(item.query)
                self._children[name] = render
        self._cell_readers = [parents.reader(column) for column in self.columns]
        if len(self._children) > MAX_CHILD_QUERIES:
            raise malformed(f"A query may have at most {MAX_CHILD_QUERIES} child queries")

    def record(self, row: Row) -> dict[str, Any]:
        """One record as JSON-ready values."""
        answer = self._filled(self._root, self._kind.name, self._kind, row)
        for name, render in self._children.items():
            answer[name] = render(row)
        return answer

    def cells(self, row: Row) -> list[Any]:
        """The stored values of :attr:`columns`."""
        return [read(row) for read in self._cell_readers]

    def _add(self, column: Column, at: int) -> None:
        node = self._root
        for step in column.steps:
            name = str(step.reference.relationship)
            below = node.below.setdefault(name, _Below(step))
            node = below.node = below.node or _Node()
        if column.field.name in node.readers:
            raise invalid_field(self._text, at, f"duplicate field selected: {column.name}")
        last = column.steps[-1] if column.steps else None
        node.readers[column.field.name] = _reader(last, column.kind, column.field)
        self.columns.append(column)

    def _add_group(self, item: Fields, limit: int | None) -> None:
        if limit is None or limit > MAX_FIELDS_LIMIT:
            raise malformed(f"The SOQL FIELDS function must have a LIMIT of at most {MAX_FIELDS_LIMIT}")
        for each in self._kind.fields.values():
            if item.group is FieldGroup.ALL or each.custom is (item.group is FieldGroup.CUSTOM):
                self._add(Column((), self._kind, each), item.at)

    def _add_type_of(self, item: TypeOf) -> None:
        steps, target = self._binder.steps(item.path.names, item.path)
        if target.name != NAME_OBJECT or len(steps) > 1:
            raise invalid_field(self._text, item.path.at, f"TYPEOF needs a polymorphic relationship, not {item.path}")
        step = steps[0]
        below = self._root.below.setdefault(str(step.reference.relationship), _Below(step))
        for name, paths in item.branches:
            kind = self._schema.get(name)
            if kind is None:
                raise no_such_object(self._text, item.path.at, name)
            if kind.name not in step.reference.reference_to:
                raise no_such_relationship(self._text, item.path.at, f"{item.path} WHEN {kind.name}")
            self._binder.count_relationship(("typeof", item.path.names[0].lower(), kind.key))
            below.branches[kind.name] = self._branch(kind, paths)
        if item.otherwise:
            below.node = self._branch(target, item.otherwise, Step(step.reference, target))

    def _branch(self, kind: ObjectType, paths: Sequence[Path], step: Step | None = None) -> _Node:
        binder = Binder(self._text, self._schema, kind)
        node = _Node()
        for path in paths:
            column = binder.column(path)
            if column.steps:
                raise malformed(f"The field {path} of a TYPEOF branch may not lead to a further parent")
            node.readers[column.field.name] = _reader(step, kind, column.field)
        return node

    def _filled(self, node: _Node, type_name: str, kind: ObjectType, row: Row) -> dict[str, Any]:
        shown = attributes(kind, row["Id"], self._api_version)
        shown["type"] = type_name
        answer: dict[str, Any] = {"attributes": shown}
        for name, read in node.readers.items():
            answer[name] = json_value(read(kind, row))
        for name, below in node.below.items():
            answer[name] = self._parent(below, row)
        return answer

    def _parent(self, below: _Below, row: Row) -> dict[str, Any] | None:
        found = self._parents.of(below.step, row)
        if found is None:
            return None
        kind, parent = found
        if kind.name in below.branches:
            return self._filled(below.branches[kind.name], kind.name, kind, parent)
        shown_as = NAME_OBJECT if below.step.reference.polymorphic else kind.name
        return None if below.node is None else self._filled(below.node, shown_as, kind, parent)


def _reader(step: Step | None, kind: ObjectType, field: FieldType) -> _ReadAs:
    if step is not None and step.reference.polymorphic:
        return lambda actual, row: parent_value(step, field, actual, row)
    read = direct_reader(kind, field)
    return lambda actual, row: read(row)

"""Names bound to the schema: which field a path means, and how its value is read from a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.objects import FieldKind, FieldType, ObjectType, Schema
from cshub_sandbox.salesforce.objects_standard import NAME_OBJECT
from cshub_sandbox.salesforce.rows import Row, Store, value_of
from cshub_sandbox.salesforce.soql.refusals import malformed, no_such_column, no_such_relationship
from cshub_sandbox.salesforce.soql.syntax import Path

MAX_LEVELS = 5  # child-to-parent steps in one path, docs/vendors/salesforce.md §2.1
MAX_RELATIONSHIPS = 55  # child-to-parent relationships in one query, each TYPEOF branch counted, §2.1
USERS_ONLY = frozenset({"email", "alias", "phone"})  # of Name: filled for users alone, §2.3
QUEUE = "Queue"

Read = Callable[[Row], Any]
Parent = tuple[ObjectType, Row]


@dataclass(frozen=True, slots=True)
class Step:
    """One step to a parent: the reference, and the object whose fields can be read there (Name when polymorphic)."""

    reference: FieldType
    target: ObjectType


@dataclass(frozen=True, slots=True)
class Column:
    """A field at the end of some steps. ``kind`` is the object that the field belongs to."""

    steps: tuple[Step, ...]
    kind: ObjectType
    field: FieldType

    @property
    def name(self) -> str:
        """The path in the API's own letter case."""
        return ".".join([*(str(step.reference.relationship) for step in self.steps), self.field.name])


class Binder:
    """Finds what the names of one query mean for one user. Errors carry the place in the query's text."""

    def __init__(self, text: str, schema: Schema, kind: ObjectType, alias: str | None = None) -> None:
        self._text = text
        self._schema = schema
        self._kind = kind
        self._qualifiers = {kind.key, *([alias.lower()] if alias else [])}
        self._relationships: set[tuple[str, ...]] = set()

    def column(self, path: Path) -> Column:
        """The field that a path means. Raises INVALID_FIELD, or MALFORMED_QUERY when it climbs too far."""
        names = self._unqualified(path)
        steps, kind = self.steps(names[:-1], path)
        field = kind.field(names[-1])
        if field is None:
            raise no_such_column(self._text, path.at, names[-1], kind.name)
        return Column(steps, kind, field)

    def steps(self, names: tuple[str, ...], path: Path) -> tuple[tuple[Step, ...], ObjectType]:
        """The steps of relationship names, and the object they end at."""
        if len(names) > MAX_LEVELS:
            raise malformed(f"The path {path} climbs more than {MAX_LEVELS} relationships")
        kind = self._kind
        steps: list[Step] = []
        for name in names:
            reference = kind.relationship(name)
            target = self._target(reference) if reference else None
            if reference is None or target is None:
                raise no_such_relationship(self._text, path.at, name)
            steps.append(Step(reference, target))
            kind = target
        for count in range(1, len(names) + 1):
            self.count_relationship(tuple(name.lower() for name in names[:count]))
        return tuple(steps), kind

    def count_relationship(self, names: tuple[str, ...]) -> None:
        self._relationships.add(names)
        if len(self._relationships) > MAX_RELATIONSHIPS:
            raise malformed(f"A query may use at most {MAX_RELATIONSHIPS} child-to-parent relationships")

    def unknown_column(self, path: Path) -> SalesforceError:
        return no_such_column(self._text, path.at, path.names[-1], self._kind.name)

    def _unqualified(self, path: Path) -> tuple[str, ...]:
        """The path without the object's own name or alias in front."""
        first = path.names[0].lower()
        qualified = len(path.names) > 1 and first in self._qualifiers and self._kind.relationship(first) is None
        return path.names[1:] if qualified else path.names

    def _target(self, reference: FieldType) -> ObjectType | None:
        if reference.polymorphic:
            return self._schema.get(NAME_OBJECT)
        return self._schema.get(reference.reference_to[0]) if reference.reference_to else None


class Parents:
    """Follows references between the rows of a store."""

    def __init__(self, store: Store, schema: Schema) -> None:
        self._store = store
        self._schema = schema

    def of(self, step: Step, row: Row) -> Parent | None:
        """The object and the row that a reference of ``row`` points to; None when it is empty or leads nowhere."""
        record_id = row.get(step.reference.name)
        if record_id is None:
            return None
        kind = self._schema.object_of(record_id) if step.reference.polymorphic else step.target
        parent = self._store.table(kind.table).get(record_id) if kind else None
        return None if kind is None or parent is None else (kind, parent)

    def reader(self, column: Column) -> Read:
        """How to read a column from a row of the queried object: null when a parent on the way is missing."""
        if not column.steps:
            return direct_reader(column.kind, column.field)
        *way, last = column.steps
        field = column.field

        def read(row: Row) -> Any:
            for step in way:
                parent = self.of(step, row)
                if parent is None:
                    return None
                row = parent[1]
            found = self.of(last, row)
            return None if found is None else parent_value(last, field, *found)

        return read


def direct_reader(kind: ObjectType, field: FieldType) -> Read:
    if field.kind is FieldKind.BOOLEAN or field.name_field:
        return lambda row: value_of(kind, field, row)
    name = field.name
    return lambda row: row.get(name)


def parent_value(step: Step, field: FieldType, kind: ObjectType, row: Row) -> Any:
    """A field of a parent; through a polymorphic reference that of Name, whatever the parent is (§2.3)."""
    if not step.reference.polymorphic:
        return value_of(kind, field, row)
    if field.key == "type":
        return QUEUE if row.get("Type") == QUEUE and kind.name == "Group" else kind.name
    if field.key == "name":
        shown = kind.name_field
        return value_of(kind, shown, row) if shown else None
    if field.key in USERS_ONLY and kind.name != "User":
        return None
    own = kind.field(field.name)
    return None if own is None else value_of(kind, own, row)

"""What an org knows of its objects: one description per field, from which describe and all rules follow.

Every flag is the one that ``describe`` shows (docs/vendors/salesforce.md §4). Object, field and relationship names are
compared without regard to case, as the API does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from enum import StrEnum
from typing import Any

ACTIVITY = "activity"
ACTIVITY_OBJECTS = ("event", "task")  # custom fields of Activity appear on both: docs/vendors/salesforce.md §4.2
LONGEST_FILTERABLE_TEXT_AREA = 255


class FieldKind(StrEnum):
    """The ``type`` of a field, docs/vendors/salesforce.md §4."""

    ID = "id"
    STRING = "string"
    TEXTAREA = "textarea"
    COMBOBOX = "combobox"
    PICKLIST = "picklist"
    MULTIPICKLIST = "multipicklist"
    BOOLEAN = "boolean"
    INT = "int"
    DOUBLE = "double"
    CURRENCY = "currency"
    PERCENT = "percent"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    REFERENCE = "reference"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    ENCRYPTED = "encryptedstring"
    BASE64 = "base64"
    ANY = "anyType"
    JUNCTION = "junctionIdList"


ID_KINDS = frozenset({FieldKind.ID, FieldKind.REFERENCE})
NUMBER_KINDS = frozenset({FieldKind.INT, FieldKind.DOUBLE, FieldKind.CURRENCY, FieldKind.PERCENT})
TEXT_KINDS = frozenset(
    {
        FieldKind.STRING,
        FieldKind.TEXTAREA,
        FieldKind.COMBOBOX,
        FieldKind.PICKLIST,
        FieldKind.MULTIPICKLIST,
        FieldKind.EMAIL,
        FieldKind.PHONE,
        FieldKind.URL,
        FieldKind.ENCRYPTED,
        FieldKind.ANY,
    }
)
_NEVER_FILTERED = frozenset({FieldKind.ENCRYPTED, FieldKind.BASE64, FieldKind.JUNCTION})


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a picklist."""

    value: str
    default: bool = False
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldType:
    """One field of one object. Lengths are characters; ``label`` is made from the name when empty.

    ``defaulted`` says that a create without the field is given ``default`` (or what the service derives), so that
    required on create = ``createable and not nillable and not defaulted``. ``children`` is the name of the child
    relationship on the referenced object. A text field has regard to case in comparisons only when it is ``unique`` and
    ``case_sensitive`` (docs/vendors/salesforce.md §2.2).
    """

    name: str
    kind: FieldKind
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    defaulted: bool = False
    default: Any = None
    calculated: bool = False
    auto_number: bool = False
    name_field: bool = False
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    choices: tuple[Choice, ...] = ()
    restricted: bool = False
    reference_to: tuple[str, ...] = ()
    relationship: str | None = None
    children: str | None = None
    help_text: str | None = None

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    @property
    def required(self) -> bool:
        """Whether a create must send it (docs/vendors/salesforce.md §4)."""
        return self.createable and not self.nillable and not self.defaulted

    @property
    def polymorphic(self) -> bool:
        """Whether the reference leads to several objects, so that only the fields of Name can be read through it."""
        return len(self.reference_to) > 1

    @property
    def id_lookup(self) -> bool:
        return self.kind is FieldKind.ID or self.external_id

    @property
    def filterable(self) -> bool:
        long_text = self.kind is FieldKind.TEXTAREA and self.length > LONGEST_FILTERABLE_TEXT_AREA
        return self.kind not in _NEVER_FILTERED and not long_text

    @property
    def sortable(self) -> bool:
        return self.filterable and self.kind is not FieldKind.MULTIPICKLIST

    @property
    def groupable(self) -> bool:
        ungroupable = NUMBER_KINDS - {FieldKind.INT} | {FieldKind.DATETIME, FieldKind.TIME, FieldKind.MULTIPICKLIST}
        return self.filterable and self.kind not in ungroupable and not self.calculated

    @property
    def compares_case(self) -> bool:
        return self.kind in ID_KINDS or (self.unique and self.case_sensitive)

    def fold(self, value: Any) -> Any:
        """The form in which two values of this field are compared for equality."""
        return value.casefold() if isinstance(value, str) and not self.compares_case else value


@dataclass(frozen=True, slots=True)
class RowSubset:
    """Rows that an object borrows: those of ``table`` whose ``column`` holds an id with one of ``prefixes``."""

    table: str
    column: str
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """One object. ``fields`` is keyed by lower-case name, in the order of describe.

    ``key_prefix`` is None for objects without own records (Name); ``has_activities`` tells what a WhatId may point to.
    """

    name: str
    label: str
    plural: str
    key_prefix: str | None
    fields: Mapping[str, FieldType]
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    queryable: bool = True
    replicateable: bool = True
    has_activities: bool = False
    subset: RowSubset | None = None
    _relationships: Mapping[str, FieldType] = attribute(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = {f.relationship.lower(): f for f in self.fields.values() if f.relationship}
        object.__setattr__(self, "_relationships", named)

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    @property
    def table(self) -> str:
        """Name of the table that holds its rows."""
        return self.subset.table if self.subset else self.name

    @property
    def name_field(self) -> FieldType | None:
        return next((f for f in self.fields.values() if f.name_field), None)

    def field(self, name: str) -> FieldType | None:
        return self.fields.get(name.lower())

    def relationship(self, name: str) -> FieldType | None:
        """The reference field behind a relationship name, e.g. ``Account`` or ``Parent__r``."""
        return self._relationships.get(name.lower())

    def with_field(self, new: FieldType) -> ObjectType:
        return replace(self, fields={**self.fields, new.key: new})

    def without_field(self, name: str) -> ObjectType:
        return replace(self, fields={key: f for key, f in self.fields.items() if key != name.lower()})


@dataclass(frozen=True, slots=True)
class ChildRelationship:
    """``field`` of ``child`` points to the object asked about."""

    child: str
    field: str
    name: str | None


_CUSTOM_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9]|_(?!_))*(?<!_)__c")


class Schema:
    """All objects of one org, or what one user sees of them."""

    def __init__(self, objects: Iterable[ObjectType] = ()) -> None:
        self._objects = {kind.key: kind for kind in objects}
        self._by_prefix = {kind.key_prefix: kind for kind in self.objects if kind.key_prefix}
        self._views: dict[tuple[frozenset[str], frozenset[str]], Schema] = {}

    @property
    def objects(self) -> list[ObjectType]:
        return list(self._objects.values())

    def get(self, name: str) -> ObjectType | None:
        return self._objects.get(name.lower())

    def object(self, name: str) -> ObjectType:
        """The object called ``name``. Raises ``KeyError`` when the org has none."""
        kind = self.get(name)
        if kind is None:
            raise KeyError(f"the org has no object {name!r}")
        return kind

    def object_of(self, record_id: str) -> ObjectType | None:
        """The object whose key prefix begins the id; None when no object has it."""
        return self._by_prefix.get(record_id[:3])

    def children(self, name: str) -> list[ChildRelationship]:
        """All reference fields that point to the object, with the name of the relationship seen from it."""
        target = self.object(name).name
        return [
            ChildRelationship(kind.name, f.name, f.children)
            for kind in self.objects
            for f in kind.fields.values()
            if target in f.reference_to
        ]

    def put_object(self, kind: ObjectType) -> None:
        """Add the object, or put it in the place of the one with the same name."""
        self._objects[kind.key] = kind
        if kind.key_prefix:
            self._by_prefix[kind.key_prefix] = kind
        self._views.clear()

    def add_field(self, object_name: str, new: FieldType) -> None:
        """Add a field, or put it in the place of the one with the same name.

        A custom field of Event, Task or Activity appears on Event and Task, since all three share one definition.
        Raises ``KeyError`` for an unknown object.
        """
        shared = object_name.lower() in (ACTIVITY, *ACTIVITY_OBJECTS) and new.custom
        for name in ACTIVITY_OBJECTS if shared else (object_name,):
            self.put_object(self.object(name).with_field(new))

    def change_field(self, object_name: str, field_name: str, **flags: Any) -> FieldType:
        """Replace some flags of a field. Raises ``KeyError`` for an unknown object or field."""
        found = self.object(object_name).field(field_name)
        if found is None:
            raise KeyError(f"{object_name} has no field {field_name!r}")
        changed = replace(found, **flags)
        self.add_field(object_name, changed)
        return changed

    def remove_field(self, object_name: str, field_name: str) -> None:
        """Take a field away from one object. Raises ``KeyError`` for an unknown object."""
        self.put_object(self.object(object_name).without_field(field_name))

    def for_user(self, *, hidden: Iterable[str] = (), read_only: Iterable[str] = ()) -> Schema:
        """What a user sees: fields are given as ``Object.Field``; ``Activity.X`` means Event and Task.

        A hidden field is absent; one that is read-only can neither be created nor updated. ``Id`` cannot be hidden.
        The answer is a schema of its own that does not follow later changes of this one: ask anew for each request.
        """
        key = (frozenset(_spread(hidden)), frozenset(_spread(read_only)))
        if key not in self._views:
            self._views[key] = Schema(_seen(kind, *key) for kind in self.objects)
        return self._views[key]


def _spread(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        owner, _, column = name.lower().partition(".")
        if owner == ACTIVITY:
            yield from (f"{each}.{column}" for each in ACTIVITY_OBJECTS)
        else:
            yield f"{owner}.{column}"


def _seen(kind: ObjectType, hidden: frozenset[str], read_only: frozenset[str]) -> ObjectType:
    fields = {
        key: replace(f, createable=False, updateable=False) if f"{kind.key}.{key}" in read_only else f
        for key, f in kind.fields.items()
        if key == "id" or f"{kind.key}.{key}" not in hidden
    }
    return kind if fields == kind.fields else replace(kind, fields=fields)


def is_custom_name(name: str) -> bool:
    """Whether ``name`` may be the API name of a custom object or field: a letter first, ``__c`` at the end."""
    return _CUSTOM_NAME.fullmatch(name) is not None

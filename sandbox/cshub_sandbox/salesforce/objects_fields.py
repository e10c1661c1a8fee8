"""Short ways to write down fields; every flag can be given by name and then wins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cshub_sandbox.salesforce.objects import Choice, FieldKind, FieldType, ObjectType

READ_ONLY: dict[str, Any] = {"createable": False, "updateable": False}
ID_LENGTH = 18


def text(name: str, length: int = 255, **flags: Any) -> FieldType:
    return FieldType(name=name, kind=FieldKind.STRING, length=length, **flags)


def text_area(name: str, length: int = 255, **flags: Any) -> FieldType:
    return FieldType(name=name, kind=FieldKind.TEXTAREA, length=length, **flags)


def email(name: str = "Email", **flags: Any) -> FieldType:
    return FieldType(name=name, kind=FieldKind.EMAIL, length=80, **flags)


def phone(name: str, **flags: Any) -> FieldType:
    return FieldType(name=name, kind=FieldKind.PHONE, length=40, **flags)


def url(name: str, **flags: Any) -> FieldType:
    return FieldType(name=name, kind=FieldKind.URL, length=255, **flags)


def whole(name: str, **flags: Any) -> FieldType:
    return FieldType(name=name, kind=FieldKind.INT, **flags)


def number(name: str, kind: FieldKind = FieldKind.DOUBLE, **flags: Any) -> FieldType:
    return FieldType(**{"name": name, "kind": kind, "precision": 18, "scale": 2, **flags})


def date_field(name: str, **flags: Any) -> FieldType:
    return FieldType(name=name, kind=FieldKind.DATE, **flags)


def datetime_field(name: str, **flags: Any) -> FieldType:
    return FieldType(name=name, kind=FieldKind.DATETIME, **flags)


def flag(name: str, **flags: Any) -> FieldType:
    known: dict[str, Any] = {"name": name, "kind": FieldKind.BOOLEAN, "nillable": False}
    return FieldType(**known | _defaulted(False, flags))


def picklist(name: str, *values: str, default: str | None = None, length: int = 40, **flags: Any) -> FieldType:
    """A picklist; with a ``default`` it is not nillable and defaulted on create."""
    choices = tuple(Choice(value, default=value == default) for value in values)
    known: dict[str, Any] = {"name": name, "kind": FieldKind.PICKLIST, "length": length, "choices": choices}
    if default is None:
        return FieldType(**known | flags)
    return FieldType(**known | {"nillable": False} | _defaulted(default, flags))


def reference(name: str, *to: str, children: str | None = None, **flags: Any) -> FieldType:
    """A lookup; its relationship name is the field's without ``Id``, or with ``__r`` for ``__c``."""
    relationship = name.removesuffix("__c") + "__r" if name.endswith("__c") else name.removesuffix("Id")
    known: dict[str, Any] = {"relationship": relationship, "children": children, "length": ID_LENGTH}
    return FieldType(name=name, kind=FieldKind.REFERENCE, reference_to=to, **known | flags)


def owner(*to: str) -> FieldType:
    """``OwnerId``: not nillable, the running user by default."""
    return reference("OwnerId", *to, nillable=False, defaulted=True)


def _defaulted(default: Any, flags: dict[str, Any]) -> dict[str, Any]:
    return {"defaulted": flags.get("createable", True), "default": default} | flags


def record_id() -> FieldType:
    return FieldType(name="Id", kind=FieldKind.ID, length=ID_LENGTH, nillable=False, defaulted=True, **READ_ONLY)


def audit(*, deletable: bool = True) -> tuple[FieldType, ...]:
    """The fields that the platform keeps by itself, never written: docs/vendors/salesforce.md §4.1."""
    kept: dict[str, Any] = {"nillable": False, "defaulted": True, **READ_ONLY}
    return (
        *((flag("IsDeleted", **kept),) if deletable else ()),
        datetime_field("CreatedDate", **kept),
        reference("CreatedById", "User", **kept),
        datetime_field("LastModifiedDate", **kept),
        reference("LastModifiedById", "User", **kept),
        datetime_field("SystemModstamp", **kept),
    )


def person_name(first: int = 40, last: int = 80) -> tuple[FieldType, ...]:
    """LastName (required), FirstName and the Name made of both."""
    return (
        text("LastName", last, nillable=False),
        text("FirstName", first),
        text("Name", first + last + 1, name_field=True, nillable=False, **READ_ONLY),
    )


def object_type(
    name: str, prefix: str | None, fields: Iterable[FieldType], *, plural: str | None = None, **flags: Any
) -> ObjectType:
    """An object whose label and plural are made from its name when not given."""
    label = flags.pop("label", name.removesuffix("__c").replace("_", " "))
    return ObjectType(
        name=name,
        label=label,
        plural=plural or f"{label}s",
        key_prefix=prefix,
        fields={f.key: f for f in fields},
        **flags,
    )

"""Rules of single fields: what a value must be, whatever the object (docs/vendors/salesforce.md §3.4, §4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cshub_sandbox.salesforce.errors import SalesforceError, malformed_id
from cshub_sandbox.salesforce.objects import TEXT_KINDS, FieldKind, FieldType, ObjectType
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.rows import full_id

_EMAIL = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@.,;<>]+")
_SHOWN = 80


def check_value(field: FieldType, value: Any) -> None:
    """Length, picklist and form of one value that is not null. Raises ``SalesforceError``."""
    if field.kind in TEXT_KINDS and field.length and len(value) > field.length:
        shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."
        raise SalesforceError(
            "STRING_TOO_LONG",
            f"{_label(field)}: data value too large: {shown} (max length={field.length})",
            fields=[field.name],
        )
    if field.kind is FieldKind.PICKLIST and field.restricted and value not in _allowed(field):
        raise SalesforceError(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"{_label(field)}: bad value for restricted picklist field: {value}",
            fields=[field.name],
        )
    if field.kind is FieldKind.EMAIL and not _EMAIL.fullmatch(value):
        raise SalesforceError(
            "INVALID_EMAIL_ADDRESS", f"{_label(field)}: invalid email address: {value}", fields=[field.name]
        )
    if field.precision and isinstance(value, int | float) and abs(value) >= 10 ** (field.precision - field.scale):
        raise SalesforceError(
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"{_label(field)}: value outside of valid range on numeric field: {value}",
            fields=[field.name],
        )


def check_writable(fields: Iterable[FieldType], *, on_create: bool) -> None:
    """Raises INVALID_FIELD_FOR_INSERT_UPDATE that names every field the user may not write."""
    refused = [field.name for field in fields if not (field.createable if on_create else field.updateable)]
    if refused:
        raise SalesforceError(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {', '.join(refused)}. Please check the security settings of this field "
            "and verify that it is read/write for your profile or permission set.",
            fields=refused,
        )


def check_required(kind: ObjectType, values: Mapping[str, Any], *, on_create: bool) -> None:
    """Raises REQUIRED_FIELD_MISSING that names every field without the value it must have."""
    missing = [
        field.name
        for field in kind.fields.values()
        if (on_create and field.required and values.get(field.name) is None)
        or (field.name in values and values[field.name] is None and not field.nillable and not on_create)
    ]
    if missing:
        raise missing_fields(missing)


def missing_fields(names: Iterable[str]) -> SalesforceError:
    named = list(names)
    return SalesforceError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(named)}]", fields=named)


def resolve_reference(org: Org, field: FieldType, value: str, *, owner: bool) -> str:
    """The 18-character id of the record that a lookup is to point to.

    Raises ``SalesforceError``: MALFORMED_ID for another object's id, INVALID_CROSS_REFERENCE_KEY for one that does not
    exist, ENTITY_IS_DELETED, INACTIVE_OWNER_OR_USER.
    """
    found = full_id(org.given_id(value))
    target = org.schema.object_of(found) if found else None
    if found is None or target is None or (field.reference_to and target.name not in field.reference_to):
        raise malformed_id(value, _label(field), field=field.name)
    row = org.store.table(target.table).get(found)
    if row is None:
        raise SalesforceError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", fields=[field.name])
    if row.get("IsDeleted"):
        raise SalesforceError("ENTITY_IS_DELETED", "entity is deleted", fields=[field.name])
    if owner and target.name == "User" and not row.get("IsActive"):
        raise SalesforceError(
            "INACTIVE_OWNER_OR_USER",
            f"operation performed with inactive user [{found}] as owner of record",
            fields=[field.name],
        )
    return found


def with_defaults(kind: ObjectType, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a new row: what was sent, and the default of every field that was not sent or is null."""
    row = dict(values)
    for field in kind.fields.values():
        if field.default is not None and row.get(field.name) is None:
            row[field.name] = field.default
    return row


def _allowed(field: FieldType) -> set[str]:
    return {choice.value for choice in field.choices if choice.active}


def _label(field: FieldType) -> str:
    return field.label or field.name

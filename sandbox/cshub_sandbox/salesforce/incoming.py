"""A record as a caller sends it, read with the eyes of that caller: unknown and unwritable fields are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cshub_sandbox.salesforce.errors import SalesforceError, bad_json
from cshub_sandbox.salesforce.field_rules import check_value, check_writable
from cshub_sandbox.salesforce.objects import FieldKind, FieldType, ObjectType
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.switches import JunctionIds
from cshub_sandbox.salesforce.values import read_json

ATTRIBUTES = "attributes"


def read_record(org: Org, kind: ObjectType, body: Any, *, on_create: bool) -> dict[str, Any]:
    """Stored values by field name; null stays null. ``kind`` is the object as the caller sees it.

    Raises ``SalesforceError``: JSON_PARSER_ERROR, INVALID_FIELD, INVALID_FIELD_FOR_INSERT_UPDATE, STRING_TOO_LONG and
    the other rules of single fields.
    """
    if not isinstance(body, Mapping):
        raise bad_json("The HTTP entity body must be one JSON object")
    fields: dict[str, tuple[FieldType, Any]] = {}
    referred: set[str] = set()
    for name, value in body.items():
        if name == ATTRIBUTES:
            continue
        field = kind.field(name)
        by_reference = field is None and isinstance(value, Mapping)
        if by_reference and (field := kind.relationship(name)):
            value = _by_external_id(org, field, value)
        if field is None:
            raise no_such_column(kind, name)
        if field.name in fields and by_reference is not (field.name in referred):
            raise SalesforceError(
                "INVALID_FIELD",
                f"Cannot specify both an external ID reference {field.relationship} and a salesforce id, {field.name}",
                fields=[field.name],
            )
        if by_reference:
            referred.add(field.name)
        fields[field.name] = field, value
    check_writable((field for field, _ in fields.values()), on_create=on_create)
    values = {name: _value(org, field, value) for name, (field, value) in fields.items()}
    for name, (field, _) in fields.items():
        if values[name] is not None:
            check_value(field, values[name])
    return values


def no_such_column(kind: ObjectType, name: str) -> SalesforceError:
    return SalesforceError("INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}", fields=[name])


def _value(org: Org, field: FieldType, value: Any) -> Any:
    if field.kind is FieldKind.JUNCTION and org.switches.junction_ids is JunctionIds.REFUSED:
        raise bad_json(f"Cannot deserialize instance of {field.name} from START_ARRAY value [")
    return read_json(field, value)


def _by_external_id(org: Org, field: FieldType, value: Mapping[str, Any]) -> str:
    """The id of the parent that a nested object names by an external id (docs/vendors/salesforce.md §4.2)."""
    named = {key: item for key, item in value.items() if key != ATTRIBUTES}
    attributes = value.get(ATTRIBUTES)
    kind_name = attributes.get("type") if isinstance(attributes, Mapping) else None
    if kind_name is None and not field.polymorphic:
        kind_name = field.reference_to[0]
    target = org.schema.get(str(kind_name))
    if target is None or target.name not in field.reference_to:
        raise SalesforceError(
            "INVALID_FIELD",
            f"The external foreign key reference does not reference a valid entity: {field.relationship}",
            fields=[field.name],
        )
    if len(named) != 1:
        raise SalesforceError("INVALID_FIELD", f"{field.relationship}: name the parent by exactly one external id")
    ((key, wanted),) = named.items()
    parent_field = target.field(key)
    if parent_field is None or not parent_field.id_lookup:
        raise SalesforceError("INVALID_FIELD", f"{key} is no external id of {target.name}", fields=[key])
    if parent_field.kind is FieldKind.ID:
        return str(wanted)
    rows = [org.store.get(found) for found in org.store.table(target.table).find(parent_field.name, str(wanted))]
    live = [row for row in rows if row is not None and not row.get("IsDeleted")]
    if len(live) != 1:
        raise SalesforceError(
            "INVALID_FIELD",
            f"Foreign key external ID: {wanted} not found for field {parent_field.name} in entity {target.name}",
        )
    return str(live[0]["Id"])

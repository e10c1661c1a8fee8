"""An object of an org as a specification: the catalogue's fields as the signed-in user sees them, and all others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cshub.core.objects import FieldSpec, Kind, ObjectSpec
from cshub.systems.salesforce.catalog import PARTICIPANT_EMAILS
from cshub.systems.salesforce.fields import ObjectFields
from cshub.systems.salesforce.models import FieldDescription

_TEXTS = ("string", "textarea", "picklist", "combobox", "phone", "url", "encryptedstring", "email")
_NUMBERS = ("int", "double", "currency", "percent")
_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(_TEXTS, Kind.TEXT),
    **dict.fromkeys(_NUMBERS, Kind.NUMBER),
    "boolean": Kind.BOOLEAN,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
    "id": Kind.ID,
    "reference": Kind.ID,
}
"""Field types (docs/vendors/salesforce.md §4); all others hold any value."""


def described_source(spec: ObjectSpec, fields: ObjectFields, paths: Sequence[str]) -> ObjectSpec:
    """What a job can read. Every value of a picklist counts, restricted or not."""
    found = {item.name: _field(spec, item, choices=True) for item in fields.description.fields.values()}
    if PARTICIPANT_EMAILS in spec.fields:
        found[PARTICIPANT_EMAILS] = spec.fields[PARTICIPANT_EMAILS]
    parents = dict.fromkeys([path for path in (*spec.fields, *paths) if "." in path])
    found |= {path: spec.attribute(path) for path in parents if fields.is_readable(path)}
    return _seen(spec, fields, found)


def described_target(spec: ObjectSpec, fields: ObjectFields, *, keys: Iterable[str]) -> ObjectSpec:
    """What a job can write. A lookup is a reference unless the catalogue gives it a role or it is one of ``keys``.

    ``keys`` that the org does not have are told with the options, and stay.
    """
    found = {}
    for item in fields.description.fields.values():
        made = _field(spec, item, choices=item.restricted_picklist)
        is_lookup = item.type == "reference" and item.name not in spec.fields and item.name not in keys
        found[item.name] = replace(made, reference=made.reference or is_lookup)
    found |= {name: FieldSpec(name, Kind.ANY, name) for name in keys if name not in found}
    return _seen(spec, fields, found)


def _seen(spec: ObjectSpec, fields: ObjectFields, found: Mapping[str, FieldSpec]) -> ObjectSpec:
    title = f"{fields.object_name}, as the signed-in user sees it,"
    return replace(spec, title=title, fields=found, open_ended=False)


def _field(spec: ObjectSpec, item: FieldDescription, *, choices: bool) -> FieldSpec:
    known = spec.fields.get(item.name) or FieldSpec(item.name, _KINDS.get(item.type, Kind.ANY), item.label)
    limits = [limit for limit in (known.max_length, item.length) if limit]
    values = [choice.value for choice in item.picklist if choice.is_active] if choices else []
    return replace(
        known,
        required=known.required or item.required_on_create,
        createable=item.createable,
        updateable=item.updateable,
        max_length=min(limits) if limits and known.kind in (Kind.TEXT, Kind.RICH_TEXT) else None,
        picklist=tuple(values) or None,
    )

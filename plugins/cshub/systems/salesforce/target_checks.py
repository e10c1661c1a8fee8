"""Whether an org has what the options of a target name."""

from __future__ import annotations

from cshub.core.errors import NotFound, SpecError
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.fields import ObjectFields
from cshub.systems.salesforce.options import ActivityOptions, AnyTargetOptions, RecordOptions


def check_target_options(client: SalesforceClient, fields: ObjectFields, options: AnyTargetOptions) -> None:
    """Raises :class:`SpecError` that names every option that does not fit, and what to do."""
    reasons = [
        *_reasons_of_object(fields),
        *_reasons_of_external_id(fields, options),
        *_reasons_of_type(fields, options),
        *_reasons_of_account(client, fields, options),
    ]
    if reasons:
        raise SpecError(f"{'; '.join(reasons)}. Correct target.options of the job file, or the org.")


def _reasons_of_object(fields: ObjectFields) -> list[str]:
    description = fields.description
    rights = {"create": description.createable, "change": description.updateable, "delete": description.deletable}
    missing = [name for name, granted in rights.items() if not granted]
    return [f"the signed-in user may not {' or '.join(missing)} {description.name} records"] if missing else []


def _reasons_of_external_id(fields: ObjectFields, options: AnyTargetOptions) -> list[str]:
    name = options.external_id_field
    if name is None:
        return []
    found = fields.description.fields.get(name)
    if found is None:
        return [f"external_id_field: {fields.object_name} has no field {name}, or it is hidden from the signed-in user"]
    if not (found.external_id and found.unique):
        return [f"external_id_field: {name} must be marked as External ID and as Unique in Salesforce"]
    return [] if found.createable else [f"external_id_field: the signed-in user may not set {name}"]


def _reasons_of_type(fields: ObjectFields, options: AnyTargetOptions) -> list[str]:
    """An org without the field is none: the value is then left out."""
    found = fields.description.fields.get("Type")
    if not isinstance(options, ActivityOptions) or options.type is None or found is None:
        return []
    values = [item.value for item in found.picklist if item.is_active]
    if options.type.lower() in {value.lower() for value in values}:
        return []
    return [f"type: {fields.object_name}.Type has no value {options.type}; it has {', '.join(values) or 'none'}"]


def _reasons_of_account(client: SalesforceClient, fields: ObjectFields, options: AnyTargetOptions) -> list[str]:
    reasons = []
    if isinstance(options, RecordOptions):
        found = fields.description.fields.get(options.account_field)
        if found is None:
            reasons.append(f"account_field: {fields.object_name} has no field {options.account_field}")
        elif options.parent not in found.reference_to:
            leads_to = ", ".join(found.reference_to) or "no other record"
            reasons.append(f"account_field: {found.name} leads to {leads_to}, not to {options.parent}")
    name = options.account_match.field
    if name is not None:
        try:
            known = client.describe(options.parent).field(name)
        except NotFound:
            return [*reasons, f"parent: there is no object {options.parent}, or the signed-in user may not see it"]
        if known is None or not known.filterable:
            reasons.append(f"account_match: {options.parent} has no field {name} that a query can filter by")
    return reasons

"""Whether an org has what the options of a target name."""

from __future__ import annotations

from cshub.core.errors import NotFound
from cshub.core.validate_online import OptionFault
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.fields import ObjectFields
from cshub.systems.salesforce.options import ActivityOptions, AnyTargetOptions, RecordOptions


def target_option_faults(
    client: SalesforceClient, fields: ObjectFields, options: AnyTargetOptions
) -> list[OptionFault]:
    """Every option that does not fit the org. Raises :class:`SpecError` when the user sees no such object."""
    return [
        *_faults_of_object(fields),
        *_faults_of_external_id(fields, options),
        *_faults_of_type(fields, options),
        *_faults_of_account(client, fields, options),
    ]


def _faults_of_object(fields: ObjectFields) -> list[OptionFault]:
    description = fields.description
    rights = {"create": description.createable, "change": description.updateable, "delete": description.deletable}
    missing = [name for name, granted in rights.items() if not granted]
    reason = f"the signed-in user may not {' or '.join(missing)} {description.name} records"
    remedy = "Give the user these rights to the object, in its profile or a permission set."
    return [OptionFault("object", reason, remedy)] if missing else []


def _faults_of_external_id(fields: ObjectFields, options: AnyTargetOptions) -> list[OptionFault]:
    name = options.external_id_field
    if name is None:
        return []
    found = fields.description.fields.get(name)
    if found is None:
        reason = f"{fields.object_name} has no field {name}, or it is hidden from the signed-in user"
        remedy = "Create it in Salesforce (text of 40, External ID, Unique) and give the user access, or name another."
    elif not (found.external_id and found.unique):
        reason = f"{name} must be marked as External ID and as Unique in Salesforce"
        remedy = "Mark it so in Salesforce, or name another field."
    elif not found.createable:
        reason = f"the signed-in user may not set {name}"
        remedy = "Give the user edit access to the field."
    else:
        return []
    return [OptionFault("external_id_field", reason, remedy)]


def _faults_of_type(fields: ObjectFields, options: AnyTargetOptions) -> list[OptionFault]:
    """An org without the field is none: the value is then left out."""
    found = fields.description.fields.get("Type")
    if not isinstance(options, ActivityOptions) or options.type is None or found is None:
        return []
    values = [item.value for item in found.picklist if item.is_active]
    if options.type.lower() in {value.lower() for value in values}:
        return []
    reason = f"{fields.object_name}.Type has no value {options.type}; it has {', '.join(values) or 'none'}"
    return [OptionFault("type", reason, "Use one of these, or add the value in Salesforce.")]


def _faults_of_account(client: SalesforceClient, fields: ObjectFields, options: AnyTargetOptions) -> list[OptionFault]:
    faults = []
    if isinstance(options, RecordOptions):
        lookup = "Name a lookup of the object that leads to the account."
        found = fields.description.fields.get(options.account_field)
        if found is None:
            reason = f"{fields.object_name} has no field {options.account_field}, or it is hidden from the user"
            faults.append(OptionFault("account_field", reason, lookup))
        elif options.parent not in found.reference_to:
            leads_to = ", ".join(found.reference_to) or "no other record"
            reason = f"{found.name} leads to {leads_to}, not to {options.parent}"
            faults.append(OptionFault("account_field", reason, lookup))
    name = options.account_match.field
    if name is not None:
        try:
            known = client.describe(options.parent).field(name)
        except NotFound:
            reason = f"there is no object {options.parent}, or the signed-in user may not see it"
            return [*faults, OptionFault("parent", reason, "Correct its API name.")]
        if known is None or not known.filterable:
            reason = f"{options.parent} has no field {name} that a query can filter by"
            faults.append(OptionFault("account_match.field", reason, "Name another field of the account."))
    return faults

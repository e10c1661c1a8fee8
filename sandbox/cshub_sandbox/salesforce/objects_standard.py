"""The schema an org begins with, and the custom objects and fields it is given later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cshub_sandbox.salesforce.objects import FieldKind, FieldType, ObjectType, Schema, is_custom_name
from cshub_sandbox.salesforce.objects_activities import OrgFeatures, apply_features, event, participants, task
from cshub_sandbox.salesforce.objects_crm import crm_objects
from cshub_sandbox.salesforce.objects_fields import (
    READ_ONLY,
    audit,
    datetime_field,
    email,
    flag,
    object_type,
    owner,
    person_name,
    phone,
    picklist,
    record_id,
    reference,
    text,
)
from cshub_sandbox.salesforce_ids import BASE62

NAME_OBJECT = "Name"
CUSTOM_NAME_LENGTH = 80


def standard_schema(features: OrgFeatures | None = None) -> Schema:
    """A fresh schema of standard objects. See :class:`OrgFeatures` for what differs between orgs."""
    schema = Schema([event(), task(), *participants(), *crm_objects(), *_organisation()])
    apply_features(schema, features or OrgFeatures())
    return schema


def add_custom_object(
    schema: Schema,
    name: str,
    fields: Iterable[FieldType] = (),
    *,
    parent: str | None = "Account",
    has_activities: bool = True,
) -> ObjectType:
    """Add a custom object: Id, Name, OwnerId, a lookup ``<parent>__c`` to its parent, the given fields, audit fields.

    The key prefix is the next free of ``a00``, ``a01`` …; with ``has_activities`` a WhatId may point to it. Raises
    ``ValueError`` for a name that is taken or is no custom name, ``KeyError`` for an unknown parent.
    """
    if not is_custom_name(name) or schema.get(name) is not None:
        raise ValueError(f"{name!r} cannot be a new custom object: it needs a name of its own that ends in __c")
    lookups = []
    if parent is not None:
        target = schema.object(parent).name
        children = f"{name.removesuffix('__c')}s__r"
        lookups = [reference(f"{target.removesuffix('__c')}__c", target, children=children, label=target)]
    kind = object_type(
        name,
        _free_prefix(schema),
        [
            record_id(),
            text("Name", CUSTOM_NAME_LENGTH, name_field=True, defaulted=True),
            owner("Group", "User"),
            *lookups,
            *fields,
            *audit(),
        ],
        has_activities=has_activities,
    )
    schema.put_object(kind)
    if has_activities:
        for activity in ("Event", "Task"):
            what = schema.object(activity).fields["whatid"]
            schema.change_field(activity, "WhatId", reference_to=(*what.reference_to, kind.name))
    return kind


def custom_text(name: str, length: int = 255, *, external_id: bool = False, **flags: Any) -> FieldType:
    """A custom text field of ``length`` characters. Raises ``ValueError`` when ``name`` is no custom name."""
    return custom_field(name, FieldKind.STRING, length=length, external_id=external_id, **flags)


def custom_field(name: str, kind: FieldKind, **flags: Any) -> FieldType:
    """A custom field of any kind; flags are those of :class:`FieldType`. Raises ``ValueError`` for a wrong name."""
    if not is_custom_name(name):
        raise ValueError(f"{name!r} cannot be a custom field: its name must end in __c")
    if kind is FieldKind.REFERENCE:
        return reference(name, *flags.pop("reference_to"), **flags)
    return FieldType(name=name, kind=kind, **flags)


def _free_prefix(schema: Schema) -> str:
    taken = {kind.key_prefix for kind in schema.objects}
    return next(prefix for high in BASE62 for low in BASE62 if (prefix := f"a{high}{low}") not in taken)


def _organisation() -> list[ObjectType]:
    return [
        object_type(
            "User",
            "005",
            [
                record_id(),
                text("Username", 80, nillable=False),
                *person_name(),
                text("CompanyName", 80),
                text("Department", 80),
                text("Title", 80),
                email(nillable=False),
                phone("Phone"),
                text("Alias", 8, nillable=False),
                flag("IsActive"),
                text("TimeZoneSidKey", 40, nillable=False),
                text("LocaleSidKey", 40, nillable=False),
                text("LanguageLocaleKey", 40, nillable=False),
                text("EmailEncodingKey", 40, nillable=False),
                FieldType(name="UserRoleId", kind=FieldKind.REFERENCE, length=18),
                FieldType(name="ProfileId", kind=FieldKind.REFERENCE, length=18),
                picklist("UserType", "Standard", "AutomatedProcess", "CsnOnly", **READ_ONLY),
                reference("ManagerId", "User"),
                text("FederationIdentifier", 512, unique=True),
                datetime_field("LastLoginDate", **READ_ONLY),
                *audit(deletable=False),
            ],
            deletable=False,
        ),
        object_type(
            "Group",
            "00G",
            [
                record_id(),
                text("Name", 40, name_field=True, nillable=False),
                text("DeveloperName", 80),
                picklist("Type", "Regular", "Queue", "Role", "Organization", default="Regular", updateable=False),
                email(),
                *audit(deletable=False),
            ],
        ),
        object_type(
            "Calendar",
            "023",
            [
                record_id(),
                text("Name", 80, name_field=True, nillable=False, **READ_ONLY),
                reference("UserId", "User", **READ_ONLY),
                picklist("Type", "User", "Resource", "Public", **READ_ONLY),
                flag("IsActive", **READ_ONLY),
                *audit(deletable=False),
            ],
            createable=False,
            updateable=False,
            deletable=False,
            replicateable=False,
        ),
        object_type(
            "Organization",
            "00D",
            [
                record_id(),
                text("Name", 80, name_field=True, nillable=False),
                text("OrganizationType", 40, **READ_ONLY),
                text("InstanceName", 5, **READ_ONLY),
                text("TimeZoneSidKey", 40),
                text("LanguageLocaleKey", 40),
                flag("IsSandbox", **READ_ONLY),
                *audit(deletable=False),
            ],
            createable=False,
            deletable=False,
            replicateable=False,
        ),
        _name_object(),
    ]


def _name_object() -> ObjectType:
    """What can be read through Who, What and Owner, whatever they point to: docs/vendors/salesforce.md §2.3."""
    fields = [
        record_id(),
        text("Name", name_field=True, **READ_ONLY),
        text("FirstName", 40, **READ_ONLY),
        text("LastName", 80, **READ_ONLY),
        text("Title", 128, **READ_ONLY),
        phone("Phone", **READ_ONLY),
        email(**READ_ONLY),
        text("Alias", 8, **READ_ONLY),
        text("Username", 80, **READ_ONLY),
        flag("IsActive", **READ_ONLY),
        FieldType(name="UserRoleId", kind=FieldKind.REFERENCE, length=18, **READ_ONLY),
        FieldType(name="ProfileId", kind=FieldKind.REFERENCE, length=18, **READ_ONLY),
        picklist("Type", length=255, **READ_ONLY),
    ]
    return object_type(
        NAME_OBJECT,
        None,
        fields,
        createable=False,
        updateable=False,
        deletable=False,
        queryable=False,
        replicateable=False,
    )

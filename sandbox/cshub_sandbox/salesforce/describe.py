"""What ``describe`` answers, made from the schema a user sees: docs/vendors/salesforce.md §4."""

from __future__ import annotations

from typing import Any

from cshub_sandbox.salesforce.objects import NUMBER_KINDS, FieldKind, FieldType, ObjectType, Schema
from cshub_sandbox.salesforce.objects_fields import ID_LENGTH
from cshub_sandbox.salesforce.rows import DEFAULT_API_VERSION

MASTER_RECORD_TYPE = "012000000000000AAA"
BYTES_PER_CHARACTER = 3
INT_DIGITS = 8

_SOAP_TYPES = {
    FieldKind.ID: "tns:ID",
    FieldKind.REFERENCE: "tns:ID",
    FieldKind.BOOLEAN: "xsd:boolean",
    FieldKind.INT: "xsd:int",
    FieldKind.DOUBLE: "xsd:double",
    FieldKind.CURRENCY: "xsd:double",
    FieldKind.PERCENT: "xsd:double",
    FieldKind.DATE: "xsd:date",
    FieldKind.DATETIME: "xsd:dateTime",
    FieldKind.TIME: "xsd:time",
    FieldKind.BASE64: "xsd:base64Binary",
    FieldKind.ANY: "xsd:anyType",
    FieldKind.JUNCTION: "urn:JunctionIdListNames",
}


def global_describe(schema: Schema, *, api_version: str = DEFAULT_API_VERSION) -> dict[str, Any]:
    """The answer of ``GET sobjects``: every object in short."""
    kinds = sorted(schema.objects, key=lambda kind: kind.name)
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [summary(k, api_version=api_version) for k in kinds]}


def summary(kind: ObjectType, *, api_version: str = DEFAULT_API_VERSION) -> dict[str, Any]:
    """One object in short: an entry of global describe, and ``objectDescribe`` of ``GET sobjects/X``."""
    address = f"/services/data/v{api_version}/sobjects/{kind.name}"
    described = {} if kind.key_prefix is None else {"rowTemplate": f"{address}/{{ID}}"}
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": kind.createable,
        "custom": kind.custom,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": kind.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": kind.key_prefix,
        "label": kind.label,
        "labelPlural": kind.plural,
        "layoutable": kind.createable,
        "mergeable": kind.name in ("Account", "Contact", "Lead", "Case"),
        "mruEnabled": kind.createable,
        "name": kind.name,
        "queryable": kind.queryable,
        "replicateable": kind.replicateable,
        "retrieveable": kind.queryable,
        "searchable": kind.createable,
        "triggerable": kind.createable,
        "undeletable": kind.deletable,
        "updateable": kind.updateable,
        "urls": {"sobject": address, "describe": f"{address}/describe", **described},
    }


def describe(kind: ObjectType, schema: Schema, *, api_version: str = DEFAULT_API_VERSION) -> dict[str, Any]:
    """The answer of ``GET sobjects/X/describe`` for a user who sees ``schema``; ``kind`` is one of its objects."""
    return summary(kind, api_version=api_version) | {
        "fields": [describe_field(field) for field in kind.fields.values()],
        "childRelationships": [
            {
                "cascadeDelete": False,
                "childSObject": child.child,
                "deprecatedAndHidden": False,
                "field": child.field,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": child.name,
                "restrictedDelete": False,
            }
            for child in schema.children(kind.name)
        ],
        "recordTypeInfos": [
            {
                "active": True,
                "available": True,
                "defaultRecordTypeMapping": True,
                "developerName": "Master",
                "master": True,
                "name": "Master",
                "recordTypeId": MASTER_RECORD_TYPE,
                "urls": {},
            }
        ],
        "supportedScopes": [],
        "namedLayoutInfos": [],
    }


def describe_field(field: FieldType) -> dict[str, Any]:
    """One entry of ``fields``."""
    numeric = field.kind in NUMBER_KINDS
    is_int = field.kind is FieldKind.INT
    return {
        "aggregatable": field.filterable and field.kind is not FieldKind.BOOLEAN,
        "autoNumber": field.auto_number,
        "byteLength": field.length if field.length == ID_LENGTH else field.length * BYTES_PER_CHARACTER,
        "calculated": field.calculated,
        "calculatedFormula": None,
        "cascadeDelete": False,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": None,
        "controllerName": None,
        "createable": field.createable,
        "custom": field.custom,
        "defaultValue": field.default if field.kind is FieldKind.BOOLEAN else None,
        "defaultedOnCreate": field.defaulted,
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": INT_DIGITS if is_int else 0,
        "encrypted": field.kind is FieldKind.ENCRYPTED,
        "externalId": field.external_id,
        "filterable": field.filterable,
        "groupable": field.groupable,
        "htmlFormatted": False,
        "idLookup": field.id_lookup,
        "inlineHelpText": field.help_text,
        "label": field.label or _label(field.name),
        "length": field.length,
        "name": field.name,
        "nameField": field.name_field,
        "namePointing": field.polymorphic,
        "nillable": field.nillable,
        "permissionable": field.nillable and field.kind is not FieldKind.ID,
        "picklistValues": [
            {
                "active": choice.active,
                "defaultValue": choice.default,
                "label": choice.value,
                "validFor": None,
                "value": choice.value,
            }
            for choice in field.choices
        ],
        "polymorphicForeignKey": field.polymorphic,
        "precision": field.precision if numeric and not is_int else 0,
        "queryByDistance": False,
        "referenceTargetField": None,
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship,
        "relationshipOrder": None,
        "restrictedDelete": False,
        "restrictedPicklist": field.restricted,
        "scale": field.scale if numeric else 0,
        "searchPrefilterable": False,
        "soapType": _SOAP_TYPES.get(field.kind, "xsd:string"),
        "sortable": field.sortable,
        "type": field.kind.value,
        "unique": field.unique,
        "updateable": field.updateable,
        "writeRequiresMasterRead": False,
    }


def _label(name: str) -> str:
    if name.endswith("__c"):
        return name.removesuffix("__c").replace("_", " ")
    stem = name.removesuffix("Id") + " ID" if name.endswith("Id") else name
    spaced = [
        f" {char}" if char.isupper() and place and stem[place - 1].islower() else char
        for place, char in enumerate(stem)
    ]
    return "".join(spaced).strip()

"""Rules that compare a record with the others: unique fields, duplicate rules, and an org's validation rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cshub_sandbox.salesforce.derivation import ACTIVITIES
from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.objects import FieldType, ObjectType
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.rows import Row, json_value
from cshub_sandbox.salesforce.switches import UniqueScope


def live_rows(org: Org, kind: ObjectType, field: FieldType, value: Any) -> Iterator[Row]:
    """Rows, not deleted, whose field has the value; case counts where it counts for the field."""
    table = org.store.table(kind.table)
    wanted = field.fold(value)
    for record_id in table.find(field.name, value):
        row = table.get(record_id)
        if row is not None and not row.get("IsDeleted") and field.fold(row.get(field.name)) == wanted:
            yield row


def check_unique(org: Org, kind: ObjectType, row: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
    """Raises DUPLICATE_VALUE when another record has the value of a unique field among ``changed``."""
    for name in changed:
        field = kind.field(name)
        value = row.get(name)
        if field is None or not field.unique or value is None:
            continue
        spread = field.custom and kind.name in ACTIVITIES and org.switches.unique_scope is UniqueScope.ACTIVITY
        for other_kind in [org.schema.object(each) for each in sorted(ACTIVITIES)] if spread else [kind]:
            for other in live_rows(org, other_kind, field, value):
                if other["Id"] != row["Id"]:
                    raise SalesforceError(
                        "DUPLICATE_VALUE",
                        f"duplicate value found: {name} duplicates value on record with id: {other['Id']}",
                        fields=[name],
                    )


def check_validation_rules(org: Org, kind: ObjectType, row: Mapping[str, Any]) -> None:
    """Raises FIELD_CUSTOM_VALIDATION_EXCEPTION when a rule of the org matches the row."""
    for rule in org.switches.validation_rules:
        field = kind.field(rule.field) if rule.object.lower() == kind.key else None
        if field is None:
            continue
        value = json_value(row.get(field.name))
        text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
        if re.search(rule.pattern, text):
            raise SalesforceError("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, fields=[field.name])


def check_duplicates(org: Org, kind: ObjectType, row: Mapping[str, Any], *, allowed: bool) -> None:
    """Raises DUPLICATES_DETECTED for a new record like a present one, unless the rule only alerts and is overridden."""
    for rule in org.switches.duplicate_rules:
        fields = [kind.field(name) for name in rule.fields] if rule.object.lower() == kind.key else []
        compared = [field for field in fields if field is not None and row.get(field.name) is not None]
        if not compared or len(compared) < len(rule.fields) or (allowed and not rule.blocks):
            continue
        for other in live_rows(org, kind, compared[0], row[compared[0].name]):
            if other["Id"] != row["Id"] and all(f.fold(other.get(f.name)) == f.fold(row[f.name]) for f in compared):
                raise SalesforceError("DUPLICATES_DETECTED", "Use one of these records?", fields=[])

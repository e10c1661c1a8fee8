"""Rows as Salesforce sends them, made into what the hub carries: the same from a query and from a read by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cshub.core.errors import DataError, ProtocolFault
from cshub.core.ids import is_salesforce_id, to_18
from cshub.core.values import iso_ms
from cshub.systems.salesforce.models import ObjectDescription, moment

WHO = "WhoId"
_ATTRIBUTES = "attributes"


def body_of(row: Mapping[str, Any], description: ObjectDescription) -> dict[str, Any]:
    """The record without ``attributes``: moments as ISO 8601 UTC with milliseconds, ids with 18 characters.

    ``WhoId`` is a list of one id, as it is written. Parents are objects in it. Raises :class:`ProtocolFault` for a
    moment or id that is none.
    """
    try:
        return {name: _value(name, value, description) for name, value in _stripped(row).items() if name != _ATTRIBUTES}
    except (ValueError, DataError) as error:
        raise ProtocolFault(f"Salesforce gave a record in a form that is not known ({error}) Run again.") from error


def moment_in(row: Mapping[str, Any], *names: str) -> datetime | None:
    """The moment in the first of these fields that holds one."""
    found = next((row[name] for name in names if row.get(name)), None)
    return None if found is None else moment(str(found))


def value_at(body: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Whether a body says something of a field, perhaps of a parent, and what. Below no parent is no value."""
    value: Any = body
    for name in path.split("."):
        if value is None:
            return True, None
        if not isinstance(value, Mapping) or name not in value:
            return False, None
        value = value[name]
    return True, value


def ids_in(value: Any) -> Sequence[str]:
    """The ids in a ``WhoId`` as it comes or as a body holds it."""
    if not value:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _value(name: str, value: Any, description: ObjectDescription) -> Any:
    field = description.fields.get(name)
    if value is None or field is None:
        return value
    if field.type == "datetime":
        return iso_ms(moment(str(value)))
    if field.type in ("id", "reference"):
        key = to_18(value) if isinstance(value, str) and is_salesforce_id(value) else value
        return [key] if name == WHO else key
    return value


def _stripped(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _stripped(item) for name, item in value.items() if name != _ATTRIBUTES}
    return [_stripped(item) for item in value] if isinstance(value, list) else value

"""A condition's fields against what Salesforce describes: do they exist, can they be filtered, do the values fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cshub.core.errors import NotFound, SpecError
from cshub.core.wording import suggest
from cshub.systems.salesforce.condition_text import ConditionFault
from cshub.systems.salesforce.conditions import ConditionReport, FieldUse, Literal
from cshub.systems.salesforce.models import FieldDescription, ObjectDescription

Describe = Callable[[str], ObjectDescription]

_Described = Callable[[str], ObjectDescription | None]
_SEVERAL = "multipicklist"
_LISTS = frozenset({"picklist", _SEVERAL})

ANY_TARGET_FIELDS = frozenset(
    {"Id", "Name", "FirstName", "LastName", "Title", "Phone", "Email", "Alias", "IsActive", "Username", "Type"}
    | {"UserRoleId", "ProfileId"}
)  # of the pseudo-object Name, all that a relationship to several objects shows (docs/vendors/salesforce.md §2.3)
USER_FIELDS = frozenset({"email", "alias", "phone", "username", "isactive"})  # filled for users only (§2.3)
_MOMENTS = frozenset({Literal.MOMENT, Literal.RELATIVE, Literal.NULL})
_NUMBERS = frozenset({Literal.NUMBER, Literal.NULL})
_FITTING: Mapping[str, frozenset[Literal]] = {
    "date": frozenset({Literal.DATE, Literal.RELATIVE, Literal.NULL}),
    "datetime": _MOMENTS,
    "boolean": frozenset({Literal.BOOLEAN}),
    "int": _NUMBERS,
    "double": _NUMBERS,
    "currency": _NUMBERS,
    "percent": _NUMBERS,
    "anyType": frozenset(Literal),
}
_TEXTS = frozenset({Literal.TEXT, Literal.NULL, Literal.NONE})
_HOW_TO_WRITE: Mapping[str, str] = {
    "date": "Write a date without quotes: 2026-11-20.",
    "datetime": "Write date, time and zone without quotes: 2026-11-20T08:00:00Z.",
    "boolean": "Write true or false.",
}


@dataclass(frozen=True, slots=True)
class _Stop:
    """A path that cannot be followed."""

    reason: str
    remedy: str


def check_fields(report: ConditionReport, object_name: str, describe: Describe) -> list[ConditionFault]:
    """Faults of the fields that a condition on ``object_name`` uses. ``describe`` is asked once for each object.

    A semi-join's fields are checked against the object it reads.
    """
    described = _asked_once(describe)
    faults = []
    for use in report.uses:
        owner = described(use.object or object_name)
        if owner is None:
            name = use.object or object_name
            stop = _Stop(f"there is no object {name}, or this user may not see it", "Use its API name.")
            faults.append(_fault(use, stop))
        elif (stop_or_none := _stop_of(use, owner, described)) is not None:
            faults.append(_fault(use, stop_or_none))
    return sorted(faults, key=lambda fault: fault.column)


def unknown_values(report: ConditionReport, object_name: str, describe: Describe) -> list[ConditionFault]:
    """Values that are not on the list of the field they are compared with: the condition is valid, and finds nothing.

    Salesforce compares without case; a value that is not offered any more may still be held by old records.
    """
    described = _asked_once(describe)
    found = []
    for use in report.uses:
        owner = described(use.object or object_name)
        field = _field_of(use, owner, described) if owner is not None else None
        if not isinstance(field, FieldDescription) or field.type not in _LISTS:
            continue
        names = [item.value for item in field.picklist]
        known = {name.casefold() for name in names}
        for value in use.values if names else ():
            if value and value.casefold() not in known:
                reason = f"{field.name} has no value {value!r}, so no record has it"
                found.append(ConditionFault(use.column, reason, suggest(value, names)))
    return sorted(found, key=lambda fault: fault.column)


def _asked_once(describe: Describe) -> _Described:
    known: dict[str, ObjectDescription | None] = {}

    def described(name: str) -> ObjectDescription | None:
        if name not in known:
            try:
                known[name] = describe(name)
            except (NotFound, SpecError):
                known[name] = None
        return known[name]

    return described


def _stop_of(use: FieldUse, start: ObjectDescription, described: _Described) -> _Stop | None:
    found = _field_of(use, start, described)
    return _misfit(use, found) if isinstance(found, FieldDescription) else found


def _field_of(use: FieldUse, start: ObjectDescription, described: _Described) -> FieldDescription | _Stop | None:
    """The field that a condition uses; None where it cannot be told offhand and may be right."""
    owner = start
    *relationships, last = use.path.split(".")
    for step in relationships:
        reference = owner.parent(step)
        if reference is None:
            names = [item.relationship_name for item in owner.fields.values() if item.relationship_name]
            return _Stop(f"{owner.name} has no relationship {step}", suggest(step, names))
        if reference.polymorphic:
            return _stop_at_any_target(reference, last)
        following = described(reference.reference_to[0]) if reference.reference_to else None
        if following is None:
            return None
        owner = following
    found = owner.field(last)
    if found is None:
        remedy = suggest(last, list(owner.fields)) if len(owner.fields) < 40 else _nearest(last, owner)
        return _Stop(f"{owner.name} has no field {last}, or this user may not see it", remedy)
    if not found.filterable:
        return _Stop(f"{found.name} cannot be used in a condition ({found.type})", "Filter by another field.")
    return found


def _stop_at_any_target(reference: FieldDescription, last: str) -> _Stop | None:
    if last.lower() not in {name.lower() for name in ANY_TARGET_FIELDS}:
        several = ", ".join(reference.reference_to)
        return _Stop(
            f"{reference.relationship_name} may be of several objects ({several}), and {last} is not one of the fields "
            "they share",
            suggest(last, sorted(ANY_TARGET_FIELDS)),
        )
    if last.lower() in USER_FIELDS and "User" not in reference.reference_to:
        return _Stop(
            f"{reference.relationship_name}.{last} is empty unless it is a user",
            f"Use a semi-join: {reference.name} IN (SELECT Id FROM {(*reference.reference_to, 'Contact')[0]} "
            f"WHERE {last} = 'value').",
        )
    return None


def _misfit(use: FieldUse, found: FieldDescription) -> _Stop | None:
    if use.membership is not None and found.type != _SEVERAL:
        word = "NOT IN" if use.membership == "EXCLUDES" else "IN"
        return _Stop(
            f"{found.name} holds one value ({found.type}), and {use.membership} is for fields that hold several",
            f"Write `{use.path} {word} ('value')`.",
        )
    odd = sorted(use.literals - _FITTING.get(found.type, _TEXTS))
    if not odd:
        return None
    remedy = _HOW_TO_WRITE.get(found.type, "Write a number." if found.type in _FITTING else "Quote it: 'text'.")
    return _Stop(f"{found.name} is of type {found.type} and is compared with a {odd[0]}", remedy)


def _nearest(name: str, owner: ObjectDescription) -> str:
    near = suggest(name, list(owner.fields))
    return near if near.startswith("Did") else f"See `cshub salesforce describe {owner.name}` for its fields."


def _fault(use: FieldUse, stop: _Stop) -> ConditionFault:
    return ConditionFault(use.column, stop.reason, stop.remedy)

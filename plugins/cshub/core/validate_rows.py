"""The rows of a mapping against the two objects they join."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from cshub.core.errors import DataError, Fault
from cshub.core.fault_places import CheckedFile
from cshub.core.jobs import BoundJob, FieldMap, OnNull, Otherwise
from cshub.core.mapping import UNSENT
from cshub.core.objects import FieldSpec, Kind, ObjectSpec, Role
from cshub.core.planning import NEWEST
from cshub.core.text import length
from cshub.core.transforms import TRANSFORMS, parse_step, usage
from cshub.core.validate_lists import check_lists, skipped_values
from cshub.core.values import cast
from cshub.core.wording import closest, suggest

MOST_NAMED = 40
_TEXTUAL = frozenset({Kind.TEXT, Kind.RICH_TEXT, Kind.ID, Kind.EMAIL, Kind.DATE, Kind.DATETIME})
_CASTABLE: Mapping[Kind, frozenset[Kind]] = {
    Kind.TEXT: _TEXTUAL | {Kind.NUMBER, Kind.BOOLEAN},
    Kind.RICH_TEXT: _TEXTUAL | {Kind.NUMBER, Kind.BOOLEAN},
    Kind.ID: frozenset({Kind.TEXT, Kind.ID, Kind.NUMBER, Kind.EMAIL}),
    Kind.EMAIL: frozenset({Kind.EMAIL, Kind.TEXT}),
    Kind.DATETIME: frozenset({Kind.DATETIME, Kind.TEXT}),
    Kind.DATE: frozenset({Kind.DATE, Kind.TEXT}),
    Kind.NUMBER: frozenset({Kind.NUMBER, Kind.TEXT}),
    Kind.BOOLEAN: frozenset({Kind.BOOLEAN, Kind.TEXT}),
    Kind.EMAILS: frozenset({Kind.EMAILS}),
    Kind.IDS: frozenset({Kind.IDS, Kind.EMAILS}),
}


def check_rows(
    bound: BoundJob, source: ObjectSpec, target: ObjectSpec, at: CheckedFile, *, online: bool = False
) -> list[Fault]:
    """Faults of each row alone: its fields, kinds, lengths, transforms, fixed values and tables.

    ``online``: the objects are as the signed-in user sees them.
    """
    faults: list[Fault] = []
    for index, row in enumerate(bound.fields):
        origin = _source_field(row, source)
        if row.source is not None and origin is None and not source.open_ended:
            word = row.source if online else row.source.split(".")[0]
            faults.append(
                at.row_fault(
                    index,
                    "source",
                    f"{source.title} has no field {row.source!r}",
                    _nearest(word, source, online=online),
                )
            )
        if row.fallback is not None and not _is_known(row.fallback, source):
            remedy = suggest(row.fallback.split(".")[0], list(source.fields))
            faults.append(at.row_fault(index, "fallback", f"{source.title} has no field {row.fallback!r}", remedy))
        attribute = target.attribute(row.target) if target.open_ended else target.fields.get(row.target)
        faults.extend(_check_policy(index, row, source, target, at))
        if attribute is None:
            faults.append(
                at.row_fault(
                    index,
                    "target",
                    f"{target.title} has no attribute {row.target!r}",
                    _nearest(row.target, target, online=online),
                )
            )
            continue
        creating = bound.job.allow_new_records
        faults.extend(_check_attribute(index, row, attribute, at, creating=creating, online=online))
        faults.extend(check_lists(index, row, origin, attribute, at, skipped=skipped_values(row, bound)))
        faults.extend(_check_kinds(index, row, origin, attribute, at))
    return faults


def _check_attribute(
    index: int, row: FieldMap, attribute: FieldSpec, at: CheckedFile, *, creating: bool, online: bool
) -> list[Fault]:
    removing = "Give the signed-in user edit access to the field, or remove this row." if online else "Remove this row."
    is_key = attribute.role in {Role.RECORD_KEY, Role.ACCOUNT_KEY}
    unsent = attribute.role in UNSENT
    writable = attribute.createable or attribute.updateable
    table: Sequence[tuple[bool, str, str, str]] = (
        (
            attribute.reference and writable,
            "target",
            f"{attribute.name} is a reference field",
            "Map onto a field that holds a value of its own, such as its id or e-mail.",
        ),
        (
            not writable and not unsent,
            "target",
            f"{attribute.name} cannot be written",
            removing,
        ),
        (
            not attribute.createable and attribute.updateable and not unsent and creating,
            "target",
            f"{attribute.name} cannot be set when a record is created",
            "Remove this row, or write `allow_new_records: false`.",
        ),
        (
            row.on_null is OnNull.CLEAR and not attribute.updateable,
            "on_null",
            f"{attribute.name} cannot be updated, so it cannot be cleared",
            "Remove on_null, or write `on_null: keep`.",
        ),
        (
            row.on_null is OnNull.CLEAR and attribute.required,
            "on_null",
            f"{attribute.name} must always hold a value, so it cannot be cleared",
            "Write `on_null: keep`.",
        ),
        (
            is_key and not row.key,
            "key",
            f"{attribute.name} identifies the record and must be marked as key",
            "Add `key: true` to this row.",
        ),
        (
            row.key and not is_key,
            "key",
            f"{attribute.name} identifies nothing",
            "Remove `key: true` from this row.",
        ),
    )
    faults = [at.row_fault(index, part, reason, remedy) for wrong, part, reason, remedy in table if wrong]
    if row.translate and row.translate.otherwise is Otherwise.NULL and attribute.required:
        faults.append(
            at.row_fault(index, "translate", f"{attribute.name} must always hold a value", "Write `otherwise: reject`.")
        )
    return faults


def _check_policy(index: int, row: FieldMap, source: ObjectSpec, target: ObjectSpec, at: CheckedFile) -> list[Fault]:
    known = (NEWEST, source.system, target.system)
    if row.policy is None or row.policy in known:
        return []
    reason = f"{row.policy!r} is no policy of a job between {source.system} and {target.system}"
    return [at.row_fault(index, "policy", reason, f"Write one of {', '.join(known)}.")]


def _check_kinds(
    index: int, row: FieldMap, origin: FieldSpec | None, attribute: FieldSpec, at: CheckedFile
) -> list[Fault]:
    faults: list[Fault] = []
    kind = origin.kind if origin else Kind.ANY
    limit: int | None = origin.max_length if origin else None
    for position, entry in enumerate(row.transforms):
        try:
            step = parse_step(entry)
        except DataError as error:
            faults.append(at.row_fault(index, "transforms", str(error), _transform_remedy(entry)))
            return faults
        if kind not in step.transform.takes and kind is not Kind.ANY:
            faults.append(
                at.row_fault(
                    index,
                    "transforms",
                    f"{step.transform.name} (transform {position + 1}) cannot take {_a(kind)}",
                    f"It takes {_any_of(step.transform.takes)}: put another transform before it, or remove it.",
                )
            )
            return faults
        kind = step.transform.gives
        if step.transform.name == "truncate":
            limit = int(step.argument)
    if row.translate or row.constant is not None:
        return [*faults, *_check_fixed_values(index, row, attribute, at)]
    allowed = _CASTABLE.get(attribute.kind)
    if kind is not Kind.ANY and allowed is not None and kind not in allowed:
        faults.append(
            at.row_fault(
                index,
                "source",
                f"{_a(kind)} does not fit {attribute.name}, which is {_a(attribute.kind)}",
                f"Map another field, or add a transform that gives {_a(attribute.kind)}.",
            )
        )
    if attribute.max_length is not None and limit is not None and limit > attribute.max_length:
        faults.append(
            at.row_fault(
                index,
                "source",
                f"values may have {limit} characters, {attribute.name} takes {attribute.max_length}",
                f"Add `- truncate: {attribute.max_length}` to the row's transforms.",
            )
        )
    return faults


def _check_fixed_values(index: int, row: FieldMap, attribute: FieldSpec, at: CheckedFile) -> list[Fault]:
    """Values that stand in the file: the constant of a row without transforms, the right side of a translation."""
    constants = [("constant", row.constant)] if row.constant is not None and not row.transforms else []
    translated = [("translate", value) for value in row.translate.table.values()] if row.translate else []
    faults = []
    for part, value in constants if not row.translate else translated:
        try:
            text = cast(value, attribute.kind)
        except DataError as error:
            reason = f"{value!r} does not fit {attribute.name}: {error}"
            faults.append(at.row_fault(index, part, reason, "Correct the value."))
            continue
        if attribute.picklist and value is not None and str(text) not in attribute.picklist:
            remedy = suggest(str(text), list(attribute.picklist))
            faults.append(at.row_fault(index, part, f"{value!r} is not a value of {attribute.name}", remedy))
        if attribute.max_length is not None and isinstance(text, str) and length(text) > attribute.max_length:
            reason = f"the value has {length(text)} characters, {attribute.name} takes {attribute.max_length}"
            faults.append(at.row_fault(index, part, reason, "Shorten it."))
    return faults


def _is_known(name: str, source: ObjectSpec) -> bool:
    return source.open_ended or name in source.fields or name.split(".")[0] in source.fields


def _source_field(row: FieldMap, source: ObjectSpec) -> FieldSpec | None:
    if row.source is None:
        return None
    exact = source.fields.get(row.source)
    if exact is not None:
        return exact
    parent = source.fields.get(row.source.split(".")[0])
    return replace(parent, kind=Kind.ANY, max_length=None) if parent and parent.kind is Kind.ANY else None


def _nearest(word: str, spec: ObjectSpec, *, online: bool) -> str:
    """A remedy for a name that the object does not have; a long list of names helps nobody."""
    names = list(spec.fields)
    near = suggest(word, names) if len(names) <= MOST_NAMED or closest(word, names) else "Use the API name of a field."
    return f"{near} Or give the signed-in user access to the field." if online else near


def _transform_remedy(entry: str | Mapping[str, object]) -> str:
    name = entry if isinstance(entry, str) else next(iter(entry), "")
    known = TRANSFORMS.get(name)
    return f"Write `- {usage(known)}`." if known else suggest(name, list(TRANSFORMS))


def _any_of(kinds: Collection[Kind]) -> str:
    return " or ".join(_a(kind) for kind in Kind if kind in kinds and kind is not Kind.ANY) or "a list of objects"


def _a(kind: Kind) -> str:
    titles = {
        Kind.ANY: "any value",
        Kind.EMAILS: "a list of e-mail addresses",
        Kind.IDS: "a list of ids",
        Kind.EMAIL: "an e-mail address",
        Kind.ID: "an id",
        Kind.DATETIME: "a date and time",
        Kind.TEXT: "text",
        Kind.RICH_TEXT: "rich text",
    }
    return titles.get(kind, f"a {kind.value}")

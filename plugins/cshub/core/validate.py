"""A job against what the two systems say of their objects: every fault at once, each with its remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from croniter import croniter
from pydantic import BaseModel, ValidationError

from cshub.core.errors import DataError, Fault
from cshub.core.jobfile import FieldPath, Lines, closest, dotted, faults_of
from cshub.core.jobs import BoundJob, FieldMap, OnNull, Otherwise, ScheduleKind
from cshub.core.objects import FieldSpec, Kind, ObjectSpec, Role
from cshub.core.transforms import TRANSFORMS, parse_step

MIN_DAILY_S = 23 * 3600  # a daily schedule has 23 hours between two runs when the clocks go forward

_TEXTUAL = frozenset({Kind.TEXT, Kind.RICH_TEXT, Kind.ID, Kind.EMAIL, Kind.DATE, Kind.DATETIME})
_CASTABLE: Mapping[Kind, frozenset[Kind]] = {
    Kind.TEXT: _TEXTUAL | {Kind.NUMBER, Kind.BOOLEAN},
    Kind.RICH_TEXT: _TEXTUAL | {Kind.NUMBER, Kind.BOOLEAN},
    Kind.ID: frozenset({Kind.TEXT, Kind.ID, Kind.NUMBER}),
    Kind.EMAIL: frozenset({Kind.EMAIL, Kind.TEXT}),
    Kind.DATETIME: frozenset({Kind.DATETIME, Kind.TEXT}),
    Kind.DATE: frozenset({Kind.DATE, Kind.TEXT}),
    Kind.NUMBER: frozenset({Kind.NUMBER, Kind.TEXT}),
    Kind.BOOLEAN: frozenset({Kind.BOOLEAN, Kind.TEXT}),
    Kind.EMAILS: frozenset({Kind.EMAILS}),
    Kind.IDS: frozenset({Kind.IDS, Kind.EMAILS}),
}


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """Where a job's settings stand, so that a fault names its line. ``own_mapping``: the rows are in the job file."""

    job_file: str
    job_lines: Lines
    template_file: str
    template_lines: Lines
    own_mapping: bool

    def fault(self, path: FieldPath, reason: str, remedy: str) -> Fault:
        return Fault(self.job_file, dotted(path), reason, remedy, self.job_lines.at(path))

    def row_fault(self, index: int, part: str, reason: str, remedy: str) -> Fault:
        if self.own_mapping:
            return self.fault(("mapping", "fields", index, part), reason, remedy)
        path: FieldPath = ("fields", index, part)
        return Fault(self.template_file, dotted(path), reason, remedy, self.template_lines.at(path))


def check_job(bound: BoundJob, source: ObjectSpec, target: ObjectSpec, at: CheckedFile) -> list[Fault]:
    """Every fault of a job that its files alone can show, in the order of the file."""
    return [
        *_check_rows(bound, source, target, at),
        *_check_required(bound, target, at),
        *_check_duplicates(bound, at),
        *_check_locked(bound, at),
        *_check_skip_rules(bound, source, at),
        *_check_options(bound, source, target, at),
        *_check_schedule(bound, at),
    ]


def _check_rows(bound: BoundJob, source: ObjectSpec, target: ObjectSpec, at: CheckedFile) -> list[Fault]:
    faults: list[Fault] = []
    for index, row in enumerate(bound.fields):
        origin = _source_field(row, source)
        if row.source is not None and origin is None and not source.open_ended:
            faults.append(
                at.row_fault(
                    index,
                    "source",
                    f"{source.title} has no field {row.source!r}",
                    _suggest(row.source.split(".")[0], list(source.fields)),
                )
            )
        attribute = target.fields.get(row.target)
        if attribute is None:
            faults.append(
                at.row_fault(
                    index,
                    "target",
                    f"{target.title} has no attribute {row.target!r}",
                    _suggest(row.target, list(target.fields)),
                )
            )
            continue
        faults.extend(_check_attribute(index, row, attribute, at))
        faults.extend(_check_kinds(index, row, origin, attribute, at))
    return faults


def _check_attribute(index: int, row: FieldMap, attribute: FieldSpec, at: CheckedFile) -> list[Fault]:
    is_key = attribute.role in {Role.RECORD_KEY, Role.ACCOUNT_KEY}
    table: Sequence[tuple[bool, str, str, str]] = (
        (
            attribute.reference,
            "target",
            f"{attribute.name} is a reference field",
            "Map onto a field that holds a value of its own, such as its id or e-mail.",
        ),
        (
            not attribute.createable and not attribute.updateable and not is_key,
            "target",
            f"{attribute.name} can be read only",
            "Remove this row.",
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
    if row.translate and attribute.picklist:
        for value in row.translate.table.values():
            if value is not None and str(value) not in attribute.picklist:
                faults.append(
                    at.row_fault(
                        index,
                        "translate",
                        f"{value!r} is not a value of {attribute.name}",
                        f"Use one of {', '.join(attribute.picklist)}.",
                    )
                )
    elif attribute.picklist and row.constant is None and not row.translate:
        faults.append(
            at.row_fault(
                index,
                "target",
                f"{attribute.name} takes only {', '.join(attribute.picklist)}, and there is no translation table",
                "Add `translate:` with a row for each value of the source.",
            )
        )
    if row.translate and row.translate.otherwise is Otherwise.NULL and attribute.required:
        faults.append(
            at.row_fault(index, "translate", f"{attribute.name} must always hold a value", "Write `otherwise: reject`.")
        )
    return faults


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
            name = entry if isinstance(entry, str) else next(iter(entry), "")
            faults.append(at.row_fault(index, "transforms", str(error), _suggest(name, list(TRANSFORMS))))
            return faults
        if kind not in step.transform.takes and kind is not Kind.ANY:
            faults.append(
                at.row_fault(
                    index,
                    "transforms",
                    f"{step.transform.name} (transform {position + 1}) cannot take {_a(kind)}",
                    f"It takes {', '.join(sorted(step.transform.takes))}: put another one before it or remove it.",
                )
            )
            return faults
        kind = step.transform.gives
        if step.transform.name == "truncate":
            limit = int(step.argument)
    if row.translate or row.constant is not None:
        return faults
    allowed = _CASTABLE.get(attribute.kind)
    if kind is not Kind.ANY and allowed is not None and kind not in allowed:
        faults.append(
            at.row_fault(
                index,
                "source",
                f"{_a(kind)} does not fit {attribute.name}, which is {_a(attribute.kind)}",
                f"Map another field, or add a transform that gives {attribute.kind}.",
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


def _check_required(bound: BoundJob, target: ObjectSpec, at: CheckedFile) -> list[Fault]:
    mapped = {row.target for row in bound.fields}
    faults = []
    where: FieldPath = ("mapping", "fields") if at.own_mapping else ("type",)
    for spec in target.fields.values():
        is_key = spec.role in {Role.RECORD_KEY, Role.ACCOUNT_KEY}
        if (spec.required or is_key) and spec.name not in mapped:
            kind = "required key" if is_key else "required attribute"
            faults.append(
                at.fault(where, f"the {kind} {spec.name} is not mapped", f"Add a row with `target: {spec.name}`.")
            )
    if target.needs_one_of and not mapped & set(target.needs_one_of):
        names = " or ".join(target.needs_one_of)
        faults.append(at.fault(where, f"neither {names} is mapped", f"Map at least one of {names}."))
    return faults


def _check_duplicates(bound: BoundJob, at: CheckedFile) -> list[Fault]:
    counts = Counter(row.target for row in bound.fields)
    seen: set[str] = set()
    faults = []
    for index, row in enumerate(bound.fields):
        if counts[row.target] > 1 and row.target in seen:
            faults.append(
                at.row_fault(
                    index, "target", f"{row.target} is mapped twice", "Keep one of the rows, remove the other."
                )
            )
        seen.add(row.target)
    return faults


def _check_locked(bound: BoundJob, at: CheckedFile) -> list[Fault]:
    if not at.own_mapping:
        return []
    faults = []
    own = {row.target: (index, row) for index, row in enumerate(bound.fields)}
    for row in bound.template.fields:
        if not row.locked:
            continue
        if row.target not in own:
            faults.append(
                at.fault(
                    ("mapping", "fields"),
                    f"{row.target} is locked to {row.source} and must stay in the mapping",
                    f"Add `- {{source: {row.source}, target: {row.target}}}`.",
                )
            )
        elif own[row.target][1].source != row.source:
            faults.append(
                at.row_fault(
                    own[row.target][0],
                    "source",
                    f"{row.target} is locked to {row.source}",
                    f"Write `source: {row.source}`.",
                )
            )
    return faults


def _check_skip_rules(bound: BoundJob, source: ObjectSpec, at: CheckedFile) -> list[Fault]:
    if source.open_ended:
        return []
    own = bound.job.mapping is not None and bound.job.mapping.skip_when is not None
    faults = []
    for index, rule in enumerate(bound.skip_when):
        for position, condition in enumerate(rule.when):
            name = condition.field.split(".")[0]
            if name in source.fields:
                continue
            base: FieldPath = ("mapping", "skip_when") if own else ("skip_when",)
            path: FieldPath = (*base, index, "when", position, "field")
            fault = at.fault(path, f"{source.title} has no field {name!r}", _suggest(name, list(source.fields)))
            faults.append(fault if own else replace(fault, file=at.template_file, line=at.template_lines.at(path)))
    return faults


def _check_options(bound: BoundJob, source: ObjectSpec, target: ObjectSpec, at: CheckedFile) -> list[Fault]:
    faults: list[Fault] = []
    sides: Sequence[tuple[str, type[BaseModel], dict[str, object]]] = (
        ("source", source.options, bound.source_options),
        ("target", target.options, bound.target_options),
    )
    for side, model, options in sides:
        try:
            model.model_validate(options)
        except ValidationError as error:
            faults.extend(faults_of(error, model, at.job_file, at.job_lines, (side, "options")))
    return faults


def _check_schedule(bound: BoundJob, at: CheckedFile) -> list[Fault]:
    schedule = bound.schedule
    path: FieldPath = ("schedule",)
    if schedule.cron is not None and (len(schedule.cron.split()) != 5 or not croniter.is_valid(schedule.cron)):
        reason = f"{schedule.cron!r} is not a cron expression of five fields"
        return [at.fault((*path, "cron"), reason, "Write minute hour day month weekday, such as `0 23 * * *`.")]
    if bound.template.defaults.at_most_daily and _runs_more_than_daily(bound):
        reason = "this integration type runs once a day at most, because its source serves whole days"
        return [at.fault(path, reason, "Use daily, workdays, weekly or monthly, or a cron with one run a day.")]
    return []


def _runs_more_than_daily(bound: BoundJob) -> bool:
    schedule = bound.schedule
    if schedule.kind in {ScheduleKind.MINUTES, ScheduleKind.HOURLY}:
        return True
    if schedule.cron is None:
        return False
    times = croniter(schedule.cron, 0)
    moments = [times.get_next(float) for _ in range(40)]
    return any(later - earlier < MIN_DAILY_S for earlier, later in pairwise(moments))


def _source_field(row: FieldMap, source: ObjectSpec) -> FieldSpec | None:
    if row.source is None:
        return None
    exact = source.fields.get(row.source)
    if exact is not None:
        return exact
    parent = source.fields.get(row.source.split(".")[0])
    return replace(parent, kind=Kind.ANY, max_length=None) if parent and parent.kind is Kind.ANY else None


def _suggest(word: str, words: Sequence[str]) -> str:
    match = closest(word, words)
    return f"Did you mean {match}?" if match else f"Use one of {', '.join(sorted(words))}."


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

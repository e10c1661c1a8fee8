"""A job against what the two systems say of their objects: every fault at once, each with its remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

from croniter import CroniterBadDateError, croniter
from pydantic import BaseModel, ValidationError

from cshub.core.errors import Fault
from cshub.core.fault_places import CheckedFile, all_faults, in_order
from cshub.core.jobs import BoundJob, ScheduleKind
from cshub.core.objects import ObjectSpec, Role
from cshub.core.validate_rows import check_rows
from cshub.core.wording import faults_of, suggest
from cshub.core.yaml_text import FieldPath

__all__ = ["CheckedFile", "all_faults", "check_job"]

_KEYS = frozenset({Role.RECORD_KEY, Role.ACCOUNT_KEY})
_FREE_ROLES = frozenset({Role.VALUE, Role.TITLE})
MIN_DAILY_S = 23 * 3600  # a daily schedule has 23 hours between two runs when the clocks go forward


def check_job(
    bound: BoundJob, source: ObjectSpec, target: ObjectSpec, at: CheckedFile, *, online: bool = False
) -> list[Fault]:
    """Every fault of a job, those of the job file by line, then those of the template.

    ``source`` and ``target`` are what the catalogues say, or, ``online``, what the services themselves do: remedies
    then name the rights of the signed-in user too.
    """
    with suppress(ValidationError):  # told by _check_options
        target = target.with_keys(target.options.model_validate(bound.target_options))
    faults = [
        *check_rows(bound, source, target, at, online=online),
        *_check_required(bound, target, at),
        *_check_duplicates(bound, at),
        *_check_locked(bound, at),
        *_check_skip_rules(bound, source, at),
        *_check_options(bound, source, target, at),
        *_check_schedule(bound, at),
    ]
    return in_order(faults, first=at.job_file)


def _check_required(bound: BoundJob, target: ObjectSpec, at: CheckedFile) -> list[Fault]:
    mapped = {row.target for row in bound.fields}
    covered = {spec.role for name, spec in target.fields.items() if name in mapped} & _KEYS
    faults = []
    where: FieldPath = ("mapping", "fields") if at.own_mapping else ("type",)
    for spec in target.fields.values():
        is_key = spec.role in _KEYS
        is_needed = is_key or (spec.required and (spec.role not in _FREE_ROLES or bound.job.allow_new_records))
        if is_needed and spec.name not in mapped and spec.role not in covered:
            kind = "required key" if is_key else "required attribute"
            faults.append(
                at.fault(where, f"the {kind} {spec.name} is not mapped", f"Add a row with `target: {spec.name}`.")
            )
    if target.needs_one_of and not mapped & set(target.needs_one_of):
        names = target.needs_one_of
        reason = f"neither {' nor '.join(names)} is mapped" if len(names) > 1 else f"{names[0]} is not mapped"
        faults.append(at.fault(where, reason, f"Add a row with `target: {names[0]}`."))
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
    own: dict[str, list[tuple[int, str | None]]] = {}
    for index, row in enumerate(bound.fields):
        own.setdefault(row.target, []).append((index, row.source))
    for row in (row for row in bound.template.fields if row.locked):
        found = own.get(row.target, [])
        remedy = f"Add `- {{source: {row.source}, target: {row.target}}}`."
        if not found:
            reason = f"the row of {row.target} is missing: it is locked, and always comes from {row.source}"
            faults.append(at.fault(("mapping", "fields"), reason, remedy))
        elif all(source != row.source for _, source in found):
            reason = f"{row.target} is locked: it always comes from {row.source}"
            faults.append(at.row_fault(found[0][0], "source", reason, f"Write `source: {row.source}`."))
    return faults


def _check_skip_rules(bound: BoundJob, source: ObjectSpec, at: CheckedFile) -> list[Fault]:
    if source.open_ended:
        return []
    own = bound.job.mapping is not None and bound.job.mapping.skip_when is not None
    faults = []
    for index, rule in enumerate(bound.skip_when):
        for position, condition in enumerate(rule.when):
            name = condition.field.split(".")[0]
            if name in source.fields or condition.field in source.fields:
                continue
            base: FieldPath = ("mapping", "skip_when") if own else ("skip_when",)
            path: FieldPath = (*base, index, "when", position, "field")
            fault = at.fault(path, f"{source.title} has no field {name!r}", suggest(name, list(source.fields)))
            faults.append(fault if own else replace(fault, file=at.template_file, line=at.template_lines.at(path)))
    return faults


def _check_options(bound: BoundJob, source: ObjectSpec, target: ObjectSpec, at: CheckedFile) -> list[Fault]:
    faults: list[Fault] = []
    sides: Sequence[tuple[str, type[BaseModel], dict[str, object]]] = (
        ("source", source.source_options or source.options, bound.source_options),
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
    if schedule.cron is not None and not _is_cron(schedule.cron):
        reason = f"{schedule.cron!r} is not a cron expression of five fields, or no day fits it"
        return [at.fault((*path, "cron"), reason, "Write minute hour day month weekday, such as `0 23 * * *`.")]
    if bound.template.defaults.at_most_daily and _runs_more_than_daily(bound):
        reason = "this integration type runs once a day at most, because its source serves whole days"
        return [at.fault(path, reason, "Use daily, workdays, weekly or monthly, or a cron with one run a day.")]
    return []


def _is_cron(text: str) -> bool:
    if len(text.split()) != 5 or not croniter.is_valid(text):
        return False
    try:
        croniter(text, 0).get_next(float)
    except CroniterBadDateError:
        return False
    return True


def _runs_more_than_daily(bound: BoundJob) -> bool:
    schedule = bound.schedule
    if schedule.kind in {ScheduleKind.MINUTES, ScheduleKind.HOURLY}:
        return True
    if schedule.cron is None:
        return False
    times = croniter(schedule.cron, 0)
    try:
        moments = [times.get_next(float) for _ in range(40)]
    except CroniterBadDateError:
        return False
    return any(later - earlier < MIN_DAILY_S for earlier, later in pairwise(moments))

"""Jobs and mappings as types: what a YAML file may say.

A *mapping template* (``include/mappings/<type>.yaml``) defines an integration type; a *job*
(``include/jobs/<id>.yaml``) is one configured integration of a type. :mod:`cshub.core.jobfile` turns
text into these types, :mod:`cshub.core.validate` checks them against what the two systems say of their objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

SLUG_PATTERN = r"^[a-z][a-z0-9_]{2,79}$"
TIME_PATTERN = r"^([01]\d|2[0-3]):[0-5]\d$"
Slug = Annotated[str, Field(pattern=SLUG_PATTERN)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _wrong(reason: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("wrong_block", "{reason}", {"reason": reason, "remedy": remedy})


class TargetEdit(StrEnum):
    """What happens to an edit that a person made in the target."""

    OVERWRITE_WITHIN_24H = "overwrite_within_24h"  # the source wins in the first 24 hours, the edit after that
    KEEP = "keep"
    OVERWRITE = "overwrite"
    NEWEST = "newest"  # the later of both edits wins, field by field; always so between two jobs of one pair


class OnSourceDelete(StrEnum):
    """What happens to the target record when the source record was deleted."""

    DELETE_WHEN_TWO_WAY = "delete_when_two_way"  # deleted if another job syncs the same pair the other way
    DELETE = "delete"
    KEEP = "keep"


class OnNull(StrEnum):
    """What a source value of null does to the target. An absent value never does anything."""

    KEEP = "keep"
    CLEAR = "clear"


class Otherwise(StrEnum):
    """What a value without a row in a translation table becomes."""

    REJECT = "reject"
    KEEP = "keep"
    NULL = "null"


class Translation(Model):
    """A value translation table. Keys are compared as text."""

    table: dict[str, Any] = Field(description="source value → target value")
    otherwise: Annotated[
        Otherwise, BeforeValidator(lambda value: Otherwise.NULL if value is None else value)  # YAML's own null
    ] = Field(Otherwise.REJECT, description="what a value without a row becomes")


class FieldMap(Model):
    """One row of the mapping: source field → target attribute."""

    source: str | None = Field(None, description="source field; parents by dots: Owner.Email")
    fallback: str | None = Field(None, description="another source field, read where the first holds nothing")
    target: str = Field(description="attribute of the target object")
    constant: Any = Field(None, description="a fixed value instead of a source field")
    key: bool = Field(False, description="identifies the record or its account")
    locked: bool = Field(False, description="the row belongs to the template and cannot be mapped otherwise")
    transforms: list[str | dict[str, Any]] = Field(default_factory=list, description="applied in order")
    translate: Translation | None = Field(None, description="value translation table")
    on_null: OnNull = Field(OnNull.KEEP, description="what null in the source does to the target")
    personal: bool = Field(False, description="personal data: masked in logs, plans and pages")
    policy: str | None = Field(
        None,
        description="who wins when both sides changed the field: newest (the later edit), or the name of a system",
    )

    @model_validator(mode="after")
    def _has_one_origin(self) -> FieldMap:
        if self.fallback is not None and self.source is None:
            raise _wrong("there is a fallback, but no source", "Write `source:` with the field that comes first.")
        if (self.source is None) == (self.constant is None):
            found = "neither source nor constant" if self.source is None else "both source and constant"
            raise _wrong(
                f"the row has {found}", "Give either `source:` (a field of the source) or `constant:` (a fixed value)."
            )
        return self


class Condition(Model):
    """A test on one source field. Exactly one operator."""

    field: str = Field(description="source field; parents by dots")
    equals: Any = Field(None, description="the value is this one")
    in_: list[Any] | None = Field(None, alias="in", description="the value is one of these")
    less_than: float | None = Field(None, description="the value is a number below this one")
    is_empty: bool | None = Field(None, description="true: absent, null or empty; false: anything else")

    @model_validator(mode="after")
    def _has_one_operator(self) -> Condition:
        given = self.model_fields_set - {"field"}
        if len(given) != 1:
            found = ", ".join(sorted(name.rstrip("_") for name in given))
            raise _wrong(
                f"the condition has {len(given)} tests: {found}" if given else "the condition has no test",
                "Give exactly one of equals, in, less_than, is_empty.",
            )
        return self


class SkipRule(Model):
    """Records for which all conditions hold are left out and counted under the reason."""

    reason: Annotated[Slug, Field(description="name under which the records are counted")]
    when: list[Condition] = Field(min_length=1, description="all of them must hold")


class ObjectRef(Model):
    system: str
    object: str


class ScheduleKind(StrEnum):
    MANUAL = "manual"
    MINUTES = "minutes"
    HOURLY = "hourly"
    DAILY = "daily"
    WORKDAYS = "workdays"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    CRON = "cron"


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Schedule(Model):
    """When a job runs, in the hub's time zone."""

    kind: ScheduleKind = Field(ScheduleKind.DAILY, description="how often; manual: by hand only")
    at: Annotated[str, Field(pattern=TIME_PATTERN, description="time of day, HH:MM")] = "23:00"
    every: Annotated[int, Field(ge=1, le=59, description="minutes between runs, for kind: minutes")] = 15
    on: Weekday = Field(Weekday.MON, description="day of the week, for kind: weekly")
    day: Annotated[int, Field(ge=1, le=28, description="day of the month, for kind: monthly")] = 1
    cron: str | None = Field(None, description="five cron fields, for kind: cron")

    @model_validator(mode="after")
    def _cron_goes_with_kind_cron(self) -> Schedule:
        if self.kind is ScheduleKind.CRON and self.cron is None:
            raise _wrong("kind is cron, but there is no cron expression", 'Add `cron: "0 23 * * *"`.')
        if self.kind is not ScheduleKind.CRON and self.cron is not None:
            raise _wrong(f"there is a cron expression, but kind is {self.kind}", "Write `kind: cron`, or remove cron.")
        return self

    def as_cron(self) -> str | None:
        """Five cron fields in the hub's zone; None when the job runs by hand only."""
        hour, minute = (int(part) for part in self.at.split(":"))
        table: Mapping[ScheduleKind, str | None] = {
            ScheduleKind.MANUAL: None,
            ScheduleKind.MINUTES: f"*/{self.every} * * * *",
            ScheduleKind.HOURLY: f"{minute} * * * *",
            ScheduleKind.DAILY: f"{minute} {hour} * * *",
            ScheduleKind.WORKDAYS: f"{minute} {hour} * * 1-5",
            ScheduleKind.WEEKLY: f"{minute} {hour} * * {self.on}",
            ScheduleKind.MONTHLY: f"{minute} {hour} {self.day} * *",
            ScheduleKind.CRON: self.cron,
        }
        return table[self.kind]


class WindowSettings(Model):
    """How far a run reads."""

    first_run_days: Annotated[float, Field(gt=0, le=3660, description="how far back the first run reads")] = 7
    overlap_hours: Annotated[
        float, Field(ge=0, le=24 * 366, description="read again before the window, for records that appear late")
    ] = 24
    ahead_days: Annotated[
        float, Field(ge=0, le=3660, description="read beyond the window's end, for records dated in the future")
    ] = 0
    pending_days: Annotated[
        float,
        Field(
            ge=0,
            le=3660,
            description="how long a record waits for its content or to be made; a change of a synced one always waits",
        ),
    ] = 90
    full_sync_days: Annotated[float, Field(gt=0, le=3660, description="how far back a full sync reads")] = 730

    @property
    def pending(self) -> timedelta:
        return timedelta(days=self.pending_days)


class GuardLimit(Model):
    """The run waits for a person when an operation exceeds the smaller of both; without limits it never waits."""

    count: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = Field(None, description="records in one run")
    share: Annotated[float, Field(ge=0, le=1)] | None = Field(None, description="of the records that are linked")


class Guard(Model):
    """Above which a run waits for a person's approval."""

    create: GuardLimit = Field(GuardLimit(), description="records that would be created")
    update: GuardLimit = Field(GuardLimit(), description="records that would be updated")
    remap: GuardLimit = Field(
        GuardLimit(count=50, share=0.05), description="records that would be updated only because the mapping changed"
    )
    delete: GuardLimit = Field(GuardLimit(count=50, share=0.05), description="records that would be deleted")
    wait_hours: Annotated[float, Field(gt=0, le=24 * 14, description="no answer by then is a refusal")] = 12


class Side(Model):
    """One end of a job."""

    connection: Annotated[str, Field(min_length=1, description="id of an Airflow connection")]
    object: str | None = Field(None, description="another object of the same system than the template's")
    options: dict[str, Any] = Field(default_factory=dict, description="settings of this object; see the reference")


class Example(Model):
    """A source record and what it must become; `cshub test` runs it offline."""

    name: str = Field(description="what the example shows")
    given: dict[str, Any] = Field(description="the source record")
    becomes: dict[str, Any] | None = Field(None, description="attributes and the values they must have")
    rejected: str | None = Field(None, description="the reason for which it must be rejected instead")
    skipped: str | None = Field(None, description="the reason for which it must be skipped instead")

    @model_validator(mode="after")
    def _has_one_expectation(self) -> Example:
        if sum(value is not None for value in (self.becomes, self.rejected, self.skipped)) != 1:
            raise _wrong(
                "the example does not say what the record must become",
                "Give exactly one of becomes, rejected, skipped.",
            )
        return self


class JobMapping(Model):
    """A job's own mapping; what it leaves out comes from the template."""

    fields: list[FieldMap] | None = Field(None, description="all rows of the mapping, keys and locked ones too")
    skip_when: list[SkipRule] | None = Field(None, description="records that are left out; an empty list: none")


class JobDefaults(Model):
    """What a template sets for its jobs unless they say otherwise."""

    schedule: Schedule = Schedule()
    window: WindowSettings = WindowSettings()
    source_options: dict[str, Any] = Field(default_factory=dict)
    target_options: dict[str, Any] = Field(default_factory=dict)
    on_target_edit: TargetEdit = TargetEdit.OVERWRITE_WITHIN_24H
    at_most_daily: bool = Field(False, description="the source cannot serve more than one run a day")


class MappingTemplate(Model):
    """An integration type: two objects and how one becomes the other."""

    version: Literal[1] = Field(description="1, the version of this file format")
    type: Slug = Field(description="the integration type: the name of the file without its ending")
    title: str = Field(description="what people call the integration type")
    description: str = ""
    source: ObjectRef
    target: ObjectRef
    fields: list[FieldMap] = Field(min_length=1)
    skip_when: list[SkipRule] = Field(default_factory=list)
    defaults: JobDefaults = JobDefaults()


class Job(Model):
    """One configured integration."""

    version: Literal[1] = Field(description="1, the version of this file format")
    id: Slug = Field(description="the name of the file without its ending")
    type: Slug = Field(description="the integration type, a file of include/mappings")
    name: Annotated[str, Field(min_length=1, max_length=200, description="what people call the job")]
    description: str = Field("", description="what the job is for")
    enabled: bool = Field(False, description="on: runs as soon as Airflow sees the file; off: a person switches it on")
    source: Side = Field(description="where records come from, with its connection")
    target: Side = Field(description="where records go, with its connection")
    pair: Slug | None = Field(None, description="jobs of both directions share one pair; the job's id by default")
    allow_new_records: bool = Field(False, description="off: only records that exist already are kept up to date")
    on_target_edit: TargetEdit | None = Field(
        None,
        description="what happens to an edit that a person made in the target; the template's by default. Between two "
        "jobs of one pair edits of both sides are merged field by field, and this setting has no say",
    )
    on_source_delete: OnSourceDelete = Field(
        OnSourceDelete.DELETE_WHEN_TWO_WAY, description="what happens to the target record of a deleted source record"
    )
    include_made_records: bool = Field(
        False,
        description="on: also sync what other jobs of this hub have made, such as events made of campaign touches; "
        "what people made is not concerned",
    )
    schedule: Schedule | None = Field(None, description="when the job runs, in the hub's time zone")
    window: WindowSettings | None = Field(None, description="how far a run reads")
    guard: Guard = Field(Guard(), description="above which a run waits for a person")
    rejected_share_limit: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="the run stops before loading when more of its rows are rejected; of fewer than 20 records "
            "any share may be rejected",
        ),
    ] = 0.5
    retries: Annotated[int, Field(ge=0, le=50, description="of a task, after a fault that may pass")] = 5
    tags: list[str] = Field(default_factory=list, description="shown in the list of DAGs")
    mapping: JobMapping | None = Field(None, description="the job's own mapping; the template's by default")
    examples: list[Example] = Field(default_factory=list, description="tests of the mapping, run by `cshub test`")


class BoundJob(Model):
    """A job together with its template: every setting decided."""

    job: Job
    template: MappingTemplate
    digest: str

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def pair_name(self) -> str:
        return self.job.pair or self.job.id

    @property
    def fields(self) -> list[FieldMap]:
        own = self.job.mapping.fields if self.job.mapping else None
        return own if own is not None else self.template.fields

    @property
    def skip_when(self) -> list[SkipRule]:
        own = self.job.mapping.skip_when if self.job.mapping else None
        return own if own is not None else self.template.skip_when

    @property
    def source(self) -> ObjectRef:
        """The object that is read."""
        return _chosen(self.template.source, self.job.source)

    @property
    def target(self) -> ObjectRef:
        """The object that is written."""
        return _chosen(self.template.target, self.job.target)

    @property
    def on_target_edit(self) -> TargetEdit:
        return self.job.on_target_edit or self.template.defaults.on_target_edit

    @property
    def schedule(self) -> Schedule:
        return self.job.schedule or self.template.defaults.schedule

    @property
    def window(self) -> WindowSettings:
        return self.job.window or self.template.defaults.window

    @property
    def source_options(self) -> dict[str, Any]:
        return {**self.template.defaults.source_options, **self.job.source.options}

    @property
    def target_options(self) -> dict[str, Any]:
        return {**self.template.defaults.target_options, **self.job.target.options}


def _chosen(default: ObjectRef, side: Side) -> ObjectRef:
    return default if side.object is None else ObjectRef(system=default.system, object=side.object)

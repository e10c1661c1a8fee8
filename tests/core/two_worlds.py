"""Two invented services that people work in, and the two jobs that keep them in step.

Salesforce keeps whole seconds, Totango milliseconds; the clocks of both may be wrong. Each service holds values in its
own form, and the mappings between them are identical, cut, translate with loss, or write one field to two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cshub.core.jobfile import bind, parse_job, parse_template
from cshub.core.jobs import OnNull, TargetEdit
from cshub.core.mapping import CompiledMapping, MappedRecord, compile_mapping, map_record
from cshub.core.objects import FieldSpec, Kind, ObjectSpec, Role, spec_of
from cshub.core.planning import Desired, PlanRules
from cshub.core.records import Origin, Presence, RecordKey, SourceRecord, TargetRecord

BEGIN = datetime(2026, 11, 20, 9, tzinfo=UTC)
SALESFORCE, TOTANGO = "salesforce", "totango"
SYSTEMS = (SALESFORCE, TOTANGO)
OTHER = {SALESFORCE: TOTANGO, TOTANGO: SALESFORCE}
CUT = 12  # characters of a body that Totango takes in this world
ACCOUNT = "acme"

EVENT = spec_of(
    SALESFORCE,
    "event",
    "Event",
    [
        FieldSpec("id", Kind.ID, "Id", role=Role.RECORD_KEY),
        FieldSpec("account", Kind.ID, "Account", role=Role.ACCOUNT_KEY, updateable=False),
        FieldSpec("subject", Kind.TEXT, "Subject"),
        FieldSpec("description", Kind.TEXT, "Description"),
        FieldSpec("status", Kind.TEXT, "Status"),
        FieldSpec("start", Kind.DATE, "Start"),
        FieldSpec("day", Kind.DATE, "Day"),
        FieldSpec("owner", Kind.TEXT, "Owner"),
        FieldSpec("rating", Kind.TEXT, "Rating"),
    ],
)
NOTE = spec_of(
    TOTANGO,
    "note",
    "Note",
    [
        FieldSpec("note_id", Kind.ID, "Note id", role=Role.RECORD_KEY),
        FieldSpec("account_id", Kind.ID, "Account id", role=Role.ACCOUNT_KEY, updateable=False),
        FieldSpec("title", Kind.TEXT, "Title"),
        FieldSpec("body", Kind.TEXT, "Body", role=Role.CONTENT),
        FieldSpec("status", Kind.TEXT, "Status"),
        FieldSpec("when", Kind.DATE, "When"),
        FieldSpec("assignee", Kind.TEXT, "Assignee"),
        FieldSpec("score", Kind.TEXT, "Score"),
    ],
)
SPECS: Mapping[str, ObjectSpec] = {SALESFORCE: EVENT, TOTANGO: NOTE}
_ROWS: Mapping[str, str] = {
    SALESFORCE: f"""\
  - {{source: account, target: account_id, key: true}}
  - {{source: id, target: note_id, key: true}}
  - {{source: subject, target: title, on_null: clear}}
  - {{source: description, target: body, on_null: clear, transforms: [truncate: {CUT}]}}
  - {{source: status, target: status, translate: {{table: {{Not Started: open, In Progress: open, Completed: done}}}}}}
  - {{source: start, target: when}}
  - {{source: owner, target: assignee}}
""",
    TOTANGO: """\
  - {source: account_id, target: account, key: true}
  - {source: note_id, target: id, key: true}
  - {source: title, target: subject, on_null: clear}
  - {source: body, target: description, on_null: clear}
  - {source: status, target: status, translate: {table: {open: Not Started, done: Completed}}}
  - {source: when, target: start}
  - {source: when, target: day}
  - {source: score, target: rating}
""",
}
EDITABLE: Mapping[str, tuple[str, ...]] = {
    SALESFORCE: ("subject", "description", "status", "start", "day", "owner", "rating"),
    TOTANGO: ("title", "body", "status", "when", "assignee", "score"),
}


@dataclass(slots=True)
class Held:
    """One record as its service holds it. ``thing``: the matter it is about, the same on both sides."""

    system: str
    key: str
    thing: int
    values: dict[str, Any]
    created_at: datetime
    modified_at: datetime
    external_id: str | None = None
    deleted: bool = False
    touched_at: datetime | None = None  # by a person
    written_at: datetime | None = None  # by a job
    is_unread: bool = False  # since then
    is_unclear: bool = False  # modified_at is not the time of the last edit that still stands


@dataclass(slots=True)
class Service:
    """One service: its records, and a clock that is ``skew`` wrong and tells ``step`` at best."""

    system: str
    skew: timedelta
    whole_records: bool
    records: dict[str, Held] = field(default_factory=dict)

    def now(self, at: timedelta) -> datetime:
        moment = BEGIN + at + self.skew
        return moment.replace(microsecond=0) if self.system == SALESFORCE else moment

    def create(self, thing: int, values: Mapping[str, Any], at: timedelta, external_id: str | None = None) -> Held:
        now = self.now(at)
        key = f"{self.system[0]}{len(self.records) + 1}"
        blank = dict.fromkeys(EDITABLE[self.system])
        made = Held(self.system, key, thing, {**blank, **values}, now, now, external_id)
        self.records[key] = made
        return made

    def change(self, key: str, values: Mapping[str, Any], at: timedelta, *, deleted: bool = False) -> None:
        held = self.records[key]
        held.values.update(values)
        held.deleted = deleted
        held.modified_at = self.now(at)

    def of(self, thing: int) -> Held | None:
        return next((held for held in self.records.values() if held.thing == thing and not held.deleted), None)

    def changed_since(self, moment: datetime | None) -> Iterator[Held]:
        for held in self.records.values():
            if moment is None or held.modified_at >= moment:
                yield held

    def shown(self, key: str) -> TargetRecord | None:
        held = self.records[key]
        if held.deleted:
            return None
        return TargetRecord(
            key,
            ACCOUNT,
            dict(held.values),
            external_id=held.external_id,
            created_at=held.created_at,
            modified_at=held.modified_at,
        )

    def read(self, held: Held) -> SourceRecord:
        body = {**held.values, _ids(self.system)[0]: held.key, _ids(self.system)[1]: ACCOUNT}
        presence = Presence.DELETED if held.deleted else Presence.PRESENT
        return SourceRecord(held.key, None if held.deleted else body, held.modified_at, presence, held.created_at)


@dataclass(frozen=True)
class Direction:
    """One of the two jobs: it reads ``source`` and writes the other system.

    ``returned``: fields of the target that the other job reads.
    """

    source: str
    mapping: CompiledMapping
    rules: PlanRules
    returned: frozenset[str]

    @property
    def target(self) -> str:
        return OTHER[self.source]

    @property
    def kinds(self) -> dict[str, Kind]:
        """Everything of the target that is remembered, with its kind."""
        return {**self.rules.noted, **self.rules.kinds}

    @property
    def channels(self) -> list[tuple[str, str]]:
        """Source field and target attribute of each value that is carried."""
        return [(path, name) for name, path in self.rules.paths.items() if name in self.rules.kinds]

    def desired(self, record: SourceRecord, origin: Origin) -> Desired:
        """What the job makes of a record: the part of a run between reading and planning."""
        address = RecordKey(record.key, ACCOUNT)
        if record.body is None:
            return Desired(record.key, origin, presence=record.presence, address=address)
        mapped = map_record(record, origin, self.mapping)
        assert isinstance(mapped, MappedRecord), mapped
        return Desired(
            record.key,
            origin,
            mapped.values,
            account_reference=mapped.account_reference,
            account_id=ACCOUNT,
            modified_at=mapped.seen.modified_at,
            external_id=mapped.external_id,
            marks=mapped.marks,
            address=address,
        )

    def mapped(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the source as the target should hold them."""
        result = map_record(SourceRecord("x", dict(values), None), Origin.NAMED, self.mapping)
        assert isinstance(result, MappedRecord), result
        return dict(result.values)


@lru_cache
def directions(policy: str | None = None) -> dict[str, Direction]:
    """Source system → the job that reads it. ``policy`` is that of titles and subjects."""
    mappings = {system: _mapping(system) for system in SYSTEMS}
    return {
        system: Direction(
            system,
            mappings[system],
            _rules(system, mappings, policy),
            frozenset(mappings[OTHER[system]].paths.values()),
        )
        for system in SYSTEMS
    }


@lru_cache
def _mapping(source: str) -> CompiledMapping:
    target = OTHER[source]
    template = (
        f"version: 1\ntype: {source}_to_{target}\ntitle: One way\n"
        f"source: {{system: {source}, object: {SPECS[source].name}}}\n"
        f"target: {{system: {target}, object: {SPECS[target].name}}}\nfields:\n{_ROWS[source]}"
    )
    job = (
        f"version: 1\nid: {source}_job\ntype: {source}_to_{target}\nname: One way\n"
        "source: {connection: one_side}\ntarget: {connection: other_side}\npair: both\n"
    )
    bound = bind(parse_job(job, "job.yaml")[0], parse_template(template, "mapping.yaml")[0])
    return compile_mapping(bound, SPECS[source], SPECS[target], version="m1", marks_source=True)


def _rules(source: str, mappings: Mapping[str, CompiledMapping], policy: str | None) -> PlanRules:
    mapping, partner = mappings[source], mappings[OTHER[source]]
    names = [name for name in mapping.kinds if name not in _ids(OTHER[source])]
    noted = [path for path in partner.paths.values() if path not in names and path not in _ids(OTHER[source])]
    policies = {} if policy is None else {"title" if source == SALESFORCE else "subject": policy}
    return PlanRules(
        kinds={name: mapping.kinds[name] for name in names},
        updateable=frozenset(names),
        clearing=frozenset(row.target.name for row in mapping.rows if row.on_null is OnNull.CLEAR),
        content=mapping.attribute_with(Role.CONTENT),
        allow_new=True,
        target_edit=TargetEdit.KEEP,
        now=BEGIN,
        paths={name: path for name, path in mapping.paths.items() if name in names},
        noted={path: SPECS[OTHER[source]].fields[path].kind for path in noted},
        policies=policies,
        two_way=True,
        follows_deletions=True,
        source_system=source,
        target_system=OTHER[source],
        mapping_version="m1",
    )


def _ids(system: str) -> tuple[str, str]:
    return ("id", "account") if system == SALESFORCE else ("note_id", "account_id")


def at_time(direction: Direction, at: timedelta) -> PlanRules:
    return replace(direction.rules, now=BEGIN + at)

"""Two small objects, a job between them, and short ways to make the values that the core works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings

from cshub.core.jobfile import bind, parse_job, parse_template
from cshub.core.jobs import BoundJob, TargetEdit
from cshub.core.mapping import CompiledMapping, compile_mapping
from cshub.core.objects import FieldSpec, Kind, ObjectSpec, Options, Role, spec_of
from cshub.core.planning import Desired, PlanRules
from cshub.core.records import Link, LinkSide, LinkState, Origin, Pair, SourceRecord, TargetRecord
from cshub.core.values import fingerprints

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=40)
STEADY = settings(derandomize=True, deadline=None, max_examples=150)


class MeetingOptions(Options):
    kinds: list[str] = []


class NoteOptions(Options):
    quiet: bool = True
    flow: str | None = None


MEETING = spec_of(
    "meetings",
    "meeting",
    "Meeting",
    [
        FieldSpec("id", Kind.ID, "Id", role=Role.RECORD_KEY),
        FieldSpec("account", Kind.ID, "Account"),
        FieldSpec("subject", Kind.TEXT, "Subject", max_length=300),
        FieldSpec("summary", Kind.RICH_TEXT, "Summary"),
        FieldSpec("started", Kind.NUMBER, "Start, in seconds since 1970"),
        FieldSpec("minutes", Kind.NUMBER, "Minutes"),
        FieldSpec("owner", Kind.ANY, "Owner"),
        FieldSpec("guests", Kind.ANY, "Guests"),
        FieldSpec("stage", Kind.TEXT, "Stage"),
        FieldSpec("recorded", Kind.BOOLEAN, "Recorded"),
        FieldSpec("facts", Kind.ANY, "Facts"),
    ],
    options=MeetingOptions,
)

NOTE = spec_of(
    "notes",
    "note",
    "Note",
    [
        FieldSpec("note_id", Kind.ID, "Note id", role=Role.RECORD_KEY, updateable=False),
        FieldSpec("account_id", Kind.ID, "Account id", role=Role.ACCOUNT_KEY, updateable=False),
        FieldSpec("subject", Kind.TEXT, "Subject", max_length=80),
        FieldSpec("content", Kind.RICH_TEXT, "Content", role=Role.CONTENT, max_length=12000),
        FieldSpec("held_at", Kind.DATETIME, "Date", role=Role.DATE, required=True),
        FieldSpec("author", Kind.EMAIL, "Author", role=Role.AUTHOR, updateable=False, personal=True),
        FieldSpec("people", Kind.EMAILS, "People", role=Role.PEOPLE),
        FieldSpec("stage", Kind.TEXT, "Stage", picklist=("Pilot", "Rollout")),
        FieldSpec("minutes", Kind.NUMBER, "Minutes"),
        FieldSpec("done", Kind.BOOLEAN, "Done"),
        FieldSpec("facts", Kind.ANY, "Facts"),
        FieldSpec("due_on", Kind.DATE, "Due"),
        FieldSpec("owner_ref", Kind.ID, "Owner reference", reference=True),
        FieldSpec("made_at", Kind.DATETIME, "Made at", createable=False, updateable=False),
        FieldSpec("closed_at", Kind.DATETIME, "Closed at", createable=False),
    ],
    options=NoteOptions,
    needs_one_of=("subject", "content"),
)

TEMPLATE_YAML = """\
version: 1
type: meetings_to_notes
title: Meetings to notes
source: {system: meetings, object: meeting}
target: {system: notes, object: note}
fields:
  - {source: account, target: account_id, key: true}
  - {source: id, target: note_id, key: true}
  - {source: subject, target: subject, locked: true, transforms: [strip, truncate: 80]}
  - {source: summary, target: content, locked: true, transforms: [html_to_text, truncate: 12000]}
  - {source: started, target: held_at, transforms: [epoch_s_to_datetime]}
  - {source: owner.email, target: author}
  - {source: guests, target: people, transforms: [pluck: email]}
skip_when:
  - {reason: unrecorded, when: [{field: recorded, equals: false}]}
defaults:
  at_most_daily: true
"""

JOB_YAML = """\
version: 1
id: demo_notes
type: meetings_to_notes
name: Demo
source: {connection: meetings_default}
target: {connection: notes_default}
allow_new_records: true
"""

WIDE_ROWS = """\
mapping:
  fields:
    - {source: account, target: account_id, key: true}
    - {source: id, target: note_id, key: true}
    - {source: subject, target: subject, transforms: [strip, truncate: 80]}
    - {source: summary, target: content, transforms: [html_to_text, truncate: 12000]}
    - {source: started, target: held_at, transforms: [epoch_s_to_datetime]}
    - {source: owner.email, target: author}
    - {source: guests, target: people, transforms: [pluck: email]}
    - {source: stage, target: stage, translate: {table: {1: Pilot, 2: Rollout, "true": Rollout}}}
    - {source: minutes, target: minutes}
    - {source: recorded, target: done}
    - {source: facts, target: facts}
"""


def bound_job(extra: str = "", template: str = TEMPLATE_YAML) -> BoundJob:
    return bind(parse_job(JOB_YAML + extra, "job.yaml")[0], parse_template(template, "mapping.yaml")[0])


def mapping_of(extra: str = "", target: ObjectSpec = NOTE) -> CompiledMapping:
    return compile_mapping(bound_job(extra), MEETING, target, version="m1")


def meeting(key: str = "m1", **changes: Any) -> SourceRecord:
    body: dict[str, Any] = {
        "id": key,
        "account": "acme",
        "subject": "Review",
        "summary": "Agreed.",
        "started": 1795104000,
        "owner": {"email": "ada@seller.example"},
        "guests": [{"email": "bo@buyer.example"}],
        **changes,
    }
    body = {name: value for name, value in body.items() if value is not ...}
    return SourceRecord(key, body, NOW)


def from_window(*records: SourceRecord) -> list[tuple[SourceRecord, Origin]]:
    return [(record, Origin.WINDOW) for record in records]


KINDS: Mapping[str, Kind] = {
    "subject": Kind.TEXT,
    "content": Kind.RICH_TEXT,
    "held_at": Kind.DATETIME,
    "author": Kind.EMAIL,
    "people": Kind.IDS,
}
VALUES: Mapping[str, Any] = {
    "subject": "Review",
    "content": "Agreed.",
    "held_at": "2026-11-19T16:00:00.000Z",
    "author": "ada@seller.example",
    "people": ["u1", "u2"],
}


def rules(
    target_edit: TargetEdit = TargetEdit.KEEP, *, allow_new: bool = True, clearing: tuple[str, ...] = ()
) -> PlanRules:
    return PlanRules(
        kinds=KINDS,
        updateable=frozenset(KINDS) - {"author"},
        clearing=frozenset(clearing),
        content="content",
        allow_new=allow_new,
        target_edit=target_edit,
        now=NOW,
    )


def desired(*, account_id: str | None = "A1", reference: str | None = "acme", **changes: Any) -> Desired:
    values = {name: value for name, value in {**VALUES, **changes}.items() if value is not ...}
    return Desired("m1", Origin.WINDOW, values, account_reference=reference, account_id=account_id, external_id="m1")


def note(*, modified_at: datetime | None = None, created_at: datetime | None = None, **changes: Any) -> TargetRecord:
    return TargetRecord(
        "n1", "A1", {**VALUES, **changes}, {"event_id": "e1"}, "m1", created_at=created_at, modified_at=modified_at
    )


def link(*, read_back: bool = True, state: LinkState = LinkState.IN_STEP, **changes: Any) -> Link:
    """A link whose two sides agreed on :data:`VALUES`, 40 days ago."""
    base = fingerprints(VALUES, KINDS)
    source = LinkSide("m1", mapped=base, state=state)
    target = LinkSide("n1", "A1", {"event_id": "e1"}, marks=base if read_back else None)
    sides = {"source": source, "target": target}
    for name in list(changes):
        side, _, fact = name.partition("_")
        if side in sides and fact:
            sides[side] = replace(sides[side], **{fact: changes.pop(name)})
    facts: dict[str, Any] = {"number": 7, "version": 3, "created_at": LONG_AGO, "written_at": LONG_AGO, **changes}
    return Link(Pair(1), **sides, **facts)

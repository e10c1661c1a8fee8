"""Two small objects, a job between them, and short ways to make source records and mappings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from pydantic import Field

from cshub.core.jobfile import bind, parse_job, parse_template
from cshub.core.jobs import BoundJob
from cshub.core.mapping import CompiledMapping, compile_mapping
from cshub.core.objects import FieldSpec, Kind, ObjectSpec, Options, Role, spec_of
from cshub.core.records import Origin, SourceRecord

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=40)
STEADY = settings(derandomize=True, deadline=None, max_examples=150)


class MeetingOptions(Options):
    kinds: list[str] = Field(default_factory=list)


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

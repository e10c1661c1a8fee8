"""What every org says of events, tasks and other records; its own fields may be mapped by their API names.

Fields, lengths and rights: docs/vendors/salesforce.md §4.1 (Event), §4.2 (Task).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cshub.core.objects import FieldSpec, Kind, ObjectSpec, Options, Role, spec_of
from cshub.systems.salesforce.options import (
    EventOptions,
    EventSourceOptions,
    RecordOptions,
    RecordSourceOptions,
    TaskOptions,
    TaskSourceOptions,
)
from cshub.systems.salesforce.personal import is_personal

PARTICIPANT_EMAILS = "participant_emails"
"""Field of a body that no object of Salesforce has: made of WhoId and the relations of an activity."""
SUBJECT_LIMIT = 255  # characters (salesforce.md §4.1, row Subject)
DESCRIPTION_LIMIT = 32_000  # characters (salesforce.md §4.1, row Description)
LOCATION_LIMIT = 255  # characters (salesforce.md §4.1, row Location)
PICKLIST_LIMIT = 40  # characters (salesforce.md §4.1, row Type)

_shown = partial(FieldSpec, createable=False, updateable=False)


def _audit() -> list[FieldSpec]:
    """When and by whom a record was made and changed; Salesforce sets them itself."""
    return [
        _shown("CreatedDate", Kind.DATETIME, "Created Date", example="2026-11-20T10:00:00.000Z"),
        _shown("CreatedById", Kind.ID, "Created By ID", example="0055g00000AbCd1AAF"),
        _shown("CreatedBy.Email", Kind.EMAIL, "Created By: Email", personal=True, example="dana@vendor.example"),
        _shown("CreatedBy.Name", Kind.TEXT, "Created By: Name", personal=True, example="Dana Kim"),
        _shown(
            "LastModifiedDate",
            Kind.DATETIME,
            "Last Modified Date",
            role=Role.MODIFIED_AT,
            example="2026-11-20T11:30:00.000Z",
            help="when the source record was last changed; decides who wins, Salesforce sets its own",
        ),
        _shown("LastModifiedById", Kind.ID, "Last Modified By ID", example="0055g00000AbCd1AAF"),
        _shown(
            "LastModifiedBy.Email",
            Kind.EMAIL,
            "Last Modified By: Email",
            role=Role.MODIFIED_BY,
            personal=True,
            example="dana@vendor.example",
            help="who changed the source record last; kept in the audit, Salesforce sets its own",
        ),
        _shown("SystemModstamp", Kind.DATETIME, "System Modstamp", example="2026-11-20T11:30:00.000Z"),
    ]


def _identity(example: str) -> list[FieldSpec]:
    return [
        _shown(
            "Id",
            Kind.ID,
            "Id",
            role=Role.RECORD_KEY,
            required=True,
            example=example,
            help="id of the record in the source; remembered by the hub, and stored where external_id_field is set",
        ),
        FieldSpec(
            "OwnerId",
            Kind.ID,
            "Owner ID",
            role=Role.OWNER,
            example="0055g00000AbCd1AAF",
            help="id of a user, or the e-mail of an active one; without it default_owner, else the integration user",
        ),
        _shown("Owner.Email", Kind.EMAIL, "Owner: Email", personal=True, example="dana@vendor.example"),
        _shown("Owner.Name", Kind.TEXT, "Owner: Name", personal=True, example="Dana Kim"),
    ]


def _related() -> list[FieldSpec]:
    """Account, people and what else an activity belongs to."""
    return [
        FieldSpec(
            "AccountId",
            Kind.ID,
            "Account ID",
            role=Role.ACCOUNT_KEY,
            required=True,
            updateable=False,
            example="0015g00000AbCdEEAV",
            help="id of the account, or the field named in account_match; an activity never changes account",
        ),
        _shown("Account.Name", Kind.TEXT, "Account: Name", example="Acme"),
        _shown("WhatId", Kind.ID, "Related To ID", reference=True, help="the hub sets it to the account"),
        _shown("What.Name", Kind.TEXT, "Related To: Name", example="Acme"),
        _shown("What.Type", Kind.TEXT, "Related To: object", example="Account"),
        FieldSpec(
            "WhoId",
            Kind.IDS,
            "Name ID",
            role=Role.PEOPLE,
            personal=True,
            example=["0035g00000AbCdEEAV"],
            help="the contact that the activity is with, as a list of one: the first of the e-mails that belongs to a "
            "contact of the account",
        ),
        _shown("Who.Name", Kind.TEXT, "Name: Name", personal=True, example="Lee Park"),
        _shown(
            PARTICIPANT_EMAILS,
            Kind.EMAILS,
            "Participants' e-mails",
            personal=True,
            example=["lee@acme.example"],
            help="e-mails of WhoId and of all invited, in lower case; those without an e-mail are left out and counted",
        ),
    ]


def _texts(*, content: Role) -> list[FieldSpec]:
    return [
        FieldSpec(
            "Subject", Kind.TEXT, "Subject", role=Role.TITLE, max_length=SUBJECT_LIMIT, example="Quarterly review"
        ),
        FieldSpec(
            "Description",
            Kind.RICH_TEXT,
            "Description",
            role=content,
            max_length=DESCRIPTION_LIMIT,
            example="Met with the ops team.",
            help="plain text; cannot be used in a filter",
        ),
    ]


def _type() -> FieldSpec:
    return FieldSpec(
        "Type",
        Kind.TEXT,
        "Type",
        max_length=PICKLIST_LIMIT,
        example="Meeting",
        help="value of a list of the org; some orgs have no such field",
    )


_DELETED = _shown("IsDeleted", Kind.BOOLEAN, "Deleted", example=False)

EVENT = spec_of(
    "salesforce",
    "event",
    "Salesforce event",
    [
        *_identity("00U5g00000AbCdEEAV"),
        *_related(),
        *_texts(content=Role.CONTENT),
        FieldSpec(
            "ActivityDate",
            Kind.DATE,
            "Due Date Only",
            role=Role.DATE,
            example="2026-11-20",
            help="alone it makes an event of the whole day; left out where StartDateTime tells the time",
        ),
        FieldSpec(
            "StartDateTime",
            Kind.DATETIME,
            "Start Date Time",
            role=Role.DATE,
            example="2026-11-20T10:00:00.000Z",
            help="start of a timed event; needs an end or a length, else duration_minutes counts",
        ),
        FieldSpec("EndDateTime", Kind.DATETIME, "End Date Time", example="2026-11-20T10:30:00.000Z"),
        FieldSpec(
            "DurationInMinutes",
            Kind.NUMBER,
            "Duration",
            example=30,
            help="0 to 1440 unless the org allows events of several days",
        ),
        FieldSpec("IsAllDayEvent", Kind.BOOLEAN, "All-Day Event", example=False),
        FieldSpec("ActivityDateTime", Kind.DATETIME, "Due Date Time", help="the same as StartDateTime"),
        FieldSpec("Location", Kind.TEXT, "Location", max_length=LOCATION_LIMIT, example="Video call"),
        _type(),
        FieldSpec("ShowAs", Kind.TEXT, "Show Time As", max_length=PICKLIST_LIMIT, example="Busy"),
        FieldSpec("IsPrivate", Kind.BOOLEAN, "Private", example=False),
        _shown("IsChild", Kind.BOOLEAN, "Is Child", help="the copy of an invited user"),
        _shown("IsArchived", Kind.BOOLEAN, "Archived"),
        _DELETED,
        *_audit(),
    ],
    open_ended=True,
    is_personal=is_personal,
    options=EventOptions,
    source_options=EventSourceOptions,
    notes={
        "participants": "Salesforce stores one contact in WhoId; further people are read, not written.",
        "times": "Time rules of events are kept for each write: see docs/vendors/salesforce.md §4.1.",
    },
)

TASK = spec_of(
    "salesforce",
    "task",
    "Salesforce task",
    [
        *_identity("00T5g00000AbCdEEAV"),
        *_related(),
        *_texts(content=Role.VALUE),
        FieldSpec("ActivityDate", Kind.DATE, "Due Date", role=Role.DATE, example="2026-12-01"),
        FieldSpec(
            "Status",
            Kind.TEXT,
            "Status",
            max_length=PICKLIST_LIMIT,
            example="Not Started",
            help="value of a list of the org; without it, the list's default",
        ),
        FieldSpec(
            "Priority",
            Kind.TEXT,
            "Priority",
            max_length=PICKLIST_LIMIT,
            example="Normal",
            help="value of a list of the org; without it, the list's default",
        ),
        _type(),
        FieldSpec(
            "TaskSubtype",
            Kind.TEXT,
            "Task Subtype",
            updateable=False,
            max_length=PICKLIST_LIMIT,
            example="Task",
        ),
        _shown("IsClosed", Kind.BOOLEAN, "Closed", help="follows from Status"),
        _shown("IsHighPriority", Kind.BOOLEAN, "High Priority", help="follows from Priority"),
        _shown("CompletedDateTime", Kind.DATETIME, "Completed Date", help="follows from Status"),
        _shown("IsArchived", Kind.BOOLEAN, "Archived"),
        _DELETED,
        *_audit(),
    ],
    open_ended=True,
    is_personal=is_personal,
    options=TaskOptions,
    source_options=TaskSourceOptions,
    notes={"participants": "Salesforce stores one contact in WhoId; further people are read, not written."},
)

RECORD = spec_of(
    "salesforce",
    "record",
    "Salesforce record",
    [
        *_identity("a015g00000AbCdEEAV"),
        FieldSpec(
            "Name",
            Kind.TEXT,
            "Name",
            role=Role.TITLE,
            example="Visit in November",
            help="some objects number their records",
        ),
        _DELETED,
        *_audit(),
    ],
    open_ended=True,
    is_personal=is_personal,
    options=RecordOptions,
    source_options=RecordSourceOptions,
    notes={"object": "Any object that the integration user may use; its API name is given as `object`."},
)

SOURCES: Mapping[type[Options], ObjectSpec] = {
    EventSourceOptions: EVENT,
    TaskSourceOptions: TASK,
    RecordSourceOptions: RECORD,
}
TARGETS: Mapping[type[Options], ObjectSpec] = {EventOptions: EVENT, TaskOptions: TASK, RecordOptions: RECORD}
"""The catalogue that options of one kind are for."""

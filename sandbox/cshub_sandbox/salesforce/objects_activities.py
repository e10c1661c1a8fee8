"""Event and Task, and the objects of their participants: docs/vendors/salesforce.md §4.1, §4.2 and §2.3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cshub_sandbox.salesforce.objects import FieldKind, FieldType, ObjectType, RowSubset, Schema
from cshub_sandbox.salesforce.objects_fields import (
    READ_ONLY,
    audit,
    date_field,
    datetime_field,
    flag,
    object_type,
    owner,
    picklist,
    record_id,
    reference,
    text,
    text_area,
    whole,
)

WHO_TARGETS = ("Contact", "Lead")
STANDARD_WHAT_TARGETS = ("Account", "Campaign", "Case", "Contract", "Opportunity")
EVENT_OWNERS = ("Calendar", "User")
TASK_OWNERS = ("Group", "User")
INSTANCES = ("First", "Second", "Third", "Fourth", "Last")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
PATTERNS = (
    "RecursDaily",
    "RecursEveryWeekday",
    "RecursMonthly",
    "RecursMonthlyNth",
    "RecursWeekly",
    "RecursYearly",
    "RecursYearlyNth",
)


@dataclass(frozen=True, slots=True)
class OrgFeatures:
    """What an org may lack or have switched on.

    ``activity_type``: Event and Task have the field Type (absent in some orgs, docs/vendors/salesforce.md §4.2).
    ``shared_activities``: WhoCount, WhatCount, EventWhoIds and TaskWhoIds exist.
    """

    activity_type: bool = True
    shared_activities: bool = False


_TYPE_FIELDS = ("type",)
_SHARED_FIELDS = ("whocount", "whatcount", "eventwhoids", "taskwhoids")


def apply_features(schema: Schema, features: OrgFeatures) -> None:
    """Give Event and Task of ``schema`` the fields that ``features`` grants and take the others away."""
    granted = {**dict.fromkeys(_TYPE_FIELDS, features.activity_type)}
    granted |= dict.fromkeys(_SHARED_FIELDS, features.shared_activities)
    for whole_object in (event(), task()):
        kind = schema.object(whole_object.name)
        for key, wanted in granted.items():
            full = whole_object.field(key)
            if full is not None and wanted and kind.field(key) is None:
                kind = kind.with_field(full)
            elif not wanted:
                kind = kind.without_field(key)
        schema.put_object(kind)


def event() -> ObjectType:
    """Event with every field that an org may have."""
    return object_type(
        "Event",
        "00U",
        [
            record_id(),
            *_related("Events"),
            whole("WhoCount", **READ_ONLY, label="Relation Count"),
            whole("WhatCount", **READ_ONLY, label="Related To Count"),
            _subject(),
            text("Location"),
            flag("IsAllDayEvent", label="All-Day Event"),
            datetime_field("ActivityDateTime", label="Due Date Time"),
            date_field("ActivityDate", label="Due Date Only"),
            whole("DurationInMinutes", label="Duration"),
            datetime_field("StartDateTime", label="Start Date Time"),
            datetime_field("EndDateTime", label="End Date Time"),
            date_field("EndDate", **READ_ONLY),
            _description(),
            _account(),
            owner(*EVENT_OWNERS),
            picklist("Type", "Email", "Meeting", "Other", "Call"),
            flag("IsPrivate", label="Private"),
            picklist("ShowAs", "Busy", "OutOfOffice", "Free", restricted=True, label="Show Time As"),
            *audit(),
            flag("IsChild", **READ_ONLY),
            flag("IsGroupEvent", **READ_ONLY),
            picklist("GroupEventType", "0", "1", "2", "3", **READ_ONLY),
            flag("IsArchived", **READ_ONLY),
            *_recurrence(start=datetime_field("RecurrenceStartDateTime", updateable=False)),
            *_reminder(),
            picklist("EventSubtype", "Event", default="Event", nillable=True, restricted=True, updateable=False),
            flag("IsRecurrence2Exclusion", **READ_ONLY),
            text("Recurrence2PatternText", 512, **READ_ONLY),
            text("Recurrence2PatternVersion", 40, **READ_ONLY),
            flag("IsRecurrence2", **READ_ONLY),
            flag("IsRecurrence2Exception", **READ_ONLY),
            datetime_field("Recurrence2PatternStartDate", **READ_ONLY),
            text("Recurrence2PatternTimeZone", **READ_ONLY),
            FieldType(name="EventWhoIds", kind=FieldKind.JUNCTION, reference_to=WHO_TARGETS, label="Relation IDs"),
        ],
    )


def task() -> ObjectType:
    """Task with every field that an org may have."""
    return object_type(
        "Task",
        "00T",
        [
            record_id(),
            *_related("Tasks"),
            whole("WhoCount", **READ_ONLY, label="Relation Count"),
            whole("WhatCount", **READ_ONLY, label="Related To Count"),
            _subject(),
            date_field("ActivityDate", label="Due Date Only"),
            picklist(
                "Status",
                "Not Started",
                "In Progress",
                "Completed",
                "Waiting on someone else",
                "Deferred",
                default="Not Started",
            ),
            picklist("Priority", "High", "Normal", "Low", default="Normal"),
            flag("IsHighPriority", **READ_ONLY, label="High Priority"),
            owner(*TASK_OWNERS),
            _description(),
            picklist("Type", "Email", "Meeting", "Other", "Call"),
            *audit(),
            flag("IsClosed", **READ_ONLY, label="Closed"),
            _account(),
            flag("IsArchived", **READ_ONLY),
            whole("CallDurationInSeconds", label="Call Duration"),
            picklist("CallType", "Internal", "Inbound", "Outbound", restricted=True),
            text("CallDisposition", label="Call Result"),
            text("CallObject", label="Call Object Identifier"),
            datetime_field("CompletedDateTime", **READ_ONLY, label="Completed Date"),
            *_recurrence(start=date_field("RecurrenceStartDateOnly", updateable=False)),
            *_reminder(),
            picklist("RecurrenceRegeneratedType", "RecurrenceRegenerateAfterDueDate", "RecurrenceRegenerateAfterToday"),
            picklist(
                "TaskSubtype",
                "Task",
                "Email",
                "ListEmail",
                "Cadence",
                "Call",
                default="Task",
                nillable=True,
                restricted=True,
                updateable=False,
            ),
            FieldType(name="TaskWhoIds", kind=FieldKind.JUNCTION, reference_to=WHO_TARGETS, label="Relation IDs"),
        ],
    )


def participants() -> list[ObjectType]:
    """EventRelation and TaskRelation, and their read-only halves that hold contacts and leads only."""
    relation_targets = (*STANDARD_WHAT_TARGETS, "Calendar", *WHO_TARGETS, "User")
    return [
        object_type(
            "EventRelation",
            "0RE",
            [
                *_relation("Event", relation_targets, createable=True, children="EventRelations"),
                flag("IsParent", label="Is Parent"),
                flag("IsInvitee", label="Is Invitee"),
                flag("IsWhat", **READ_ONLY),
                picklist("Status", "New", "Declined", "Accepted", "Uninvited", "Maybe", default="New"),
                datetime_field("RespondedDate"),
                text("Response"),
                *audit(),
            ],
        ),
        object_type(
            "TaskRelation",
            "0RT",
            [
                *_relation("Task", relation_targets, createable=True, children="TaskRelations"),
                flag("IsWhat", **READ_ONLY),
                *audit(),
            ],
        ),
        _who_relation("Event"),
        _who_relation("Task"),
    ]


def _who_relation(activity: str) -> ObjectType:
    relations = RowSubset(f"{activity}Relation", "RelationId", ("003", "00Q"))
    return object_type(
        f"{activity}WhoRelation",
        None,
        [*_relation(activity, WHO_TARGETS, createable=False, children=f"{activity}WhoRelations"), *audit()],
        subset=relations,
        createable=False,
        updateable=False,
        deletable=False,
        replicateable=False,
    )


def _relation(activity: str, targets: tuple[str, ...], *, createable: bool, children: str) -> tuple[FieldType, ...]:
    flags: dict[str, Any] = {"nillable": False, "createable": createable, "updateable": False}
    return (
        record_id(),
        reference("RelationId", *targets, **flags),
        reference(f"{activity}Id", activity, children=children, **flags),
        _account(),
    )


def _related(children: str) -> tuple[FieldType, ...]:
    return (
        reference("WhoId", *WHO_TARGETS, label="Name ID", children=children),
        reference("WhatId", *STANDARD_WHAT_TARGETS, label="Related To ID", children=children),
    )


def _account() -> FieldType:
    return reference("AccountId", "Account", label="Account ID", **READ_ONLY)


def _subject() -> FieldType:
    return FieldType(name="Subject", kind=FieldKind.COMBOBOX, length=255, name_field=True)


def _description() -> FieldType:
    return text_area("Description", 32_000)


def _reminder() -> tuple[FieldType, ...]:
    return datetime_field("ReminderDateTime"), flag("IsReminderSet", label="Reminder Set")


def _recurrence(*, start: FieldType) -> tuple[FieldType, ...]:
    return (
        reference("RecurrenceActivityId", "Event" if start.kind is FieldKind.DATETIME else "Task", **READ_ONLY),
        flag("IsRecurrence", updateable=False),
        start,
        date_field("RecurrenceEndDateOnly"),
        text("RecurrenceTimeZoneSidKey", 40),
        picklist("RecurrenceType", *PATTERNS, restricted=True),
        whole("RecurrenceInterval"),
        whole("RecurrenceDayOfWeekMask"),
        whole("RecurrenceDayOfMonth"),
        picklist("RecurrenceInstance", *INSTANCES, restricted=True),
        picklist("RecurrenceMonthOfYear", *MONTHS, restricted=True),
    )

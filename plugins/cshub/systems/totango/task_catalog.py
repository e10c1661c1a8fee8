"""What Totango says of a task: its attributes, and the settings of reading and writing it."""

from __future__ import annotations

from pydantic import Field

from cshub.core.objects import FieldSpec, Kind, Options, Role, spec_of
from cshub.systems.totango.account_options import AccountMatch, AccountReference
from cshub.systems.totango.models import TaskStatus

TITLE_LIMIT = 255  # no limit is published; that of the subject in Salesforce (totango.md §3, row "Subject")
PRIORITIES = ("1", "2", "3")  # high, normal, low (totango.md §2.7)


class TaskOptions(Options):
    """``target.options`` of a job that writes tasks. The flow by the name shown in Totango."""

    account_match: AccountMatch = Field(default_factory=lambda: AccountMatch(), description="how accounts are found")
    flow: str | None = Field(None, description="flow of new tasks; none = the tenant's default flow")


class TaskSourceOptions(Options):
    """``source.options`` of a job that reads tasks. Filters choose what is read; they never make it look deleted."""

    account_reference: AccountReference = Field(
        default_factory=lambda: AccountReference(), description="what accounts are called in the other system"
    )
    flows: tuple[str, ...] = Field((), description="only tasks of these flows, by name; empty = all")
    assignees: tuple[str, ...] = Field((), description="only tasks assigned to these people, by e-mail; empty = all")
    accounts: tuple[str, ...] = Field((), description="only tasks of these accounts, by Totango's id; empty = all")
    check_deletions: bool = Field(
        True, description="look for deleted tasks, which Totango does not list; needs its task export to show ids"
    )
    deletions_within_days: int = Field(
        30, ge=0, description="how far back a task's last change may lie for its deletion to be noticed, in days"
    )

    def account_attribute(self) -> str | None:
        return self.account_reference.looked_at


def _read_only(
    name: str,
    kind: Kind,
    title: str,
    help: str,
    example: object,
    *,
    role: Role = Role.VALUE,
    personal: bool = False,
) -> FieldSpec:
    return FieldSpec(
        name, kind, title, role=role, createable=False, updateable=False, personal=personal, example=example, help=help
    )


TASK = spec_of(
    "totango",
    "task",
    "Totango task",
    [
        FieldSpec(
            "account_id",
            Kind.ID,
            "Account Id",
            role=Role.ACCOUNT_KEY,
            required=True,
            updateable=False,
            max_length=480,  # totango.md §3, row "Ids"
            example="ACME-17",
            help="account id, or the foreign key named in account_match; a task never changes account",
        ),
        FieldSpec(
            "task_id",
            Kind.ID,
            "Task External Id",
            role=Role.RECORD_KEY,
            required=True,
            updateable=False,
            example="00T5g00000AbCdEEAV",
            help="id of the record in the source; remembered by the hub, not stored in Totango",
        ),
        FieldSpec(
            "title",
            Kind.TEXT,
            "Title",
            role=Role.TITLE,
            required=True,
            max_length=TITLE_LIMIT,
            example="Send deck",
            help="what is to be done",
        ),
        FieldSpec("description", Kind.RICH_TEXT, "Description", example="Version 2, with prices", help="details"),
        FieldSpec(
            "priority",
            Kind.TEXT,
            "Priority",
            picklist=PRIORITIES,
            example="2",
            help="1 high, 2 normal, 3 low",
        ),
        FieldSpec(
            "status",
            Kind.TEXT,
            "Status",
            picklist=tuple(status.value for status in TaskStatus),
            example="open",
            help="open or closed; a label that fits already is kept",
        ),
        FieldSpec(
            "status_label_id",
            Kind.ID,
            "Status Label Id",
            example="6f1d2c34-0000-4000-8000-01",
            help="label of the tenant's status model; decides the status when both are written",
        ),
        FieldSpec(
            "due_date",
            Kind.DATE,
            "Due Date",
            role=Role.DATE,
            example="2026-12-01",
            help="Totango asks for it in a new task, and cannot take it away again",
        ),
        FieldSpec(
            "assigned_to",
            Kind.EMAIL,
            "Assigned To",
            role=Role.OWNER,
            personal=True,
            example="dana@vendor.example",
            help="team member; without one, the owner of the token",
        ),
        _read_only(
            "assigner",
            Kind.EMAIL,
            "Assigner",
            "who made the task; Totango takes the owner of the token",
            "dana@vendor.example",
            role=Role.INFORMATIVE,
            personal=True,
        ),
        _read_only(
            "create_date",
            Kind.DATETIME,
            "Create Date",
            "when the task was made; Totango sets its own",
            "2026-11-20T10:00:00.000Z",
            role=Role.INFORMATIVE,
        ),
        _read_only(
            "last_update_date",
            Kind.DATETIME,
            "Last Update Date",
            "when the source record was last changed; decides who wins, Totango sets its own",
            "2026-11-20T11:30:00.000Z",
            role=Role.MODIFIED_AT,
        ),
        _read_only(
            "last_updater",
            Kind.EMAIL,
            "Last Updater",
            "who changed the source record last; kept in the audit, Totango sets its own",
            "dana@vendor.example",
            role=Role.MODIFIED_BY,
            personal=True,
        ),
        _read_only(
            "completed_date",
            Kind.DATETIME,
            "Completed Date",
            "when the task was closed; null while it is open",
            "2026-11-30T10:00:00.000Z",
        ),
        _read_only("totango_id", Kind.ID, "Task Id", "Totango's own id", "55012"),
        _read_only("external_id", Kind.ID, "External Id", "id in lower case that an import left", "00t5g00000abcde"),
        _read_only("flow", Kind.TEXT, "Flow", "name of the flow", "Adoption"),
        _read_only("flow_id", Kind.ID, "Flow Id", "id of the flow", "adoption"),
        _read_only("last_action", Kind.TEXT, "Last action", "Totango's word for the last change", "complete"),
    ],
    options=TaskOptions,
    source_options=TaskSourceOptions,
    notes={
        "external_id": "Totango's API stores no external id: the hub's ledger links the records.",
        "deletions": "Totango tells of no deletion: a task is proven gone when its own id shows nothing any more.",
    },
)

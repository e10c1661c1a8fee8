"""What a tenant holds. Records are values: an edit replaces a record by a new one. Times are epoch milliseconds UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EventType(StrEnum):
    NOTE = "note"
    TASK = "task"
    ALERT = "alert"
    CAMPAIGN_TOUCH = "campaign_touch"


class Origin(StrEnum):
    """Where a record came from. The vendor's own words are not published."""

    API = "api"
    USER = "user"
    NATIVE_IMPORT = "native import"


class TaskAction(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    COMPLETE = "complete"
    DELETE = "delete"


class TaskStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class UserStatus(StrEnum):
    ACTIVE = "Active"
    CREATED = "Created"
    DISABLED = "Disabled"


class Role(StrEnum):
    GLOBAL_ADMIN = "Global Admin"
    TEAM_MEMBER = "Team Member"


@dataclass(frozen=True, slots=True)
class Account:
    """``foreign_keys`` are kept in lower case; ``attributes`` as given. ``id`` is case sensitive."""

    id: str
    name: str
    created_ms: int
    last_activity_ms: int
    status: str = "Paying"
    status_group: str = "paying"
    health: str = "green"
    contract_value: float = 0.0
    owner: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    foreign_keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contact:
    """An external user of one account. ``user_id`` is often, not always, the e-mail, and case sensitive."""

    user_id: str
    account_id: str
    email: str
    first_name: str
    last_name: str
    title: str
    first_activity_ms: int
    last_activity_ms: int

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(frozen=True, slots=True)
class TeamUser:
    """An internal user. The user id is the e-mail; ``uuid`` is the other accepted key of a task's assignee."""

    email: str
    uuid: str
    first_name: str
    last_name: str
    status: UserStatus
    role: Role
    teams: str
    license: str = "Full"

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(frozen=True, slots=True)
class Touchpoint:
    note_id: int
    event_id: str
    account_id: str
    content: str
    created_by: str
    timestamp_ms: int
    creation_ms: int
    activity_type_id: str
    subject: str | None = None
    formatted: bool = False
    touchpoint_type: str | None = None
    tags: tuple[str, ...] = ()
    internal_participants: tuple[str, ...] = ()
    external_participants: tuple[str, ...] = ()
    disable_sync: bool = False
    external_id: str | None = None
    origin: Origin = Origin.API
    transaction_id: str | None = None
    parent_id: int | None = None
    follow_up: int | None = None
    last_edit_ms: int | None = None
    last_edit_user: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    id: int
    account_id: str
    title: str
    description: str
    due_on: str
    priority: int
    status_label_id: str
    status: TaskStatus
    activity_type_id: str
    assignee: str
    assigner: str
    creation_ms: int
    last_updater: str
    completed_ms: int | None = None
    external_id: str | None = None
    origin: Origin = Origin.API


@dataclass(frozen=True, slots=True)
class TaskChange:
    """One entry of a task's change log. ``before`` is None for the creation."""

    action: TaskAction
    before: Task | None
    after: Task


@dataclass(frozen=True, slots=True)
class Alert:
    alert_type: str
    description: str
    sentiment: str
    duration: int
    health: str
    health_prev: str


@dataclass(frozen=True, slots=True)
class CampaignTouch:
    campaign_id: str
    campaign_name: str
    campaign_type: str
    subject: str
    description: str
    sender: str
    users_count: int
    start_ms: int


Content = Touchpoint | TaskChange | Alert | CampaignTouch


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an account's timeline."""

    id: str
    timestamp_ms: int
    type: EventType
    account_id: str
    content: Content

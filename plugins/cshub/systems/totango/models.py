"""Totango's records as values, read once from its JSON; and what is sent, as the API names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cshub.core.errors import ProtocolFault


class EventType(StrEnum):
    NOTE = "note"
    TASK = "task"
    CAMPAIGN_TOUCH = "campaign_touch"
    ALERT = "alert"


class TaskStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


FAR_FUTURE_MS = 4_102_444_800_000  # 2100-01-01
_KINDS = {kind.value: kind for kind in EventType}


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a timeline. ``kind`` is None for a type this version does not know. Times in ms since 1970 UTC."""

    id: str
    kind: EventType | None
    timestamp_ms: int
    account_id: str
    raw: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Any]:
        return _object(self.raw.get("properties"))


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """A note as an event shows it. None = the event does not say; absent lists are None too.

    ``participants``: user ids of both sides. ``parent_id``, ``follow_up``: note ids of what it replies to and follows.
    Times in ms since 1970 UTC.
    """

    note_id: int
    event_id: str
    account_id: str
    timestamp_ms: int
    text: str
    author: str
    subject: str | None = None
    touchpoint_type: str | None = None
    tags: Sequence[str] | None = None
    activity_type_id: str | None = None
    has_formatting: bool = False
    participants: Sequence[str] | None = None
    creation_ms: int | None = None
    last_edit_ms: int | None = None
    last_editor: str | None = None
    external_id: str | None = None
    origin: str | None = None
    parent_id: int | None = None
    follow_up: int | None = None

    @property
    def modified_ms(self) -> int:
        """Last edit, else creation, else the touchpoint's own date (totango.md §6.1)."""
        return self.last_edit_ms or self.creation_ms or self.timestamp_ms


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A flow, touchpoint type or reason."""

    id: str
    name: str
    is_default: bool = False
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit of an account or user search. ``id`` is what the service calls ``name`` (totango.md §2.8)."""

    id: str
    display_name: str
    account_id: str | None
    selected: Sequence[Any]
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TeamMember:
    """An internal user. ``id`` is what a participant or author is called by, as a rule the e-mail."""

    id: str
    email: str
    name: str
    status: str
    license: str
    role: str
    teams: str


@dataclass(frozen=True, slots=True)
class TouchpointFields:
    """Every documented field of a touchpoint write except its address. None = not sent.

    ``create_date_ms``: ms since 1970 UTC. ``participants``: unique user ids of team members and contacts.
    ``more``: fields that this version does not know, sent as they are.
    """

    content: str | None = None
    subject: str | None = None
    create_date_ms: int | None = None
    created_by: str | None = None
    activity_type_id: str | None = None
    touchpoint_type: str | None = None
    touchpoint_tags: Sequence[str] | None = None
    participants: Sequence[str] | None = None
    disable_sync: bool | None = None
    parent_id: int | None = None
    follow_up: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """JSON fields in the API's own spelling."""
        participants = None if self.participants is None else [{"userId": item} for item in self.participants]
        tags = None if self.touchpoint_tags is None else list(self.touchpoint_tags)
        values = {
            "content": self.content,
            "subject": self.subject,
            "create_date": self.create_date_ms,
            "created_by": self.created_by,
            "activity_type_id": self.activity_type_id,
            "touchpointType": self.touchpoint_type,
            "touchpoint_tags": tags,
            "participantList": participants,
            "disable_sync": self.disable_sync,
            "parentId": self.parent_id,
            "followUp": self.follow_up,
        }
        return {**{name: value for name, value in values.items() if value is not None}, **self.more}


@dataclass(frozen=True, slots=True)
class TaskFields:
    """Every documented field of a task write. None = not sent.

    ``due_date``: YYYY-MM-DD; ``priority``: 1 high, 2 normal, 3 low.
    """

    title: str | None = None
    description: str | None = None
    due_date: str | None = None
    priority: int | None = None
    status: TaskStatus | None = None
    status_label_id: str | None = None
    assignee: str | None = None
    activity_type_id: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """JSON fields in the API's own spelling."""
        values = {
            "title": self.title,
            "description": self.description,
            "due_date": self.due_date,
            "priority": self.priority,
            "status": self.status.value if self.status else None,
            "status_label_id": self.status_label_id,
            "assignee": self.assignee,
            "activity_type_id": self.activity_type_id,
        }
        return {**{name: value for name, value in values.items() if value is not None}, **self.more}


def read_event(row: Mapping[str, Any]) -> Event | None:
    """An event of any type; None for one of an unknown type that lacks what every event has.

    Raises :class:`ProtocolFault` when an event of a known type has no id, no time or no account.
    """
    kind = _KINDS.get(str(row.get("type")))
    timestamp = _whole(row.get("timestamp"))
    account_id = _object(row.get("account")).get("id")
    if row.get("id") and timestamp is not None and account_id is not None:
        return Event(str(row["id"]), kind, timestamp, str(account_id), row)
    if kind is None:
        return None
    raise ProtocolFault("an event came without id, time or account")


def read_touchpoint(event: Event) -> Touchpoint | None:
    """The note of an event, None for every other type. Raises :class:`ProtocolFault` for a note without its id."""
    if event.kind is not EventType.NOTE:
        return None
    content, properties = _object(event.raw.get("note_content")), event.properties
    note_id = _whole(content.get("note_id"))
    if note_id is None:
        raise ProtocolFault(f"the note of event {event.id} came without note_id")
    return Touchpoint(
        note_id=note_id,
        event_id=event.id,
        account_id=event.account_id,
        timestamp_ms=event.timestamp_ms,
        text=str(content.get("text") or ""),
        author=str(_object(content.get("totango_user")).get("user_name") or ""),
        subject=_text(properties.get("subject")),
        touchpoint_type=_text(properties.get("meeting_type")),
        tags=_texts(properties.get("touchpoint_tags")),
        activity_type_id=_text(properties.get("activity_type_id")),
        has_formatting=str(properties.get("containsFormatting")).lower() == "true",
        participants=_participants(properties),
        creation_ms=_whole(properties.get("creation_time")),
        last_edit_ms=_latest(properties.get("last_edit_time"), properties.get("update_time")),
        last_editor=_text(properties.get("last_edit_user")),
        external_id=_lower(properties.get("external_id")),
        origin=_text(properties.get("origin")),
        parent_id=_whole(properties.get("parent_id")),
        follow_up=_whole(properties.get("follow_up")),
    )


def read_hit(row: Mapping[str, Any]) -> Hit:
    """A hit of a search. Raises :class:`ProtocolFault` when it has no id."""
    if not row.get("name"):
        raise ProtocolFault("a search hit came without an id")
    account = _object(row.get("account")).get("name")
    selected = row.get("selected_fields")
    return Hit(
        id=str(row["name"]),
        display_name=str(row.get("display_name") or ""),
        account_id=None if account is None else str(account),
        selected=selected if isinstance(selected, list) else [],
        raw=row,
    )


def read_catalogue(value: Any) -> list[CatalogueEntry]:
    """Flows, types or reasons in any of the known shapes: list of objects, id → name, id → object (totango.md §2.6).

    Raises :class:`ProtocolFault` for another shape.
    """
    if isinstance(value, list):
        return [_entry(_first(item, "id", "ID", "activity_type_id"), item) for item in value if isinstance(item, dict)]
    if isinstance(value, dict):
        return [_entry(key, item) for key, item in value.items()]
    raise ProtocolFault("a catalogue came that is neither a list nor an object")


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 UTC, without rounding errors."""
    delta = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def from_ms(milliseconds: int) -> datetime:
    """Aware UTC time."""
    seconds, rest = divmod(milliseconds, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)


def _entry(key: Any, value: Any) -> CatalogueEntry:
    if not isinstance(value, dict):
        return CatalogueEntry(str(key), str(value))
    return CatalogueEntry(
        id=str(key if key is not None else _first(value, "id", "ID", "activity_type_id")),
        name=str(_first(value, "display_name", "displayName", "name") or key),
        is_default=bool(_first(value, "is_default", "default_type", "isDefault")),
        is_disabled=bool(value.get("disabled")),
    )


def _first(row: Mapping[str, Any], *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: Any) -> int | None:
    """A whole number, also when it comes as text or with a zero fraction."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _latest(*values: Any) -> int | None:
    return max((number for value in values if (number := _whole(value)) is not None), default=None)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _lower(value: Any) -> str | None:
    return str(value).lower() if value else None


def _texts(value: Any) -> list[str] | None:
    return [str(item) for item in value] if isinstance(value, list) else None


def _participants(properties: Mapping[str, Any]) -> list[str] | None:
    """User ids of both sides, sorted; None when the event carries neither list. Elements: ids or objects."""
    lists = [properties.get(name) for name in ("totango_participants", "account_participants")]
    given = [item for item in lists if isinstance(item, list)]
    if not given:
        return None
    return sorted({user_id for items in given for item in items if (user_id := _user_id(item))})


def _user_id(value: Any) -> str:
    if isinstance(value, dict):
        value = _first(value, "userId", "userid", "user_id", "id", "email", "name")
    return "" if value is None else str(value)

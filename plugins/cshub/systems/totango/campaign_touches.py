"""The one place that knows how Totango tells a campaign touch, which is not published (totango.md §2.10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cshub.core.errors import DataError
from cshub.core.values import parse_moment
from cshub.systems.totango.models import Event, EventType, from_ms

_PLACES = ("campaign_touch_content", "campaign_content", "properties")
_ID = ("campaign_id", "campaignId")
_NAME = ("campaign_name", "campaignName", "name", "title")
_TYPE = ("campaign_type", "campaignType", "type")
_ONGOING = ("is_ongoing", "isOngoing", "ongoing")
_USERS = ("users_count", "usersCount", "user_count", "number_of_users", "sent_count", "users", "recipients")
_SENDER = ("from", "from_email", "fromEmail", "sender", "created_by", "user_name")
_START = ("start_date", "startDate", "start_time", "sent_at", "date")
_SUBJECT = ("subject", "email_subject")
_DESCRIPTION = ("description", "text")


@dataclass(frozen=True, slots=True)
class CampaignTouch:
    """One delivery to one account. None = the event does not say."""

    event_id: str
    account_id: str
    sent_at: datetime
    campaign_id: str | None = None
    name: str | None = None
    is_ongoing: bool = False
    users: int | None = None
    sender: str | None = None
    campaign_subject: str | None = None
    description: str | None = None

    @property
    def subject(self) -> str:
        """``One time campaign "N" was sent to 12 users. From: dana@vendor.example``; what is not told is left out."""
        kind = "Ongoing" if self.is_ongoing else "One time"
        name = f' "{self.name}"' if self.name else ""
        users = "" if self.users is None else f" to {self.users} {'user' if self.users == 1 else 'users'}"
        sender = f" From: {self.sender}" if self.sender else ""
        return f"{kind} campaign{name} was sent{users}.{sender}"


def read_campaign_touch(event: Event) -> CampaignTouch | None:
    """The campaign touch of an event, None for every other type. What cannot be made out is left out."""
    if event.kind is not EventType.CAMPAIGN_TOUCH:
        return None
    told = list(_objects(event.raw))
    return CampaignTouch(
        event_id=event.id,
        account_id=event.account_id,
        sent_at=_moment(_first(told, _START)) or from_ms(event.timestamp_ms),
        campaign_id=_text(_first(told, _ID)),
        name=_text(_first(told, _NAME)),
        is_ongoing=_is_ongoing(told),
        users=_count(_first(told, _USERS)),
        sender=_sender(_first(told, _SENDER)),
        campaign_subject=_text(_first(told, _SUBJECT)),
        description=_text(_first(told, _DESCRIPTION)),
    )


def _objects(raw: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Objects of the event in which fields may stand, the likeliest first; a campaign may be an object of its own."""
    for place in _PLACES:
        found = raw.get(place)
        if isinstance(found, dict):
            yield found
            if isinstance(found.get("campaign"), dict):
                yield found["campaign"]


def _first(told: list[Mapping[str, Any]], names: tuple[str, ...]) -> Any:
    values = (item[name] for item in told for name in names if item.get(name) not in (None, ""))
    return next(values, None)


def _is_ongoing(told: list[Mapping[str, Any]]) -> bool:
    flag = _first(told, _ONGOING)
    if flag is not None:
        return str(flag).strip().lower() in ("true", "1", "yes")
    kind = str(_first(told, _TYPE) or "").lower()
    return "ongoing" in kind or "on_going" in kind or "recurring" in kind


def _count(value: Any) -> int | None:
    if isinstance(value, (list, dict)):
        return len(value)
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _sender(value: Any) -> str | None:
    if isinstance(value, dict):
        value = _first([value], ("email", "user_name", "name"))
    return _text(value)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, (dict, list)):
        return None
    return str(value).strip() or None


def _moment(value: Any) -> datetime | None:
    text = str(value if value is not None else "").strip()
    try:
        if text.isdigit():
            return from_ms(int(text))
        return parse_moment(text) if text else None
    except (DataError, ValueError, OverflowError, OSError):
        return None

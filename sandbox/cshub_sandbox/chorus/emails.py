"""E-mails of the simulated Chorus: which ones a call asks for, page by page."""

from __future__ import annotations

from datetime import datetime

from ..kernel import Request
from ..world import Meeting, MeetingKind
from . import query
from .errors import bad_parameter, not_found
from .records import Records, Viewer


def email_page(records: Records, request: Request, viewer: Viewer) -> tuple[list[Meeting], str | None]:
    """The e-mails of one page, newest first, and the cursor of the next page (None on the last)."""
    size = query.whole(request, "page[size]", default=20, least=1, most=100)
    after = request.param("page[after]")
    sent = query.time_range(request, "filter[email.sent]")
    now = records.clock.now()
    found = [
        meeting
        for meeting in records.walk(None, None)
        if _is_shown(meeting, viewer, now) and _passes(meeting, request, sent)
    ]
    start = 0
    if after:
        places = [index for index, meeting in enumerate(found) if meeting.id == after]
        if not places:
            raise bad_parameter("page[after]", "page[after] is not a cursor that this list gave out")
        start = places[0] + 1
    page = found[start : start + size]
    return page, page[-1].id if len(found) > start + size else None


def find_email(records: Records, identifier: str, viewer: Viewer) -> Meeting:
    """An e-mail that ``viewer`` may see. Raises the 404 problem otherwise."""
    meeting = records.find(identifier, viewer)
    if not _is_shown(meeting, viewer, records.clock.now()):
        raise not_found()
    return meeting


def _is_shown(meeting: Meeting, viewer: Viewer, now: datetime) -> bool:
    return meeting.kind is MeetingKind.EMAIL and meeting.starts_at <= now and viewer.may_see(meeting)


def _passes(meeting: Meeting, request: Request, sent: tuple[datetime, datetime] | None) -> bool:
    if sent is not None and not sent[0] <= meeting.starts_at <= sent[1]:
        return False
    owner = meeting.owner.person
    for name, text in (("name", meeting.subject), ("owner.name", owner.name), ("owner.email", owner.email)):
        if (request.param(f"filter[{name}]") or "").lower() not in text.lower():
            return False
    thread = request.param("filter[thread]")
    if thread and thread != f"thread-{meeting.id[:8].lower()}":
        return False
    ids = query.names(request, "filter[ids]")
    if ids is not None and meeting.id not in ids:
        return False
    for name, texts in (
        ("participants.name", [person.name.lower() for person in meeting.attendees]),
        ("participants.email", [person.email.lower() for person in meeting.attendees]),
    ):
        wanted = query.names(request, f"filter[{name}]")
        if wanted is not None and not any(item.lower() in text for item in wanted for text in texts):
            return False
    return True

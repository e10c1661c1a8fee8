"""The conversations that the simulated Chorus holds, their life cycle, and who may see them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ..kernel import Clock
from ..world import Meeting, MeetingKind, TeamMember, World
from .errors import not_found
from .switches import ChorusSwitches, Summaries

ANALYSIS = timedelta(minutes=20)
ANALYSIS_SHARE = 0.8  # of the time between the end and the summary, when that is shorter
DEFAULT_SUMMARY_ERROR = "The summary could not be generated."


class Stage(StrEnum):
    """Values of v1 ``status``; v3 ``processing_state`` is assumed to use the same words."""

    SCHEDULED = "scheduled"
    LIVE = "live"
    PROCESSING = "processing"
    DONE = "done"
    NO_SHOW = "no show"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. ``sees_all`` is False under data access control: only the member's own meetings."""

    member: TeamMember
    sees_all: bool

    def may_see(self, meeting: Meeting) -> bool:
        return not meeting.private and (self.sees_all or meeting.owner is self.member)


class Records:
    """All conversations by id and by date. Edits go through here, so that order and change times stay right."""

    def __init__(self, world: World, clock: Clock, switches: ChorusSwitches) -> None:
        self.world = world
        self.clock = clock
        self.switches = switches
        self.by_id: dict[str, Meeting] = {}
        self.deleted: list[str] = []
        self._edited_at: dict[str, datetime] = {}
        self._order: list[tuple[float, str]] = []
        for meeting in world.meetings:
            self.by_id[meeting.id] = meeting
            self._order.append(_place(meeting))
        self._order.sort()

    def walk(self, start: float | None, end: tuple[float, str] | None) -> Iterator[Meeting]:
        """Newest first: from epoch second ``start`` (inclusive) back from the place ``end`` (exclusive)."""
        low = 0 if start is None else bisect_left(self._order, (start, ""))
        high = len(self._order) if end is None else bisect_left(self._order, end)
        for index in range(high - 1, low - 1, -1):
            yield self.by_id[self._order[index][1]]

    def find(self, identifier: str, viewer: Viewer) -> Meeting:
        """A conversation that ``viewer`` may see. Raises the 404 problem otherwise."""
        meeting = self.by_id.get(identifier)
        if meeting is None or not viewer.may_see(meeting):
            raise not_found()
        return meeting

    def add(self, meeting: Meeting) -> None:
        self.by_id[meeting.id] = meeting
        self.world.meetings.append(meeting)
        insort(self._order, _place(meeting))

    def remove(self, identifier: str) -> None:
        """Deletes for good; no tombstone stays. Raises ``KeyError`` when it does not exist."""
        meeting = self.by_id.pop(identifier)
        self.world.meetings.remove(meeting)
        self._order.pop(bisect_right(self._order, _place(meeting)) - 1)
        self.deleted.append(identifier)

    def touch(self, meeting: Meeting) -> None:
        """Notes that ``meeting`` was edited now."""
        self._edited_at[meeting.id] = self.clock.now()

    def stage(self, meeting: Meeting, now: datetime) -> Stage:
        if now < meeting.starts_at:
            return Stage.SCHEDULED
        if meeting.kind is MeetingKind.NO_SHOW:
            return Stage.NO_SHOW
        if meeting.kind in (MeetingKind.EMAIL, MeetingKind.UNRECORDED):
            return Stage.DONE
        if now < meeting.ends_at:
            return Stage.LIVE
        running = meeting.summary_error is None and now < self._analysed_at(meeting)
        return Stage.PROCESSING if running else Stage.DONE

    def summary(self, meeting: Meeting, now: datetime) -> str | None:
        """The summary, as soon as it is ready; None before, and for ever when it fails."""
        ready = meeting.summary_ready_at
        return None if ready is None or now < max(ready, meeting.ends_at) or self._fails(meeting) else meeting.summary

    def action_items(self, meeting: Meeting, now: datetime) -> list[str]:
        return list(meeting.action_items) if self.summary(meeting, now) is not None else []

    def summary_error(self, meeting: Meeting, now: datetime) -> str | None:
        if self.stage(meeting, now) is not Stage.DONE:
            return None
        if self._fails(meeting) and meeting.summary_ready_at is not None and now >= meeting.summary_ready_at:
            return DEFAULT_SUMMARY_ERROR
        return meeting.summary_error

    def modified_at(self, meeting: Meeting, now: datetime) -> datetime:
        """When the last thing happened to it: end, analysis, summary, or an edit."""
        moments = [
            meeting.ends_at,
            self._analysed_at(meeting),
            meeting.summary_ready_at,
            self._edited_at.get(meeting.id),
        ]
        return max([at for at in moments if at is not None and at <= now], default=min(meeting.starts_at, now))

    def _fails(self, meeting: Meeting) -> bool:
        ready = meeting.summary_ready_at
        return self.switches.summaries is Summaries.FAIL and ready is not None and ready > self.world.now

    def _analysed_at(self, meeting: Meeting) -> datetime:
        ready = meeting.summary_ready_at
        wait = ANALYSIS if ready is None else min(ANALYSIS, (ready - meeting.ends_at) * ANALYSIS_SHARE)
        return meeting.ends_at + wait


def _place(meeting: Meeting) -> tuple[float, str]:
    return meeting.starts_at.timestamp(), meeting.id

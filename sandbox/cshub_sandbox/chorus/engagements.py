"""``GET /v3/engagements``: filters, pages and rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..kernel import Request
from ..salesforce_ids import to_18
from ..world import Account, Meeting, MeetingKind
from . import query
from .contract import parameter_values
from .errors import bad_parameter
from .people import People, number_of
from .records import Records, Stage, Viewer
from .switches import Blank, EndOfList, Future, NoShowState, ProcessingWord, Unknown, UpperBound
from .trackers import tracker_matches

LIST_PATH = "/v3/engagements"
ENGAGEMENT_TYPES: Mapping[MeetingKind, str] = {
    MeetingKind.RECORDED: "meeting",
    MeetingKind.CALL: "dialer",
    MeetingKind.UNRECORDED: "unrecorded_meeting",
    MeetingKind.NO_SHOW: "meeting",
    MeetingKind.EMAIL: "email",
}
NOVEL_WORD = "enriching"
NO_KEY = " "
WEB_ADDRESS = "https://chorus.ai/meeting/"
DISPOSITIONS = ("connected", "gatekeeper", "tree", "voicemail")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of one call; None = not filtered."""

    min_date: datetime | None
    max_date: datetime | None
    key: str
    ids: frozenset[str] | None
    with_trackers: bool
    tests: tuple[Callable[[Meeting], bool], ...]


class Engagements:
    """The list of engagements for one viewer at a time."""

    def __init__(self, records: Records, people: People) -> None:
        self._records = records
        self._people = people

    def page(self, request: Request, viewer: Viewer) -> dict[str, Any]:
        """One page, newest first. Raises a 400 problem for parameters that cannot be read."""
        wanted = self._read(request)
        switches, now = self._records.switches, self._records.clock.now()
        found: list[Meeting] = []
        more = False
        for meeting in self._candidates(wanted):
            if not self._is_listed(meeting, viewer, now) or not all(test(meeting) for test in wanted.tests):
                continue
            if len(found) == switches.page_size:
                more = True
                break
            found.append(meeting)
        body: dict[str, Any] = {
            "engagements": [self.row(meeting, now, with_trackers=wanted.with_trackers) for meeting in found]
        }
        key = _key(found[-1]) if found else wanted.key
        if not more:
            end = switches.end_of_list
            if end is EndOfList.MISSING:
                return body
            key = {  # type: ignore[assignment]
                EndOfList.SPACE: NO_KEY,
                EndOfList.EMPTY: "",
                EndOfList.NULL: None,
                EndOfList.EXTRA_EMPTY_PAGE: key if found else NO_KEY,
                EndOfList.REPEATED_KEY: wanted.key or key,
            }[end]
        return {"continuation_key": key, **body}

    def row(self, meeting: Meeting, now: datetime, *, with_trackers: bool) -> dict[str, Any]:
        """One engagement as the list shows it."""
        records, switches = self._records, self._records.switches
        owner, account = meeting.owner, meeting.account
        summary = records.summary(meeting, now)
        their_questions, engaging = _questions(meeting, self._people)
        value: dict[str, Any] = {
            "engagement_id": meeting.id,
            "engagement_type": ENGAGEMENT_TYPES[meeting.kind],
            "subject": meeting.subject,
            "date_time": meeting.starts_at.timestamp(),
            "duration": meeting.duration_s,
            "processing_state": self._state_word(meeting, now),
            "no_show": meeting.kind is MeetingKind.NO_SHOW,
            "meeting_summary": summary,
            "action_items": records.action_items(meeting, now),
            "account_id": chorus_account_id(account),
            "account_name": account.name if account else f"{owner.person.name} Meetings",
            "opportunity_id": opportunity_id(account),
            "opportunity_name": f"{account.name} - Renewal" if account and opportunity_id(account) else None,
            "user_id": owner.chorus_user_id,
            "user_name": owner.person.name,
            "user_email": owner.person.email,
            "participants": [self._people.participant(person, account) for person in meeting.attendees],
            "language": "en",
            "url": WEB_ADDRESS + meeting.id,
            "compliance": compliance(meeting),
            "num_cust_questions": their_questions,
            "num_engaging_questions": engaging,
            "initiator": owner.person.email if meeting.kind in (MeetingKind.EMAIL, MeetingKind.CALL) else None,
        }
        for name, outcome in dispositions(meeting).items():
            value[f"disposition_{name}"] = outcome
        if summary is None and switches.blank_summary is Blank.ABSENT:
            del value["meeting_summary"], value["action_items"]
        if with_trackers:
            done = records.stage(meeting, now) is Stage.DONE
            value["tracker_matches"] = tracker_matches(meeting) if done else []
        return value

    def _candidates(self, wanted: Wanted) -> Any:
        if wanted.ids is not None:
            chosen = [self._records.by_id[item] for item in wanted.ids if item in self._records.by_id]
            end = _place(wanted.key) if wanted.key else None
            chosen.sort(key=lambda meeting: (meeting.starts_at.timestamp(), meeting.id), reverse=True)
            return [m for m in chosen if end is None or (m.starts_at.timestamp(), m.id) < end]
        start = wanted.min_date.timestamp() if wanted.min_date else None
        return self._records.walk(start, self._upper_end(wanted))

    def _upper_end(self, wanted: Wanted) -> tuple[float, str] | None:
        ends = []
        if wanted.key:
            ends.append(_place(wanted.key))
        if wanted.max_date:
            inclusive = self._records.switches.max_date is UpperBound.INCLUSIVE
            ends.append((wanted.max_date.timestamp(), "~" if inclusive else ""))
        return min(ends, default=None)

    def _is_listed(self, meeting: Meeting, viewer: Viewer, now: datetime) -> bool:
        if not viewer.may_see(meeting):
            return False
        return meeting.starts_at <= now or self._records.switches.future_meetings is Future.LISTED

    def _state_word(self, meeting: Meeting, now: datetime) -> str:
        stage, switches = self._records.stage(meeting, now), self._records.switches
        if stage is Stage.NO_SHOW and switches.no_show_state is NoShowState.DONE:
            return Stage.DONE
        if stage is Stage.PROCESSING and switches.processing_word is ProcessingWord.NOVEL:
            return NOVEL_WORD
        return stage

    def _read(self, request: Request) -> Wanted:
        min_date, max_date = query.optional_moment(request, "min_date"), query.optional_moment(request, "max_date")
        ids = query.names(request, "engagement_id")
        key = (request.param("continuation_key") or "").strip()
        if key:
            _place(key)
        tests = [test for test in (read(self, request) for read in _FILTERS) if test is not None]
        if ids is not None:
            tests.append(lambda meeting: min_date is None or meeting.starts_at >= min_date)
            tests.append(lambda meeting: max_date is None or meeting.starts_at <= max_date)
        return Wanted(min_date, max_date, key, ids, bool(query.flag(request, "with_trackers")), tuple(tests))

    def _enumerated(self, request: Request, name: str) -> str | None:
        text = request.param(name)
        if not text or text in parameter_values("get", LIST_PATH, name):
            return text or None
        if self._records.switches.unknown_engagement_type is Unknown.REJECT:
            raise bad_parameter(name, f"{text!r} is not a known value of {name}")
        return None


Test = Callable[[Meeting], bool] | None


def _duration(engagements: Engagements, request: Request) -> Test:
    least, most = query.number(request, "min_duration"), query.number(request, "max_duration")
    if least is None and most is None:
        return None
    return lambda m: (least is None or m.duration_s >= least) and (most is None or m.duration_s <= most)


def _engagement_type(engagements: Engagements, request: Request) -> Test:
    wanted = engagements._enumerated(request, "engagement_type")
    return None if wanted is None else lambda m: ENGAGEMENT_TYPES[m.kind] == wanted


def _content_type(engagements: Engagements, request: Request) -> Test:
    wanted = engagements._enumerated(request, "content_type")
    return None if wanted is None else lambda m: False  # the world holds none of these


def _compliance(engagements: Engagements, request: Request) -> Test:
    wanted = engagements._enumerated(request, "compliance")
    return None if wanted is None else lambda m: compliance(m) == wanted.lower()


def _users(engagements: Engagements, request: Request) -> Test:
    wanted = query.numbers(request, "user_id")
    return None if wanted is None else lambda m: m.owner.chorus_user_id in wanted


def _teams(engagements: Engagements, request: Request) -> Test:
    wanted = query.numbers(request, "team_id")
    return None if wanted is None else lambda m: m.owner.team_id in wanted


def _participant(engagements: Engagements, request: Request) -> Test:
    wanted = (request.param("participants_email") or "").strip().lower()
    return (lambda m: any(person.email.lower() == wanted for person in m.attendees)) if wanted else None


def _disposition(name: str) -> Callable[[Engagements, Request], Test]:
    def read(engagements: Engagements, request: Request) -> Test:
        wanted = query.flag(request, f"disposition_{name}")
        return None if wanted is None else lambda m: dispositions(m)[name] is wanted

    return read


_FILTERS: tuple[Callable[[Engagements, Request], Test], ...] = (
    _duration,
    _engagement_type,
    _content_type,
    _compliance,
    _users,
    _teams,
    _participant,
    *(_disposition(name) for name in DISPOSITIONS),
)


def chorus_account_id(account: Account | None) -> str:
    """The CRM id as Chorus carries it: 18 or 15 characters, "" when the engagement is not linked."""
    if account is None:
        return ""
    return account.crm_id[:15] if account.short_id_in_chorus else account.crm_id


def opportunity_id(account: Account | None) -> str | None:
    """The open deal of an account; every third account has one."""
    if account is None or number_of(account.crm_id) % 3:
        return None
    return to_18("006" + account.crm_id[3:15])


def compliance(meeting: Meeting) -> str:
    """``compliant`` for recordings, ``unknown`` for what was not recorded."""
    return "compliant" if meeting.kind in (MeetingKind.RECORDED, MeetingKind.CALL) else "unknown"


def dispositions(meeting: Meeting) -> dict[str, bool | None]:
    """Outcome of a dialer call; null for everything else."""
    if meeting.kind is not MeetingKind.CALL:
        return dict.fromkeys(DISPOSITIONS)
    return {name: name == "connected" for name in DISPOSITIONS}


def _questions(meeting: Meeting, people: People) -> tuple[int, int]:
    """Questions of the other side, and of ours."""
    asked = [line for line in meeting.utterances if "?" in line.text]
    ours = sum(1 for line in asked if line.speaker_email.lower() in people.members)
    return len(asked) - ours, ours


def _key(meeting: Meeting) -> str:
    return f"{meeting.starts_at.timestamp()} {meeting.id}"


def _place(key: str) -> tuple[float, str]:
    moment, _, identifier = key.partition(" ")
    try:
        return query.moment(moment, "continuation_key").timestamp(), identifier.strip()
    except Exception as problem:
        raise bad_parameter("continuation_key", "continuation_key is not one that this list gave out") from problem

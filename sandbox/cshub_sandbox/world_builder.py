"""Makes the sandbox's world from a seed: the same seed, sizes and ``now`` always give the same world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from . import world_texts as texts
from .world import Account, Meeting, MeetingKind, Person, TeamMember, Utterance, World
from .world_people import COMPANY, TEAMS, build_accounts, build_members, meeting_owners

HISTORY = timedelta(days=120)
RECENT = timedelta(days=7)
RECENT_SHARE = 0.325
FUTURE_SHARE = 0.02
SETTLED = timedelta(hours=2, minutes=30)  # an ordinary meeting that began this long ago has its summary
OLD_KINDS = {
    MeetingKind.RECORDED: 88,
    MeetingKind.CALL: 5,
    MeetingKind.UNRECORDED: 3,
    MeetingKind.NO_SHOW: 2,
    MeetingKind.EMAIL: 2,
}
LATE_SOON = (timedelta(seconds=45), timedelta(minutes=3), timedelta(minutes=6), timedelta(minutes=12))
LATE_WEEKS = (timedelta(days=2), timedelta(days=11), timedelta(days=24))


def build_world(seed: int, *, accounts: int = 40, meetings: int = 400, now: datetime, cases: bool = True) -> World:
    """A company with ``accounts`` customers (8 or more) and about ``meetings`` engagements of 120 days.

    About 32.5 % of ``meetings`` lie in the last seven days before ``now`` and 2 % after it; the default 400
    therefore gives about 105 recorded meetings with summary in the last seven days. The wanted cases
    (``World.cases``: 50 meetings, all in the last six days) are always there, so a world is never smaller than
    about 55 engagements unless ``cases`` is False, when exactly ``meetings`` ordinary ones are made.

    Raises ``ValueError`` for a naive ``now`` or sizes that are too small.
    """
    if now.tzinfo is None:
        raise ValueError("now must carry a time zone, for example 2026-11-20T12:00:00Z")
    if meetings < 0:
        raise ValueError(f"meetings must be 0 or more; got {meetings}")
    now = now.astimezone(UTC).replace(microsecond=0)
    rng = Random(seed)
    members = build_members(rng, accounts=accounts, now=now)
    customers = build_accounts(rng, count=accounts)
    world = World(seed, now, COMPANY, members, dict(TEAMS), customers, [])
    maker = _Maker(rng, world)
    special = sum(case.count for case in CASES) if cases else 0
    recent = max(special, round(meetings * RECENT_SHARE))
    future = max(2 if cases else 0, round(meetings * FUTURE_SHARE))
    if cases:
        maker.make_cases()
    for _ in range(recent - special):
        world.meetings.append(maker.ordinary(maker.recent_slot()))
    for _ in range(meetings - recent - future):
        world.meetings.append(maker.old())
    for _ in range(future):
        world.meetings.append(maker.ordinary(maker.slot(now + timedelta(hours=12), now + timedelta(days=5))))
    world.meetings.sort(key=lambda meeting: (meeting.starts_at, meeting.id))
    return world


class _Maker:
    def __init__(self, rng: Random, world: World) -> None:
        self.rng = rng
        self.world = world
        self.owners = meeting_owners(world.members)
        self.plain = [
            account
            for account in world.accounts
            if account.in_totango and account.totango_id == account.crm_id and not account.short_id_in_chorus
        ]

    def slot(self, start: datetime, end: datetime) -> datetime:
        """A moment in ``[start, end)``, most likely in the working hours of a workday."""
        while True:
            at = start + (end - start) * self.rng.random()
            weekday, working = at.weekday() < 5, 7 <= at.hour < 18
            if self.rng.random() >= (1.0 if weekday and working else 0.04 if weekday else 0.02):
                continue
            at = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
            at += timedelta(seconds=self.rng.randint(0, 90))
            if start <= at < end:
                return at

    def recent_slot(self) -> datetime:
        now = self.world.now
        return self.slot(now - RECENT + timedelta(hours=2), now - SETTLED)

    def case_slot(self) -> datetime:
        now = self.world.now
        return self.slot(now - timedelta(days=6), now - SETTLED)

    def ordinary(self, starts_at: datetime, *, account: Account | None = None) -> Meeting:
        """A recorded meeting of 15 to 60 minutes whose summary comes 6 to 70 minutes after its end."""
        rng = self.rng
        account = account or rng.choice(self.world.accounts)
        owner = rng.choice(self.owners)
        guests = rng.sample(account.contacts, min(len(account.contacts), rng.randint(1, 3)))
        colleagues = [m.person for m in rng.sample(self.owners, rng.choice((0, 0, 1, 2))) if m is not owner]
        talk = texts.talk(
            rng,
            account=account.name,
            contact=guests[0].first_name,
            owner=owner.person.first_name,
            company=self.world.company,
        )
        duration = round(rng.uniform(900, 3600), 2)
        return Meeting(
            id=f"{rng.getrandbits(128):032X}",
            kind=MeetingKind.RECORDED,
            account=account,
            owner=owner,
            starts_at=starts_at,
            duration_s=duration,
            subject=talk.subject,
            attendees=[owner.person, *colleagues, *guests],
            summary=texts.plain_summary(talk.points),
            summary_ready_at=starts_at + timedelta(seconds=duration, minutes=rng.randint(6, 70)),
            action_items=talk.actions,
            private=False,
            utterances=self._utterances(talk.lines, owner.person, guests, duration),
        )

    def old(self) -> Meeting:
        now = self.world.now
        meeting = self.ordinary(self.slot(now - HISTORY, now - RECENT - timedelta(hours=2)))
        become(meeting, self.rng.choices(list(OLD_KINDS), list(OLD_KINDS.values()))[0])
        meeting.private = self.rng.random() < 0.02
        if meeting.kind is MeetingKind.RECORDED and self.rng.random() < 0.01:
            never(meeting)
        return meeting

    def make_cases(self) -> None:
        for case in CASES:
            for index in range(case.count):
                meeting = self.ordinary(self.case_slot(), account=self.rng.choice(self.plain))
                case.dress(self, meeting, index)
                self.world.meetings.append(meeting)
                self.world.cases.setdefault(case.name, []).append(meeting.id)

    def retarget(self, meeting: Meeting, account: Account) -> None:
        """Moves a made meeting to another customer, texts and people included."""
        fresh = self.ordinary(meeting.starts_at, account=account)
        meeting.account, meeting.owner, meeting.attendees = account, fresh.owner, fresh.attendees
        meeting.subject, meeting.summary, meeting.action_items = fresh.subject, fresh.summary, fresh.action_items
        meeting.duration_s, meeting.summary_ready_at = fresh.duration_s, fresh.summary_ready_at
        meeting.utterances = fresh.utterances

    def _utterances(
        self, lines: list[tuple[bool, str]], owner: Person, guests: list[Person], duration_s: float
    ) -> list[Utterance]:
        step = duration_s / (len(lines) + 1)
        return [
            Utterance(
                speaker_email=(owner if ours else self.rng.choice(guests)).email,
                offset_s=round(step * (index + 0.3), 2),
                length_s=round(min(step * 0.6, 0.4 * len(words.split())), 2),
                text=words,
            )
            for index, (ours, words) in enumerate(lines)
        ]


def become(meeting: Meeting, kind: MeetingKind) -> None:
    """Gives a made meeting another kind and takes away what that kind does not have."""
    meeting.kind = kind
    if kind is MeetingKind.CALL:
        meeting.duration_s = round(meeting.duration_s / 4, 2)
        meeting.subject = f"Call with {meeting.attendees[-1].name}"
        meeting.utterances = [line for line in meeting.utterances if line.offset_s < meeting.duration_s]
    elif kind is not MeetingKind.RECORDED:
        never(meeting)
        meeting.duration_s, meeting.utterances, meeting.action_items = 0.0, [], []
    if kind is MeetingKind.EMAIL:
        meeting.subject = f"Re: {meeting.subject}"


def never(meeting: Meeting, reason: str | None = None) -> None:
    """The summary of this meeting never comes."""
    meeting.summary, meeting.summary_ready_at, meeting.action_items, meeting.summary_error = None, None, [], reason


def _late_soon(maker: _Maker, meeting: Meeting, index: int) -> None:
    if index == 0:  # this one has only just ended: its analysis is still running
        meeting.starts_at = maker.world.now - timedelta(seconds=meeting.duration_s + 120)
    meeting.summary_ready_at = maker.world.now + LATE_SOON[index]


def _late_weeks(maker: _Maker, meeting: Meeting, index: int) -> None:
    meeting.summary_ready_at = maker.world.now + LATE_WEEKS[index]


def _never(maker: _Maker, meeting: Meeting, index: int) -> None:
    never(meeting, reason="The conversation was too short to be summarised." if index else None)


def _of_kind(kind: MeetingKind) -> Callable[[_Maker, Meeting, int], None]:
    return lambda maker, meeting, index: become(meeting, kind)


def _private(maker: _Maker, meeting: Meeting, index: int) -> None:
    meeting.private = True


def _no_account(maker: _Maker, meeting: Meeting, index: int) -> None:
    meeting.account = None


def _account_where(wanted: Callable[[Account], bool]) -> Callable[[_Maker, Meeting, int], None]:
    def dress(maker: _Maker, meeting: Meeting, index: int) -> None:
        maker.retarget(meeting, maker.rng.choice([account for account in maker.world.accounts if wanted(account)]))

    return dress


def _html(maker: _Maker, meeting: Meeting, index: int) -> None:
    meeting.summary = texts.html_summary((meeting.summary or "").split("<br>"), meeting.action_items)


def _long(maker: _Maker, meeting: Meeting, index: int) -> None:
    meeting.summary = texts.long_summary((meeting.summary or "").split("<br>"), at_least=12_600)


def _upper_case(maker: _Maker, meeting: Meeting, index: int) -> None:
    guest = meeting.attendees[-1]
    meeting.attendees[-1] = replace(guest, email=guest.email.upper())
    for line in meeting.utterances:
        if line.speaker_email == guest.email:
            line.speaker_email = guest.email.upper()


def _stranger(which: int) -> Callable[[_Maker, Meeting, int], None]:
    def dress(maker: _Maker, meeting: Meeting, index: int) -> None:
        assert meeting.account is not None
        meeting.attendees.append(meeting.account.strangers[which])

    return dress


def _unicode(maker: _Maker, meeting: Meeting, index: int) -> None:
    meeting.subject, meeting.summary = texts.UNICODE_TALKS[index]


def _poison(maker: _Maker, meeting: Meeting, index: int) -> None:
    never(meeting)
    meeting.subject = ""


def _owner_unknown(maker: _Maker, meeting: Meeting, index: int) -> None:
    owner: TeamMember = maker.world.members[-1]
    for line in meeting.utterances:
        if line.speaker_email == meeting.owner.person.email:
            line.speaker_email = owner.person.email
    meeting.attendees[0], meeting.owner = owner.person, owner


@dataclass(frozen=True, slots=True)
class Case:
    """A wanted peculiarity: ``count`` meetings of the last six days show it."""

    name: str
    count: int
    dress: Callable[[_Maker, Meeting, int], None]


CASES: tuple[Case, ...] = (
    Case("summary_late_by_minutes", len(LATE_SOON), _late_soon),
    Case("summary_late_by_weeks", len(LATE_WEEKS), _late_weeks),
    Case("summary_never", 2, _never),
    Case("unrecorded", 4, _of_kind(MeetingKind.UNRECORDED)),
    Case("no_show", 3, _of_kind(MeetingKind.NO_SHOW)),
    Case("private", 2, _private),
    Case("call", 4, _of_kind(MeetingKind.CALL)),
    Case("email", 3, _of_kind(MeetingKind.EMAIL)),
    Case("no_account", 2, _no_account),
    Case("account_not_in_totango", 3, _account_where(lambda account: not account.in_totango)),
    Case("account_by_foreign_key", 3, _account_where(lambda account: account.totango_id != account.crm_id)),
    Case("short_account_id", 2, _account_where(lambda account: account.short_id_in_chorus)),
    Case("html_summary", 3, _html),
    Case("long_summary", 1, _long),
    Case("upper_case_email", 1, _upper_case),
    Case("stranger", 2, _stranger(0)),
    Case("attendee_without_email", 2, _stranger(1)),
    Case("unicode", len(texts.UNICODE_TALKS), _unicode),
    Case("poison", 1, _poison),
    Case("owner_unknown_to_totango", 1, _owner_unknown),
)

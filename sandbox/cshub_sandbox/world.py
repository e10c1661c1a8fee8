"""The believable company that all simulated services share: accounts, people and meetings over months.

The world is plain data made from a seed; services turn it into their own records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class MeetingKind(StrEnum):
    RECORDED = "recorded"  # a meeting that was recorded and analysed
    CALL = "call"  # a dialer call
    UNRECORDED = "unrecorded"  # took place, nothing was recorded
    NO_SHOW = "no_show"  # the other side never joined
    EMAIL = "email"


@dataclass(slots=True)
class Person:
    """A human being. ``email`` is as typed by its owner: case is not normalised."""

    email: str
    first_name: str
    last_name: str
    title: str

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"


@dataclass(slots=True)
class TeamMember:
    """Somebody of our own company: user of Chorus and/or team member in Totango."""

    person: Person
    chorus_user_id: int | None
    chorus_license: str  # RECORDER or LISTENER
    chorus_active: bool
    chorus_last_login_at: datetime | None
    totango_status: str | None  # Active, Created, Disabled; None = no Totango user
    team_id: int


@dataclass(slots=True)
class Account:
    """A customer. ``crm_id`` is the 18-character Salesforce id that Chorus carries."""

    crm_id: str
    name: str
    totango_id: str  # id in Totango; equals crm_id for most, differs for those matched by foreign key only
    in_totango: bool  # False: not there yet (a user creates it later)
    contacts: list[Person] = field(default_factory=list)  # known to Totango as users of the account
    strangers: list[Person] = field(default_factory=list)  # attend meetings, unknown to Totango; email may be ""
    short_id_in_chorus: bool = False  # Chorus carries the 15-character form of ``crm_id``


@dataclass(slots=True)
class Utterance:
    speaker_email: str
    offset_s: float
    length_s: float
    text: str


@dataclass(slots=True)
class Meeting:
    """One engagement. Summary facts follow the life cycle: none until ``summary_ready_at``."""

    id: str  # 32 upper-case hex
    kind: MeetingKind
    account: Account | None  # None: Chorus did not link it to the CRM
    owner: TeamMember
    starts_at: datetime
    duration_s: float
    subject: str
    attendees: list[Person]  # both sides, present or not
    summary: str | None  # may hold HTML line breaks; what the analysis will say
    summary_ready_at: datetime | None  # None: the summary never comes
    action_items: list[str]
    private: bool
    utterances: list[Utterance] = field(default_factory=list)
    summary_error: str | None = None  # why the summary never comes, when the analysis says so

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + timedelta(seconds=self.duration_s)


@dataclass(slots=True)
class World:
    seed: int
    now: datetime  # when the world was made; meetings lie before (and a few after) it
    company: str
    members: list[TeamMember]
    teams: dict[int, str]
    accounts: list[Account]
    meetings: list[Meeting]
    cases: dict[str, list[str]] = field(default_factory=dict)  # case name -> ids of the meetings that show it

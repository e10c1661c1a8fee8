"""What Totango must hold, derived from the sandbox's world alone; the hub's code and reports are not asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from typing import Any

from cshub_sandbox.sandbox import Sandbox
from cshub_sandbox.world import Meeting, MeetingKind

CONTENT_LIMIT = 12_000
_RECORDED = frozenset({MeetingKind.RECORDED, MeetingKind.CALL})


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one touchpoint from all others: none of it changes after the creation."""

    account_id: str
    timestamp_ms: int
    author: str


@dataclass(frozen=True, slots=True)
class Expected:
    """One touchpoint as it must be. ``text``: words of the content, None while there is no summary."""

    meeting_id: str
    identity: Identity
    subject: str
    text: tuple[str, ...]
    participants: frozenset[str]


def expected_touchpoints(sandbox: Sandbox, meetings: Iterable[Meeting]) -> list[Expected]:
    """The touchpoints of those of ``meetings`` that are eligible now."""
    known = Directory.of(sandbox)
    return [_expected(sandbox, meeting, known) for meeting in meetings if is_eligible(sandbox, meeting, known)]


def meetings_between(sandbox: Sandbox, start: datetime, end: datetime) -> list[Meeting]:
    """Meetings that begin in ``[start, end)``, private ones included."""
    return [item for item in sandbox.service("chorus").records.by_id.values() if start <= item.starts_at < end]


def recent(sandbox: Sandbox, *, days: float = 7) -> list[Meeting]:
    now = sandbox.clock.now()
    return meetings_between(sandbox, now - timedelta(days=days), now)


@dataclass(frozen=True, slots=True)
class Directory:
    """Whom Totango knows: account ids by CRM id, team members and contacts of each account by e-mail or user id."""

    accounts: Mapping[str, str]
    team: Mapping[str, str]
    contacts: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, sandbox: Sandbox) -> Directory:
        state = sandbox.service("totango").state()
        contacts: dict[str, dict[str, str]] = {}
        for item in state["contacts"]:
            for name in (item["email"], item["user_id"]):
                contacts.setdefault(item["account_id"], {})[name.lower()] = item["user_id"]
        return cls(
            accounts={item["attributes"]["sfid"]: item["id"] for item in state["accounts"]},
            team={item["email"].lower(): item["email"] for item in state["users"]},
            contacts=contacts,
        )

    def account_of(self, meeting: Meeting) -> str | None:
        """Totango's id of the meeting's account, by the attribute that carries the CRM id."""
        return None if meeting.account is None else self.accounts.get(meeting.account.crm_id)

    def person(self, account_id: str, email: str) -> str | None:
        return self.team.get(email.lower()) or self.contacts.get(account_id, {}).get(email.lower())


def is_eligible(sandbox: Sandbox, meeting: Meeting, known: Directory) -> bool:
    """Recorded, not private, of an account that Totango has, and with something to say."""
    return (
        meeting.kind in _RECORDED
        and not meeting.private
        and known.account_of(meeting) is not None
        and bool(meeting.subject.strip() or summary_of(sandbox, meeting))
    )


def summary_of(sandbox: Sandbox, meeting: Meeting) -> str:
    """The summary as far as it is there, "" before."""
    return sandbox.service("chorus").records.summary(meeting, sandbox.clock.now()) or ""


def words(text: str) -> tuple[str, ...]:
    """The words of plain text or HTML, in order."""
    plain = unescape(re.sub(r"</?[A-Za-z!][^>]*>", " ", text))
    return tuple(re.findall(r"\w+", plain))


def identity_of(touchpoint: Mapping[str, Any]) -> Identity:
    return Identity(touchpoint["account_id"], touchpoint["timestamp_ms"], touchpoint["created_by"])


def made_by_hub(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What the API was used to create and nobody deleted."""
    return [item for item in sandbox.service("totango").state()["touchpoints"] if item["by_api"]]


def assert_held(sandbox: Sandbox, meetings: Iterable[Meeting]) -> None:
    """Totango holds exactly one touchpoint for each eligible meeting, with its values, and none for any other."""
    wanted = expected_touchpoints(sandbox, meetings)
    held = made_by_hub(sandbox)
    assert Counter(map(identity_of, held)) == Counter(item.identity for item in wanted)
    by_identity = {identity_of(item): item for item in held}
    for item in wanted:
        assert_values(by_identity[item.identity], item)


def assert_values(touchpoint: Mapping[str, Any], wanted: Expected) -> None:
    """Every mapped value of one touchpoint."""
    assert (touchpoint["subject"] or "") == wanted.subject
    assert_content(touchpoint["content"], wanted.text)
    assert set(touchpoint["participants"]) == wanted.participants
    assert touchpoint["disable_sync"] is True


def assert_content(content: str, text: tuple[str, ...]) -> None:
    held = words(content)
    assert len(content) <= CONTENT_LIMIT
    if held != text:
        assert content.endswith("[cut]") or len(content) > CONTENT_LIMIT - 100, (held[:20], text[:20])
        kept = held[:-2]
        assert kept and kept == text[: len(kept)]


def _expected(sandbox: Sandbox, meeting: Meeting, known: Directory) -> Expected:
    account_id = known.account_of(meeting)
    assert account_id is not None
    owner = meeting.owner.person.email
    people = {known.person(account_id, person.email) for person in meeting.attendees if person.email}
    return Expected(
        meeting_id=meeting.id,
        identity=Identity(
            account_id, round(meeting.starts_at.timestamp() * 1000), known.team.get(owner.lower(), owner)
        ),
        subject=meeting.subject.strip(),
        text=words(summary_of(sandbox, meeting)),
        participants=frozenset(person for person in people if person is not None),
    )

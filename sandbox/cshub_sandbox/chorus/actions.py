"""What users of Chorus do in its own pages: edits of the world, by name, for the control address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from ..world import Account, Meeting, MeetingKind, Person, TeamMember
from .engagements import chorus_account_id
from .people import iso
from .records import DEFAULT_SUMMARY_ERROR

if TYPE_CHECKING:
    from .service import ChorusService

Arguments = Mapping[str, Any]


def add_meeting(service: ChorusService, arguments: Arguments) -> Any:
    """A new engagement, by default one that ended two minutes ago with its summary ready."""
    given = _Arguments(
        arguments,
        {"id", "kind", "account", "owner", "subject", "summary", "ready_in_s", "starts_at", "ended_ago_s", "duration_s",
         "attendees", "action_items", "private"},
    )  # fmt: skip
    now = service.clock.now()
    duration = given.number("duration_s", 1800.0)
    default_start = now - timedelta(seconds=given.number("ended_ago_s", 120.0) + duration)
    summary = given.text("summary", "The team agreed on the next steps.", null=True)
    owner = _member(service, arguments["owner"]) if "owner" in arguments else service.people.users()[0]
    account = _account(service, arguments["account"]) if "account" in arguments else service.world.accounts[0]
    guests = account.contacts[:1] if account else []
    emails = given.texts("attendees")
    rng = Random(f"{service.world.seed} {len(service.records.by_id)} {len(service.records.deleted)}")
    meeting = Meeting(
        id=given.text("id", f"{rng.getrandbits(128):032X}"),
        kind=given.kind("kind", MeetingKind.RECORDED),
        account=account,
        owner=owner,
        starts_at=given.moment("starts_at", default_start),
        duration_s=duration,
        subject=given.text("subject", "Added meeting"),
        attendees=[owner.person, *guests] if emails is None else [_person(service, account, email) for email in emails],
        summary=summary,
        summary_ready_at=None if summary is None else now + timedelta(seconds=given.number("ready_in_s", 0.0)),
        action_items=given.texts("action_items") or [],
        private=given.flag("private", False),
    )
    if meeting.id in service.records.by_id:
        raise ValueError(f"id {meeting.id} is taken; leave id out to get a new one")
    service.records.add(meeting)
    return _shown(service, meeting)


def edit_meeting(service: ChorusService, arguments: Arguments) -> Any:
    """Changes what a user can change: subject, summary, attendees, action items."""
    given = _Arguments(arguments, {"id", "subject", "summary", "attendees", "action_items"})
    meeting = _meeting(service, given)
    meeting.subject = given.text("subject", meeting.subject)
    if "summary" in arguments:
        meeting.summary = given.text("summary", "", null=True)
        meeting.summary_ready_at = None if meeting.summary is None else meeting.summary_ready_at or service.clock.now()
    emails = given.texts("attendees")
    if emails is not None:
        meeting.attendees = [_person(service, meeting.account, email) for email in emails]
    items = given.texts("action_items")
    meeting.action_items = meeting.action_items if items is None else items
    return _touched(service, meeting)


def finish_summary(service: ChorusService, arguments: Arguments) -> Any:
    """The analysis ends now, with the given summary or the one that was coming."""
    given = _Arguments(arguments, {"id", "summary"})
    meeting = _meeting(service, given)
    meeting.summary = given.text("summary", meeting.summary or "The team agreed on the next steps.")
    meeting.summary_ready_at, meeting.summary_error = service.clock.now(), None
    return _touched(service, meeting)


def postpone_summary(service: ChorusService, arguments: Arguments) -> Any:
    """The summary will only be ready ``seconds`` from now."""
    given = _Arguments(arguments, {"id", "seconds"})
    meeting = _meeting(service, given)
    meeting.summary = meeting.summary or "The team agreed on the next steps."
    meeting.summary_ready_at = service.clock.now() + timedelta(seconds=given.number("seconds", None))
    return _touched(service, meeting)


def fail_summary(service: ChorusService, arguments: Arguments) -> Any:
    """The analysis fails: no summary will come."""
    given = _Arguments(arguments, {"id", "reason"})
    meeting = _meeting(service, given)
    meeting.summary, meeting.summary_ready_at, meeting.action_items = None, None, []
    meeting.summary_error = given.text("reason", DEFAULT_SUMMARY_ERROR)
    return _touched(service, meeting)


def delete_meeting(service: ChorusService, arguments: Arguments) -> Any:
    """A user deletes the engagement; it leaves no trace."""
    meeting = _meeting(service, _Arguments(arguments, {"id"}))
    service.records.remove(meeting.id)
    return {"deleted": meeting.id}


def make_private(service: ChorusService, arguments: Arguments) -> Any:
    """Marks a meeting as private, or with ``private: false`` as public again."""
    given = _Arguments(arguments, {"id", "private"})
    meeting = _meeting(service, given)
    meeting.private = given.flag("private", True)
    return _touched(service, meeting)


def move_account(service: ChorusService, arguments: Arguments) -> Any:
    """Links a meeting to another account (CRM id), or to none with null."""
    given = _Arguments(arguments, {"id", "account"})
    meeting = _meeting(service, given)
    if "account" not in arguments:
        raise ValueError("account is missing; give the CRM id of an account, or null for none")
    meeting.account = _account(service, arguments["account"])
    return _touched(service, meeting)


def change_owner(service: ChorusService, arguments: Arguments) -> Any:
    """Gives a meeting to another user (e-mail)."""
    given = _Arguments(arguments, {"id", "owner"})
    meeting = _meeting(service, given)
    meeting.owner = _member(service, given.text("owner", None))
    return _touched(service, meeting)


def set_user(service: ChorusService, arguments: Arguments) -> Any:
    """Changes a user (e-mail): active or not, RECORDER or LISTENER."""
    given = _Arguments(arguments, {"email", "active", "license"})
    member = _member(service, given.text("email", None))
    member.chorus_active = given.flag("active", member.chorus_active)
    licence = given.text("license", member.chorus_license)
    if licence not in ("RECORDER", "LISTENER"):
        raise ValueError(f"license is {licence!r}; it must be RECORDER or LISTENER")
    member.chorus_license = licence
    return service.people.flat_user(member, service.switches)


def issue_token(service: ChorusService, arguments: Arguments) -> Any:
    """A new token of a user (e-mail); with ``sees_all: false`` it shows only the user's own meetings."""
    given = _Arguments(arguments, {"email", "sees_all"})
    member = _member(service, given.text("email", service.people.users()[0].person.email))
    return {"token": service.issue_token(member, sees_all=given.flag("sees_all", True))}


def revoke_token(service: ChorusService, arguments: Arguments) -> Any:
    """The token (default: the main one) is no longer accepted."""
    token = _Arguments(arguments, {"token"}).text("token", service.token)
    if service.tokens.pop(token, None) is None:
        raise KeyError("this token does not exist or was revoked before")
    return {"revoked": True}


ACTIONS: Mapping[str, Callable[[ChorusService, Arguments], Any]] = {
    action.__name__: action
    for action in (
        add_meeting,
        edit_meeting,
        finish_summary,
        postpone_summary,
        fail_summary,
        delete_meeting,
        make_private,
        move_account,
        change_owner,
        set_user,
        issue_token,
        revoke_token,
    )
}


class _Arguments:
    """Reads the arguments of an action. Raises ``ValueError`` naming the argument and what it must be."""

    def __init__(self, values: Arguments, known: set[str]) -> None:
        if unknown := sorted(set(values) - known):
            raise ValueError(f"unknown argument {unknown[0]!r}; known are {', '.join(sorted(known))}")
        self._values = values

    def text(self, name: str, default: str | None, *, null: bool = False) -> Any:
        if name not in self._values and default is not None:
            return default
        value = self._values.get(name)
        if not isinstance(value, str) and not (null and name in self._values and value is None):
            raise ValueError(f"{name} must be a text; got {value!r}")
        return value

    def texts(self, name: str) -> list[str] | None:
        value = self._values.get(name)
        if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise ValueError(f"{name} must be a list of texts; got {value!r}")
        return None if value is None else list(value)

    def number(self, name: str, default: float | None) -> float:
        value = self._values.get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError(f"{name} must be a number; got {value!r}")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false; got {value!r}")
        return value

    def kind(self, name: str, default: MeetingKind) -> MeetingKind:
        value = self._values.get(name, default)
        if value not in list(MeetingKind):
            raise ValueError(f"{name} must be one of {', '.join(MeetingKind)}; got {value!r}")
        return MeetingKind(value)

    def moment(self, name: str, default: datetime) -> datetime:
        if name not in self._values:
            return default
        try:
            found = datetime.fromisoformat(self._values[name])
        except (TypeError, ValueError) as problem:
            raise ValueError(f"{name} must be a time such as 2026-11-20T12:00:00Z") from problem
        if found.tzinfo is None:
            raise ValueError(f"{name} needs a time zone, for example {self._values[name]}Z")
        return found


def _meeting(service: ChorusService, given: _Arguments) -> Meeting:
    identifier = given.text("id", None)
    if identifier not in service.records.by_id:
        raise KeyError(f"no engagement {identifier!r}; GET /state/chorus lists them")
    return service.records.by_id[identifier]


def _account(service: ChorusService, crm_id: Any) -> Account | None:
    if crm_id is None:
        return None
    for account in service.world.accounts:
        if account.crm_id == crm_id:
            return account
    raise KeyError(f"no account with the CRM id {crm_id!r}; GET /state/chorus shows the ids in use")


def _member(service: ChorusService, email: Any) -> TeamMember:
    member = service.people.members.get(email.lower()) if isinstance(email, str) else None
    if member is None or member.chorus_user_id is None:
        raise KeyError(f"no Chorus user has the e-mail {email!r}")
    return member


def _person(service: ChorusService, account: Account | None, email: str) -> Person:
    """The person known under this e-mail (as written), or somebody new."""
    known = [member.person for member in service.world.members]
    known += [*account.contacts, *account.strangers] if account else []
    for person in known:
        if person.email == email:
            return person
    first, _, last = email.split("@")[0].partition(".")
    return Person(email, first.title() or "Guest", last.title() or "Guest", "")


def _touched(service: ChorusService, meeting: Meeting) -> dict[str, Any]:
    service.records.touch(meeting)
    return _shown(service, meeting)


def _shown(service: ChorusService, meeting: Meeting) -> dict[str, Any]:
    now = service.clock.now()
    return {
        "id": meeting.id,
        "subject": meeting.subject,
        "account_id": chorus_account_id(meeting.account),
        "starts_at": iso(meeting.starts_at),
        "stage": service.records.stage(meeting, now),
        "summary": service.records.summary(meeting, now),
    }

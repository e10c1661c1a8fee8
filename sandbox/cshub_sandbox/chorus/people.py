"""Persons, users and teams as the simulated Chorus shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from ..world import Account, Person, TeamMember, World
from .switches import ChorusSwitches, UsersShape


def iso(at: datetime) -> str:
    """``2026-11-19T16:00:00Z``, with milliseconds when there are any."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds" if at.microsecond >= 1000 else "seconds")
    return text.replace("+00:00", "Z")


def number_of(text: str) -> int:
    """A stable positive integer id for a text key."""
    return 10_000_000 + crc32(text.encode()) % 90_000_000


def person_id(person: Person) -> int:
    return number_of(person.email.lower() or person.name)


class People:
    """Who is who: our members by e-mail, and what is said of a participant."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.members = {member.person.email.lower(): member for member in world.members}

    def users(self) -> list[TeamMember]:
        """Members with a Chorus user, inactive ones included, by id."""
        with_user = [member for member in self.world.members if member.chorus_user_id is not None]
        return sorted(with_user, key=lambda member: member.chorus_user_id or 0)

    def participant(self, person: Person, account: Account | None) -> dict[str, Any]:
        """A v3 participant. ``email`` is missing when unknown; some names are null."""
        member = self.members.get(person.email.lower())
        number = person_id(person)
        value: dict[str, Any] = {
            "person_id": number,
            "name": None if member is None and person.email and number % 9 == 0 else person.name,
            "title": person.title,
            "company_name": self.world.company if member else account.name if account else None,
            "type": "rep" if member else "prospect",
            "user_id": member.chorus_user_id if member else None,
        }
        if person.email:
            value["email"] = person.email
        return value

    def detailed_participant(self, person: Person, account: Account | None) -> dict[str, Any]:
        """A v1 participant: as in v3, with a name always, and whose side it is on."""
        value = self.participant(person, account)
        return {
            **value,
            "name": person.name,
            "email": value.get("email"),
            "is_my_team": value["type"] == "rep",
            "picture": None,
            "zi_person_id": None,
        }

    def owner(self, member: TeamMember) -> dict[str, Any]:
        return {
            "user_id": member.chorus_user_id or 0,
            "person_id": person_id(member.person),
            "name": member.person.name,
            "email": member.person.email,
        }

    def attributes(self, member: TeamMember) -> dict[str, Any]:
        """All attributes of a v1 user."""
        person = member.person
        flags = self._flags(member)
        return {
            "email": person.email,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "name": person.name,
            "title": person.title,
            "role": "CSM",
            "sub_role": "",
            "seniority": "",
            "license_type": member.chorus_license,
            "invalidated": not member.chorus_active,
            "permission_role_id": 3,
            "manager_id": self._manager(member) or 0,
            "primary_team": member.team_id,
            "team_ids": [member.team_id],
            "onboarding_status": "ONBOARDED" if member.chorus_last_login_at else "REQUIRES_ONBOARDING",
            "provisioning_type": "manual",
            "created_on": iso(self._created(member)),
            "last_login_at": iso(member.chorus_last_login_at) if member.chorus_last_login_at else "",
            "person_id": person_id(person),
            "domain": person.email.split("@")[-1],
            "autojoin": flags["autojoin"],
            "sync_calendar": flags["sync_calendar"],
            "allowed_access": 1,
            "biometric_policy": False,
            "default_meeting_link": "",
            "fingerprint_state": "none",
            "internal": True,
            "is_email_linked": True,
            "language": "en",
            "linkedin": "",
            "location": "",
            "meta": {"sf_record_id": None},
            "picture": "",
            "privacy_policy": True,
            "terms_and_conditions": True,
            "terms_conditions": 1,
            "tier": "",
            "type": "user",
            "utc_offset": 0,
        }

    def resource(self, member: TeamMember) -> dict[str, Any]:
        return {"type": "user", "id": str(member.chorus_user_id), "attributes": self.attributes(member)}

    def flat_user(self, member: TeamMember, switches: ChorusSwitches) -> dict[str, Any]:
        """A v3 user."""
        person = member.person
        value: dict[str, Any] = {
            "id": member.chorus_user_id,
            "email": person.email,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "name": person.name,
            "title": person.title,
            "role": "CSM",
            "license_type": member.chorus_license,
            "active": int(member.chorus_active),
            "invalidated": not member.chorus_active,
            "permission_role_id": 3,
            "manager_id": self._manager(member),
            "primary_team": member.team_id,
            "team_ids": [member.team_id],
            **self._flags(member),
            "onboarding_status": "ONBOARDED" if member.chorus_last_login_at else "REQUIRES_ONBOARDING",
            "provisioning_type": "manual",
            "created_on": iso(self._created(member)),
        }
        if switches.users_last_login:
            login = member.chorus_last_login_at
            value["last_login_at"] = iso(login) if login else None
        return value

    def all_users(self, switches: ChorusSwitches) -> Any:
        """The body of ``GET /v3/users`` in the shape that is assumed."""
        if switches.users_shape is UsersShape.JSON_API:
            return {"data": [self.resource(member) for member in self.users()]}
        flat = [self.flat_user(member, switches) for member in self.users()]
        return flat if switches.users_shape is UsersShape.ARRAY else {"data": flat}

    def team(self, number: int) -> dict[str, Any]:
        """A v1 team. Raises ``KeyError`` for an unknown number."""
        return {
            "type": "team",
            "id": str(number),
            "attributes": {
                "name": self.world.teams[number],
                "language": "en",
                "users": [m.chorus_user_id for m in self.users() if m.team_id == number],
                "description": None,
                "default": number == min(self.world.teams),
                "include_descendant_teams": False,
                "manager": self.users()[0].chorus_user_id,
                "parent_team": None,
            },
        }

    def _manager(self, member: TeamMember) -> int | None:
        lead = self.users()[0]
        return None if member is lead else lead.chorus_user_id

    def _flags(self, member: TeamMember) -> dict[str, int]:
        recorder = int(member.chorus_license == "RECORDER" and member.chorus_active)
        return {"autojoin": recorder, "sync_calendar": recorder, "sync_email": 0}

    def _created(self, member: TeamMember) -> datetime:
        return self.world.now.replace(hour=9, minute=0, second=0) - timedelta(
            days=300 + (member.chorus_user_id or 0) % 400
        )

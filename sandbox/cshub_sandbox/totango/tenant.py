"""One tenant: its stores, its clock and its sources of ids. Behaviour lives in the modules beside this one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from cshub_sandbox.kernel import Clock
from cshub_sandbox.totango.catalogues import Catalogues
from cshub_sandbox.totango.events import EventLog, SearchIndex
from cshub_sandbox.totango.records import Account, Contact, Event, Role, Task, TeamUser, Touchpoint
from cshub_sandbox.totango.switches import TotangoSwitches

FOREIGN_KEYS = ("salesforce_key", "billing_key")  # names of the tenant's foreign-key attributes


def epoch_ms(at: datetime) -> int:
    """Epoch milliseconds of an aware time."""
    return int(at.timestamp() * 1000)


def iso_ms(ms: int) -> str:
    """``2026-11-20T08:00:00.000Z``"""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Tenant:
    """All that one tenant holds. ``team`` is keyed by lower-case e-mail, ``contacts`` by account and user id."""

    clock: Clock
    rng: Random
    switches: TotangoSwitches
    catalogues: Catalogues
    accounts: dict[str, Account] = field(default_factory=dict)
    contacts: dict[str, dict[str, Contact]] = field(default_factory=dict)
    team: dict[str, TeamUser] = field(default_factory=dict)
    touchpoints: dict[int, Touchpoint] = field(default_factory=dict)
    deleted_touchpoints: list[Touchpoint] = field(default_factory=list)
    tasks: dict[int, Task] = field(default_factory=dict)
    deleted_tasks: list[Task] = field(default_factory=list)
    events: EventLog = field(default_factory=EventLog)
    last_note_id: int = 900_000
    last_task_id: int = 55_000

    def now(self) -> datetime:
        """The service's own time: the world's clock plus the skew switch."""
        return self.clock.now() + timedelta(seconds=self.switches.clock_skew_s)

    def now_ms(self) -> int:
        return epoch_ms(self.now())

    def next_note_id(self) -> int:
        self.last_note_id += 1
        return self.last_note_id

    def next_task_id(self) -> int:
        self.last_task_id += 1
        return self.last_task_id

    def new_uuid(self) -> str:
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def new_event_id(self) -> str:
        """36 characters: a UUID whose dashes are the letter z."""
        return self.new_uuid().replace("-", "z")

    def put_event(self, event: Event) -> None:
        self.events.put(event, self.clock.now())

    def remove_event(self, event_id: str) -> None:
        self.events.remove(event_id, self.clock.now())

    def search_index(self) -> SearchIndex:
        """The index as far as it has caught up by now."""
        self.events.index.catch_up(self.clock.now(), self.switches.search_lag_s)
        return self.events.index

    def user(self, key: str | None) -> TeamUser | None:
        """The team member with this e-mail (any case), or None."""
        return None if key is None else self.team.get(key.strip().lower())

    def member(self, email: str) -> TeamUser:
        """The team member with this e-mail. Raises ``KeyError``."""
        user = self.user(email)
        if user is None:
            raise KeyError(f"No team member {email!r}")
        return user

    def admin(self) -> TeamUser:
        """The first global admin."""
        return next(user for user in self.team.values() if user.role is Role.GLOBAL_ADMIN)

    def account(self, account_id: str) -> Account:
        """Raises ``KeyError`` for an id that is not there."""
        if account_id not in self.accounts:
            raise KeyError(f"No account {account_id!r}")
        return self.accounts[account_id]

    def all_contacts(self) -> Iterator[Contact]:
        return (contact for contacts in self.contacts.values() for contact in contacts.values())

    def add_contact(self, contact: Contact) -> None:
        self.contacts.setdefault(contact.account_id, {})[contact.user_id] = contact

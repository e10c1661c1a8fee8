"""Two invented services that speak the hub's ports, keep a book of what they were asked, and misbehave on demand.

``crm`` lists records by change, proves deletions, reads many by id in one call and writes many at once; it keeps whole
seconds. ``desk`` lists records by date, shows writes late in its search, writes one at a time, whole, and cannot look
records up by a foreign id. The clocks of both may be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any

from cshub.core.records import Operation, Presence, SourceRecord, TargetRecord
from tests.pipeline.crashes import Fuse

BEGIN = datetime(2026, 11, 20, 9, tzinfo=UTC)
ACCOUNTS = ("acme", "bolt")
LATE_ACCOUNT = "later"  # one that the other side gets in the middle of a history
CRM, DESK = "salesforce", "totango"
SYSTEMS = (CRM, DESK)
OTHER = {CRM: DESK, DESK: CRM}
SEARCH_LAG = timedelta(seconds=2)
FIELDS: Mapping[str, tuple[str, ...]] = {
    CRM: ("subject", "description", "status", "start", "rating"),
    DESK: ("title", "body", "status", "when"),
}
IDS: Mapping[str, tuple[str, str]] = {CRM: ("id", "account"), DESK: ("note_id", "account_id")}
DATES: Mapping[str, str] = {CRM: "start", DESK: "when"}


class Trouble(StrEnum):
    """What one call may meet."""

    BUSY = "busy"  # 503 before anything happened
    LOST = "lost"  # it happened, the answer was lost
    UNSENT = "unsent"  # it did not happen, and nobody can tell
    LIMITED = "limited"  # 429
    SHORT = "short"  # a read that ends too early, and says so
    REFUSED = "refused"  # a verdict against one record
    SLOW = "slow"  # the answer takes a quarter of an hour
    HIDDEN = "hidden"  # records asked for by id are not shown, which proves nothing


@dataclass
class SimClock:
    """Time of the simulation; ``skew``: how wrong the hub's own clock is."""

    at: datetime = BEGIN
    skew: timedelta = timedelta()

    def now(self) -> datetime:
        return self.at + self.skew

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(0.0, seconds))


@dataclass(slots=True)
class Held:
    """One record. ``thing``: the matter it is about, the same on both sides; ``shown``: what a search still shows."""

    key: str
    thing: int
    account: str
    values: dict[str, Any]
    created_at: datetime
    modified_at: datetime
    external_id: str | None = None
    by_hub: bool = False
    deleted: bool = False
    visible_at: datetime = BEGIN
    shown: tuple[datetime, TargetRecord | None] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """One change that a service carried out, in the order of the book. ``at``: true time."""

    system: str
    operation: Operation
    key: str
    thing: int
    at: datetime
    run_id: str  # "" for what a person did
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def person(self) -> bool:
        return not self.run_id


@dataclass
class Faults:
    """Troubles to come: each call meets one of ``kinds`` with ``probability``, ``left`` times in all."""

    random: Random
    kinds: tuple[Trouble, ...] = ()
    probability: float = 0.0
    left: int = 0

    def draw(self, *possible: Trouble) -> Trouble | None:
        if self.left and self.random.random() < self.probability:
            fitting = [kind for kind in self.kinds if kind in possible]
            if fitting:
                self.left -= 1
                return self.random.choice(fitting)
        return None


@dataclass
class Service:
    """What one service holds. ``book`` is shared by both."""

    system: str
    clock: SimClock
    book: list[Done]
    faults: Faults
    fuse: Fuse
    skew: timedelta = timedelta()
    keeps_external_ids: bool = True
    records: dict[str, Held] = field(default_factory=dict)
    accounts: set[str] = field(default_factory=lambda: set(ACCOUNTS))
    delay: timedelta = timedelta()  # how long a change of a person stays hidden from searches

    def now(self) -> datetime:
        moment = self.clock.at + self.skew
        return moment.replace(microsecond=0) if self.system == CRM else moment

    def create(
        self, thing: int, account: str, values: Mapping[str, Any], *, run_id: str = "", external_id: str | None = None
    ) -> Held:
        now = self.now()
        key = f"{self.system[0]}{len(self.records) + 1}"
        blank = dict.fromkeys(FIELDS[self.system])
        held = Held(key, thing, account, {**blank, **values}, now, now, external_id, bool(run_id))
        held.visible_at = self.clock.at + (timedelta() if run_id else self.delay)
        held.shown = (self.clock.at, None)
        self.records[key] = held
        self._note(Operation.CREATE, held, run_id, values)
        return held

    def change(self, held: Held, values: Mapping[str, Any], *, run_id: str = "") -> None:
        self._keep_shown(held)
        held.values = {**held.values, **values}
        held.modified_at = self.now()
        self._note(Operation.UPDATE, held, run_id, values)

    def delete(self, held: Held, *, run_id: str = "") -> None:
        self._keep_shown(held)
        held.deleted, held.modified_at = True, self.now()
        self._note(Operation.DELETE, held, run_id, {})

    def alive(self) -> list[Held]:
        return [held for held in self.records.values() if not held.deleted]

    def of(self, thing: int) -> Held | None:
        return next((held for held in self.records.values() if held.thing == thing and not held.deleted), None)

    def as_target(self, held: Held) -> TargetRecord:
        return TargetRecord(
            held.key,
            held.account,
            {**held.values, **({IDS[CRM][1]: held.account} if self.system == CRM else {})},
            external_id=held.external_id if self.keeps_external_ids else None,
            created_at=held.created_at,
            modified_at=held.modified_at,
        )

    def searched(self, held: Held) -> TargetRecord | None:
        """The record as a search shows it, which lags behind."""
        if held.shown is not None and self.clock.at - held.shown[0] < SEARCH_LAG:
            return held.shown[1]
        return None if held.deleted else self.as_target(held)

    def as_source(self, held: Held) -> SourceRecord:
        name, account = IDS[self.system]
        if held.deleted:
            return SourceRecord(held.key, None, held.modified_at, Presence.DELETED, account_id=held.account)
        body = {**held.values, name: held.key, account: held.account}
        dated = datetime.fromisoformat(held.values[DATES[self.system]]) if self.system == DESK else None
        return SourceRecord(
            held.key, body, held.modified_at, created_at=held.created_at, dated_at=dated, account_id=held.account
        )

    def _keep_shown(self, held: Held) -> None:
        if held.shown is None or self.clock.at - held.shown[0] >= SEARCH_LAG:
            held.shown = (self.clock.at, self.as_target(held))

    def _note(self, operation: Operation, held: Held, run_id: str, values: Mapping[str, Any]) -> None:
        self.book.append(Done(self.system, operation, held.key, held.thing, self.clock.at, run_id, dict(values)))

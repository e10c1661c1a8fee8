"""Two invented services that speak the hub's ports, keep a book of what they were asked, and misbehave on demand.

``crm`` lists records by change, proves deletions, reads many by id in one call and writes many at once; it keeps whole
seconds. ``desk`` lists records by date, shows writes late in its search, writes one at a time, whole, and cannot look
records up by a foreign id. The clocks of both may be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any

from cshub.core.errors import (
    AmbiguousWrite,
    HubError,
    NotFound,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
    ShortRead,
)
from cshub.core.ports import ById, Lookup, Reading, Verdict, Write
from cshub.core.records import Operation, Page, Presence, RecordKey, SourceRecord, TargetRecord
from cshub.core.window import Window
from cshub.pipeline.guard import SendGuard
from tests.pipeline.crashes import Crash, Fuse

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


class Port:
    """The side of a service that a run reads, and what both sides share.

    Every call is a boundary at which the hub may die, before and after it is answered.
    """

    def __init__(self, service: Service, others: Mapping[str, Service], guard: SendGuard, run_id: str) -> None:
        self.service = service
        self._run_id = run_id
        self._others = others
        self._guard = guard
        self.calls = 0
        by_change = service.system == CRM
        self.reading = Reading.BY_CHANGE if by_change else Reading.BY_DATE
        self.lookup = Lookup(ById.IN_BATCHES, 2000) if by_change else Lookup(ById.BY_ACCOUNT)
        self.batch_size = 3 if by_change else 1

    def forecast(self, calls: int) -> float:
        return 0.0

    def identity(self) -> str:
        return f"{self.service.system}-org"

    def user(self) -> str:
        return ""

    def read_window(self, window: Window) -> Iterator[Page]:
        """As a source. The records come in two pages; a short read breaks off after the first."""
        self._call("list", Trouble.BUSY, Trouble.LIMITED, Trouble.SLOW)
        service = self.service
        found = [
            service.as_source(held)
            for held in service.records.values()
            if held.visible_at <= service.clock.at and self._is_listed(held, window)
        ]
        half = len(found) // 2
        yield Page(found[:half])
        self._call("list on", Trouble.BUSY, Trouble.SHORT)
        yield Page(found[half:])

    def read_keys(self, keys: Sequence[RecordKey]) -> Iterator[Page]:
        """As a source."""
        hidden = self._call("by id", Trouble.BUSY, Trouble.SLOW, Trouble.HIDDEN) is Trouble.HIDDEN
        absent = (SourceRecord(key.key, None, None, Presence.ABSENT) for key in keys)
        yield Page(list(absent) if hidden else [self._by_id(key) for key in keys])

    def sample(self, window: Window, limit: int) -> list[SourceRecord]:
        return []

    def resolve_accounts(self, references: AbstractSet[str]) -> Mapping[str, str]:
        self._call("accounts", Trouble.BUSY)
        return {name: name for name in references if name in self.service.accounts}

    def write(self, writes: Sequence[Write]) -> list[Verdict]:
        """As many as :attr:`batch_size`; what a fault does it does to all of them, but for a refusal."""
        trouble = self._call("write", Trouble.BUSY, Trouble.LIMITED, Trouble.UNSENT, Trouble.LOST, Trouble.REFUSED)
        if trouble is Trouble.UNSENT:
            raise AmbiguousWrite("the connection was cut")
        refused = writes[0] if trouble is Trouble.REFUSED else None
        verdicts = [self._refused() if write is refused else self._carried_out(write) for write in writes]
        self.service.fuse.step(f"{self.service.system} has written")
        if trouble is Trouble.LOST:
            raise AmbiguousWrite("the answer was lost")
        return verdicts

    def _call(self, name: str, *troubles: Trouble) -> Trouble | None:
        service = self.service
        if service.fuse.dead:
            raise Crash(f"dead before {name}")
        service.fuse.step(f"{service.system} {name}")
        self._guard.check()
        self.calls += 1
        service.clock.at += timedelta(milliseconds=150)
        trouble = service.faults.draw(*troubles)
        if trouble is Trouble.SLOW:
            service.clock.at += timedelta(minutes=15)
            return None
        error = _ERRORS.get(trouble) if trouble else None
        if error is not None:
            raise error()
        return trouble

    def _is_listed(self, held: Held, window: Window) -> bool:
        if self.reading is Reading.BY_CHANGE:
            return held.modified_at in window
        shown = self.service.searched(held)
        return shown is not None and datetime.fromisoformat(shown.values["when"]) in window

    def _by_id(self, key: RecordKey) -> SourceRecord:
        held = self.service.records.get(key.key)
        return SourceRecord(key.key, None, None, Presence.ABSENT) if held is None else self.service.as_source(held)

    def _refused(self) -> Verdict:
        return Verdict(error=RequestRefused("not this one", status=400, verdict="not this one"))

    def _carried_out(self, write: Write) -> Verdict:
        service = self.service
        names = write.values.keys() if service.system == DESK else write.changed & write.values.keys()
        sent = {name: write.values[name] for name in sorted(names) if name in FIELDS[service.system]}
        if write.operation is Operation.CREATE:
            thing = self._others[OTHER[service.system]].records[write.external_id].thing
            made = service.create(thing, write.account_id, sent, run_id=self._run_id, external_id=write.external_id)
            return Verdict(RecordKey(made.key, made.account))
        assert write.key is not None
        held = service.records[write.key.key]
        if write.operation is Operation.DELETE:
            if not held.deleted:
                service.delete(held, run_id=self._run_id)
            return Verdict(write.key)
        if held.deleted:
            return Verdict(error=NotFound("no such record", status=404))
        service.change(held, sent, run_id=self._run_id)
        return Verdict(write.key)


class TargetPort(Port):
    """The side of a port that a run writes to: what it reads are target records."""

    def read_window(self, window: Window) -> Iterator[Sequence[TargetRecord]]:  # type: ignore[override]
        self._call("search", Trouble.BUSY, Trouble.SHORT)
        date = DATES[self.service.system]
        shown = (self.service.searched(held) for held in self.service.records.values())
        yield [item for item in shown if item is not None and datetime.fromisoformat(item.values[date]) in window]

    def read_keys(self, keys: Sequence[RecordKey]) -> Mapping[str, TargetRecord | None]:  # type: ignore[override]
        if self._call("by id", Trouble.BUSY, Trouble.SLOW, Trouble.HIDDEN) is Trouble.HIDDEN:
            return {}
        found = {key.key: self.service.records.get(key.key) for key in keys}
        return {
            key: None if held is None or held.deleted else self.service.as_target(held) for key, held in found.items()
        }

    def resolve_people(self, wanted: Mapping[str, AbstractSet[str]]) -> Mapping[tuple[str, str], str]:
        return {}

    def read_external(self, external_ids: AbstractSet[str]) -> Mapping[str, TargetRecord]:
        if self.service.system == DESK or not self.service.keeps_external_ids:
            return {}
        self._call("by external id", Trouble.BUSY)
        alive = self.service.alive()
        return {
            held.external_id: self.service.as_target(held)
            for held in alive
            if held.external_id is not None and held.external_id in external_ids
        }

    def read_alike(self, external_ids: Mapping[str, AbstractSet[str]]) -> Mapping[tuple[str, str], list[TargetRecord]]:
        return {}

    def hint(self, write: Write) -> Mapping[str, Any]:
        names = [name for name in FIELDS[self.service.system] if name != "status"]
        return {"account": write.account_id, "values": {name: write.values.get(name) for name in names}}

    def find(self, hints: Sequence[Mapping[str, Any]]) -> list[list[TargetRecord]]:
        self._call("find", Trouble.BUSY)
        return [self._fitting(hint) for hint in hints]

    def _fitting(self, hint: Mapping[str, Any]) -> list[TargetRecord]:
        """Records that hold what was sent, then those edited since that still hold half of it; the oldest first."""
        here = [held for held in self.service.alive() if held.account == hint["account"]]
        sent = {name: value for name, value in hint["values"].items() if value is not None}
        alike = {held.key: sum(held.values.get(name) == value for name, value in sent.items()) for held in here}
        whole = [held for held in here if alike[held.key] == len(sent)]
        edited = [held for held in here if held not in whole and held.modified_at > held.created_at]
        return [self.service.as_target(h) for h in [*whole, *(h for h in edited if 2 * alike[h.key] >= len(sent))]]


_ERRORS: Mapping[Trouble, Callable[[], HubError]] = {
    Trouble.BUSY: lambda: ServiceUnavailable("busy"),
    Trouble.LIMITED: lambda: RateLimited("too many calls", reset_s=60),
    Trouble.SHORT: lambda: ShortRead("fewer records than stated"),
}

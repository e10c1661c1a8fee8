"""The hub's ports to an invented service: every call is a boundary, and may meet trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
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
from cshub.core.ports import ById, Candidate, Lookup, Reading, Verdict, Write
from cshub.core.records import Operation, Page, Presence, RecordKey, SourceRecord, TargetRecord
from cshub.core.window import Window
from cshub.pipeline.guard import SendGuard
from tests.campaigns.simulation.services import CRM, DATES, DESK, FIELDS, OTHER, Held, Service, Trouble
from tests.pipeline.crashes import Crash

_ERRORS: Mapping[Trouble, Callable[[], HubError]] = {
    Trouble.BUSY: lambda: ServiceUnavailable("busy"),
    Trouble.LIMITED: lambda: RateLimited("too many calls", reset_s=60),
    Trouble.SHORT: lambda: ShortRead("fewer records than stated"),
}


_BY_ID, _BY_ACCOUNT = Lookup(ById.IN_BATCHES, 2000), Lookup(ById.BY_ACCOUNT)


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
        self.lookup = _BY_ID if by_change else _BY_ACCOUNT
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
        values = {name: write.values.get(name) for name in names}
        return {"account": write.account_id, "values": values, "external_id": write.external_id}

    def find(self, hints: Sequence[Mapping[str, Any]]) -> list[list[Candidate]]:
        self._call("find", Trouble.BUSY)
        return [self._fitting(hint) for hint in hints]

    def _fitting(self, hint: Mapping[str, Any]) -> list[Candidate]:
        """By the id that they carry, if they do. Else those the hub made that hold what was sent, the oldest first;
        then those edited since that hold half of it; vaguely, those that hold but the moment.
        """
        here = [held for held in self.service.alive() if held.account == hint["account"] and held.by_hub]
        if self.service.system == CRM and self.service.keeps_external_ids:
            return [Candidate(self.service.as_target(held)) for held in here if held.external_id == hint["external_id"]]
        sent = {name: value for name, value in hint["values"].items() if value is not None}
        alike = {held.key: [held.values.get(name) == value for name, value in sent.items()] for held in here}
        date = DATES[self.service.system]
        whole = [held for held in here if all(alike[held.key])]
        edited = [held for held in here if held not in whole and held.modified_at > held.created_at]
        half = [held for held in edited if 2 * sum(alike[held.key]) >= len(sent)]
        dated = [held for held in edited if held not in half and held.values[date] == sent.get(date)]
        ranked = ((1, whole), (2, half), (3, dated))
        shown = ((doubt, self.service.as_target(held)) for doubt, rank in ranked for held in rank)
        return [Candidate(record, doubt, is_vague=doubt == 3) for doubt, record in shown]

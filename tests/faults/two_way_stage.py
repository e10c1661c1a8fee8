"""A pair in step on which people of both services have worked since; what both must hold when it is synced again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

from cshub.core.records import RunKind
from cshub.core.stats import RunStatistics
from cshub_sandbox.faults import FaultKind
from cshub_sandbox.kernel import LogEntry
from tests.pipeline.lab import Course, Lab
from tests.pipeline.two_way import Kind, Row, Sync, make_sync

COLLECTION = "/composite/sobjects"


class Way(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"

    @property
    def other(self) -> Way:
        return Way.OUTBOUND if self is Way.INBOUND else Way.INBOUND


BOTH_WAYS = (Way.INBOUND, Way.OUTBOUND)


@dataclass
class Work:
    """What people do in both services, and the rows that both must hold once it is synced."""

    sync: Sync
    expected: Counter[Row] = field(default_factory=Counter)
    number: int = 0

    def pairs(self) -> list[tuple[str, str]]:
        """Ids of linked records that people made here: in Salesforce, in Totango. All are dated in the look-back."""
        links = self.sync.links()
        known = sorted((link.source_key, link.target_key) for link in links if link.target_key is not None)
        return [pair for pair in known if self.row_of(Way.INBOUND, pair[0])[1].startswith("Made")]

    def row_of(self, way: Way, key: str) -> Row:
        """The record of the service that a direction reads."""
        if way is Way.INBOUND:
            event = self.sync.in_salesforce(key)
            assert event is not None
            return self.sync.kind.of_salesforce(event)
        note = self.sync.in_totango(key)
        assert note is not None
        account = self.sync.common_accounts()[note["account_id"]]
        return self.sync.kind.of_totango({**note, "account_id": account})

    def make(self, way: Way) -> str:
        """A new record in the service that a direction reads; its id."""
        self.number += 1
        accounts = list(self.sync.common_accounts().items())
        totango_account, crm_id = accounts[self.number % len(accounts)]
        title, text = f"Made {way} {self.number}", f"Words of {way} {self.number}."
        if way is Way.INBOUND:
            key = self.sync.event(WhatId=crm_id, Subject=title, Description=text)
        else:
            key = self.sync.note(totango_account, title, text)
        self.expected[self.row_of(way, key)] += 1
        return key

    def edit(self, way: Way, key: str, *, title: str | None = None, text: str | None = None) -> None:
        """Somebody edits a record; alone, so that its row is what both must hold."""
        self.expected[self.row_of(way, key)] -= 1
        self.change(way, key, title=title, text=text)
        self.expected[self.row_of(way, key)] += 1

    def delete(self, way: Way, key: str) -> None:
        self.expected[self.row_of(way, key)] -= 1
        self.remove(way, key)

    def merge(self, pair: tuple[str, str], *, title: str, text: str) -> None:
        """One field is edited here, another one there."""
        before = self.row_of(Way.INBOUND, pair[0])
        self.change(Way.INBOUND, pair[0], title=title)
        self.sync.lab.wait(minutes=2)
        self.change(Way.OUTBOUND, pair[1], text=text)
        after = (before[0], title, tuple(text.rstrip(".").split()), *before[3:])
        self.expected[before] -= 1
        self.expected[after] += 1

    def conflict(self, pair: tuple[str, str], *, winner: Way) -> None:
        """One field is edited on both sides, on the winner's later."""
        keys = dict(zip(BOTH_WAYS, pair, strict=True))
        self.number += 1
        self.expected[self.row_of(winner, keys[winner])] -= 1
        self.change(winner.other, keys[winner.other], title=f"Loser {self.number}")
        self.sync.lab.wait(minutes=2)
        self.change(winner, keys[winner], title=f"Winner {self.number}")
        self.expected[self.row_of(winner, keys[winner])] += 1

    def edit_against_deletion(self, pair: tuple[str, str], *, edited: Way) -> None:
        """A record is deleted on one side and edited on the other: the edit wins."""
        keys = dict(zip(BOTH_WAYS, pair, strict=True))
        self.number += 1
        self.remove(edited.other, keys[edited.other])
        self.sync.lab.wait(minutes=1)
        self.edit(edited, keys[edited], title=f"Still there {self.number}")

    def change(self, way: Way, key: str, *, title: str | None = None, text: str | None = None) -> None:
        names = ("Subject", "Description") if way is Way.INBOUND else self.sync.kind.totango_texts
        given = dict(zip(names, (title, text), strict=True))
        fields = {name: value for name, value in given.items() if value is not None}
        if way is Way.INBOUND:
            self.sync.edit_salesforce(key, **fields)
        else:
            self.sync.edit_totango(key, **fields)

    def remove(self, way: Way, key: str) -> None:
        if way is Way.INBOUND:
            self.sync.delete_salesforce(key)
        else:
            self.sync.delete_totango(key)


def sent_rows(lab: Lab) -> Counter[str]:
    """Records written so far, by service and method: each row of a call of many counts."""
    found: Counter[str] = Counter()
    for entry in lab.sandbox.log.entries:
        if entry.write and entry.committed and (entry.status < 300 or entry.fault == FaultKind.STATUS_AFTER_COMMIT):
            found[f"{entry.service} {entry.method}"] += _rows_in(entry)
    return found


def _creates(rows: Counter[str]) -> Counter[str]:
    return Counter({name: count for name, count in rows.items() if name.endswith("POST")})


def _rows_in(entry: LogEntry) -> int:
    if COLLECTION not in entry.path:
        return 1
    if entry.method == "DELETE":
        return len(dict(entry.query)["ids"].split(","))
    return len(entry.body["records"])


@dataclass
class Stage:
    """A pair on which people have worked since it was in step. ``total``: rows that an undisturbed sync writes."""

    sync: Sync
    folder: Path
    expected: Counter[Row]
    total: Counter[str] = field(default_factory=Counter)
    forks: int = 0

    def fork(self) -> Sync:
        self.forks += 1
        return replace(self.sync, lab=self.sync.lab.fork(self.folder / f"fork{self.forks}"))

    def course(self, sync: Sync, way: Way, run_id: str | None = None) -> Course:
        return sync.lab.course(RunKind.MANUAL, run_id=run_id, job=job_of(sync, way))

    def boundaries(self, way: Way) -> int:
        """Places at which a run of this direction can die."""
        sync = self.fork()
        self.course(sync, way).go_on()
        sync.lab.ledger.close()
        return len(sync.lab.fuse.places)

    def check(self, sync: Sync, *, total: Counter[str] | None = None, may_repeat: bool = False) -> None:
        """Both services hold what people made of them, and a further round writes nothing.

        ``may_repeat``: changes and deletions may have been sent again after a lost answer, which does no harm.
        """
        expected = +self.expected
        held = {"Salesforce": sync.salesforce(), "Totango": sync.totango()}
        for name, rows in held.items():
            assert rows == expected, {f"missing in {name}": expected - rows, f"beyond in {name}": rows - expected}
        if total is not None:
            sent = sent_rows(sync.lab)
            if may_repeat:
                sent, total = _creates(sent), _creates(total)
            assert sent == total, {"written beyond": sent - total, "not written": total - sent}
        sync.lab.wait(minutes=10)
        before = sent_rows(sync.lab)
        assert (sync.round(), sent_rows(sync.lab)) == (0, before)
        assert sync.lab.ledger.open_intents(sync.lab.new_run().pair) == []


def job_of(sync: Sync, way: Way) -> Any:
    return sync.lab.job if way is Way.INBOUND else sync.lab.back


def run(sync: Sync, way: Way) -> RunStatistics:
    return sync.inbound().statistics if way is Way.INBOUND else sync.outbound().statistics


def rounds(sync: Sync, first: Way, count: int = 2) -> None:
    """Both directions in turn, some minutes apart; every run green."""
    for _ in range(count):
        for way in (first, first.other):
            assert run(sync, way).is_green
            sync.lab.wait(minutes=10)


def make_stage(
    folder: Path, kind: Kind, busy: Callable[[Work], None], *, records: int = 32, first: Way = Way.INBOUND
) -> Stage:
    """A world in step with ``records`` more pairs than it is born with; then ``busy`` people."""
    (folder / "origin").mkdir()
    sync = make_sync(folder / "origin", kind, accounts=8)
    work = Work(sync)
    for _ in range(records):
        work.make(Way.INBOUND)
    sync.round(full=True)
    sync.round(full=True)
    work.expected = sync.salesforce()
    assert work.expected == sync.totango()
    busy(work)
    sync.lab.wait(minutes=10)
    stage = Stage(sync, folder, work.expected)
    undisturbed = stage.fork()
    rounds(undisturbed, first)
    stage.total = sent_rows(undisturbed.lab)
    stage.check(undisturbed, total=stage.total)
    undisturbed.lab.ledger.close()
    return stage


def a_busy_day(work: Work, *, creates: int = 10, edits: int = 8, deletes: int = 4) -> None:
    """Records made, edited and deleted on both sides; merges, conflicts, edits against deletions."""
    pairs = Random(5).sample(work.pairs(), len(work.pairs()))
    for way, place in ((Way.INBOUND, 0), (Way.OUTBOUND, 1)):
        for _ in range(creates):
            work.make(way)
        for number in range(edits):
            work.edit(way, pairs.pop()[place], title=f"Edited {way} {number}", text=f"New words {way} {number}.")
        for _ in range(deletes):
            work.delete(way, pairs.pop()[place])
        work.merge(pairs.pop(), title=f"Merged {way}", text=f"Merged words {way}.")
        work.conflict(pairs.pop(), winner=way)
        work.edit_against_deletion(pairs.pop(), edited=way)

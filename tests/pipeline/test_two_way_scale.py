"""A year of history, synced first in one direction and then in both; then many edits on both sides at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from cshub.core.records import Link
from tests.pipeline.two_way import KINDS, TOUCHPOINTS, Kind, Sync, make_sync

BOTH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
TITLES = {"touchpoints": "subject", "tasks": "title"}
TEXTS = {"touchpoints": "content", "tasks": "description"}


def a_year(folder: Path, kind: Kind, *, accounts: int, records: int) -> Sync:
    """Invented history of both services on accounts that both know; nothing is synced yet.

    Time passes while the hub works, as it does where 100 calls a minute are allowed.
    """
    sync = make_sync(folder, kind)
    sync.lab.call_takes_s = 0.6
    counts = {"events": records, "tasks": 0} if kind is TOUCHPOINTS else {"events": 0, "tasks": records}
    made = sync.lab.act("salesforce", "seed_history", accounts=accounts, days=365, seed=5, **counts)
    for account_id in made["account_ids"]:
        attributes = {"sfid": account_id}
        sync.lab.act("totango", "create_account", id=account_id, name=f"Customer {account_id}", attributes=attributes)
    sync.lab.wait(minutes=1)
    return sync


def in_step(sync: Sync) -> None:
    """First one direction, then both; a further round finds nothing to write."""
    sync.inbound(full=True)
    sync.lab.wait(minutes=10)
    sync.outbound(full=True)
    sync.lab.wait(minutes=10)
    sync.assert_equal()
    assert sync.round(full=True) == 0


@dataclass
class Edits:
    """What users do to chosen pairs, each pair once, and what must be there two rounds later."""

    sync: Sync
    rng: Random
    wanted: dict[str, dict[str, str]] = field(default_factory=dict)
    losers: dict[str, str] = field(default_factory=dict)
    gone: list[tuple[str, str]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def make(self, links: Iterable[Link]) -> None:
        kinds: list[Callable[[str, str], None]] = [
            self.one_side,
            self.both_sides_merge,
            self.both_sides_conflict,
            self.delete,
            self.delete_against_edit,
            self.create,
        ]
        for link in links:
            assert link.target.key is not None
            self.sync.lab.wait(seconds=self.rng.choice((3, 40, 300)))
            act = self.rng.choice(kinds)
            self.done[act.__name__] += 1
            act(link.source_key, link.target.key)

    def one_side(self, event: str, twin: str) -> None:
        name = self.rng.choice(("title", "text"))
        value = self._value("One side")
        (self._in_salesforce if self.rng.random() < 0.5 else self._in_totango)(event, twin, name, value)
        self.wanted[event] = {name: value}

    def both_sides_merge(self, event: str, twin: str) -> None:
        title, text = self._value("Title"), self._value("Text")
        self._in_salesforce(event, twin, "title", title)
        self._in_totango(event, twin, "text", text)
        self.wanted[event] = {"title": title, "text": text}

    def both_sides_conflict(self, event: str, twin: str) -> None:
        name, first, second = self.rng.choice(("title", "text")), self._value("Loser"), self._value("Winner")
        sides = [self._in_salesforce, self._in_totango]
        self.rng.shuffle(sides)
        sides[0](event, twin, name, first)
        self.sync.lab.wait(seconds=5)
        sides[1](event, twin, name, second)
        self.wanted[event] = {name: second}
        self.losers[event] = first

    def delete(self, event: str, twin: str) -> None:
        self._delete(self.rng.choice(("salesforce", "totango")), event, twin)
        self.gone.append((event, twin))

    def delete_against_edit(self, event: str, twin: str) -> None:
        value = self._value("Survivor")
        self._delete("totango", event, twin)
        self._in_salesforce(event, twin, "title", value)
        self.wanted[event] = {"title": value}

    def create(self, event: str, twin: str) -> None:
        self.sync.event(Subject=self._value("New"))

    def check(self) -> None:
        sync, pair = self.sync, self.sync.lab.new_run().pair
        links = sync.lab.ledger.links(pair, list(self.wanted))
        events = {row["Id"]: row for row in sync.lab.sandbox.service("salesforce").state()[sync.kind.salesforce_name]}
        held = sync.lab.sandbox.service("totango").state()[sync.kind.totango_name]
        twins = {str(row[sync.kind.state_id]): row for row in held if not row.get("deleted")}
        for key, values in self.wanted.items():
            twin = twins[str(links[key].target_key)]
            shown = {"title": twin[TITLES[sync.kind.name]], "text": twin[TEXTS[sync.kind.name]].strip()}
            there = {"title": events[key]["Subject"], "text": events[key]["Description"]}
            assert {name: (there[name], shown[name]) for name in values} == {
                name: (value, value) for name, value in values.items()
            }
        for event, twin_key in self.gone:
            assert events[event]["IsDeleted"] and twin_key not in twins
        for key, loser in self.losers.items():
            told = sync.lab.ledger.decisions(pair, key)
            assert any(loser in (change.before, change.after) for row in told for change in row.changes), (key, loser)

    def _value(self, word: str) -> str:
        return f"{word} {self.rng.randrange(10**9)}"

    def _in_salesforce(self, event: str, twin: str, name: str, value: str) -> None:
        self.sync.edit_salesforce(event, **{"Subject" if name == "title" else "Description": value})

    def _in_totango(self, event: str, twin: str, name: str, value: str) -> None:
        names = TITLES if name == "title" else TEXTS
        self.sync.edit_totango(twin, **{names[self.sync.kind.name]: value})

    def _delete(self, side: str, event: str, twin: str) -> None:
        if side == "salesforce":
            self.sync.delete_salesforce(event)
        else:
            self.sync.delete_totango(twin)


def edited(sync: Sync, *, edits: int, seed: int) -> Edits:
    """Edits of users on both sides, then two rounds: both sides agree, every winner right, every loser told."""
    made = Edits(sync, Random(seed))
    made.make(made.rng.sample(sync.links(), edits))
    sync.lab.wait(minutes=10)
    sync.round(full=True)
    sync.round(full=True)
    sync.assert_equal()
    made.check()
    assert sync.round(full=True) == 0
    return made


@BOTH
def test_a_year_of_history_is_the_same_on_both_sides_and_so_it_is_after_many_edits(tmp_path: Path, kind: Kind) -> None:
    sync = a_year(tmp_path, kind, accounts=20, records=200)
    in_step(sync)
    for seed in (1, 2):
        assert len(edited(sync, edits=60, seed=seed).done) == 6


@pytest.mark.campaign
@pytest.mark.timeout(5400)
@BOTH
def test_a_year_of_25_000_records_on_5_000_accounts(tmp_path: Path, kind: Kind) -> None:
    sync = a_year(tmp_path, kind, accounts=5000, records=25_000)
    in_step(sync)
    for seed in (1, 2):
        edited(sync, edits=500, seed=seed)

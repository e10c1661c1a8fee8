from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cshub.core.errors import FencedOut, HubError, LinkMoved, StateError
from cshub.core.records import Intent, Link, Operation, Outcome
from cshub.ledger import Fence, Ledger
from tests.ledger.cast import MINUTE, NOW, begin, entry_of, link_of, open_run, parked

KEYS = ("a", "b", "c")
NUMBERS = count(1)
AGES = st.integers(0, 2)
VERSIONS = st.sampled_from(["create", "current", "wrong"])


@dataclass
class Model:
    """What the ledger should hold, as plainly as it can be said."""

    links: dict[str, Link]
    intents: dict[str, Intent]
    outcomes: dict[str, Outcome]
    fences: list[Fence]
    held: bool = False

    def fence(self, age: int) -> Fence:
        return self.fences[max(0, len(self.fences) - 1 - age)]

    def keep(self, given: Link, stored: Link, run_id: str) -> None:
        """Take in a stored link: the one given, a version later. Its number is new for a new link, else the same."""
        assert given.number in (0, stored.number) and stored.number > 0
        assert stored == replace(given, number=stored.number, version=given.version + 1, run_id=run_id)
        assert stored.number not in {link.number for key, link in self.links.items() if key != stored.source_key}
        self.links[stored.source_key] = stored

    def stale(self, fence: Fence) -> bool:
        return not self.held or fence != self.fences[-1]


def machine_of(ledger: Ledger) -> type[RuleBasedStateMachine]:
    """Takeovers, releases, writes with fences of any age and versions right and wrong, against the model."""

    class Writers(RuleBasedStateMachine):
        @initialize()
        def start(self) -> None:
            self.name = f"pair-{next(NUMBERS)}"
            self.run = f"{self.name}-run"
            self.pair = open_run(ledger, self.run, pair=self.name)
            self.model = Model({}, {}, {}, [])
            self.take_over()

        @rule()
        def take_over(self) -> None:
            fence = ledger.acquire_lock(self.name, holder="h", run_id=self.run, now=NOW, ttl=MINUTE)
            assert all(fence.token > older.token for older in self.model.fences)
            self.model.fences.append(fence)
            self.model.held = True

        @rule(age=AGES)
        def release(self, age: int) -> None:
            fence = self.model.fence(age)
            ledger.release(fence)
            if fence == self.model.fences[-1]:
                self.model.held = False

        @rule(key=st.sampled_from(KEYS), age=AGES, planned=VERSIONS)
        def begin(self, key: str, age: int, planned: str) -> None:
            fence, link = self.model.fence(age), self.model.links.get(key)
            version = link.version if link else 0
            expected = {"create": None, "current": version, "wrong": version + 1}[planned]
            fits = (link is None or link.target_key is None) if expected is None else link and expected == version
            refusal: type[HubError] | None = None
            if self.model.stale(fence):
                refusal = FencedOut
            elif key in self.model.intents or not fits:
                refusal = LinkMoved
            asked = {"run_id": self.run, "operation": Operation.UPDATE, "expected_version": expected}
            intent = self.tried(refusal, lambda: begin(ledger, fence, self.pair, key, **asked))
            if intent is not None:
                self.model.intents[key] = intent

        @precondition(lambda self: self.model.intents)
        @rule(key=st.sampled_from(KEYS), age=AGES, off=st.sampled_from([0, 0, 0, 1]))
        def confirm(self, key: str, age: int, off: int) -> None:
            intent = self.model.intents.get(key) or next(iter(self.model.intents.values()))
            fence, known = self.model.fence(age), self.model.links.get(intent.source_key)
            number, version = (known.number, known.version) if known else (0, 0)
            link = link_of(self.pair, intent.source_key, number=number, version=version + off)
            refusal = FencedOut if self.model.stale(fence) else LinkMoved if off else None
            entry = entry_of(intent.source_key, Outcome.UPDATED)
            stored = self.tried(refusal, lambda: ledger.confirm(fence, intent.id, link=link, decision=entry, now=NOW))
            if stored is not None:
                self.model.keep(link, stored, self.run)
                self.model.outcomes[intent.source_key] = Outcome.UPDATED
                del self.model.intents[intent.source_key]
                self.tried(StateError, lambda: ledger.abandon(fence, intent.id, reason="twice", now=NOW))

        @precondition(lambda self: self.model.intents)
        @rule(age=AGES)
        def abandon(self, age: int) -> None:
            intent, fence = next(iter(self.model.intents.values())), self.model.fence(age)
            refusal = FencedOut if self.model.stale(fence) else None
            self.tried(refusal, lambda: ledger.abandon(fence, intent.id, reason="not there", now=NOW))
            if refusal is None:
                del self.model.intents[intent.source_key]

        @rule(keys=st.sets(st.sampled_from(KEYS), min_size=1), age=AGES, off=st.sampled_from([0, 0, 0, 1]))
        def record(self, keys: set[str], age: int, off: int) -> None:
            fence = self.model.fence(age)
            known = {key: self.model.links.get(key, parked(self.pair, key)) for key in sorted(keys)}
            links = [link.having(source={"modified_at": NOW}, version=link.version + off) for link in known.values()]
            entries = [entry_of(key, Outcome.PARKED) for key in known]
            refusal = FencedOut if self.model.stale(fence) else LinkMoved if off else None
            self.tried(refusal, lambda: ledger.record(fence, self.run, links=links, decisions=entries, now=NOW))
            if refusal is None:
                stored = ledger.links(self.pair, list(known))
                for link in links:
                    self.model.keep(link, stored[link.source_key], self.run)
                    self.model.outcomes[link.source_key] = Outcome.PARKED

        @invariant()
        def the_ledger_holds_what_the_model_holds(self) -> None:
            assert ledger.links(self.pair, KEYS) == self.model.links
            assert {item.source_key: item for item in ledger.open_intents(self.pair)} == self.model.intents
            assert ledger.outcomes(self.run) == self.model.outcomes

        def tried(self, refusal: type[HubError] | None, step: Any) -> Any:
            try:
                answer = step()
            except HubError as error:
                assert refusal is not None and isinstance(error, refusal), f"{error!r} instead of {refusal}"
                return None
            assert refusal is None, f"{refusal} was expected"
            return answer

    return Writers


def test_any_history_of_writers_leaves_what_a_simple_model_says(ledger: Ledger) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine_of(ledger),
        settings=settings(max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=checks),
    )

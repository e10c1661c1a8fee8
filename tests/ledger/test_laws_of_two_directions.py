from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from cshub.core.errors import LinkMoved
from cshub.core.records import Link, LinkSide, LinkState, Pair
from cshub.ledger import Ledger
from cshub.ledger.tables import link as table
from tests.ledger.cast import MINUTE, NOW, open_run

KEYS = ("a", "b", "c")
NUMBERS = count(1)
STATES = st.sampled_from([LinkState.IN_STEP, LinkState.PARKED, LinkState.DELETED])


def machine_of(ledger: Ledger) -> type[RuleBasedStateMachine]:
    """Two jobs of opposite direction store links of records whose ids are alike on both sides.

    The model: number of a link → its left and right key. A store is refused exactly when the model says so.
    """

    class BothWays(RuleBasedStateMachine):
        @initialize()
        def start(self) -> None:
            name = f"both-{next(NUMBERS)}"
            self.run = f"{name}-run"
            self.pair = open_run(ledger, self.run, pair=name)
            self.back = Pair(self.pair.number, mirrored=True)
            self.fence = ledger.acquire_lock(name, holder="h", run_id=self.run, now=NOW, ttl=MINUTE)
            self.model: dict[int, tuple[str | None, str | None]] = {}

        @rule(
            mirrored=st.booleans(),
            source=st.sampled_from(KEYS),
            beside=st.none() | st.sampled_from(KEYS),
            state=STATES,
        )
        def make(self, mirrored: bool, source: str, beside: str | None, state: LinkState) -> None:
            """A link that the job believes to be new."""
            given = Link(self.seen(mirrored), LinkSide(key=source, state=state), LinkSide(key=beside))
            self.store(given, refused=bool(self.holders(self.left_right(given))))

        @rule(
            mirrored=st.booleans(),
            source=st.sampled_from(KEYS),
            beside=st.none() | st.sampled_from(KEYS),
            state=STATES,
            behind=st.sampled_from([0, 0, 0, 1]),
        )
        def change(self, mirrored: bool, source: str, beside: str | None, state: LinkState, behind: int) -> None:
            """A link the job has read, perhaps before it was changed; it may gain, change or lose its target."""
            known = ledger.links(self.seen(mirrored), [source]).get(source)
            if known is None:
                return
            given = known.having(source={"state": state}, target={"key": beside}, version=known.version - behind)
            others = self.holders(self.left_right(given)) - {known.number}
            self.store(given, refused=bool(behind) or any(None not in self.model[other] for other in others))

        def store(self, given: Link, *, refused: bool) -> None:
            try:
                ledger.record(self.fence, self.run, links=[given], decisions=[], now=NOW)
            except LinkMoved:
                assert refused
                return
            assert not refused
            stored = ledger.links(given.pair, [given.source_key])[given.source_key]
            assert stored == replace(given, number=stored.number, version=given.version + 1, run_id=self.run)
            assert given.number in (0, stored.number)
            keys = self.left_right(given)
            for absorbed in self.holders(keys) - {given.number}:
                del self.model[absorbed]
            assert given.number or stored.number not in self.model
            self.model[stored.number] = keys

        @invariant()
        def no_record_is_in_two_links(self) -> None:
            with ledger.database.reading() as connection:
                columns = (table.c.number, table.c.left_key, table.c.right_key)
                rows = connection.execute(select(*columns).where(table.c.pair_id == self.pair.number)).all()
            for held in ([row.left_key for row in rows], [row.right_key for row in rows]):
                assert all(number == 1 for key, number in Counter(held).items() if key is not None)
            assert {row.number: (row.left_key, row.right_key) for row in rows} == self.model

        @invariant()
        def both_directions_see_the_same_links(self) -> None:
            here, there = ledger.links(self.pair, KEYS), ledger.links(self.back, KEYS)
            assert ledger.links_by_target(self.back, KEYS) == {key: item.mirrored() for key, item in here.items()}
            assert ledger.links_by_target(self.pair, KEYS) == {key: item.mirrored() for key, item in there.items()}
            linked = {item.number for item in here.values() if item.is_linked}
            assert linked == {item.number for item in there.values() if item.is_linked}
            assert sorted(linked) == sorted(item.number for item in ledger.linked(self.pair))
            assert [item.target_key for item in ledger.linked(self.pair)] == [
                here[item.source_key].target_key for item in ledger.linked(self.pair)
            ]
            for pair, found in ((self.pair, here), (self.back, there)):
                assert ledger.count_links(pair) == Counter(item.state for item in found.values())
                assert {item.source_key: item for item in ledger.links_in_state(pair, set(LinkState))} == found

        def seen(self, mirrored: bool) -> Pair:
            return self.back if mirrored else self.pair

        def left_right(self, item: Link) -> tuple[str | None, str | None]:
            keys = (item.source.key, item.target.key)
            return keys[::-1] if item.pair.mirrored else keys

        def holders(self, keys: tuple[str | None, str | None]) -> set[int]:
            return {
                number
                for number, held in self.model.items()
                if any(key is not None and key == mine for key, mine in zip(keys, held, strict=True))
            }

    return BothWays


def test_any_stores_of_two_directions_leave_each_record_in_one_link_that_both_see(ledger: Ledger) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine_of(ledger),
        settings=settings(max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=checks),
    )

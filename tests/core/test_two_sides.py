"""Random histories of people and runs on both sides; see :mod:`tests.core.two_sides`.

The campaign of a million, some 300 a second on each core:
``PLANNER_SEEDS=0:1000000 .venv/bin/pytest tests/core/test_two_sides.py -m campaign -s``.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest

from .histories import history_of, shortest, violation_of
from .two_judge import Violation
from .two_sides import Act, History, RunStep, Simulation, Wait
from .two_worlds import SALESFORCE, TOTANGO

EVERYDAY = 3_000
SEEDS = os.environ.get("PLANNER_SEEDS")
BATCH = 2_000
FORTH, BACK = RunStep(SALESFORCE), RunStep(TOTANGO)
FORTH_UNREAD, BACK_UNREAD = RunStep(SALESFORCE, reads_back=False), RunStep(TOTANGO, reads_back=False)


def made(system: str, **values: str) -> Act:
    return Act("create", system, 0, values)


def edit(system: str, **values: str) -> Act:
    return Act("edit", system, 0, values)


def gone(system: str) -> Act:
    return Act("delete", system)


def back(system: str) -> Act:
    return Act("undelete", system)


TOLD: dict[str, History] = {
    "an edit soon after a create that was not read back is told by the service's own clock": History(
        (made(SALESFORCE, start="2026-11-14"), FORTH_UNREAD, edit(TOTANGO, when="2026-11-27")), skews=(0, -600_000)
    ),
    "an edit in a record that the other job made is not taken for what was sent": History(
        (made(TOTANGO, when="2026-11-25"), BACK_UNREAD, edit(SALESFORCE, start="2026-11-28"))
    ),
    "an edit against a deletion brings the record back": History(
        (made(SALESFORCE), FORTH, edit(TOTANGO, assignee="Bo"), gone(SALESFORCE))
    ),
    "an edit of what only the other job reads beats a deletion as well": History(
        (made(SALESFORCE), FORTH, edit(TOTANGO, score="9"), gone(SALESFORCE))
    ),
    "an edit of what one job writes and nobody reads beats a deletion as well": History(
        (made(SALESFORCE), FORTH, BACK, edit(SALESFORCE, day="2026-11-09"), gone(TOTANGO))
    ),
    "a record that came back after an edit had beaten its deletion is merged": History(
        (made(SALESFORCE), FORTH, edit(TOTANGO, title="Theirs"), gone(SALESFORCE), FORTH, back(SALESFORCE), BACK)
    ),
    "a conflict over what only one job carries is told once": History(
        (made(SALESFORCE), FORTH, edit(SALESFORCE, owner="Ada"), Wait(5000), edit(TOTANGO, assignee="Bo"))
    ),
    "an edit between a write and its reading back keeps its own time": History(
        (
            made(SALESFORCE),
            FORTH,
            edit(TOTANGO, when="2026-11-24"),
            RunStep(
                TOTANGO,
                while_reading=(edit(TOTANGO, body="Theirs"),),
                before_reading_back=(edit(SALESFORCE, description="Ours"),),
            ),
        )
    ),
    "an edit of another field that waits does not give our own write its time": History(
        (
            made(SALESFORCE),
            FORTH,
            BACK,
            edit(SALESFORCE, subject="Ours", rating="1"),
            edit(TOTANGO, score="2"),
            FORTH,
        )
    ),
    "an edit that a translation hides takes part in a conflict": History(
        (
            made(SALESFORCE, status="Not Started"),
            FORTH,
            edit(SALESFORCE, status="In Progress"),
            Wait(2000),
            edit(TOTANGO, status="done"),
        )
    ),
    "an edit that a translation hides beats a deletion": History(
        (made(SALESFORCE, status="Not Started"), FORTH, BACK, edit(SALESFORCE, status="In Progress"), gone(TOTANGO))
    ),
    "a value that both sides agreed on is the base from then on": History(
        (
            made(SALESFORCE, status="Not Started"),
            FORTH,
            edit(TOTANGO, status="done"),
            edit(SALESFORCE, status="Completed"),
            BACK,
            Wait(2000),
            edit(SALESFORCE, status="In Progress"),
        )
    ),
    "a first value of what was blank is carried, whoever looks first": History(
        (made(SALESFORCE), FORTH_UNREAD, RunStep(TOTANGO, before_writing=(edit(TOTANGO, score="1"),)))
    ),
    "an update that was not read back leaves fields of the other job as they were": History(
        (made(SALESFORCE, owner="Ada"), FORTH, edit(TOTANGO, body="Theirs", assignee="Bo"), BACK_UNREAD)
    ),
    "a lost write that did not happen is sent again beside edits of the other side": History(
        (
            made(SALESFORCE),
            FORTH_UNREAD,
            edit(SALESFORCE, status="Completed"),
            RunStep(SALESFORCE, lost=2, before_reading_back=(edit(TOTANGO, score="9", body="Theirs"),)),
        )
    ),
    "a lost write that a person seems to have edited may never have happened, and that is told": History(
        (
            made(TOTANGO),
            BACK,
            edit(SALESFORCE, status="Not Started", start="2026-11-13"),
            RunStep(SALESFORCE, lost=2, before_reading_back=(edit(TOTANGO, when="2026-11-03", status="open"),)),
        )
    ),
    "what was lost, and then set back to what it was before both edits, is an edit": History(
        (
            made(SALESFORCE, status="Completed"),
            FORTH,
            edit(SALESFORCE, status="In Progress"),
            edit(TOTANGO, status="open"),
            RunStep(TOTANGO, lost=1, before_reading_back=(edit(SALESFORCE, status="Completed"),)),
        )
    ),
    "what both sides agreed on beside a lost write, and one has set back since, is an edit": History(
        (
            made(SALESFORCE, status="In Progress"),
            FORTH,
            edit(SALESFORCE, status="Completed"),
            edit(TOTANGO, status="done"),
            edit(SALESFORCE, start="2026-11-13"),
            RunStep(SALESFORCE, lost=2, before_reading_back=(edit(TOTANGO, status="open"),)),
        )
    ),
    "what both sides agreed on beside a lost write, and the side that was read has set back, is an edit": History(
        (
            made(TOTANGO, status="done"),
            BACK,
            edit(SALESFORCE, status="In Progress"),
            edit(SALESFORCE, subject="Ours"),
            edit(TOTANGO, status="open"),
            RunStep(SALESFORCE, lost=2, before_reading_back=(edit(SALESFORCE, status="Completed"),)),
        )
    ),
}


def violations(seeds: Iterable[int]) -> dict[int, str]:
    found = ((seed, violation_of(history_of(seed))) for seed in seeds)
    return {seed: violation for seed, violation in found if violation is not None}


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", TOLD)
def test_each_of_these_histories_keeps_every_promise(name: str, full: bool) -> None:
    assert violation_of(replace(TOLD[name], full=full)) is None


@pytest.mark.parametrize("part", range(3))
def test_any_history_ends_in_agreement_with_no_edit_lost_and_no_echo(part: int) -> None:
    size = EVERYDAY // 3
    assert violations(range(part * size, (part + 1) * size)) == {}


@pytest.mark.campaign
@pytest.mark.timeout(7200)
@pytest.mark.skipif(SEEDS is None, reason="PLANNER_SEEDS does not say which histories to play")
def test_a_campaign_of_histories_ends_in_agreement() -> None:
    first, last = (int(seed) for seed in str(SEEDS).split(":"))
    batches = [range(start, min(start + BATCH, last)) for start in range(first, last, BATCH)]
    begun = time.perf_counter()
    found: dict[int, str] = {}
    with ProcessPoolExecutor() as pool:
        for part in pool.map(violations, batches):
            found.update(part)
    spent = time.perf_counter() - begun
    print(f"{last - first} histories, {len(found)} violations, {(last - first) / spent:.0f} histories/s")
    assert found == {}, [shortest(history_of(seed)) for seed in list(found)[:3]]


def test_histories_hold_what_they_are_meant_to_try() -> None:
    told: Counter[str] = Counter()
    for seed in range(400):
        simulation = Simulation(history_of(seed), logging=True)
        simulation.play()
        told.update(simulation.judge.told)
        log = "\n".join(simulation.log)
        told.update(
            word
            for word in ("conflict_source_wins", "conflict_target_kept", "edit_beats_deletion", "both_sides_agree")
            if word in log
        )
        told.update(
            word
            for word in ("the answer is lost", "moved: ", "both_sides_deleted", "undelete", "adopted")
            if word in log
        )
    assert min(told.values()) >= 1
    assert told.keys() >= {
        "conflict_source_wins",
        "conflict_target_kept",
        "edit_beats_deletion",
        "both_sides_agree",
        "the answer is lost",
        "moved: ",
        "both_sides_deleted",
        "undelete",
    }


@pytest.mark.parametrize(
    ("steps", "spoil", "promise"),
    [
        ((), {"title": "somebody else's words"}, "sides differ in subject"),
        ((edit(TOTANGO, title="Theirs"), FORTH, BACK), {"title": "Review"}, "sides differ in subject"),
    ],
)
def test_the_judge_notices_sides_that_differ(
    steps: Sequence[Act | RunStep], spoil: dict[str, str], promise: str
) -> None:
    history = History((made(SALESFORCE, subject="Review"), FORTH, BACK, *steps))
    simulation = Simulation(history)
    simulation.play()
    (held,) = simulation.services[TOTANGO].records.values()
    held.values.update(spoil)
    with pytest.raises(Violation, match=promise):
        simulation.judge.at_rest(simulation.services, simulation.things)


def test_the_judge_notices_a_record_on_one_side_only_and_one_that_is_there_twice() -> None:
    simulation = Simulation(History((made(SALESFORCE, subject="Review"), FORTH, BACK)))
    simulation.play()
    twin = simulation.services[TOTANGO].create(0, {"title": "Review"}, simulation.at)
    with pytest.raises(Violation, match="duplicate"):
        simulation.judge.at_rest(simulation.services, simulation.things)
    for held in simulation.services[TOTANGO].records.values():
        held.deleted = True
    assert twin.deleted
    with pytest.raises(Violation, match="on one side only"):
        simulation.judge.at_rest(simulation.services, simulation.things)

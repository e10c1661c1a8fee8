from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest

from cshub.core.values import iso_ms
from tests.campaigns.defects import DEFECTS
from tests.campaigns.histories import light_frames
from tests.campaigns.simulation.history import Does, History, Step, history_of
from tests.campaigns.simulation.hub import Hub
from tests.campaigns.simulation.services import ACCOUNTS, BEGIN, CRM, DESK
from tests.campaigns.simulation.stories import shortest, story_of, violation_of
from tests.pipeline.crashes import Crash

BOUNDARIES = range(30)
HOURS_S = 4 * 3600.0  # more than a run reads over again
TWO_EVENTS = (Step(Does.CREATE, CRM), Step(Does.CREATE, CRM))


def remade_while_a_run_lay_broken(boundary: int) -> History:
    """A note is read by a run that dies; it is deleted, and made anew by the other job; then the run goes on."""
    steps = (
        Step(Does.CREATE, CRM),
        Step(Does.RUN, CRM),
        Step(Does.CRASH, DESK, boundary),
        Step(Does.DELETE, DESK),
        Step(Does.EDIT, CRM),
        Step(Does.RUN, CRM, pause_s=3600.0),
        Step(Does.GO_ON, DESK),
    )
    return History(0, steps, full=False)


def still_at(boundary: int) -> History:
    """A process stands still while its retry does the work, and wakes up."""
    return History(0, (*TWO_EVENTS, Step(Does.ZOMBIE, CRM, boundary)))


EVERYWHERE = {
    "a process that stood still does not send what its retry has sent": still_at,
    "a record that was read before the other job made it anew is not made once more": remade_while_a_run_lay_broken,
}
ONCE_WRONG = {
    "a run of named records leaves the watermark where it is": History(
        0,
        (*TWO_EVENTS, Step(Does.RUN, CRM), Step(Does.EDIT, CRM, pause_s=HOURS_S), Step(Does.NAMED, CRM, 1)),
        full=False,
    ),
}


@pytest.mark.parametrize("name", EVERYWHERE)
def test_wherever_it_happens(name: str) -> None:
    with light_frames():
        found = {boundary: violation_of(EVERYWHERE[name](boundary)) for boundary in BOUNDARIES}
    assert {boundary: violation for boundary, violation in found.items() if violation} == {}


@pytest.mark.parametrize("name", ONCE_WRONG)
def test_a_history_that_once_ended_wrong_ends_right(name: str) -> None:
    with light_frames():
        assert violation_of(ONCE_WRONG[name]) is None


def test_a_write_that_the_other_direction_settles_is_counted_by_the_run_that_sent_it() -> None:
    for boundary in BOUNDARIES:
        hub = Hub(Random(boundary))
        for thing in (1, 2):
            values = {"subject": f"Title {thing}", "description": "Text", "status": "open", "start": iso_ms(BEGIN)}
            hub.services[CRM].create(thing, ACCOUNTS[0], values)
        hub.clock.sleep(60)
        course = hub.course(CRM)
        hub.fuse.renew(burns_at=1 + boundary)
        with suppress(Crash):
            course.go_on()
        hub.fuse.renew()
        hub.clock.sleep(300)
        hub.course(DESK).go_on()
        hub.clock.sleep(300)
        with light_frames():
            assert (course.loaded or course.go_on()).statistics.created == 2, boundary


def test_the_same_seed_gives_the_same_trace() -> None:
    with light_frames():
        stories = [story_of(history_of(seed)) for seed in (1, 2)]
        assert stories == [story_of(history_of(seed)) for seed in (1, 2)]
    assert stories[0] != stories[1] and "a person creates" in stories[0]


def test_a_history_that_fails_is_shortened_to_what_it_needs() -> None:
    with light_frames(), DEFECTS["updates are not counted"]():
        long = next(history for seed in range(50) if violation_of(history := history_of(seed)) is not None)
        short = shortest(long)
        assert violation_of(short) is not None
    assert len(short.steps) < len(long.steps) / 2

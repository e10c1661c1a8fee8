from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from random import Random

import pytest

from cshub.core.errors import AmbiguousWrite
from cshub.core.ports import Verdict, Write
from cshub.core.values import iso_ms
from tests.campaigns.defects import DEFECTS
from tests.campaigns.histories import light_frames
from tests.campaigns.simulation.history import Does, History, Step, history_of
from tests.campaigns.simulation.hub import Course, Hub
from tests.campaigns.simulation.ports import TargetPort
from tests.campaigns.simulation.services import ACCOUNTS, BEGIN, CRM, DESK, LATE_ACCOUNT, Trouble
from tests.campaigns.simulation.stories import shortest, story_of, violation_of
from tests.pipeline.crashes import Crash

BOUNDARIES = range(30)
HOURS_S = 4 * 3600.0  # more than a run reads over again
WORDS = {
    CRM: {"subject": "Title", "description": "Text", "status": "open", "start": iso_ms(BEGIN)},
    DESK: {"title": "Title", "body": "Text", "status": "open", "when": iso_ms(BEGIN)},
}
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


def deleted_while_a_run_lay_broken(boundary: int) -> History:
    """A record is read by a run that dies; it is deleted, which another run passes over; then the first goes on."""
    steps = (
        Step(Does.CREATE, CRM),
        Step(Does.CRASH, CRM, boundary),
        Step(Does.DELETE, CRM, pause_s=HOURS_S),
        Step(Does.CREATE, CRM),
        Step(Does.RUN, CRM, pause_s=HOURS_S),
        Step(Does.GO_ON, CRM),
    )
    return History(0, steps, full=False)


def lost_and_deleted_while_a_run_lay_broken(boundary: int) -> History:
    """A note of a lost create is read by a run that dies; it is deleted, looked for, made anew; the run goes on."""
    steps = (
        Step(Does.CREATE, CRM),
        Step(Does.CRASH, CRM, boundary),
        Step(Does.CRASH, DESK, 8),
        Step(Does.DELETE, DESK),
        Step(Does.RUN, CRM),
    )
    return History(0, steps, full=False)


def deleted_while_a_run_is_at_work(boundary: int) -> History:
    """A record is deleted, and read as such by another run, while the first makes its counterpart."""
    steps = (Step(Does.CREATE, CRM), Step(Does.OVERTAKEN, CRM, boundary, pause_s=HOURS_S), Step(Does.RUN, CRM))
    return History(0, steps, full=False)


def restored_after(boundary: int) -> History:
    """The ledger is what it was before anything was synced; the service's clock is ahead of the hub's."""
    steps = (*TWO_EVENTS, Step(Does.CREATE, DESK), Step(Does.CRASH, DESK, boundary), Step(Does.RUN, CRM))
    return History(0, (*steps, Step(Does.RESTORE, CRM, 0)), keeps_external_ids=False, skews=(600.0, 0.0))


EVERYWHERE = {
    "a record that was deleted before the run went on is not made": deleted_while_a_run_lay_broken,
    "what a lost create made is not made back when it is gone before the run that read it goes on": (
        lost_and_deleted_while_a_run_lay_broken
    ),
    "a record that was deleted while a run made its counterpart is gone": deleted_while_a_run_is_at_work,
    "what was made since the ledger was copied is found again": restored_after,
    "a process that stood still does not send what its retry has sent": still_at,
    "a record that was read before the other job made it anew is not made once more": remade_while_a_run_lay_broken,
}
ONCE_WRONG = {
    "a record whose counterpart was made anew since the ledger was copied finds it again": History(
        0,
        (
            Step(Does.CREATE, DESK),
            Step(Does.RUN, DESK),
            Step(Does.EDIT, DESK),
            Step(Does.DELETE, CRM),
            Step(Does.EDIT, DESK),
            Step(Does.RUN, DESK),
            Step(Does.RESTORE, CRM, 2),
        ),
        keeps_external_ids=False,
    ),
    "a record that a lost create made is not made back when it is deleted before that is settled": History(
        407430,
        (
            Step(Does.CREATE, CRM, 908),
            Step(Does.CRASH, CRM, 174, pause_s=21600.0),
            Step(Does.OVERTAKEN, DESK, 845, pause_s=90.0),
        ),
    ),
    "a record made anew is held where its counterpart in an old copy of the ledger is not to be seen": history_of(
        20974065
    ),
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


def test_a_daily_job_tries_again_to_carry_over_a_deletion_whose_counterpart_was_not_to_be_seen() -> None:
    hub = Hub(Random(0))
    event = hub.services[CRM].create(1, ACCOUNTS[0], WORDS[CRM])
    hub.clock.sleep(60)
    for source in (CRM, DESK):
        hub.course(source).go_on()
    hub.clock.sleep(60)
    hub.services[CRM].delete(event)
    hub.clock.sleep(26 * 3600)
    hub.faults.kinds, hub.faults.probability, hub.faults.left = (Trouble.HIDDEN,), 1.0, 100
    with light_frames():
        assert hub.course(CRM).go_on().statistics.skipped == {"target_not_readable": 1}
        hub.faults.left = 0
        hub.clock.sleep(25 * 3600)
        assert hub.course(CRM).go_on().statistics.deleted == 1


def test_what_is_never_to_be_seen_holds_up_reading_for_a_day_only() -> None:
    hub = Hub(Random(0))
    event = hub.services[CRM].create(1, ACCOUNTS[0], WORDS[CRM])
    hub.clock.sleep(60)
    for source in (CRM, DESK):
        hub.course(source).go_on()
    hub.services[CRM].delete(event)
    hub.faults.kinds, hub.faults.probability, hub.faults.left = (Trouble.HIDDEN,), 1.0, 10_000
    read = []
    with light_frames():
        for _ in range(40):
            hub.clock.sleep(3600)
            read.append(hub.course(CRM).go_on().statistics.read)
    assert set(read[:24]) == {1}
    assert set(read[-10:]) == {0}


def test_a_run_that_is_gone_on_with_leaves_alone_what_a_later_run_agreed_on() -> None:
    hub = Hub(Random(0))
    note = hub.services[DESK].create(1, ACCOUNTS[0], {**WORDS[DESK], "status": "first"})
    first = broken_off(hub, DESK, "has written")
    hub.services[DESK].change(note, {"status": "second"})
    later(hub, DESK)
    hub.services[DESK].change(note, {"status": "third"})
    hub.clock.sleep(HOURS_S)
    event = hub.services[CRM].of(1)
    assert event is not None
    hub.services[CRM].change(event, {"description": "Other words"})
    first.go_on()
    later(hub, CRM, DESK)
    assert (note.values["status"], event.values["status"], note.values["body"]) == ("third", "third", "Other words")


def test_what_was_edited_while_a_run_lay_broken_arrives_though_another_run_read_the_edit_and_could_not_write_it() -> (
    None
):
    hub = Hub(Random(0))
    event = hub.services[CRM].create(1, LATE_ACCOUNT, WORDS[CRM])
    later(hub, CRM)
    first = broken_off(hub, CRM, "totango accounts")
    hub.services[CRM].change(event, {"description": "Other words"})
    later(hub, CRM)
    hub.services[DESK].accounts.add(LATE_ACCOUNT)
    hub.clock.sleep(HOURS_S)
    first.go_on()
    later(hub, CRM, DESK)
    note = hub.services[DESK].of(1)
    assert note is not None and note.values["body"] == "Other words"


def broken_off(hub: Hub, source: str, place: str) -> Course:
    """A run whose process dies at this place."""
    hub.clock.sleep(60)
    course = hub.course(source)
    hub.fuse.renew()
    hub.fuse.only, hub.fuse.burns_at = place, 1
    with light_frames(), suppress(Crash):
        course.go_on()
    hub.fuse.renew()
    return course


def later(hub: Hub, *sources: str) -> None:
    """Runs, hours apart."""
    for source in sources:
        hub.clock.sleep(HOURS_S)
        with light_frames():
            hub.course(source).go_on()


def test_a_run_beside_which_another_was_at_work_moves_the_watermark_no_further_than_that_one_has_read() -> None:
    """What the other made from an early reading may have been deleted since, long before this run began."""
    hub = Hub(Random(0))
    first, second = hub.course(CRM), hub.course(CRM)
    first.plan()
    opened_at = hub.clock.now()
    hub.clock.sleep(HOURS_S)
    second.plan()
    first.load()
    second.load()
    watermark = hub.ledger.watermark("salesforce_job")
    assert watermark is not None and watermark <= opened_at


@pytest.mark.parametrize("days", [0, 2], ids=["seen-soon", "hidden-for-days"])
def test_a_lost_update_of_a_record_that_cannot_be_read_stays_open_for_a_day(
    days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(Random(0))
    event = hub.services[CRM].create(1, ACCOUNTS[0], WORDS[CRM])
    hub.clock.sleep(60)
    hub.course(CRM).go_on()
    hub.services[CRM].change(event, {"subject": "Said otherwise"})
    hub.clock.sleep(300)
    write = TargetPort.write

    def lost(port: TargetPort, writes: Sequence[Write]) -> list[Verdict]:
        write(port, writes)
        hub.faults.kinds, hub.faults.probability, hub.faults.left = (Trouble.HIDDEN,), 1.0, 1
        raise AmbiguousWrite("the answer was lost")

    with light_frames():
        monkeypatch.setattr(TargetPort, "write", lost)
        numbers = hub.course(CRM).go_on().statistics
        monkeypatch.undo()
        assert (numbers.updated, numbers.skipped) == (0, {"moved_since_plan": 1})
        assert len(hub.ledger.state.intents) == 1
        hub.clock.sleep(300 + days * 86_400)
        hub.faults.left = days
        numbers = hub.course(CRM).go_on().statistics
        assert hub.ledger.state.intents == {}
        assert numbers.updated == 0 or days
    assert [item.values["title"] for item in hub.book if item.system == DESK][:2] == ["Title", "Said otherwise"]


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

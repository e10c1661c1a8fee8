"""Two processes on one pair, and two jobs on one token: one writes at a time, and the budget is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cshub.core.errors import FencedOut, LockHeld
from cshub.ledger import SharedQuota
from cshub.pipeline.locking import locked
from tests.pipeline.cast import meet
from tests.pipeline.crashes import Crash, Fuse, FusedDatabase
from tests.pipeline.lab import Course, Lab, LabClock, Maker
from tests.pipeline.oracle import assert_held


@pytest.fixture(params=["sqlite", "postgresql"])
def busy(request: pytest.FixtureRequest, make_lab: Maker, tmp_path: Path) -> Lab:
    """A lab with ten meetings to load, over each database."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    lab = make_lab(accounts=8, meetings=0, cases=False, ledger_url=url)
    for number in range(10):
        meet(lab, ended_ago_s=600.0 * (number + 1), subject=f"Meeting {number}")
    return lab


def held(lab: Lab) -> None:
    assert_held(lab.sandbox, lab.sandbox.service("chorus").records.by_id.values())


def creates(lab: Lab) -> int:
    return sum(entry.method == "POST" for entry in lab.written())


def test_a_run_that_comes_while_another_loads_is_told_to_wait_and_then_leaves_out_what_is_done(busy: Lab) -> None:
    first, second = busy.course(), busy.course()
    second.plan()
    first.plan()
    busy.fuse.renew(burns_at=40)
    with pytest.raises(Crash):
        first.load()
    busy.fuse.renew()
    with pytest.raises(LockHeld, match="Wait for that run to end"):
        second.load()
    first.load()
    done = second.load()
    assert done.statistics.skipped == {"moved_since_plan": 10}
    assert creates(busy) == 10
    held(busy)


def test_the_lock_of_a_dead_run_expires_and_the_next_run_finishes_its_work(busy: Lab) -> None:
    first = busy.course()
    first.plan()
    busy.fuse.renew(burns_at=33)
    with pytest.raises(Crash):
        first.load()
    busy.fuse.renew()
    busy.wait(minutes=5)
    second = busy.sync()
    assert second.statistics.is_green
    assert creates(busy) == 10
    held(busy)
    before = len(busy.written())
    done = first.insist()
    assert len(busy.written()) == before
    assert done.statistics.is_green


def test_two_runs_at_once_in_threads_make_each_touchpoint_once(busy: Lab) -> None:
    courses = [busy.course(), busy.course()]
    labs = [replace(busy, ledger=busy.ledger, fuse=busy.fuse) for _ in courses]
    troubles: list[BaseException] = []

    def drive(course: Course, lab: Lab) -> None:
        for _ in range(40):
            try:
                course.go_on()
                return
            except LockHeld:
                lab.wait(seconds=5)
            except BaseException as error:
                troubles.append(error)
                return

    threads = [
        threading.Thread(target=drive, args=(course.on(lab), lab)) for course, lab in zip(courses, labs, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert troubles == []
    assert creates(busy) == 10
    held(busy)


@dataclass
class Pause(Fuse):
    """Lets somebody else act at one boundary, once."""

    at: str = ""
    act: Callable[[], None] = lambda: None
    skip: int = 0

    def step(self, place: str) -> None:
        super().step(place)
        if self.at in place:
            self.skip -= 1
            if self.skip == -1:
                self.act()


def test_an_orphan_stops_at_its_next_write_when_the_retry_has_taken_over(busy: Lab) -> None:
    course = busy.course()
    course.plan()
    retry = course.on(busy)
    orphan = fork_process(busy, "after POST /api/v3/touchpoints/", lambda: retry.load(), skip=3)
    with pytest.raises(FencedOut, match="must not write any more"):
        course.on(orphan).load()
    assert creates(busy) == 10
    held(busy)


def test_an_orphan_that_waited_for_its_budget_does_not_send_what_the_retry_has_sent(busy: Lab) -> None:
    course = busy.course()
    course.plan()
    retry = course.on(busy)

    @dataclass
    class SlowBudget:
        """Grants the sixth call only minutes later; meanwhile the supervisor has started the retry."""

        asked: int = 0

        def acquire(self, count: int = 1) -> float:
            self.asked += 1
            if self.asked == 6:
                busy.wait(minutes=1)
                retry.load()
                return 60.0
            return 0.0

        def penalise(self, until_s: float) -> None:
            """Nothing is counted."""

        def forecast(self, calls: int) -> float:
            return 0.0

    orphan = replace(busy, quota=SlowBudget())
    with pytest.raises(FencedOut):
        course.on(orphan).load()
    assert creates(busy) == 10
    held(busy)


def fork_process(lab: Lab, at: str, act: Callable[[], object], *, skip: int) -> Lab:
    """A second process on the same world and the same ledger; at a boundary something else happens first."""
    pause = Pause(at=at, act=lambda: (act(), None)[1], skip=skip)
    ledger = type(lab.ledger)(FusedDatabase(lab.ledger.database.url.render_as_string(hide_password=False), pause))
    return replace(lab, ledger=ledger, fuse=pause)


def test_a_write_that_an_earlier_run_left_open_counts_in_the_later_run_as_what_it_is_there(busy: Lab) -> None:
    first = busy.course()
    first.plan()
    busy.fault("drop_after_commit", service="totango", only_writes=True, nth=2)
    busy.fuse.renew(burns_at=4)
    busy.fuse.only = "POST /api/v3/touchpoints/"
    with pytest.raises(Crash):
        first.load()
    busy.fuse.renew()
    busy.wait(minutes=5)
    statistics = busy.sync().statistics
    assert (statistics.created, statistics.unchanged) == (8, 2)
    assert creates(busy) == 10
    held(busy)


def test_a_change_that_came_after_a_lost_create_is_sent_by_the_run_that_settles_it(busy: Lab) -> None:
    item = meet(busy, subject="Newest", ended_ago_s=60.0, summary="First words.")
    first = busy.course()
    first.plan()
    busy.fuse.renew(burns_at=2)
    busy.fuse.only = "POST /api/v3/touchpoints/"
    with pytest.raises(Crash):
        first.load()
    busy.fuse.renew()
    busy.act("chorus", "edit_meeting", id=item.id, summary="Second words.")
    busy.wait(minutes=5)
    busy.sync()
    held(busy)
    assert busy.sync().statistics.writes == 0


def test_a_lost_create_that_a_user_edited_before_it_was_settled_is_recognised_and_the_edit_kept(busy: Lab) -> None:
    first = busy.course()
    first.plan()
    busy.fuse.renew(burns_at=2)
    busy.fuse.only = "POST /api/v3/touchpoints/"
    with pytest.raises(Crash):
        first.load()
    busy.fuse.renew()
    [made] = [item for item in busy.touchpoints() if item["by_api"]]
    busy.wait(minutes=1)
    busy.act("totango", "edit_touchpoint", note_id=made["note_id"], content="Words of a user.")
    busy.wait(minutes=5)
    busy.sync()
    assert creates(busy) == 10
    [item] = [item for item in busy.sandbox.service("chorus").records.by_id.values() if item.subject == made["subject"]]
    busy.act("chorus", "edit_meeting", id=item.id, summary="The source goes on.")
    busy.wait(minutes=10)
    assert busy.sync().statistics.conflicts_kept == 1
    [after] = [touchpoint for touchpoint in busy.touchpoints() if touchpoint["note_id"] == made["note_id"]]
    assert after["content"].strip() == "Words of a user."


def test_identical_meetings_whose_answers_are_all_lost_become_one_touchpoint_each(quiet: Lab) -> None:
    start = quiet.clock.now().isoformat()
    quiet.wait(hours=1)
    twins = [meet(quiet, subject="Twins", summary="The same.", starts_at=start).id for _ in range(3)]
    quiet.fault("drop_after_commit", service="totango", only_writes=True)
    done = quiet.sync()
    assert (done.statistics.created, creates(quiet)) == (3, 3)
    links = quiet.ledger.links(done.run.pair, twins)
    assert len({link.target_key for link in links.values()}) == 3


class Turns:
    """Time of a lab in which several threads are at work: it passes only while each of them sleeps or has ended.

    Calls take no time then, as next to none in a real minute: the margin of the budget is for no more than that.
    """

    def __init__(self, clock: LabClock) -> None:
        self.threads: Sequence[threading.Thread] = ()
        self._clock, self._due, self._changed = clock, dict[int, datetime](), threading.Condition()

    def sleep(self, seconds: float) -> None:
        with self._changed:
            until = self._due[threading.get_ident()] = self._clock.now() + timedelta(seconds=seconds)
            while (now := self._clock.now()) < until:
                next_due = min(self._due.values())
                if next_due > now and all(item.ident in self._due or not item.is_alive() for item in self.threads):
                    self._clock.sandbox.clock.advance(next_due - now)
                    self._changed.notify_all()
                else:
                    self._changed.wait(0.02)
            del self._due[threading.get_ident()]


def test_two_jobs_on_one_token_keep_to_the_budget_together(busy: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(90):
        meet(busy, ended_ago_s=100.0 * (number + 1000), subject=f"Old {number}")
    busy.sandbox.service("totango").switches.rate_limit = 100
    turns = Turns(busy.clock)
    monkeypatch.setattr(LabClock, "sleep", lambda _clock, seconds: turns.sleep(seconds))
    quota = SharedQuota(
        busy.ledger,
        name="token",
        limit=100,
        clock=lambda: busy.clock.now().timestamp(),
        sleep=turns.sleep,
    )
    shared = replace(busy, quota=quota)
    other = replace(
        shared, job=busy.job.model_copy(update={"job": busy.job.job.model_copy(update={"id": "other_job"})})
    )
    start = busy.sandbox.clock.now()
    courses = [shared.course(), other.course(run_id="other")]
    for course in courses:
        course.plan()
    threads = [threading.Thread(target=course.load) for course in courses]
    turns.threads = threads
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert all(course.done is not None for course in courses)
    calls = sorted(entry.at for entry in busy.sandbox.log.entries if entry.service == "totango" and entry.at >= start)
    assert len(calls) > 200
    for place, at in enumerate(calls[:-100]):
        assert calls[place + 100] - at >= timedelta(seconds=60)
    assert all(entry.status != 429 for entry in busy.sandbox.log.entries)


def test_a_lock_is_renewed_while_calls_wait_for_their_budget(busy: Lab) -> None:
    run = busy.new_run()
    busy.course(run_id=run.run_id).plan()
    with locked(run) as fence:
        for _ in range(5):
            busy.wait(minutes=2)
            run.guard.check()
        with pytest.raises(LockHeld), locked(busy.new_run()):
            pass
    assert fence.token == 1

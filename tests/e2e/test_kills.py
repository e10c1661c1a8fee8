"""kill -9 in the middle of loads, with answers that get lost: nothing is doubled, nothing is lost."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from cshub_runtime.processes import marked
from tests.e2e.stage import Scene, Stage, await_true

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(420)]

KILLS_A_RUN = 4
JOBS = ("killed_1", "killed_2", "killed_3", "killed_4", "killed_5")
OLDEST_DAYS, YOUNGEST_DAYS = 100, 12
"""Meetings of these days have their summaries, and none of them was imported before."""
WORLD = {"seed": 23, "accounts": 14, "meetings": 360}


class LoadTask:
    """The load task of one run, as a process of this machine."""

    def __init__(self, stage: Stage, job_id: str, run_id: str) -> None:
        self._stage, self._job_id, self._run_id = stage, job_id, run_id
        self.killed: set[int] = set()

    def process(self, timeout_s: float = 90.0) -> psutil.Process | None:
        """The process that runs the task now; None when the run has ended."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._stage.rest.run_state(self._job_id, self._run_id).finished:
                return None
            title = f"airflow worker -- {self._stage.task(self._job_id, self._run_id, 'load')['id']}"
            for process in marked(self._stage.airflow.home):
                if process.pid not in self.killed and _title(process).startswith(title):
                    return process
            time.sleep(0.05)
        raise AssertionError(f"no load task of {self._job_id} in {timeout_s:.0f} s")


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def windows(now: datetime) -> list[tuple[datetime, datetime]]:
    """Stretches of time before ``now``, one for each job, with about as many meetings each."""
    oldest, youngest = now - timedelta(days=OLDEST_DAYS), now - timedelta(days=YOUNGEST_DAYS)
    step = (youngest - oldest) / len(JOBS)
    return [(oldest + step * number, oldest + step * (number + 1)) for number in range(len(JOBS))]


@pytest.fixture(scope="module")
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def undisturbed(stage: Stage, now: datetime) -> Scene:
    """The same world, synced in one run that nothing disturbs."""
    scene = stage.scene("still", now=now, **WORLD)
    start, end = windows(now)[0][0], windows(now)[-1][1]
    stage.run("untroubled", window_start=start, window_end=end)
    return scene


@pytest.fixture(scope="module")
def storm(stage: Stage, now: datetime) -> Iterator[Scene]:
    scene = stage.scene("storm", now=now, **WORLD)
    scene.control.add_fault("drop_after_commit", service="totango", only_writes=True, every=11)
    scene.control.add_fault("slow", service="totango", only_writes=True, delay_s=0.25)
    yield scene
    scene.control.clear_faults()


def kill_again_and_again(stage: Stage, job_id: str, window: tuple[datetime, datetime]) -> tuple[str, int]:
    """One run whose load task is killed at places that differ; the run's id and how often it was killed.

    Every second kill comes some time after the start of the task, wherever it is then, the others after some writes.
    """
    places = random.Random(job_id)
    run_id = stage.start(job_id, window_start=window[0], window_end=window[1])
    task = LoadTask(stage, job_id, run_id)
    with stage.ledger() as ledger:
        while len(task.killed) < KILLS_A_RUN:
            process = task.process()
            if process is None:
                break
            if len(task.killed) % 2:
                time.sleep(places.uniform(0.2, 3.0))
            else:
                wanted = len(ledger.decisions_of_run(f"{job_id}:{run_id}")) + places.randint(1, 6)
                while process.is_running() and len(ledger.decisions_of_run(f"{job_id}:{run_id}")) < wanted:
                    time.sleep(0.05)
                time.sleep(places.uniform(0.0, 0.3))
            if process.is_running():
                process.kill()
                task.killed.add(process.pid)
    stage.finish(job_id, run_id)
    return run_id, len(task.killed)


def test_twenty_kills_and_lost_answers_double_nothing_and_lose_nothing(
    stage: Stage, undisturbed: Scene, storm: Scene, now: datetime
) -> None:
    with ThreadPoolExecutor(len(JOBS)) as pool:
        runs = list(pool.map(lambda item: kill_again_and_again(stage, *item), zip(JOBS, windows(now), strict=True)))
    assert sum(kills for _, kills in runs) == KILLS_A_RUN * len(JOBS)
    held, wanted = storm.written(), undisturbed.written()
    assert [note for note, times in held.items() if times > 1] == [], "doubled"
    assert held - wanted == Counter(), "made of nothing"
    assert wanted - held == Counter(), "lost"
    for job_id, (run_id, _) in zip(JOBS, runs, strict=True):
        assert stage.task(job_id, run_id, "load")["try_number"] > KILLS_A_RUN
        assert stage.statistics(job_id, run_id)["failed"] == 0


def test_after_the_kills_a_further_run_writes_nothing(stage: Stage, storm: Scene, now: datetime) -> None:
    storm.control.clear_faults()
    before = storm.writes()
    started = {
        job_id: stage.start(job_id, window_start=window[0], window_end=window[1])
        for job_id, window in zip(JOBS, windows(now), strict=True)
    }
    for job_id, run_id in started.items():
        stage.finish(job_id, run_id)
    assert storm.writes() == before


def test_an_orphan_whose_supervisor_was_killed_cannot_write_beside_its_retry(stage: Stage, now: datetime) -> None:
    scene = stage.scene("orphan", now=now, seed=29, accounts=10, meetings=120)
    scene.control.add_fault("slow", service="totango", only_writes=True, delay_s=0.8)
    window = now - timedelta(days=60), now - timedelta(days=12)
    run_id = stage.start("orphaned", window_start=window[0], window_end=window[1])
    orphan = LoadTask(stage, "orphaned", run_id).process()
    assert orphan is not None
    await_true("a first write", lambda: scene.writes() > 2)
    supervisor = orphan.parent()
    assert supervisor is not None
    supervisor.kill()
    stage.finish("orphaned", run_id)
    scene.control.clear_faults()
    assert stage.task("orphaned", run_id, "load")["try_number"] == 2
    assert set(scene.held().values()) == {1}
    assert set(scene.held()) == set(scene.expected(*window))
    orphan.wait(timeout=30)

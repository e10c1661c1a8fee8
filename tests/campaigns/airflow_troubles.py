"""What is done to a running Airflow in the middle of a run. Each trouble strikes one run and returns those it began."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import orjson
import psutil

from cshub.operators.steps import DIFF, EXTRACT, LOAD, MAP
from cshub_runtime.connections import environment_of
from cshub_runtime.rest import RunState
from cshub_runtime.settings import MARKER
from tests.campaigns.airflow_lanes import Lane, Verdict
from tests.campaigns.airflow_scenes import BEGINS_WITHIN_S, Scene, Struck
from tests.campaigns.airflow_stage import Stuck, await_true

ORPHAN_WRITES_S = 10.0
"""How long a write of an orphaned load takes: it is at work for longer than its next try waits for it."""
BUSY = 3
COMMAND_S = 170.0
LATER = 3
"""Exit status of ``cshub`` when the same command may succeed later."""


class Trouble(StrEnum):
    """What one run suffers."""

    RUNNER_KILLED = "task process killed"
    SUPERVISOR_KILLED = "supervisor of a task killed"
    PAUSED = "DAG paused and unpaused"
    RESULT_LOST = "XCom removed"
    TWO_RUNS = "two runs at once"
    COMMAND_BESIDE = "cshub run beside"
    CLEARED_AGAIN = "cleared after success"
    MARKED_FAILED = "marked failed, then cleared"


@dataclass(frozen=True, slots=True)
class Case:
    """``task``: in the middle of which the trouble comes; ``number`` tells cases of a lane apart."""

    trouble: Trouble
    task: str
    number: int


def play(lane: Lane, case: Case, seed: int, *, clean_run: bool) -> Verdict:
    """People work, the trouble comes, every run is brought to its end, and the services are looked at."""
    busy = BUSY if (case.trouble, case.task) == (Trouble.SUPERVISOR_KILLED, LOAD) else 1
    told = f"{case.trouble} in {case.task}"
    scene = Scene.set(lane, seed, f"case {case.number}", told, case.task, busy=busy)
    struck = _STRIKES[case.trouble](scene)
    return scene.end(struck, clean_run=clean_run)


def _runner_killed(scene: Scene) -> Struck:
    run_id = scene.lane.start(scene.job)
    process = scene.middle(run_id)
    if process is None:
        scene.judge.verdict.struck = False
    else:
        _kill(process)
    return Struck([(scene.job, run_id)])


def _supervisor_killed(scene: Scene) -> Struck:
    """The task goes on as an orphan beside its next try; a load is so slow that it is still at work then."""
    if scene.task == LOAD:
        scene.lane.slowly(writes_s=ORPHAN_WRITES_S)
    run_id = scene.lane.start(scene.job)
    orphan = scene.middle(run_id)
    supervisor = orphan.parent() if orphan else None
    if orphan is None or supervisor is None:
        scene.judge.verdict.struck = False
        return Struck([(scene.job, run_id)])
    _kill(supervisor)
    return Struck([(scene.job, run_id)], orphan=orphan)


def _paused(scene: Scene) -> Struck:
    run_id = scene.lane.start(scene.job)
    scene.judge.verdict.struck = scene.middle(run_id) is not None
    scene.ground.rest.pause(scene.job)
    time.sleep(scene.rng.uniform(0.5, 4.0))
    scene.ground.rest.unpause(scene.job)
    return Struck([(scene.job, run_id)])


def _result_lost(scene: Scene) -> Struck:
    """What a task left is gone before the next one reads it; the error says what to clear, and that helps."""
    task, verdict = scene.task, scene.judge.verdict
    run_id = scene.lane.start(scene.job)
    struck = Struck([(scene.job, run_id)], replanned=True)
    scene.middle(run_id)
    scene.ground.rest.pause(scene.job)
    if not await_true(lambda: scene.ground.tasks(scene.job, run_id)[task]["state"] == "success", BEGINS_WITHIN_S):
        raise Stuck(f"{task} of {scene.job} {run_id} does not end\n{scene.ground.story(scene.job, run_id)}")
    scene.ground.forget_result(scene.job, run_id, task)
    scene.ground.rest.unpause(scene.job)
    if scene.judge.see(scene.job, run_id):
        verdict.struck = False
        return struck
    row = scene.ground.run_row(f"{scene.job}:{run_id}")
    if row is None or f"clear {task} and the tasks after it" not in (row.error or ""):
        verdict.note("red_without_next_step", 1, f"the result of {task} was removed; told: {row and row.error}")
    scene.ground.rest.clear(scene.job, run_id, [task])
    return struck


def _two_runs(scene: Scene) -> Struck:
    """The DAG's limit of one run at a time is lifted, as a backfill lifts it."""
    rest, job = scene.ground.rest, scene.job
    scene.ground.allow_runs_at_once(job, 2)
    first = scene.lane.start(job)
    scene.middle(first)
    scene.ground.allow_runs_at_once(job, 2)
    second = scene.lane.start(job)
    await_true(lambda: rest.run_state(job, second) is not RunState.QUEUED or rest.run_state(job, first).finished, 60)
    scene.judge.verdict.struck = not rest.run_state(job, first).finished
    return Struck([(job, first), (job, second)])


def _command_beside(scene: Scene) -> Struck:
    folder = scene.ground.stage.folder / f"command-{scene.lane.place.name}"
    folder.mkdir(exist_ok=True)
    with _command(scene, folder) as command:
        time.sleep(scene.rng.uniform(0.0, 6.0))
        run_id = scene.lane.start(scene.job)
        struck = Struck([(scene.job, run_id)])
        output, errors = command.communicate(timeout=COMMAND_S)
    told = orjson.loads(output) if output.startswith(b"{") else {}
    if command.returncode == 0:
        struck.of_commands.append(told["run_id"])
    elif command.returncode != LATER or not told.get("error"):
        told_it = f"cshub run ended with {command.returncode}: {output.decode()} {errors.decode()[-2000:]}"
        scene.judge.verdict.note("red_without_next_step", 1, told_it)
    return struck


@contextmanager
def _command(scene: Scene, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``cshub run`` in an Airflow of its own, on the ledger of the running one."""
    shared = scene.ground.stage.airflow.environment()
    ours = {name: shared[name] for name in shared if name.startswith("CSHUB_") and name != MARKER}
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CSHUB_"))}
    connections = dict(environment_of(connection) for connection in scene.lane.connections())
    process = subprocess.Popen(
        [Path(sys.executable).with_name("cshub"), "run", scene.job, "--json"],
        env={**plain, **ours, **connections},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _cleared_again(scene: Scene) -> Struck:
    run_id = scene.lane.start(scene.job)
    struck = Struck([(scene.job, run_id)], replanned=scene.task in (EXTRACT, MAP, DIFF))
    scene.judge.heal(scene.job, run_id)
    scene.ground.rest.clear(scene.job, run_id, [scene.task])
    return struck


def _marked_failed(scene: Scene) -> Struck:
    run_id = scene.lane.start(scene.job)
    process = scene.middle(run_id)
    scene.judge.verdict.struck = process is not None
    scene.ground.mark_failed(scene.job, run_id)
    time.sleep(scene.rng.uniform(0.0, 3.0))
    scene.ground.rest.clear(scene.job, run_id)
    return Struck([(scene.job, run_id)], replanned=True, orphan=process)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


_STRIKES: Mapping[Trouble, Callable[[Scene], Struck]] = {
    Trouble.RUNNER_KILLED: _runner_killed,
    Trouble.SUPERVISOR_KILLED: _supervisor_killed,
    Trouble.PAUSED: _paused,
    Trouble.RESULT_LOST: _result_lost,
    Trouble.TWO_RUNS: _two_runs,
    Trouble.COMMAND_BESIDE: _command_beside,
    Trouble.CLEARED_AGAIN: _cleared_again,
    Trouble.MARKED_FAILED: _marked_failed,
}

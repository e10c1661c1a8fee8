"""What all runs of an Airflow suffer together, and runs of many kinds over the same window."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from enum import StrEnum
from random import Random

from cshub_runtime.rest import RunState
from tests.campaigns.airflow_lanes import BACKFILLED, Judge, Lane, Verdict, drawn, intervals
from tests.campaigns.airflow_scenes import Scene, Struck
from tests.campaigns.airflow_stage import Ground, await_true, restart_database


class Outage(StrEnum):
    """What all runs of an Airflow suffer together."""

    SCHEDULER = "scheduler killed"
    API_SERVER = "api-server killed"
    DAG_PROCESSOR = "dag-processor killed"
    DATABASE_STOPPED = "database stopped and started"
    DATABASE_CRASHED = "database crashed and started"


def strike(ground: Ground, outage: Outage, rng: Random) -> None:
    """The outage, and its end."""
    ground.count_endings_anew()
    if outage in _COMPONENTS:
        ground.kill_component(_COMPONENTS[outage])
        return
    request = signal.SIGINT if outage is Outage.DATABASE_STOPPED else signal.SIGQUIT
    restart_database(ground.stage, request, rng.uniform(0.2, 3.0))


_COMPONENTS: Mapping[Outage, str] = {
    Outage.SCHEDULER: "scheduler",
    Outage.API_SERVER: "api-server",
    Outage.DAG_PROCESSOR: "dag-processor",
}


def play_outage(
    lanes: Sequence[Lane], outage: Outage, tasks: Sequence[str], seed: int, number: int, *, clean_run: bool
) -> list[Verdict]:
    """One outage in the middle of a run of every lane, at a moment in one of these tasks of one of them."""
    rng = drawn(seed, outage, number)
    scenes = [Scene.set(lane, seed, f"outage {number}", outage, rng.choice(tasks)) for lane in lanes]
    runs = [(scene, Struck([(scene.job, scene.lane.start(scene.job))])) for scene in scenes]
    chosen, struck = rng.choice(runs)
    in_time = chosen.middle(struck.runs[0][1]) is not None
    strike(chosen.ground, outage, rng)
    for scene in scenes:
        scene.judge.verdict.struck = in_time
    with ThreadPoolExecutor(len(lanes)) as pool:
        return list(pool.map(lambda pair: pair[0].end(pair[1], clean_run=clean_run), runs))


def play_backfill(lane: Lane, seed: int) -> Verdict:
    """Runs by hand, by schedule and of a backfill read the same window at once, in a world that was never synced."""
    rng = drawn(seed, lane.place.name, "backfill")
    judge = Judge.of(lane, f"seed {seed}, lane {lane.place.name}: backfill over live runs")
    job = lane.jobs[0]
    first, last, end = intervals(datetime.now(UTC), BACKFILLED)
    lane.slowly()
    by_hand = [(name, lane.start(name, window_start=first, window_end=end)) for name in lane.jobs]
    await_true(lambda: lane.ground.rest.run_state(*by_hand[0]) is not RunState.QUEUED, 60)
    time.sleep(rng.uniform(0.0, 6.0))
    lane.ground.rest.backfill(job, first, last, max_active_runs=3)
    for name, run_id in by_hand:
        judge.heal(name, run_id)
    for name in lane.jobs:
        for run in lane.ground.rest.runs(name):
            judge.heal(name, str(run["dag_run_id"]))
    lane.at_full_speed()
    wanted, held = lane.world.of_window(first, end), lane.world.held()["Totango"]
    judge.verdict.note("lost", (wanted - held).total(), f"of the window {first} to {end}: {wanted - held}")
    judge.verdict.note("doubled", lane.bring_in_step(), "rows beyond those that either service was born with")
    judge.records()
    judge.clean_run()
    return judge.verdict

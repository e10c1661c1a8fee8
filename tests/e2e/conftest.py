"""One Airflow for all end-to-end tests, with a job file for each of their scenes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page

from cshub.settings import PROJECT
from cshub_runtime.settings import Login
from cshub_runtime.story import PROLOGUE
from cshub_runtime.supervisor import LocalAirflow
from tests.e2e import hub
from tests.e2e.browser import signed_in
from tests.e2e.hub import Hub
from tests.e2e.notice_board import NoticeBoard, write_documented_files
from tests.e2e.stage import Scene, Stage, job_text

TWICE_A_MONTH: Mapping[str, Any] = {"kind": "cron", "cron": "0 0 1,16 * *"}
MANUAL: Mapping[str, Any] = {"kind": "manual"}

JOBS: Mapping[str, Mapping[str, Any]] = {
    "first_sync": {"scene": "calm"},
    "backfilled_by_command": {"scene": "past", "schedule": TWICE_A_MONTH},
    "backfilled_by_rest": {"scene": "past_again", "schedule": TWICE_A_MONTH},
    **{f"killed_{number}": {"scene": "storm", "schedule": MANUAL, "retries": 12} for number in range(1, 6)},
    "orphaned": {"scene": "orphan", "schedule": MANUAL},
    "untroubled": {"scene": "still", "schedule": MANUAL},
    "rush_early": {"scene": "rush", "schedule": MANUAL},
    "rush_late": {"scene": "rush", "schedule": MANUAL},
    "crowded": {"scene": "crowd", "schedule": MANUAL},
    "guarded": {"scene": "gate", "schedule": MANUAL, "guard": {"create": {"count": 3}}},
    "refused": {"scene": "barrier", "schedule": MANUAL, "guard": {"create": {"count": 3}}},
    "wrong_token": {"scene": "wrong", "schedule": MANUAL},
    "away": {"scene": "away", "schedule": MANUAL, "retries": 8},
    **hub.JOBS,
}


@pytest.fixture(scope="session")
def notices() -> Iterator[NoticeBoard]:
    """The chat channel that the documented notices tell."""
    with NoticeBoard.opened() as board:
        yield board


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory, notices: NoticeBoard) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("e2e")
    jobs = folder / "jobs"
    jobs.mkdir()
    for job_id, settings in JOBS.items():
        (jobs / f"{job_id}.yaml").write_text(job_text(job_id, **settings), encoding="utf-8")
    (jobs / "broken.yaml").write_text(job_text("broken", "calm", allow_new_records="perhaps"), encoding="utf-8")
    dags = folder / "dags"
    shutil.copytree(PROJECT / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    write_documented_files(folder)
    airflow = LocalAirflow(
        folder / "home",
        dags_dir=dags,
        jobs_dir=jobs,
        logins=(Login("admin", "e2e-admin"), Login("ana", "e2e-ana", "user"), Login("vic", "e2e-vic", "viewer")),
        durable=False,
        environment={
            "CSHUB_RETRY_DELAY_S": "1",
            "NOTICES_URL": notices.url,
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
        },
    )
    with airflow:
        airflow.rest.await_dags(JOBS)
        found = Stage(airflow, folder)
        with found.running:
            yield found
            airflow.stop()


@pytest.fixture(scope="session", name="hub")
def hub_of_six_jobs(stage: Stage) -> Hub:
    """Three services whose six jobs have had their first and their second syncs."""
    found = Hub(stage, stage.scene(hub.SCENE, seed=71, accounts=8, meetings=60))
    found.open(PROLOGUE)
    return found


@pytest.fixture
def page(stage: Stage) -> Iterator[Page]:
    """Airflow's pages in a browser, as the user Ana sees them."""
    with signed_in(stage.airflow.base_url, "ana", "e2e-ana") as found:
        yield found


@dataclass(frozen=True)
class Rush:
    """Two runs that share one token and its true limit; ``windows`` are theirs, in the order of ``runs``."""

    scene: Scene
    runs: Mapping[str, str]
    windows: Sequence[tuple[datetime, datetime]]


@pytest.fixture(scope="session", autouse=True)
def rush(stage: Stage) -> Rush:
    """Begun before anything else, because the true limit makes it last minutes; judged in test_quota.py."""
    now = datetime.now(UTC)
    scene = stage.prepared_scene("rush", ["--seed=67", "--accounts=12", "--meetings=560"])
    scene.process.start()
    scene.connect(calls_per_minute=None)
    middle = now - timedelta(days=48)
    windows = [(now - timedelta(days=90), middle), (middle, now - timedelta(days=10))]
    runs = {
        job_id: stage.start(job_id, window_start=start, window_end=end)
        for job_id, (start, end) in zip(("rush_early", "rush_late"), windows, strict=True)
    }
    return Rush(scene, runs, windows)

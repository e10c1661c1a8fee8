"""People who use Airflow's pages and its REST API while a sync runs."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import requests

from tests.e2e.stage import Stage

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(240)]

JOB = "crowded"
REQUESTS_A_SECOND = 4.0
FOR_S = 15.0


def a_user(base_url: str, name: str, password: str, paths: list[str]) -> Counter[int]:
    """Four requests a second for a while; how often each status was answered."""
    session = requests.Session()
    session.trust_env = False
    answer = session.post(f"{base_url}/auth/token", json={"username": name, "password": password}, timeout=30)
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    statuses: Counter[int] = Counter()
    began = time.monotonic()
    for number, path in enumerate(itertools.cycle(paths)):
        due = number / REQUESTS_A_SECOND
        if due >= FOR_S:
            return statuses
        time.sleep(max(0.0, began + due - time.monotonic()))
        statuses[session.get(f"{base_url}{path}", timeout=30).status_code] += 1
    raise AssertionError("unreachable")


def test_two_users_at_eight_requests_a_second_do_not_disturb_a_sync(stage: Stage) -> None:
    now = datetime.now(UTC)
    scene = stage.scene("crowd", seed=41, accounts=10, meetings=120)
    scene.control.add_fault("slow", service="totango", only_writes=True, delay_s=0.1)
    window = now - timedelta(days=80), now - timedelta(days=10)
    run_id = stage.start(JOB, window_start=window[0], window_end=window[1])
    run = f"/api/v2/dags/{JOB}/dagRuns/{quote(run_id, safe='')}"
    looking = ["/", "/ui/dags", f"/ui/grid/runs/{JOB}", f"/ui/grid/structure/{JOB}", f"{run}/taskInstances", run]
    asking = ["/api/v2/dags", f"/api/v2/dags/{JOB}/dagRuns", "/api/v2/importErrors", "/api/v2/assets/events", run]
    people = [("ana", "e2e-ana", looking), ("vic", "e2e-vic", asking)]
    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(lambda who: a_user(stage.airflow.base_url, *who), people))
    stage.finish(JOB, run_id)
    statuses = counts[0] + counts[1]
    assert statuses.total() == 2 * REQUESTS_A_SECOND * FOR_S
    assert set(statuses) == {200}
    assert {task["try_number"] for task in stage.tasks(JOB, run_id)} == {1}
    assert scene.held() == scene.expected(*window)

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import JOB, WEEK, Cshub

from cshub.settings import PROJECT
from cshub_runtime.settings import Login
from cshub_runtime.supervisor import LocalAirflow
from cshub_sandbox.testing import RunningSandbox

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, world: RunningSandbox) -> Iterator[LocalAirflow]:
    from cshub_runtime.rest import StoredConnection

    services = (("chorus", world.chorus), ("totango", world.totango))
    connections = [
        StoredConnection(connection_id=f"{name}_default", conn_type=name, host=service.url, password=service.token)
        for name, service in services
    ]
    found = LocalAirflow(
        tmp_path_factory.mktemp("airflow"),
        dags_dir=PROJECT / "dags",
        plugins_dir=PROJECT / "plugins",
        connections=connections,
        logins=(Login("admin", "admin-of-tests"),),
        durable=False,
    )
    with found:
        found.rest.await_dags([JOB])
        yield found


@pytest.fixture
def signed_in(cshub: Cshub, airflow: LocalAirflow, monkeypatch: pytest.MonkeyPatch) -> Cshub:
    monkeypatch.setenv("CSHUB_AIRFLOW_URL", airflow.base_url)
    monkeypatch.setenv("CSHUB_AIRFLOW_USER", "admin")
    monkeypatch.setenv("CSHUB_AIRFLOW_PASSWORD", "admin-of-tests")
    return cshub


def test_a_paused_dag_is_told_with_the_way_to_switch_it_on(signed_in: Cshub, airflow: LocalAirflow) -> None:
    airflow.rest.pause(JOB)
    answer = signed_in("run", JOB, *WEEK)
    assert answer.code == 1
    assert "is paused" in answer.err and "--unpause" in answer.err


def test_a_run_in_a_running_airflow_ends_with_its_statistics(
    signed_in: Cshub, sandbox: RunningSandbox, airflow: LocalAirflow
) -> None:
    airflow.rest.pause(JOB)
    done = signed_in("run", JOB, *WEEK, "--unpause", "--json")
    assert done.code == 0, done
    assert done.document["outcome"] == "green"
    assert done.document["statistics"]["read"] > 0
    assert sandbox.control.log(
        "totango", writes=True
    )  # by this run, or by the schedule's own that --unpause lets start
    assert "admin-of-tests" not in done.out + done.err


def test_a_dry_run_in_a_running_airflow_names_its_plan(signed_in: Cshub, airflow: LocalAirflow) -> None:
    airflow.rest.unpause(JOB)
    done = signed_in.json("run", JOB, *WEEK, "--dry-run")
    assert (done["outcome"], JOB in done["plan_id"]) == ("planned", True)


def test_a_backfill_makes_one_run_per_interval_of_the_window_and_none_the_second_time(
    signed_in: Cshub, sandbox: RunningSandbox, airflow: LocalAirflow
) -> None:
    airflow.rest.unpause(JOB)
    bounds = ("--from", "2026-11-10T00:00Z", "--to", "2026-11-12T00:00Z")
    listed = signed_in.json("backfill", JOB, *bounds, "--dry-run")
    done = signed_in.json("backfill", JOB, *bounds)
    assert listed["window"] == {"start": "2026-11-09T23:00:00+00:00", "end": "2026-11-12T23:00:00+00:00"}
    assert len(done["runs"]) == len(listed["intervals"]) == 3
    assert signed_in.json("backfill", JOB, *bounds)["intervals"] == []


def test_a_red_run_in_a_running_airflow_tells_the_error_of_its_task(
    signed_in: Cshub, sandbox: RunningSandbox, airflow: LocalAirflow
) -> None:
    airflow.rest.unpause(JOB)
    sandbox.control.add_fault("status", service="chorus", status=401)
    answer = signed_in("run", JOB, *WEEK, "--json")
    sandbox.control.clear_faults()
    assert (answer.code, answer.document["outcome"]) == (1, "red")
    assert "Chorus (connection chorus_default)" in answer.document["error"]
    assert "The task extract failed" in answer.document["error"]


def test_a_password_that_is_wrong_is_told(signed_in: Cshub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CSHUB_AIRFLOW_PASSWORD", "wrong-password")
    answer = signed_in("run", JOB, "--json")
    assert answer.code == 1
    assert json.loads(answer.out)["error"]["kind"] == "AuthenticationFailed"
    assert "wrong-password" not in answer.out + answer.err

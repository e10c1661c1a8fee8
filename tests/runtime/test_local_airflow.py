import datetime as dt
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cshub_runtime.processes import marked
from cshub_runtime.rest import AirflowRest, RestError, RunState, StoredConnection
from cshub_runtime.settings import Login
from cshub_runtime.supervisor import LocalAirflow, RuntimeFailure, run_airflow

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(600)]

DAGS = Path(__file__).parent / "dags"
CONNECTION = StoredConnection(
    connection_id="totango_default", conn_type="http", host="http://127.0.0.1:9", password="secret"
)
DEMO = """
    import sys
    from pathlib import Path
    from rich.console import Console
    from cshub_runtime.acts import Act
    from cshub_runtime.demo import Demo, DemoOptions

    home, project = Path(sys.argv[1]), Path(sys.argv[2])
    options = DemoOptions(
        home=home, dags_dir=project / "dags", plugins_dir=home / "plugins", jobs_dir=project / "jobs", port=0
    )
    act = Act("somebody looks at the sandbox", lambda services: print(services.names), lambda services: "it is seen")
    sys.exit(Demo(options, Console(width=120), acts=[act], prologue=[]).perform())
"""


class Stage:
    """An Airflow that took over from a demo that was killed, and what is known of that demo."""

    def __init__(self, home: Path) -> None:
        self.demo_output = _killed_demo(home)
        self.leftovers = marked(home)
        self.told: list[str] = []
        self.airflow = LocalAirflow(
            home,
            dags_dir=DAGS,
            plugins_dir=home / "plugins",
            connections=[CONNECTION],
            pools={"totango": 1},
            logins=(Login("admin", "errands"), Login("vic", "viewer-pass", "viewer")),
            durable=False,
            progress=self.told.append,
        )


def _killed_demo(home: Path) -> str:
    command = [sys.executable, "-u", "-c", textwrap.dedent(DEMO), str(home), str(DAGS.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        lines = []
        for line in demo.stdout or ():
            lines.append(line)
            if "Stays up" in line:
                demo.kill()
    assert "Stays up" in lines[-1], "".join(lines)
    return "".join(lines)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    found = Stage(tmp_path_factory.mktemp("a home with spaces"))
    with found.airflow:
        found.airflow.rest.await_dags(["errand", "daily_errand"])
        yield found


@pytest.fixture
def airflow(stage: Stage) -> LocalAirflow:
    return stage.airflow


def run(airflow: LocalAirflow, dag_id: str, conf: dict[str, object] | None = None) -> str:
    airflow.rest.unpause(dag_id)
    run_id = airflow.rest.trigger(dag_id, conf)
    assert airflow.rest.wait(dag_id, run_id) is RunState.SUCCESS
    return run_id


def test_what_a_killed_start_left_running_is_ended_and_said(stage: Stage) -> None:
    assert len(stage.leftovers) >= 4
    assert [process for process in stage.leftovers if process.is_running()] == []
    assert "Taking over from an earlier start that was not stopped" in stage.told


def test_what_a_killed_start_had_done_is_still_known(stage: Stage) -> None:
    earlier = [str(found["dag_run_id"]) for found in stage.airflow.rest.runs("errand")][:2]
    assert [stage.airflow.rest.run_state("errand", run_id) for run_id in earlier] == [RunState.SUCCESS] * 2
    assert stage.airflow.rest.xcom("errand", earlier[0], "load")["stats"]["read"] == 1


def test_the_demo_says_what_it_does_and_shows_the_statistics_of_all_rounds(stage: Stage) -> None:
    told = " ".join(stage.demo_output.split())
    steps = (
        "Starting the sandbox",
        "Starting PostgreSQL",
        "Starting Airflow",
        "First sync, by schedule",
        "▸ errand",
        "✓ errand: 1 created",
        "Second sync",
        "Meanwhile: somebody looks at the sandbox ['chorus', 'salesforce', 'totango'",
        "Third sync",
        "What the syncs did",
        "First sync, by schedule errand 1 1 · · · 3 Second sync",
        "What people did, and what became of it",
        "somebody looks at the sandbox ✓ it is seen",
        "Where to look Airflow http://127.0.0.1:",
    )
    places = [told.find(step) for step in steps]
    assert -1 not in places, stage.demo_output
    assert places == sorted(places), stage.demo_output


def test_the_connections_of_the_demo_lead_to_its_sandbox(stage: Stage) -> None:
    assert stage.airflow.rest.call("GET", "connections/chorus_default")["host"].startswith("http://127.0.0.1:")


def test_a_run_gets_its_params_and_its_report_can_be_read(airflow: LocalAirflow) -> None:
    run_id = run(airflow, "errand", {"read": 12})
    assert airflow.rest.task_states("errand", run_id) == {"load": "success"}
    assert airflow.rest.xcom("errand", run_id, "load")["stats"]["read"] == 12
    assert airflow.rest.xcom("errand", run_id, "load", "no such key") is None
    assert "Done" in airflow.rest.task_log("errand", run_id, "load")


def test_the_first_run_after_a_start_is_quick(stage: Stage) -> None:
    began = time.monotonic()
    run(stage.airflow, "errand")
    assert time.monotonic() - began < 20


def test_connections_and_pools_are_there(airflow: LocalAirflow) -> None:
    stored = airflow.rest.call("GET", "connections/totango_default")
    assert (stored["host"], stored["conn_type"]) == ("http://127.0.0.1:9", "http")
    assert airflow.rest.call("GET", "pools/totango")["slots"] == 1


def test_storing_a_connection_or_a_pool_again_overwrites_it(airflow: LocalAirflow) -> None:
    airflow.rest.store_connection(CONNECTION)
    airflow.rest.store_pool("totango", 2)
    assert airflow.rest.call("GET", "pools/totango")["slots"] == 2


def test_only_the_loopback_address_is_served(airflow: LocalAirflow) -> None:
    listening = [c for p in marked(airflow.home) for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def test_a_wrong_password_is_refused(airflow: LocalAirflow) -> None:
    with pytest.raises(RestError, match="401"):
        AirflowRest(airflow.base_url, "admin", "guess").dag_ids()


def test_a_viewer_may_look_but_not_run(airflow: LocalAirflow) -> None:
    viewer = AirflowRest(airflow.base_url, "vic", "viewer-pass")
    assert "errand" in viewer.dag_ids()
    with pytest.raises(RestError, match="403"):
        viewer.trigger("errand")
    viewer.close()


def test_a_backfill_makes_one_run_per_day(airflow: LocalAirflow) -> None:
    airflow.rest.unpause("daily_errand")
    first, last = dt.datetime(2026, 3, 1, tzinfo=dt.UTC), dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    airflow.rest.backfill("daily_errand", first, last)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        runs = [r for r in airflow.rest.runs("daily_errand") if r["run_type"] == "backfill"]
        if len(runs) == 2 and all(RunState(r["state"]).finished for r in runs):
            break
        time.sleep(0.3)
    days = {airflow.rest.xcom("daily_errand", r["dag_run_id"], "which_day")[:10] for r in runs}
    assert days == {"2026-03-01", "2026-03-02"}


def test_airflows_own_command_line_acts_on_it(airflow: LocalAirflow) -> None:
    listed = run_airflow(airflow.home, "dags", "list", "-o", "plain")
    assert "daily_errand" in listed.stdout, listed.stderr


def test_a_second_start_in_the_same_folder_is_refused_with_the_owner_named(airflow: LocalAirflow) -> None:
    other = LocalAirflow(airflow.home, dags_dir=DAGS)
    with pytest.raises(RuntimeFailure, match=f"Process {os.getpid()} already runs"):
        other.start()
    other.stop()
    assert airflow.rest.dag_ids()


def test_a_component_that_is_killed_is_started_again_and_work_goes_on(stage: Stage) -> None:
    airflow = stage.airflow
    scheduler = airflow.components["scheduler"]
    family = psutil.Process(scheduler.pid).children(recursive=True)
    os.kill(scheduler.pid or 0, signal.SIGKILL)
    run(airflow, "errand", {"read": 3})
    assert scheduler.starts == 2
    assert [process for process in family if process.is_running()] == []
    assert any("scheduler ended by itself" in line for line in stage.told)


def test_a_run_that_does_not_end_in_time_is_told_with_its_tasks(airflow: LocalAirflow) -> None:
    airflow.rest.unpause("errand")
    run_id = airflow.rest.trigger("errand", {"rest_s": 60})
    with pytest.raises(RestError, match="its tasks"):
        airflow.rest.wait("errand", run_id, timeout_s=0.5)


def test_after_stop_no_process_is_left_though_a_task_was_running(stage: Stage) -> None:
    began = time.monotonic()
    stage.airflow.stop()
    assert time.monotonic() - began < 20
    assert marked(stage.airflow.home) == []
    assert not stage.airflow.postgres.running()
    assert not (stage.airflow.home / "running.json").exists()
    with pytest.raises(RuntimeFailure, match="make demo"):
        run_airflow(stage.airflow.home, "version")

"""A real Airflow under a campaign: its processes, its REST API through outages, its database, its secrets."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import requests
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from cshub.core.errors import ServiceUnavailable
from cshub.ledger import Ledger
from cshub.ledger.rows import RunRow
from cshub_runtime.postgres import EmbeddedPostgres
from cshub_runtime.postgres_place import data_place
from cshub_runtime.rest import AirflowRest, RestError, RunState
from cshub_runtime.settings import Login
from cshub_runtime.supervisor import LEDGER, METADATA, LocalAirflow
from tests.e2e.stage import Stage, job_text

LIMIT_S = 240.0
"""A run that has not ended by then is stuck."""
OUTAGE_S = 90.0
RESTARTED_WITHIN_S = 30.0
FIRST = Login("admin", "campaign-admin")
HEARTBEATS: Mapping[str, str] = {
    "CSHUB_RETRY_DELAY_S": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
}
"""Tasks are missed after 15 s instead of minutes, and tried again after a second."""
_SERVER_IS_AWAY = re.compile(r"was answered 5\d\d")


_through_outages = retry(
    retry=retry_if_exception_type((OperationalError, ServiceUnavailable)),
    stop=stop_after_delay(OUTAGE_S),
    wait=wait_fixed(0.5),
    reraise=True,
)


class Stuck(RuntimeError):
    """A run has not ended within the limit."""


class PatientRest(AirflowRest):
    """Airflow's REST API through outages: a call that nobody answers is sent again, for ``OUTAGE_S`` seconds."""

    def call(self, method: str, path: str, *, json: object = None, params: Mapping[str, str] | None = None) -> Any:
        deadline = time.monotonic() + OUTAGE_S
        while True:
            try:
                return super().call(method, path, json=json, params=params)
            except (requests.ConnectionError, requests.Timeout):
                if time.monotonic() > deadline:
                    raise
            except RestError as error:
                if time.monotonic() > deadline or not _SERVER_IS_AWAY.search(str(error)):
                    raise
            time.sleep(0.5)


@dataclass
class Ground:
    """The Airflow of a campaign, seen by one thread."""

    stage: Stage
    login: Login = FIRST

    @cached_property
    def rest(self) -> PatientRest:
        return PatientRest(self.stage.airflow.base_url, self.login.name, self.login.password)

    def for_another_thread(self) -> Ground:
        return Ground(self.stage, self.login)

    def start(self, job_id: str, params: Mapping[str, object]) -> str:
        """Trigger a run, before a schedule could begin one of its own; its id."""
        run_id = self.rest.trigger(job_id, params)
        self.rest.unpause(job_id)
        return run_id

    def end_of(self, job_id: str, run_id: str) -> RunState:
        """Wait for a run. Raises :class:`Stuck`."""
        deadline = time.monotonic() + LIMIT_S
        while not (state := self.rest.run_state(job_id, run_id)).finished:
            if time.monotonic() > deadline:
                raise Stuck(f"{job_id} {run_id} is {state}: {self.rest.task_states(job_id, run_id)}")
            time.sleep(0.3)
        return state

    def tasks(self, job_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        path = f"{run_path(job_id, run_id)}/taskInstances"
        return {task["task_id"]: task for task in self.rest.call("GET", path)["task_instances"]}

    def mark_failed(self, job_id: str, run_id: str) -> None:
        self.rest.call("PATCH", run_path(job_id, run_id), json={"state": RunState.FAILED.value})

    def forget_result(self, job_id: str, run_id: str, task: str) -> None:
        """Remove what a task has left for those after it."""
        self.rest.call("DELETE", f"{run_path(job_id, run_id)}/taskInstances/{task}/xcomEntries/return_value")

    @_through_outages
    def allow_runs_at_once(self, job_id: str, count: int) -> None:
        """Lift the DAG's limit, until its file is read again."""
        with self.rows(METADATA) as connection:
            connection.execute(
                text("update dag set max_active_runs = :count where dag_id = :job"), {"count": count, "job": job_id}
            )

    @_through_outages
    def run_row(self, run_id: str) -> RunRow | None:
        """What the ledger tells of a run."""
        with Ledger.open(self.stage.airflow.environment()["CSHUB_LEDGER_URL"]) as ledger:
            return ledger.run(run_id)

    def process_of(self, task_instance: str) -> psutil.Process | None:
        """The process that runs a try of a task now."""
        scheduler = self.stage.airflow.components["scheduler"].pid
        title = f"airflow worker -- {task_instance}"
        try:
            started = psutil.Process(scheduler).children(recursive=True)
        except psutil.NoSuchProcess:
            return None
        return next((process for process in started if _title(process).startswith(title)), None)

    def kill_component(self, name: str) -> None:
        """kill -9, and wait until the local Airflow has started it again."""
        component = self.stage.airflow.components[name]
        starts, killed = component.starts, component.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        if not await_true(lambda: component.starts > starts and component.pid != killed, RESTARTED_WITHIN_S):
            raise AssertionError(f"{name} was not started again")

    def count_endings_anew(self) -> None:
        """Let components end again, which the local Airflow allows each of them some times only."""
        for component in self.stage.airflow.components:
            component.starts = 1

    @contextmanager
    def rows(self, database: str) -> Iterator[Any]:
        """A connection to one of the databases; what was changed is committed at the end."""
        engine = create_engine(self.stage.airflow.postgres.url(database), poolclass=NullPool)
        with engine.begin() as connection:
            yield connection

    def story(self, job_id: str, run_id: str) -> str:
        """Tasks of a run with their tries; of those that have failed the end of the log."""
        lines = []
        for name, task in self.tasks(job_id, run_id).items():
            lines.append(f"    {name}: {task['state']}, try {task['try_number']}")
            if task["state"] in {"failed", "up_for_retry"}:
                log = self.rest.task_log(job_id, run_id, name, max(1, task["try_number"]))
                lines += [f"      {line}" for line in log.strip().splitlines()[-12:]]
        return "\n".join(lines)

    def telling(self, secrets: Iterable[str]) -> list[str]:
        """Where a secret can be read: tables of both databases, files that are not the database's own."""
        wanted = sorted(set(secrets))
        return [*self._telling_tables(wanted), *self._telling_files([secret.encode() for secret in wanted])]

    def _telling_tables(self, wanted: list[str]) -> Iterator[str]:
        for database in (METADATA, LEDGER):
            with self.rows(database) as connection:
                tables = connection.execute(text("select tablename from pg_tables where schemaname = 'public'"))
                for table in tables.scalars().all():
                    shown = connection.execute(text(f'select t::text from "{table}" t')).scalars()
                    if any(secret in row for row in shown for secret in wanted):
                        yield f"{database}.{table}"

    def _telling_files(self, wanted: list[bytes]) -> Iterator[str]:
        home = self.stage.airflow.home
        for path in home.rglob("*"):
            own = path.relative_to(home).parts[0] != "postgres"
            if own and path.is_file() and not path.is_symlink() and any(item in path.read_bytes() for item in wanted):
                yield str(path.relative_to(home))


def restart_database(stage: Stage, request: signal.Signals, away_s: float) -> None:
    """Stop the database server of Airflow and the ledger, and start it again after a while, on the same socket.

    ``request``: SIGINT to end it in good order, SIGQUIT as a crash ends it.
    """
    postgres = stage.airflow.postgres
    server = _server_of(postgres)
    command, user, group = server.cmdline(), server.uids().real, server.gids().real
    account: dict[str, Any] = {"user": user, "group": group, "extra_groups": []} if user != os.geteuid() else {}
    server.send_signal(request)
    server.wait(30)
    time.sleep(away_s)
    with postgres.log_path.open("ab") as log:
        again = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True, **account
        )
    stage.running.callback(again.wait)


def _server_of(postgres: EmbeddedPostgres) -> psutil.Process:
    """The server as its own file says, which also tells of one that was started again."""
    return psutil.Process(int((data_place(postgres.data_dir) / "postmaster.pid").read_text().split()[0]))


@contextmanager
def own_stage(jobs: Mapping[str, Mapping[str, Any]], login: Login = FIRST) -> Iterator[Stage]:
    """An Airflow with these jobs (id → arguments of ``job_text``), gone when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="cshub-campaign-"))
    try:
        write_jobs(folder / "jobs", jobs)
        airflow = LocalAirflow(folder / "home", jobs_dir=folder / "jobs", logins=(login,), environment=HEARTBEATS)
        with airflow:
            airflow.rest.await_dags(jobs)
            stage = Stage(airflow, folder)
            with stage.running:
                yield stage
                airflow.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_jobs(folder: Path, jobs: Mapping[str, Mapping[str, Any]]) -> None:
    folder.mkdir(exist_ok=True)
    for job_id, settings in jobs.items():
        (folder / f"{job_id}.yaml").write_text(job_text(job_id, **settings), encoding="utf-8")


def add_jobs(stage: Stage, jobs: Mapping[str, Mapping[str, Any]]) -> None:
    """Give a running Airflow further jobs, of types that it has jobs of already."""
    write_jobs(stage.folder / "jobs", jobs)
    files = {
        dag["relative_fileloc"]: dag["file_token"]
        for dag in stage.rest.call("GET", "dags", params={"limit": "500"})["dags"]
    }
    for kind in {settings["kind"] for settings in jobs.values()}:
        stage.rest.call("PUT", f"parseDagFile/{quote(files[f'{kind}.py'], safe='')}")
    stage.rest.await_dags(jobs)


def run_path(job_id: str, run_id: str) -> str:
    return f"dags/{job_id}/dagRuns/{quote(run_id, safe='')}"


def await_gone(process: psutil.Process, timeout_s: float = 60.0) -> None:
    """Wait for the end of a process, whoever its parent is."""
    psutil.wait_procs([process], timeout=timeout_s)


def lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def await_true(check: Callable[[], bool], timeout_s: float) -> bool:
    """Whether ``check`` came true in time."""
    deadline = time.monotonic() + timeout_s
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.3)
    return True


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""

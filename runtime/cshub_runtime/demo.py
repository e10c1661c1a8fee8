"""`make demo`: the sandbox, Airflow and the first syncs, in one terminal, until Ctrl-C."""

import json
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import requests
from rich.console import Console

from cshub_runtime.ports import NoFreePort
from cshub_runtime.postgres_place import PostgresUnavailable
from cshub_runtime.rest import AirflowRest, RestError, RunState, StoredConnection
from cshub_runtime.run_report import STATISTICS_TASK, RunReport, progress_line, statistics_table
from cshub_runtime.sandbox_process import SandboxAddresses, SandboxFailure, SandboxProcess
from cshub_runtime.settings import MARKER, Login, write_private
from cshub_runtime.story import ACTS, PROLOGUE, Act
from cshub_runtime.supervisor import PROJECT, LocalAirflow, RuntimeFailure

LOGIN = Login("admin", "cshub-demo")
TASK_ORDER = ("extract", "map", "diff", "approve", "load")
WORLD = ("--accounts", "30", "--meetings", "240")
"""The size of the demo's world: at 100 Totango calls a minute its last seven days are synced in less than 3 minutes."""
FOR_THE_COMMAND = ("CSHUB_LEDGER_URL", "CSHUB_STAGING_URL", "CSHUB_TIMEZONE", "CSHUB_JOBS_DIR")
RUN_LIMIT_S = 600.0
READ_LIMIT_S = 90.0
SCHEDULE_LIMIT_S = 15.0
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FAILURES = (
    LookupError,
    RuntimeFailure,
    SandboxFailure,
    PostgresUnavailable,
    NoFreePort,
    RestError,
    requests.RequestException,
)


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What the command line asks for. `port` is where to begin looking for a free one; 0 takes any."""

    home: Path = PROJECT / ".demo"
    dags_dir: Path = PROJECT / "dags"
    plugins_dir: Path = PROJECT / "plugins"
    jobs_dir: Path = PROJECT / "include" / "jobs"
    port: int = 8080
    timezone: str = "UTC"
    seed: int = 7
    once: bool = False
    keep_data: bool = False
    sandbox_arguments: Sequence[str] = field(default=())


class Demo:
    """One performance of the demo, on one terminal. Everything it starts is stopped when `perform` returns."""

    def __init__(
        self, options: DemoOptions, console: Console, acts: Sequence[Act] = ACTS, prologue: Sequence[Act] = PROLOGUE
    ) -> None:
        self._options = options
        self._console = console
        self._acts = acts
        self._prologue = prologue
        self._began = time.monotonic()

    def perform(self) -> int:
        """Run the demo; returns the exit status: 0 when all syncs were green, 1 when not, 130 after Ctrl-C."""
        previous = {number: signal.signal(number, _interrupt) for number in ENDINGS}
        try:
            with ExitStack() as running:
                running.callback(self._say, "Stopped")
                return self._perform(running)
        except KeyboardInterrupt:
            return 130
        except FAILURES as error:
            self._console.print(f"The demo cannot go on: {error}", style="red", markup=False, soft_wrap=True)
            self._console.print(f"Logs: {self._options.home / 'logs'}", markup=False, soft_wrap=True)
            return 1
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _perform(self, running: ExitStack) -> int:
        home = self._options.home
        airflow = LocalAirflow(
            home,
            dags_dir=self._options.dags_dir,
            plugins_dir=self._options.plugins_dir,
            jobs_dir=self._options.jobs_dir,
            logins=(LOGIN,),
            port=self._options.port,
            timezone=self._options.timezone,
            fresh=not self._options.keep_data,
            progress=self._say,
        )
        airflow.claim()
        running.callback(airflow.stop)
        if not self._options.keep_data:
            for leftover in ("staging", "logs"):
                shutil.rmtree(home / leftover, ignore_errors=True)
        self._say("Starting the sandbox of the services")
        sandbox = running.enter_context(
            SandboxProcess(
                ["--seed", str(self._options.seed), *WORLD, *self._options.sandbox_arguments],
                environment={**os.environ, MARKER: str(home)},
                log_path=home / "logs" / "sandbox.log",
            )
        )
        running.callback(airflow.stop)  # before the sandbox, which its tasks talk to
        running.callback(self._say, "Stopping")
        airflow.start()
        for connection in connections(sandbox.addresses):
            airflow.rest.store_connection(connection)
        reports = self._syncs(airflow.rest, sandbox.addresses)
        self._console.print(statistics_table(reports))
        succeeded = all(report.succeeded for report in reports)
        shell_file = self._write_shell_file(airflow, sandbox.addresses)
        running.callback(shell_file.unlink, missing_ok=True)
        self._where_to_look(airflow, sandbox.addresses, shell_file)
        if not self._options.once:
            with suppress(KeyboardInterrupt):
                self._stay(airflow)
        return 0 if succeeded else 1

    def _syncs(self, rest: AirflowRest, addresses: SandboxAddresses) -> list[RunReport]:
        self._say("Waiting for Airflow to read the DAGs")
        jobs = self._read_jobs(rest)
        self._say(f"Switching on {', '.join(jobs)}: the schedule starts the first sync by itself")
        for job in jobs:
            rest.unpause(job)
        reports = self._follow_all(
            rest, {job: self._scheduled_run(rest, job) for job in jobs}, "first sync\nby schedule"
        )
        for acts, title in (
            (self._prologue, "second sync\nby hand, up to now"),
            (self._acts, "third sync\nafter edits"),
        ):
            self._play(acts, addresses)
            reports += self._follow_all(rest, {job: rest.trigger(job) for job in jobs}, title)
        return reports

    def _scheduled_run(self, rest: AirflowRest, job: str) -> str:
        """The run that the schedule starts when a DAG is switched on; of a job without schedule, one by hand."""
        deadline = time.monotonic() + SCHEDULE_LIMIT_S
        while time.monotonic() < deadline:
            if runs := rest.runs(job):
                return str(runs[-1]["dag_run_id"])
            time.sleep(0.5)
        return rest.trigger(job)

    def _play(self, acts: Sequence[Act], addresses: SandboxAddresses) -> None:
        for act in acts:
            self._say(f"Meanwhile: {act.announcement}")
            act.perform(addresses)

    def _read_jobs(self, rest: AirflowRest) -> list[str]:
        deadline = time.monotonic() + READ_LIMIT_S
        expected = {path.stem for path in self._options.jobs_dir.glob("*.yaml")}
        while not (jobs := rest.dag_ids()) or not expected <= set(jobs):
            if time.monotonic() > deadline:
                reasons = "\n".join(rest.import_errors()) or "no DAG file was refused"
                raise RuntimeFailure(f"Airflow has not read the DAGs of {sorted(expected)}: {reasons}")
            time.sleep(0.3)
        return [job for job in jobs if job in expected]

    def _follow_all(self, rest: AirflowRest, started: Mapping[str, str], title: str) -> list[RunReport]:
        lines: dict[str, str] = {}
        reports: dict[str, RunReport] = {}
        deadline = time.monotonic() + RUN_LIMIT_S
        while len(reports) < len(started):
            if time.monotonic() > deadline:
                unfinished = ", ".join(sorted(set(started) - set(reports)))
                raise RuntimeFailure(f"Not ended after {RUN_LIMIT_S:.0f} s: {unfinished}")
            for job, run_id in started.items():
                if job in reports:
                    continue
                states = rest.task_states(job, run_id)
                progress = (
                    rest.progress(job, run_id, STATISTICS_TASK) if states.get(STATISTICS_TASK) == "running" else None
                )
                line = progress_line(job, states, TASK_ORDER, progress)
                if line != lines.get(job):
                    lines[job] = line
                    self._say(line)
                if rest.run_state(job, run_id).finished:
                    reports[job] = self._report(rest, job, run_id, f"{job}\n{title}" if len(started) > 1 else title)
            time.sleep(0.5)
        return [reports[job] for job in started]

    def _report(self, rest: AirflowRest, job: str, run_id: str, title: str) -> RunReport:
        run = rest.run(job, run_id)
        succeeded = RunState(run["state"]) is RunState.SUCCESS
        if not succeeded:
            self._explain_failure(rest, job, run_id)
        report = rest.xcom(job, run_id, STATISTICS_TASK)
        return RunReport.of(title, succeeded=succeeded, seconds=_seconds(run), report=report)

    def _explain_failure(self, rest: AirflowRest, job: str, run_id: str) -> None:
        for task, state in rest.task_states(job, run_id).items():
            if state == RunState.FAILED:
                log = rest.task_log(job, run_id, task).strip().splitlines()[-25:]
                self._console.print(f"{job}: the task {task} failed; the end of its log:", style="red")
                self._console.print("\n".join(log), markup=False, highlight=False, soft_wrap=True)

    def _stay(self, airflow: LocalAirflow) -> None:
        self._console.print("Stays up until Ctrl-C.")
        while airflow.components.failure is None:
            time.sleep(0.5)
        raise RuntimeFailure(airflow.components.failure)

    def _write_shell_file(self, airflow: LocalAirflow, addresses: SandboxAddresses) -> Path:
        """Everything the `cshub` command needs to work on this demo, for a shell to read; only for the owner's eyes."""
        hub = {name: value for name, value in airflow.environment().items() if name in FOR_THE_COMMAND}
        values = {
            **hub,
            "CSHUB_AIRFLOW_URL": airflow.base_url,
            "CSHUB_AIRFLOW_USER": LOGIN.name,
            "CSHUB_AIRFLOW_PASSWORD": LOGIN.password,
            **{
                f"AIRFLOW_CONN_{item.connection_id.upper()}": json.dumps(
                    {"conn_type": item.conn_type, "host": item.host, "password": item.password}
                )
                for item in connections(addresses)
            },
        }
        path = self._options.home / "cshub.env"
        lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(values.items())]
        write_private(
            path, "\n".join([*lines, f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH", ""])
        )
        return path

    def _where_to_look(self, airflow: LocalAirflow, addresses: SandboxAddresses, shell_file: Path) -> None:
        lines = [
            f"Airflow               {airflow.base_url}   user {LOGIN.name}, password {LOGIN.password}",
            *(
                f"{name.capitalize() + ', simulated':<21} {service.url}   token {service.token}"
                for name, service in addresses.services.items()
            ),
            f"What they hold        {addresses.control_url}/state/totango",
            f"What they were asked  {addresses.control_url}/log",
            f"Logs                  {os.path.relpath(self._options.home / 'logs')}",
            f"The command line      . {shlex.quote(os.path.relpath(shell_file))} && cshub status",
        ]
        self._console.print("\n".join(["", "Where to look", *lines, ""]), markup=False, highlight=False, soft_wrap=True)

    def _say(self, line: str) -> None:
        passed = time.monotonic() - self._began
        self._console.print(f"{passed:6.1f} s  {line}", markup=False, highlight=False, soft_wrap=True)


def connections(addresses: SandboxAddresses) -> list[StoredConnection]:
    """The connections the demo's jobs name, one per simulated service."""
    return [
        StoredConnection(
            connection_id=f"{name}_default",
            conn_type=name,
            host=service.url,
            password=service.token,
            description="The demo's sandbox; its address changes with each start",
        )
        for name, service in addresses.services.items()
    ]


def _seconds(run: dict[str, Any]) -> float:
    if not run.get("start_date") or not run.get("end_date"):
        return 0.0
    return (datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["start_date"])).total_seconds()


def _interrupt(number: int, frame: FrameType | None) -> None:
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt

"""`make demo`: the sandbox, Airflow and the first syncs, in one terminal, until Ctrl-C."""

import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import requests
from rich.console import Console

from cshub_runtime.acts import Act, NotCarriedOver, Services, Told, told_of
from cshub_runtime.connections import connections, environment_of
from cshub_runtime.ports import NoFreePort
from cshub_runtime.postgres_place import PostgresUnavailable
from cshub_runtime.rest import AirflowRest, RestError
from cshub_runtime.rounds import Rounds, waves
from cshub_runtime.run_report import statistics_table, story_table
from cshub_runtime.sandbox_process import SandboxAddresses, SandboxFailure, SandboxProcess, Service
from cshub_runtime.settings import MARKER, Login, write_private
from cshub_runtime.story import ACTS, PROLOGUE
from cshub_runtime.supervisor import PROJECT, LocalAirflow, RuntimeFailure

LOGIN = Login("admin", "cshub-demo")
WORLD = ("--accounts", "16", "--meetings", "160")
"""The size of the demo's world: at 100 Totango calls a minute its syncs take three to four minutes."""
FOR_THE_COMMAND = ("CSHUB_LEDGER_URL", "CSHUB_STAGING_URL", "CSHUB_TIMEZONE", "CSHUB_JOBS_DIR")
READ_LIMIT_S = 90.0
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FAILURES = (
    NotCarriedOver,
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
        shell_file = self._write_shell_file(airflow, sandbox.addresses)
        running.callback(shell_file.unlink, missing_ok=True)
        self._say(f"Airflow answers; for the command line, in another terminal: {_sourced(shell_file)} && cshub status")
        succeeded = self._rounds(airflow.rest, sandbox.addresses)
        self._where_to_look(airflow, sandbox.addresses, shell_file)
        if not self._options.once:
            with suppress(KeyboardInterrupt):
                self._stay(airflow)
        return 0 if succeeded else 1

    def _rounds(self, rest: AirflowRest, addresses: SandboxAddresses) -> bool:
        """The three rounds with what people do between them; tells of all, and whether all is as it should be."""
        services = Services(addresses)
        self._say("Waiting for Airflow to read the DAGs")
        rounds = Rounds(rest, waves(self._read_jobs(rest), self._options.jobs_dir), self._say)
        rounds.by_schedule("First sync, by schedule")
        told: list[Told] = []
        for acts, title in (
            (self._prologue, "Second sync, by hand"),
            (self._acts, "Third sync, after the edits"),
        ):
            for act in acts:
                self._say(f"Meanwhile: {act.announcement}")
                act.perform(services)
            rounds.by_hand(title)
            told += told_of(acts, services)
        self._console.print()
        self._console.print(statistics_table(rounds.reports))
        if told:
            self._console.print()
            self._console.print(story_table(told))
        return all(report.succeeded for report in rounds.reports) and all(one.held for one in told)

    def _read_jobs(self, rest: AirflowRest) -> list[str]:
        deadline = time.monotonic() + READ_LIMIT_S
        expected = {path.stem for path in self._options.jobs_dir.glob("*.yaml")}
        while not (jobs := rest.dag_ids()) or not expected <= set(jobs):
            if time.monotonic() > deadline:
                reasons = "\n".join(rest.import_errors()) or "no DAG file was refused"
                raise RuntimeFailure(f"Airflow has not read the DAGs of {sorted(expected)}: {reasons}")
            time.sleep(0.3)
        return [job for job in jobs if job in expected]

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
            **dict(environment_of(connection) for connection in connections(addresses)),
        }
        path = self._options.home / "cshub.env"
        lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(values.items())]
        write_private(
            path, "\n".join([*lines, f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH", ""])
        )
        return path

    def _where_to_look(self, airflow: LocalAirflow, addresses: SandboxAddresses, shell_file: Path) -> None:
        lines = [
            ("Airflow", f"{airflow.base_url}   user {LOGIN.name}, password {LOGIN.password}"),
            *((f"{name.capitalize()}, simulated", _told_of(service)) for name, service in addresses.services.items()),
            ("What they hold", f"{addresses.control_url}/state/salesforce   (or totango, chorus)"),
            ("What they were asked", f"{addresses.control_url}/log"),
            ("Logs", os.path.relpath(self._options.home / "logs")),
            ("The command line", f"{_sourced(shell_file)} && cshub status"),
        ]
        text = "\n".join(f"{name:<21} {what}" for name, what in lines)
        self._console.print(f"\nWhere to look\n{text}\n", markup=False, highlight=False, soft_wrap=True)

    def _say(self, line: str) -> None:
        passed = time.monotonic() - self._began
        self._console.print(f"{passed:6.1f} s  {line}", markup=False, highlight=False, soft_wrap=True)


def _sourced(shell_file: Path) -> str:
    """How a shell reads the file."""
    return f". {shlex.quote(os.path.relpath(shell_file))}"


def _told_of(service: Service) -> str:
    if "username" in service.login:
        return f"{service.url}   user {service.login['username']}"
    return f"{service.url}   token {service.token}"


def _interrupt(number: int, frame: FrameType | None) -> None:
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt

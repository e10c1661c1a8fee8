"""A local Airflow: embedded PostgreSQL, API server, scheduler, dag-processor and triggerer, kept alive together."""

import contextlib
import fcntl
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import requests

from cshub_runtime.component_group import ComponentGroup
from cshub_runtime.ports import any_free_port, next_free_port
from cshub_runtime.postgres import EmbeddedPostgres, stop_leftover
from cshub_runtime.processes import Component, end_marked
from cshub_runtime.rest import AirflowRest, RestError, StoredConnection
from cshub_runtime.settings import PRELOAD, PRELOADED, AirflowSettings, Login, write_private

PROJECT = Path(__file__).resolve().parents[2]
HEALTHY_LIMIT_S = 180.0
SILENT_LIMIT = timedelta(seconds=90)
"""A component that has not reported for so long hangs; its heartbeat comes every few seconds."""

METADATA = "airflow"
METADATA_TEMPLATE = "airflow_template"
LEDGER = "cshub"
RUNNING = "running.json"
"""File in the home folder, while Airflow runs there: its address and the environment of its processes."""

_COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
_PRELOADING = frozenset({"scheduler", "dag-processor"})


class RuntimeFailure(RuntimeError):
    """The local Airflow could not be started or kept alive; the message says why and what to do."""


class LocalAirflow:
    """A complete Airflow that keeps everything it writes in `home` and answers on the loopback address only.

    Entering the context starts it (25 s the first time, about 15 s later) and stores `connections` and `pools`;
    leaving it ends every process. What an earlier, killed start left running in `home` is ended first, and its data is
    used again unless `fresh` asks for empty databases. A component that dies is started again, five times.

    `port` 0 takes any free port. Without `dags_dir`, `plugins_dir` and `jobs_dir` the project's own folders are used.
    `progress` is called with one line of text at each step. `environment` is added to that of all Airflow processes.
    """

    def __init__(
        self,
        home: Path,
        *,
        dags_dir: Path | None = None,
        plugins_dir: Path | None = None,
        jobs_dir: Path | None = None,
        connections: Iterable[StoredConnection] = (),
        pools: Mapping[str, int] | None = None,
        logins: tuple[Login, ...] = (Login("admin", "admin"),),
        port: int = 0,
        timezone: str = "UTC",
        durable: bool = True,
        fresh: bool = False,
        environment: Mapping[str, str] | None = None,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.home = home.absolute()
        self.postgres = EmbeddedPostgres(self.home / "postgres" / "data", durable=durable)
        self._dags_dir = dags_dir or PROJECT / "dags"
        self._plugins_dir = plugins_dir or PROJECT / "plugins"
        self._jobs_dir = jobs_dir or PROJECT / "include" / "jobs"
        self._connections = tuple(connections)
        self._pools = dict(pools or {})
        self._logins = logins
        self._wanted_port = port
        self._timezone = timezone
        self._fresh = fresh
        self._extra = dict(environment or {})
        self._progress = progress
        self.components = ComponentGroup(progress, silent=self._silent)
        self._settings: AirflowSettings | None = None
        self._rest: AirflowRest | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def settings(self) -> AirflowSettings:
        """The settings it runs with. Raises RuntimeFailure before it was started."""
        if self._settings is None:
            raise RuntimeFailure("The local Airflow is not running; call start() first.")
        return self._settings

    @property
    def base_url(self) -> str:
        """Address of the user interface and the REST API, without a closing slash."""
        return self.settings.base_url

    @property
    def rest(self) -> AirflowRest:
        """Client of the REST API, signed in as the first of the logins."""
        if self._rest is None:
            raise RuntimeFailure("The local Airflow is not running; call start() first.")
        return self._rest

    def environment(self) -> dict[str, str]:
        """The environment of its processes, for commands that are to act on this Airflow (`airflow …`, `cshub …`)."""
        return self.settings.environment(os.environ)

    def claim(self) -> None:
        """Take the home folder for this process and end what an earlier, killed start left running there.

        `start` does it too; call it before, to write to the folder yourself. Raises RuntimeFailure when another
        process runs an Airflow there.
        """
        if self._lock is not None:
            return
        self.home.mkdir(parents=True, exist_ok=True)
        lock = (self.home / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise RuntimeFailure(
                f"Process {owner} already runs an Airflow in {self.home}. "
                "Use that one, stop it with Ctrl-C where it runs, or choose another folder."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock
        leftovers = end_marked(self.home)
        if stop_leftover(self.postgres.data_dir) or leftovers:
            self._progress("Taking over from an earlier start that was not stopped")

    def start(self) -> None:
        """Start everything and wait until all is healthy. Raises RuntimeFailure when it does not become so."""
        self.claim()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all components in reverse order, then the database, then anything of this home that is still alive."""
        if self._lock is None:
            return
        if self._rest is not None:
            self._rest.close()
            self._rest = None
        self.components.stop()
        end_marked(self.home)
        self.postgres.stop()
        if self._settings is not None:
            (self.home / RUNNING).unlink(missing_ok=True)
            self._settings = None
        self._lock.close()
        self._lock = None

    def _start(self) -> None:
        self._progress("Starting PostgreSQL")
        self.postgres.start()
        if self._fresh:
            self.postgres.drop_database(METADATA)
            self.postgres.drop_database(LEDGER)
        self._settings = AirflowSettings(
            home=self.home,
            dags_dir=self._dags_dir,
            plugins_dir=self._plugins_dir,
            jobs_dir=self._jobs_dir,
            metadata_url=self.postgres.url(METADATA),
            ledger_url=self.postgres.create_database(LEDGER),
            port=self._free_port(),
            timezone=self._timezone,
            logins=self._logins,
            extra=self._extra,
        )
        self._settings.prepare()
        write_private(self.home / RUNNING, json.dumps({"base_url": self.base_url, "environment": self.environment()}))
        self._migrate()
        started_at = datetime.now(UTC)
        self._progress(f"Starting Airflow ({', '.join(_COMPONENTS)}); this takes 15 to 30 s")
        for name, arguments in _COMPONENTS.items():
            environment = self.environment() | ({PRELOAD: ",".join(PRELOADED)} if name in _PRELOADING else {})
            log_path = self.home / "logs" / f"{name}.log"
            self.components.start(
                Component(name, [*_airflow(), *arguments], environment=environment, log_path=log_path)
            )
        first = self._logins[0]
        self._rest = AirflowRest(self.base_url, first.name, first.password)
        self._await_health(self._rest, started_at)
        self._rest.warm_up()
        for connection in self._connections:
            self._rest.store_connection(connection)
        for pool, slots in self._pools.items():
            self._rest.store_pool(pool, slots)

    def _free_port(self) -> int:
        if self._wanted_port == 0:
            return any_free_port()
        port = next_free_port(self._wanted_port)
        if port != self._wanted_port:
            self._progress(f"Port {self._wanted_port} is in use by another program; taking {port}")
        return port

    def _migrate(self) -> None:
        version = importlib.metadata.version("apache-airflow-core")
        stamp = self.home / "postgres" / "migrated.txt"
        if not (stamp.exists() and stamp.read_text(encoding="utf-8") == version):
            self._progress("Preparing Airflow's database")
            self._run_migration(self.postgres.create_database(METADATA_TEMPLATE))
            if self.postgres.has_database(METADATA):
                self._run_migration(self.postgres.url(METADATA))
            stamp.write_text(version, encoding="utf-8")
        self.postgres.create_database(METADATA, template=METADATA_TEMPLATE)

    def _run_migration(self, url: str) -> None:
        environment = self.environment() | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}
        log_path = self.home / "logs" / "migrate.log"
        migration = Component("db migrate", [*_airflow(), "db", "migrate"], environment=environment, log_path=log_path)
        try:
            migration.start()
            while migration.alive():
                time.sleep(0.1)
        finally:
            migration.end()
        if migration.exit_status != 0:
            raise RuntimeFailure(
                f"Airflow could not prepare its database; the end of {log_path}:\n{migration.log_tail()}"
            )

    def _silent(self) -> list[str]:
        """Components whose last heartbeat is long past.

        Airflow's scheduler that has lost its database may wait for ever for its workers, alive but of no use.
        """
        if self._rest is None:
            return []
        first = self._logins[0]
        try:
            with contextlib.closing(AirflowRest(self.base_url, first.name, first.password)) as rest:
                return [name.replace("_", "-") for name in rest.silent(datetime.now(UTC) - SILENT_LIMIT)]
        except (requests.RequestException, RestError, RuntimeFailure):
            return []

    def _await_health(self, rest: AirflowRest, started_at: datetime) -> None:
        deadline = time.monotonic() + HEALTHY_LIMIT_S
        waiting: list[str] = []
        while True:
            if self.components.failure:
                raise RuntimeFailure(self.components.failure)
            try:
                now_waiting = rest.unhealthy(started_at)
            except (requests.ConnectionError, requests.Timeout, RestError):
                now_waiting = ["api-server"]
            if not now_waiting:
                return
            if now_waiting != waiting:
                waiting = now_waiting
                self._progress(f"Waiting for {', '.join(waiting)}")
            if time.monotonic() > deadline:
                logs = self.home / "logs"
                raise RuntimeFailure(f"Airflow is not healthy after {HEALTHY_LIMIT_S:.0f} s ({waiting}); see {logs}")
            time.sleep(0.3)


def run_airflow(home: Path, *arguments: str, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run Airflow's own command line (3 to 5 s of imports) on the Airflow that runs in `home`; returns its output."""
    command = [*_airflow(), *arguments]
    environment = running_environment(home)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False)


def running_environment(home: Path) -> dict[str, str]:
    """The environment for commands that act on the Airflow that runs in `home`, such as `airflow` and `cshub`.

    Raises RuntimeFailure when none runs there.
    """
    try:
        told = json.loads((home / RUNNING).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RuntimeFailure(f"No Airflow runs in {home}. Start it first, with `make demo`.") from None
    return {str(key): str(value) for key, value in told["environment"].items()}


def _airflow() -> tuple[str, ...]:
    return (sys.executable, "-m", "airflow")

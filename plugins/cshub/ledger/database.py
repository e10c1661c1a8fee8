"""Connections to the ledger's database: one transaction per use, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError

from cshub.core.errors import ServiceUnavailable, SpecError, StateError
from cshub.ledger.settings import VARIABLE

BUSY_LIMIT_S = 60
READ_CHUNK = 10_000
"""Keys of one query: what is held in memory beside the answer."""
_WRITES = "cshub_writes"
T = TypeVar("T")


class Database:
    """The engine of one ledger. Nothing connects before the first transaction.

    Raises :class:`SpecError` for an url that names neither SQLite nor PostgreSQL. A database that does not answer,
    stays locked for a minute or has no room left raises :class:`ServiceUnavailable`; nothing of that transaction is
    kept then, unless the connection broke during the commit itself. A damaged file raises :class:`StateError`.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self.is_postgresql = self.url.get_backend_name() == "postgresql"
        if self.is_postgresql:
            self.engine = create_engine(self.url, pool_pre_ping=True, connect_args={"connect_timeout": 10})
            event.listen(self.engine, "connect", _prepare_postgresql)
        else:
            self.engine = create_engine(self.url, connect_args={"timeout": BUSY_LIMIT_S, "isolation_level": None})
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writer = self.engine.execution_options(**{_WRITES: True})

    @property
    def file(self) -> Path | None:
        """The file of a SQLite ledger."""
        return None if self.is_postgresql or not self.url.database else Path(self.url.database)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with _told(self.url), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: committed at the end, rolled back when anything is raised.

        On SQLite it holds the write lock from its first moment.
        """
        with _told(self.url), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def chunks(items: Sequence[T], size: int = READ_CHUNK) -> Iterator[Sequence[T]]:
    """``items`` in pieces of at most ``size``."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _parsed(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SpecError(
            f"{VARIABLE} is not a database url: write sqlite:///path/ledger.db or postgresql://…"
        ) from error
    backend = url.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise SpecError(f"{VARIABLE} names {backend}: the ledger lives on sqlite or postgresql.")
    return url.set(drivername="postgresql+psycopg2") if backend == "postgresql" else url


def _prepare_postgresql(connection: Any, _: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"set timezone = 'UTC'; set lock_timeout = '{BUSY_LIMIT_S}s'; "
            f"set idle_in_transaction_session_timeout = '{2 * BUSY_LIMIT_S}s'"
        )
    connection.commit()


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL").close()
    connection.execute("PRAGMA synchronous = FULL").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _told(url: URL) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if type(error) is DatabaseError:
            raise StateError(
                f"The ledger at {url.render_as_string(hide_password=True)} cannot be read: {error.orig}. "
                "Stop all runs and restore the database from its last backup."
            ) from error
        if not (error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError))):
            raise
        raise ServiceUnavailable(
            f"The ledger at {url.render_as_string(hide_password=True)} does not work now: {error.orig}. "
            "Check that the database runs, is not locked by another program and has room on its disk; then run again."
        ) from error

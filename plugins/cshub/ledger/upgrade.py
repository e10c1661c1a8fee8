"""Bringing a ledger's tables up to date, safely when several processes do it at once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from cshub.core.errors import SpecError, StateError
from cshub.ledger.database import Database
from cshub.ledger.migrations import HEAD

_ADVISORY_LOCK = 0x637368756200
"""Any number that no other user of the database takes: "cshub" in ASCII."""


def prepare(database: Database) -> None:
    """Make the file of a SQLite ledger if need be, and bring the tables to the newest revision.

    One transaction: after a crash the ledger is at its old revision or at the new one.
    Raises :class:`SpecError` when the folder cannot be made, :class:`StateError` when the ledger is of a newer program.
    """
    if database.file is not None:
        with _alone(database.file):
            _upgrade(database)
    else:
        _upgrade(database)


def revision(database: Database) -> str | None:
    """The revision the ledger is at, None when it has no tables yet."""
    with database.reading() as connection:
        return _revision(connection)


def _upgrade(database: Database) -> None:
    if revision(database) == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.writing() as connection:
        if database.is_postgresql:
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StateError(
                f"The ledger is at revision {_revision(connection)!r}, which this cshub does not know: a newer cshub "
                "has used it. Install that version here, or open another ledger."
            ) from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("select version_num from alembic_version")).scalar_one_or_none()
    return found


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Only one process at a time for the ledgers of this folder; the folder is made if it is missing."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(file.parent, os.O_RDONLY)
    except OSError as error:
        raise SpecError(
            f"The ledger's folder {file.parent} cannot be used: {error.strerror}. Choose another one."
        ) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)

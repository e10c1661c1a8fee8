"""Upgrades that are killed at a statement, and ledgers that a newer program has used."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from cshub.core.errors import StateError
from cshub.ledger import Ledger, migrations
from cshub.ledger.database import Database
from tests.campaigns.upgrade_ledgers import FUTURE, contents, kill_upgrade, statements_of_upgrade, write_older
from tests.pipeline.two_way import settled


@dataclass(frozen=True, slots=True)
class Base:
    """A ledger of an older level: a file of SQLite, or with ``server`` a database of PostgreSQL to make copies of."""

    level: str
    name: str
    server: str | None = None

    def copied(self, folder: Path, name: str) -> str:
        """Url of a copy."""
        if self.server is None:
            return f"sqlite:///{shutil.copy(self.name, folder / f'{name}.db')}"
        return new_database(self.server, name, template=self.name)


@dataclass(frozen=True, slots=True)
class Kill:
    """An upgrade killed before its statement ``at``."""

    base: Base
    at: int

    def told(self) -> str:
        database = "SQLite" if self.base.server is None else "PostgreSQL"
        return f"upgrade from {self.base.level} on {database}, killed before statement {self.at}"


def make_bases(folder: Path, levels: Sequence[str], server: str) -> list[Base]:
    """Ledgers of these levels on both databases, with what two jobs of a pair have made."""
    place = folder / "base"
    place.mkdir()
    sync = settled(place, accounts=8, cases=False)
    bases = []
    for level in levels:
        path = folder / f"base-{level}.db"
        write_older(sync.lab.ledger, f"sqlite:///{path}", level)
        write_older(sync.lab.ledger, new_database(server, f"base_{level}"), level)
        bases += [Base(level, str(path)), Base(level, f"base_{level}", server)]
    sync.lab.ledger.close()
    return bases


def kills(bases: Sequence[Base], folder: Path, some: Random | None, count: int) -> Iterator[Kill]:
    """One for every statement of every upgrade; with ``some`` only ``count`` of each."""
    for base in bases:
        places = range(1, statements_of_upgrade(base.copied(folder, f"counted_{base.level}")) + 1)
        yield from (Kill(base, at) for at in (places if some is None else some.sample(places, count)))


def survives(kill: Kill) -> str:
    """Why the ledger is not as after an upgrade in one go; "" when it is."""
    with TemporaryDirectory() as folder:
        names = [f"{name}_{kill.base.level}_{kill.at}" for name in ("killed", "whole")]
        urls = [kill.base.copied(Path(folder), name) for name in names]
        try:
            if not kill_upgrade(urls[0], kill.at):
                return f"{kill.told()}: it was not killed"
            database = Database(urls[0])
            found = Ledger(database).revision()
            database.close()
            for url in urls:
                Ledger.open(url).close()
            same = contents(urls[0]) == contents(urls[1])
        except Exception as error:
            return f"{kill.told()}: {type(error).__name__}: {error}"
        finally:
            for name in names if kill.base.server is not None else ():
                drop_database(kill.base.server or "", name)
    if found not in (kill.base.level, migrations.HEAD):
        return f"{kill.told()}: the ledger was left at {found}"
    return "" if same else f"{kill.told()}: it holds something else than after an upgrade in one go"


def refuses_the_future(url: str) -> str:
    """Why a ledger of a newer program was not refused; "" when it was, and is untouched."""
    with Ledger.open(url) as ledger, ledger.database.writing() as connection:
        connection.execute(text("update alembic_version set version_num = :level"), {"level": FUTURE})
    before = contents(url)
    try:
        Ledger.open(url).close()
    except StateError as refusal:
        is_clear = "newer cshub" in str(refusal) and "Install" in str(refusal)
        return "" if is_clear and contents(url) == before else f"refused with {str(refusal)!r}, or changed"
    return f"a ledger of revision {FUTURE} was opened"


def new_database(server: str, name: str, *, template: str = "template1") -> str:
    """Url of a new database; ``server``: url of the one to ask."""
    _ask(server, f"create database {name} template {template}")
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def drop_database(server: str, name: str) -> None:
    _ask(server, f"drop database if exists {name} with (force)")


def _ask(server: str, statement: str) -> None:
    with create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        connection.execute(text(statement))

"""Copies of a stage's ledger on PostgreSQL: one database for each death."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, Table, create_engine, func, make_url, select, text
from sqlalchemy.pool import NullPool

from cshub.ledger import Ledger
from cshub.ledger.database import Database
from cshub.ledger.tables import metadata

_numbers = count(1)


@dataclass
class LedgerServer:
    """A running PostgreSQL server. ``url``: of its database ``postgres``; ``prefix``: of the names made here."""

    url: str
    prefix: str
    templates: dict[Path, str] = field(default_factory=dict)

    @contextmanager
    def copy(self, file: Path) -> Iterator[str]:
        """Url of a new database that holds what the SQLite ledger ``file`` holds; it is dropped in the end."""
        template = self.templates.get(file) or self._make_template(file)
        name = f"{self.prefix}_{next(_numbers)}"
        self._order(f"create database {name} template {template}")
        try:
            yield self._url_of(name)
        finally:
            self._order(f"drop database {name} with (force)")

    def _make_template(self, file: Path) -> str:
        name = f"{self.prefix}_template_{len(self.templates)}"
        self._order(f"create database {name}")
        Ledger.open(self._url_of(name)).close()
        source, target = Database(f"sqlite:///{file}"), Database(self._url_of(name))
        with source.reading() as old, target.writing() as new:
            for table in metadata.sorted_tables:
                _copy(table, old, new)
        source.close()
        target.close()
        self.templates[file] = name
        return name

    def _url_of(self, name: str) -> str:
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def _order(self, statement: str) -> None:
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(statement))


def _copy(table: Table, old: Connection, new: Connection) -> None:
    rows = [dict(row) for row in old.execute(select(table)).mappings()]
    if not rows:
        return
    new.execute(table.insert(), rows)
    number = table.autoincrement_column
    if number is not None:
        sequence = func.pg_get_serial_sequence(f'"{table.name}"', number.name)
        new.execute(select(func.setval(sequence, max(row[number.name] for row in rows))))

"""Ledgers as older versions of the program kept them, and upgrades that are killed.

What a ledger of today holds is written into tables made by alembic at the older level, in the shape they had then, as
far as that version knew it: links with one direction before 0003, no users before 0004.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Dialect, MetaData, Table, event, select, text

from cshub.core.records import LinkState
from cshub.ledger import Ledger, migrations, tables
from cshub.ledger.columns import LinkStateCode, UtcDateTime, encode_json
from cshub.ledger.database import Database

LEVELS = ("0001", "0002", "0003")
FUTURE = "9999"
ONE_DIRECTION = ("0001", "0002")
KILLED = -9
_IN_STEP = 1
_ROOT = Path(__file__).parents[2]
Row = Mapping[str, Any]


def at_level(url: str, level: str) -> Database:
    """An empty ledger with the tables of an older level."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    database = Database(url)
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, level)
    return database


def write_older(ledger: Ledger, url: str, level: str) -> None:
    """What ``ledger`` holds, as the version of ``level`` would have held it, in a new database at ``url``."""
    held: dict[str, list[Row]] = {}
    with ledger.database.reading() as connection:
        for table in tables.metadata.sorted_tables:
            held[table.name] = [dict(row._mapping) for row in connection.execute(select(table))]
    older = at_level(url, level)
    if level in ONE_DIRECTION:
        shapes = _one_sided_shapes(held["shape"])
        held = {name: list(_one_direction(name, rows, shapes)) for name, rows in held.items()}
    for name, rows in held.items():
        _fill(older, name, rows)
    older.close()


def _one_sided_shapes(rows: Sequence[Row]) -> dict[int, Row]:
    """Number of a shape of today → the row it would have had; shapes that differed in nothing were one."""
    known: dict[str, Row] = {}
    found: dict[int, Row] = {}
    for row in rows:
        left, right, _ = row["content"]
        content = [left[0], left[1], right[2], right[3]]
        digest = hashlib.blake2b(encode_json(content).encode(), digest_size=16).hexdigest()
        found[row["id"]] = known.setdefault(digest, {"id": row["id"], "digest": digest, "content": content})
    return found


def _one_direction(name: str, rows: Sequence[Row], shapes: Mapping[int, Row]) -> Iterator[Row]:
    """Rows of a table before links had two equal sides."""
    if name == "shape":
        yield from {row["digest"]: row for row in shapes.values()}.values()
    elif name == "pair":
        for row in rows:
            sides = (("left", "source"), ("right", "target"))
            moved = {
                f"{now}_{part}": row[f"{old}_{part}"] for old, now in sides for part in ("system", "object", "identity")
            }
            yield {"id": row["id"], "name": row["name"], "bound_at": row["bound_at"], **moved}
    elif name == "link":
        yield from (_one_sided(row, shapes) for row in rows if row["left_key"] is not None)
    else:
        yield from (row for row in rows if not row.get("mirrored"))


def _one_sided(row: Row, shapes: Mapping[int, Row]) -> Row:
    names = ("pair_id", "version", "run_number", "first_seen_at", "created_at", "written_at")
    state = row["left_state"]
    return {
        **{name: row[name] for name in names},
        "shape_id": shapes[row["shape_id"]]["id"],
        "source_key": row["left_key"],
        "state": _IN_STEP if state in (None, LinkState.IN_STEP) else state,
        "target_key": row["right_key"],
        "target_account_id": row["right_account_id"],
        "target_extra": row["right_extra"],
        "source_base": row["left_mapped"],
        "target_base": row["right_marks"],
        "source_modified_at": row["left_modified_at"],
        "target_modified_at": row["right_modified_at"],
    }


def _fill(database: Database, name: str, rows: Sequence[Row]) -> None:
    """Add rows to a table as it is at its level; columns that it does not have are left out."""
    if not rows:
        return
    with database.writing() as connection:
        known = Table(name, MetaData(), autoload_with=connection)
        plain = [
            {column.name: _stored(row.get(column.name), connection.dialect) for column in known.columns} for row in rows
        ]
        names = {column.name for column in known.columns if column.name in rows[0]}
        connection.execute(known.insert(), [{key: row[key] for key in names} for row in plain])
        for key in {"id", "number"} & names if database.is_postgresql else ():
            given = f"pg_get_serial_sequence('{name}', '{key}')"
            connection.execute(text(f"select setval({given}, max({key})) from {name} where {given} is not null"))


def _stored(value: Any, dialect: Dialect) -> Any:
    if isinstance(value, datetime):
        return UtcDateTime().process_bind_param(value, dialect)
    if isinstance(value, LinkState):
        return LinkStateCode().process_bind_param(value, dialect)
    return encode_json(value) if isinstance(value, (dict, list)) else value


def contents(url: str) -> dict[str, list[str]]:
    """Everything a ledger of today's level holds, by table."""
    database = Database(url)
    try:
        with database.reading() as connection:
            return {
                table.name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
                for table in tables.metadata.sorted_tables
            }
    finally:
        database.close()


def statements_of_upgrade(url: str) -> int:
    """How many statements an upgrade of the ledger at ``url`` takes. It is upgraded."""
    counted: list[str] = []
    with _watched(url, lambda statement: counted.append(statement)) as ledger:
        ledger.upgrade()
    return len(counted)


def kill_upgrade(url: str, at: int) -> bool:
    """Upgrade in a process that is killed before statement ``at`` (from 1); whether it was killed."""
    done = subprocess.run([sys.executable, "-m", __name__, url, str(at)], cwd=_ROOT, capture_output=True, text=True)
    assert done.returncode in (0, KILLED), done.stderr
    return done.returncode == KILLED


def _watched(url: str, tell: Callable[[str], object]) -> Ledger:
    ledger = Ledger(Database(url))

    def before(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        tell(statement)

    event.listen(ledger.database.engine, "before_cursor_execute", before)
    return ledger


def _die_upgrading(url: str, at: int) -> None:
    import os
    import signal
    from itertools import count

    numbers = count(1)

    def tell(_statement: str) -> None:
        if next(numbers) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    with _watched(url, tell) as ledger:
        ledger.upgrade()


if __name__ == "__main__":
    logging.getLogger("alembic").setLevel(logging.WARNING)
    _die_upgrading(sys.argv[1], int(sys.argv[2]))

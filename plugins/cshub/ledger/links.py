"""Links between records: what both sides last agreed on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, select
from sqlalchemy.exc import IntegrityError

from cshub.core.errors import LinkMoved
from cshub.core.records import Link, LinkState
from cshub.ledger.database import Database, chunks
from cshub.ledger.shapes import Shape, ShapeBook, pack, pack_target, unpack, unpack_target
from cshub.ledger.statements import among, insert_into
from cshub.ledger.tables import WAITING, link, run

_READ_ROWS = 1_000
_KEYS = ("pair_id", "source_key")
_WANTED = select(
    link.c.pair_id,
    link.c.source_key,
    link.c.state,
    link.c.version,
    link.c.shape_id,
    link.c.target_key,
    link.c.target_account_id,
    link.c.target_extra,
    link.c.source_base,
    link.c.target_base,
    link.c.source_modified_at,
    link.c.target_modified_at,
    link.c.first_seen_at,
    link.c.created_at,
    link.c.written_at,
    run.c.run_id,
).select_from(link.outerjoin(run, run.c.number == link.c.run_number))


class LinkBook:
    """Reads and packs links."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shapes = ShapeBook(database)

    def by_source(self, pair_id: int, keys: Sequence[str]) -> dict[str, Link]:
        return {item.source_key: item for item in self._with_keys(pair_id, link.c.source_key, keys)}

    def by_target(self, pair_id: int, keys: Sequence[str]) -> dict[str, Link]:
        found = self._with_keys(pair_id, link.c.target_key, keys)
        return {item.target_key: item for item in found if item.target_key is not None}

    def in_state(self, pair_id: int, states: Collection[LinkState], seen_since: datetime | None) -> list[Link]:
        here = and_(link.c.pair_id == pair_id, link.c.state.in_(set(states)))
        if LinkState.IN_STEP not in states:
            here = and_(here, WAITING)
        if seen_since is not None:
            here = and_(here, link.c.first_seen_at >= seen_since)
        with self._database.reading() as connection:
            return list(self._found(connection, _WANTED.where(here).order_by(link.c.source_key)))

    def count(self, pair_id: int) -> dict[LinkState, int]:
        counted = select(link.c.state, func.count()).where(link.c.pair_id == pair_id).group_by(link.c.state)
        with self._database.reading() as connection:
            return {row.state: row[1] for row in connection.execute(counted)}

    def packed(self, links: Sequence[Link]) -> list[dict[str, Any]]:
        """Rows for :func:`store`, at the version after the one each link has."""
        shapes = [Shape.of(item) for item in links]
        numbers = self._shapes.numbers(shapes)
        return [_packed(item, shape, numbers[shape]) for item, shape in zip(links, shapes, strict=True)]

    def _with_keys(self, pair_id: int, column: ColumnElement[Any], keys: Sequence[str]) -> Iterator[Link]:
        for part in chunks(keys):
            with self._database.reading() as connection:
                here = and_(link.c.pair_id == pair_id, among(connection, column, part))
                yield from self._found(connection, _WANTED.where(here))

    def _found(self, connection: Connection, wanted: Select[*tuple[Any, ...]]) -> Iterator[Link]:
        for rows in connection.execute(wanted).partitions(_READ_ROWS):
            yield from _links(rows, self._shapes.shapes(connection, {row.shape_id for row in rows}))


def store(connection: Connection, rows: Sequence[dict[str, Any]], run_number: int) -> None:
    """Write packed links. :class:`LinkMoved` when one is no longer at the version it was read at."""
    _check_versions(connection, rows)
    for row in rows:
        row["run_number"] = run_number
    inserted = insert_into(connection, link)
    changed = {column.name: inserted.excluded[column.name] for column in link.c if column.name not in _KEYS}
    statement = inserted.on_conflict_do_update(
        index_elements=[link.c.pair_id, link.c.source_key],
        set_=changed,
        where=link.c.version == inserted.excluded.version - 1,
    ).returning(link.c.source_key)
    try:
        written = len(connection.execute(statement, list(rows)).all()) if rows else 0
    except IntegrityError as error:
        raise _target_taken(rows) from error
    if written != len(rows):
        raise LinkMoved("Another run has just made one of these links. Plan again: the next run sees its work.")


def version_of(connection: Connection, pair_id: int, source_key: str) -> tuple[int, str | None] | None:
    """Version and target key of a link, None when there is none. Locks the row."""
    here = and_(link.c.pair_id == pair_id, link.c.source_key == source_key)
    row = connection.execute(select(link.c.version, link.c.target_key).where(here).with_for_update()).one_or_none()
    return None if row is None else (row.version, row.target_key)


def source_of(connection: Connection, pair_id: int, target_key: str) -> str | None:
    """The source key linked to a target record."""
    here = and_(link.c.pair_id == pair_id, link.c.target_key == target_key)
    return connection.execute(select(link.c.source_key).where(here)).scalar_one_or_none()


def _check_versions(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if len({(row["pair_id"], row["source_key"]) for row in rows}) != len(rows):
        raise ValueError("A link is given twice in one batch: give each source key once.")
    for pair_id in {row["pair_id"] for row in rows}:
        expected = {row["source_key"]: row["version"] - 1 for row in rows if row["pair_id"] == pair_id}
        stored: dict[str, int] = {}
        for part in chunks(sorted(expected)):
            here = and_(link.c.pair_id == pair_id, among(connection, link.c.source_key, part))
            found = connection.execute(select(link.c.source_key, link.c.version).where(here).with_for_update())
            stored.update((key, version) for key, version in found)
        moved = [key for key, version in expected.items() if stored.get(key, 0) != version]
        if moved:
            shown = ", ".join(
                f"{key} (planned at version {expected[key]}, now {stored.get(key, 0)})" for key in sorted(moved)[:5]
            )
            raise LinkMoved(
                f"{len(moved)} of {len(expected)} links changed since the plan was made: {shown}. "
                "Nothing was recorded. Plan again: the next run sees the change."
            )


def _target_taken(rows: Sequence[dict[str, Any]]) -> LinkMoved:
    shown = ", ".join(f"{row['source_key']} → {row['target_key']}" for row in rows[:5])
    return LinkMoved(
        f"A target record is already linked to another source record; tried: {shown}. Nothing was recorded. "
        "Ask `cshub why` for the target's key to see which record it belongs to."
    )


def _packed(item: Link, shape: Shape, shape_id: int) -> dict[str, Any]:
    return {
        "pair_id": item.pair_id,
        "source_key": item.source_key,
        "state": item.state,
        "version": item.version + 1,
        "shape_id": shape_id,
        "run_number": None,
        "target_key": item.target_key,
        "target_account_id": item.target_account_id,
        "target_extra": [item.target_extra[name] for name in shape.extra] or None,
        "source_base": pack(item.source_base, shape.source),
        "target_base": pack_target(item, shape),
        "source_modified_at": item.source_modified_at,
        "target_modified_at": item.target_modified_at,
        "first_seen_at": item.first_seen_at,
        "created_at": item.created_at,
        "written_at": item.written_at,
    }


def _links(rows: Iterable[Row[*tuple[Any, ...]]], shapes: Mapping[int, Shape]) -> Iterator[Link]:
    for row in rows:
        pair_id, key, state, version, shape_id, target, account, extra, base, target_base = row[:10]
        source_at, target_at, first_seen_at, created_at, written_at, run_id = row[10:]
        shape = shapes[shape_id]
        source_base = unpack(base, shape.source)
        yield Link(
            pair_id=pair_id,
            source_key=key,
            state=state,
            version=version,
            target_key=target,
            target_account_id=account,
            target_extra=dict(zip(shape.extra, extra, strict=True)) if extra else {},
            source_base=source_base,
            target_base=unpack_target(target_base, shape, source_base),
            mapping_version=shape.mapping_version,
            source_modified_at=source_at,
            target_modified_at=target_at,
            first_seen_at=first_seen_at,
            created_at=created_at,
            written_at=written_at,
            run_id=run_id,
        )

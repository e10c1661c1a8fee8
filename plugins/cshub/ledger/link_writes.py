"""Storing links: a record belongs to one link of its pair, and a link is changed only as it was last read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from cshub.core.errors import LinkMoved
from cshub.core.records import Link, Pair
from cshub.ledger.database import chunks
from cshub.ledger.link_rows import WHOLE_LINKS, links_of, packed, sides, source_key, target_key
from cshub.ledger.runs import RunPlace
from cshub.ledger.shapes import Shape, ShapeBook
from cshub.ledger.statements import among, insert_into
from cshub.ledger.tables import link

_KEYS = (link.c.left_key, link.c.right_key)
_FIXED = ("number", "pair_id")
_SHOWN = 5
Record = tuple[int, str]
"""Side (0 left, 1 right) and key."""


@dataclass(frozen=True, slots=True)
class LinkBatch:
    """Links of one pair that are to be stored, and their rows."""

    links: Sequence[Link]
    rows: Sequence[dict[str, Any]]


class _Stored(NamedTuple):
    number: int
    version: int
    left_key: str | None
    right_key: str | None

    @property
    def is_lone(self) -> bool:
        return self.left_key is None or self.right_key is None

    @property
    def records(self) -> set[Record]:
        return _records(self.left_key, self.right_key)


def batch_of(shapes: ShapeBook, links: Sequence[Link]) -> LinkBatch:
    """What :func:`store` takes. Called outside a transaction: it makes shapes known that are new.

    ``ValueError`` for a link without any key, or one link or record given twice.
    """
    counts = Counter(record for item in links for record in (*_records_of(item), item.number) if record)
    twice = [str(record[1]) if isinstance(record, tuple) else str(record) for record, n in counts.items() if n > 1]
    if twice:
        raise ValueError(f"{', '.join(sorted(twice)[:_SHOWN])}: given twice in one batch. Give each record once.")
    if not all(map(_records_of, links)):
        raise ValueError("A link needs the key of a record on at least one side.")
    forms = [Shape.of(*sides(item)) for item in links]
    numbers = shapes.numbers(forms)
    return LinkBatch(links, [packed(item, form, numbers[form]) for item, form in zip(links, forms, strict=True)])


def store(connection: Connection, shapes: ShapeBook, batch: LinkBatch, run: RunPlace) -> list[Link]:
    """Write links as work of ``run``; they come back, in order, as they are now stored.

    A link that gains a record which another link holds alone takes that one in: it is removed, and what the link lacks
    of when it was first seen and what was made of it is kept. :class:`LinkMoved` when a link is no longer at the
    version it was read at, when a new one names a record that has a link, or when a record is linked to another.
    """
    if not batch.links:
        return []
    lone = _demand_unmoved(connection, batch.links)
    links, rows = list(batch.links), list(batch.rows)
    for place, item in _merged(connection, shapes, links, lone):
        shape = Shape.of(*sides(item))
        links[place], rows[place] = item, packed(item, shape, shapes.number_within(connection, shape))
    for row in rows:
        row["run_number"] = run.number
    try:
        if lone:
            connection.execute(delete(link).where(among(connection, link.c.number, list(lone))))
        _change(connection, [row for row in rows if row["number"]])
        numbers = _add(connection, [row for row in rows if not row["number"]])
    except IntegrityError as error:
        raise LinkMoved(
            "Another run has just made one of these links. Nothing was recorded. "
            "Plan again: the next run sees its work."
        ) from error
    return [
        replace(
            item,
            number=item.number or numbers[min(_records_of(item))],
            version=item.version + 1,
            run_id=run.run_id,
        )
        for item in links
    ]


def versions(connection: Connection, pair: Pair, keys: Sequence[str]) -> dict[str, tuple[int, str | None]]:
    """Source key → version and target key of its link. Locks the rows."""
    key = source_key(pair)
    wanted = select(key, link.c.version, target_key(pair)).where(link.c.pair_id == pair.number)
    locked = wanted.order_by(link.c.number).with_for_update()
    rows = (row for part in chunks(keys) for row in connection.execute(locked.where(among(connection, key, part))))
    return {found: (version, target) for found, version, target in rows}


def _demand_unmoved(connection: Connection, links: Sequence[Link]) -> dict[int, int]:
    """Number of each lone link that is taken in → place of the one that takes it."""
    pair_id = links[0].pair.number
    known = _rows(connection, pair_id, link.c.number, [item.number for item in links if item.number])
    stored = {row.number: row for row in known}
    gained = [_records_of(item) - (stored[item.number].records if item.number in stored else set()) for item in links]
    holders = _holders(connection, pair_id, set().union(*gained))
    moved, taken = [], []
    lone: dict[int, int] = {}
    for place, item in enumerate(links):
        mine = stored.get(item.number) or (holders.get(_source_of(item)) if not item.number else None)
        now = mine.version if mine else 0
        others = {holders[record].number: holders[record] for record in gained[place] if record in holders}
        if item.version != now or (item.number and not mine):
            moved.append(f"{_name(item)} (planned at version {item.version}, now {now})")
        elif any(not item.number or not other.is_lone or other.number in stored for other in others.values()):
            taken.append(f"{item.source.key} → {item.target.key}")
        else:
            lone.update(dict.fromkeys(others, place))
    if moved:
        raise LinkMoved(
            f"{len(moved)} of {len(links)} links changed since the plan was made: {', '.join(sorted(moved)[:_SHOWN])}. "
            "Nothing was recorded. Plan again: the next run sees the change."
        )
    if taken:
        raise LinkMoved(
            f"A record is already linked to another one or has a link of its own; tried: {', '.join(taken[:_SHOWN])}. "
            "Nothing was recorded. Ask `cshub why` for the target's key to see which record it belongs to."
        )
    return lone


def _holders(connection: Connection, pair_id: int, records: set[Record]) -> dict[Record, _Stored]:
    found = {}
    for side, column in enumerate(_KEYS):
        for row in _rows(connection, pair_id, column, sorted(key for where, key in records if where == side)):
            found.update(dict.fromkeys(row.records, row))
    return found


def _rows(connection: Connection, pair_id: int, column: Column[Any], wanted: Sequence[Any]) -> Iterator[_Stored]:
    found = select(link.c.number, link.c.version, *_KEYS).where(link.c.pair_id == pair_id).with_for_update()
    for part in chunks(wanted):
        for row in connection.execute(found.where(among(connection, column, part)).order_by(link.c.number)):
            yield _Stored(*row)


def _merged(
    connection: Connection, shapes: ShapeBook, links: Sequence[Link], lone: Mapping[int, int]
) -> Iterator[tuple[int, Link]]:
    """Place → the link there with what it keeps of those it takes in."""
    if not lone:
        return
    rows = connection.execute(WHOLE_LINKS.where(among(connection, link.c.number, list(lone)))).all()
    known = shapes.shapes(connection, {row.shape_id for row in rows})
    merged: dict[int, Link] = {}
    for other in links_of(rows, known):
        place = lone[other.number]
        item = merged.get(place, links[place])
        merged[place] = _keeping(item, other.mirrored() if item.pair.mirrored else other)
    yield from merged.items()


def _keeping(item: Link, lone: Link) -> Link:
    kept = {
        name: {"mapped": other.mapped, "mapping_version": other.mapping_version}
        for name, mine, other in (("source", item.source, lone.source), ("target", item.target, lone.target))
        if other.key is not None and not mine.mapped
    }
    return item.having(**kept, first_seen_at=item.first_seen_at or lone.first_seen_at)


def _change(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """The rows are locked and known to be there: the insert always becomes an update, many rows in one statement."""
    if rows:
        inserted = insert_into(connection, link)
        changed = {column.name: inserted.excluded[column.name] for column in link.c if column.name not in _FIXED}
        connection.execute(inserted.on_conflict_do_update(index_elements=[link.c.number], set_=changed), rows)


def _add(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[Record, int]:
    if not rows:
        return {}
    for row in rows:
        del row["number"]
    added = connection.execute(insert(link).returning(link.c.number, *_KEYS), rows)
    return {record: number for number, left, right in added for record in _records(left, right)}


def _source_of(item: Link) -> Record:
    return int(item.pair.mirrored), item.source.key or ""


def _records_of(item: Link) -> set[Record]:
    left, right = sides(item)
    return _records(left.key, right.key)


def _records(left_key: str | None, right_key: str | None) -> set[Record]:
    return {(side, key) for side, key in enumerate((left_key, right_key)) if key is not None}


def _name(item: Link) -> str:
    return item.source.key or item.target.key or ""

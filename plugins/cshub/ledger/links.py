"""Finding links between records: what both sides last agreed on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, func, literal, or_, select, tuple_

from cshub.core.records import Link, LinkState, Pair
from cshub.core.window import Window
from cshub.ledger.columns import UtcDateTime
from cshub.ledger.database import Database, chunks
from cshub.ledger.link_rows import WHOLE_LINKS, links_of, source_key, source_state, target_key
from cshub.ledger.shapes import ShapeBook
from cshub.ledger.statements import among
from cshub.ledger.tables import IS_LINKED, link

PAGE = 2_000
"""Links held in memory at a time by what gives them one after the other."""
_READ_ROWS = 1_000


class LinkBook:
    """Reads links in the direction of the pair they are asked for by."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.shapes = ShapeBook(database)

    def by_source(self, pair: Pair, keys: Sequence[str]) -> dict[str, Link]:
        return {item.source_key: item for item in self._with_keys(pair, source_key(pair), keys)}

    def by_target(self, pair: Pair, keys: Sequence[str]) -> dict[str, Link]:
        found = self._with_keys(pair, target_key(pair), keys)
        return {item.target_key: item for item in found if item.target_key is not None}

    def alike(self, pair: Pair, key: str) -> list[Link]:
        form = key[:15].lower()
        columns = (link.c.left_key, link.c.right_key)
        fits = (and_(func.length(item).in_((15, 18)), func.lower(func.substr(item, 1, 15)) == form) for item in columns)
        with self._database.reading() as connection:
            return list(self._found(connection, pair, WHOLE_LINKS.where(link.c.pair_id == pair.number, or_(*fits))))

    def in_state(
        self, pair: Pair, states: Collection[LinkState], seen_since: datetime | None, *, linked: bool
    ) -> list[Link]:
        here = and_(link.c.pair_id == pair.number, source_key(pair).is_not(None), _is_in(source_state(pair), states))
        if seen_since is not None:
            here = and_(here, link.c.first_seen_at >= seen_since)
        if linked:
            here = and_(here, IS_LINKED)
        with self._database.reading() as connection:
            return list(self._found(connection, pair, WHOLE_LINKS.where(here).order_by(source_key(pair))))

    def count(self, pair: Pair) -> dict[LinkState, int]:
        state = source_state(pair)
        here = and_(link.c.pair_id == pair.number, source_key(pair).is_not(None))
        with self._database.reading() as connection:
            counted = connection.execute(select(state, func.count()).where(here).group_by(state))
            return {row[0]: row[1] for row in counted}

    def linked(self, pair: Pair) -> Iterator[Link]:
        key = source_key(pair)
        wanted = WHOLE_LINKS.where(link.c.pair_id == pair.number, IS_LINKED).order_by(key)
        return self._pages(pair, wanted, lambda last: key > last.source_key)

    def dated(self, pair: Pair, window: Window) -> Iterator[Link]:
        state = source_state(pair)
        wanted = WHOLE_LINKS.where(
            link.c.pair_id == pair.number,
            link.c.dated_at >= window.start,
            link.c.dated_at < window.end,
            IS_LINKED,
            _is_in(state, set(LinkState) - {LinkState.DELETED, LinkState.GONE}),
        ).order_by(link.c.dated_at, link.c.number)
        place = tuple_(link.c.dated_at, link.c.number)
        return self._pages(
            pair, wanted, lambda last: place > tuple_(literal(last.dated_at, UtcDateTime), literal(last.number))
        )

    def _with_keys(self, pair: Pair, column: Column[Any], keys: Sequence[str]) -> Iterator[Link]:
        for part in chunks(keys):
            with self._database.reading() as connection:
                here = and_(link.c.pair_id == pair.number, among(connection, column, part))
                yield from self._found(connection, pair, WHOLE_LINKS.where(here))

    def _pages(
        self, pair: Pair, wanted: Select[*tuple[Any, ...]], after: Callable[[Link], ColumnElement[bool]]
    ) -> Iterator[Link]:
        """All that is wanted, page by page, each in a transaction that has ended when its links are given."""
        here = wanted
        while True:
            with self._database.reading() as connection:
                page = list(self._found(connection, pair, here.limit(PAGE)))
            yield from page
            if len(page) < PAGE:
                return
            here = wanted.where(after(page[-1]))

    def _found(self, connection: Connection, pair: Pair, wanted: Select[*tuple[Any, ...]]) -> Iterator[Link]:
        for rows in connection.execute(wanted).partitions(_READ_ROWS):
            shapes = self.shapes.shapes(connection, {row.shape_id for row in rows})
            yield from links_of(rows, shapes, mirrored=pair.mirrored)


def keys_beside(connection: Connection, pair_id: int, key: str) -> list[tuple[str | None, str | None]]:
    """Left and right key of the links that hold ``key`` on either side."""
    here = and_(link.c.pair_id == pair_id, or_(link.c.left_key == key, link.c.right_key == key))
    return [(left, right) for left, right in connection.execute(select(link.c.left_key, link.c.right_key).where(here))]


def _is_in(state: Column[Any], states: Collection[LinkState]) -> ColumnElement[bool]:
    waiting = state.in_([item for item in LinkState if item in states and item is not LinkState.IN_STEP])
    return or_(state.is_(None), waiting) if LinkState.IN_STEP in states else waiting

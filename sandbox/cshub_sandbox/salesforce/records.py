"""Writes to the rows of an org: all together or none, and seen by queries when their time has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from cshub_sandbox.salesforce.rows import Row, Store, Table


class Records:
    """The only way by which rows change. ``show_at`` says when a write made now becomes visible to queries."""

    def __init__(self, store: Store, show_at: Callable[[], datetime | None]) -> None:
        self.store = store
        self._show_at = show_at
        self._undo: list[tuple[Table, str, Row | None]] | None = None
        self._hidden: dict[tuple[str, str], list[tuple[datetime, Row | None]]] = {}

    def put(self, table_name: str, row: Row) -> None:
        """Adds the row, or puts it in the place of the one with its id."""
        table = self.store.table(table_name)
        self._note(table, row["Id"])
        table.put(row)

    def remove(self, table_name: str, record_id: str) -> None:
        """Forgets the row for good."""
        table = self.store.table(table_name)
        self._note(table, record_id)
        table.remove(record_id)

    def _note(self, table: Table, record_id: str) -> None:
        before = table.get(record_id)
        if self._undo is not None:
            self._undo.append((table, record_id, before))
        show_at = self._show_at()
        if show_at is not None:
            self._hidden.setdefault((table.name, record_id), []).append((show_at, before))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written inside is taken back when the block ends with an exception; blocks may be nested."""
        outer, self._undo = self._undo, []
        try:
            yield
        except BaseException:
            for table, record_id, before in reversed(self._undo):
                _restore(table, record_id, before)
            raise
        else:
            if outer is not None:
                outer.extend(self._undo)
        finally:
            self._undo = outer

    @contextmanager
    def as_seen_at(self, now: datetime) -> Iterator[None]:
        """Inside, the rows are as queries see them at ``now``: changes that are not visible yet are not there."""
        swapped: list[tuple[Table, str, Row | None]] = []
        for (name, record_id), versions in list(self._hidden.items()):
            waiting = [(show_at, before) for show_at, before in versions if show_at > now]
            if not waiting:
                del self._hidden[name, record_id]
                continue
            table = self.store.table(name)
            swapped.append((table, record_id, table.get(record_id)))
            _restore(table, record_id, waiting[0][1])
        try:
            yield
        finally:
            for table, record_id, current in swapped:
                _restore(table, record_id, current)


def _restore(table: Table, record_id: str, row: Row | None) -> None:
    if row is not None:
        table.put(row)
    elif record_id in table:
        table.remove(record_id)

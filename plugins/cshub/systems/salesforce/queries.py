"""Reading all records of a stretch of time, whatever happens on the way: each once, and none left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

from cshub.core.errors import GatewayTimeout, ProtocolFault
from cshub.core.ids import to_18
from cshub.core.window import Window
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.models import moment
from cshub.systems.salesforce.soql import Value, compare, select, where
from cshub.systems.salesforce.verdicts import CursorLost

TRIES = 3  # of one query that gives no trustworthy answer
SHORTEST = timedelta(minutes=1)  # a stretch that is not cut in two any more
Row = dict[str, Any]
T = TypeVar("T")


def insisted(ask: Callable[[], T]) -> T:
    """The answer of a question that reads, asked again when it cannot be trusted. Raises :class:`ProtocolFault`."""
    for _ in range(TRIES - 1):
        try:
            return ask()
        except ProtocolFault:
            continue
    return ask()


def all_rows(client: SalesforceClient, soql: str, *, include_deleted: bool = False) -> list[Row]:
    """All rows of a query that few answer, in memory."""
    return insisted(lambda: [row for page in client.query(soql, include_deleted=include_deleted) for row in page])


@dataclass
class WindowQuery:
    """``by``: the field of date or time that the records are chosen and ordered by. ``seen``: ids given so far.

    Whatever was changed while it was read comes as it was when it was met first.
    """

    client: SalesforceClient
    object_name: str
    fields: Sequence[str]
    conditions: Sequence[str] = ()
    by: str = "SystemModstamp"
    is_date: bool = False
    include_deleted: bool = False
    seen: set[str] = field(default_factory=set)

    def read(self, window: Window) -> Iterator[list[Row]]:
        """Rows of the window as Salesforce sends them, page by page, each once; complete, or an error is raised.

        A window that is too much for one query is cut in two. Raises :class:`GatewayTimeout` when a minute is too much.
        """
        try:
            yield from self._passes(window)
        except GatewayTimeout:
            half = (window.end - window.start) / 2
            if half < SHORTEST:
                raise
            for part in window.split(half + timedelta(microseconds=1)):
                yield from self.read(part)

    def _passes(self, window: Window) -> Iterator[list[Row]]:
        """Ask until one query was answered in full; after a lost cursor, only for what comes behind the last row."""
        behind: Row | None = None
        failures = 0
        while True:
            last, count = behind, 0
            try:
                for page in self.client.query(self._soql(window, behind), include_deleted=self.include_deleted):
                    self._check(page)
                    fresh = [row for row in page if row["Id"] not in self.seen]
                    self.seen.update(row["Id"] for row in fresh)
                    last, count = page[-1], count + len(page)
                    if fresh:
                        yield fresh
                return
            except CursorLost:
                if count and last is not None and self._is_whole(window, behind, last, count):
                    behind, failures = last, 0
                    continue
                failures += 1
                if failures == TRIES:
                    raise
            except GatewayTimeout:
                raise
            except ProtocolFault:
                failures, behind = failures + 1, None
                if failures == TRIES:
                    raise

    def _is_whole(self, window: Window, behind: Row | None, last: Row, count: int) -> bool:
        """Whether so many rows are all there are up to ``last``."""
        upto = self._up_to(last)
        conditions = [*self._where(window, behind), upto]
        return self.client.count(f"SELECT COUNT() FROM {self.object_name} {where(*conditions)}") <= count

    def _check(self, page: Sequence[Row]) -> None:
        for row in page:
            kind = (row.get("attributes") or {}).get("type", self.object_name)
            if str(kind).lower() != self.object_name.lower() or not isinstance(row.get("Id"), str):
                raise ProtocolFault(
                    f"Salesforce answered a query for {self.object_name} with something else. Run again."
                )
            row["Id"] = to_18(row["Id"])

    def _soql(self, window: Window, behind: Row | None) -> str:
        conditions = self._where(window, behind)
        return select(self.object_name, self._selected, *conditions, order_by=[self.by, "Id"])

    @property
    def _selected(self) -> list[str]:
        return list(dict.fromkeys(["Id", self.by, *self.fields]))

    def _where(self, window: Window, behind: Row | None) -> list[str]:
        start, end = self._bounds(window)
        found = [*self.conditions, compare(self.by, ">=", start), compare(self.by, "<", end)]
        if behind is not None:
            at = self._value(behind)
            same = f"{compare(self.by, '=', at)} AND {compare('Id', '>', behind['Id'])}"
            found.append(f"{compare(self.by, '>', at)} OR ({same})")
        return found

    def _up_to(self, last: Row) -> str:
        at = self._value(last)
        same = f"{compare(self.by, '=', at)} AND {compare('Id', '<=', last['Id'])}"
        return f"{compare(self.by, '<', at)} OR ({same})"

    def _bounds(self, window: Window) -> tuple[Value, Value]:
        return (_day(window.start), _day(window.end)) if self.is_date else (window.start, window.end)

    def _value(self, row: Row) -> Value:
        text = str(row.get(self.by))
        try:
            return date.fromisoformat(text) if self.is_date else moment(text)
        except ValueError as error:
            raise ProtocolFault(f"Salesforce gave {text[:40]!r} for {self.by}. Run again.") from error


def _day(bound: datetime) -> date:
    """The first day that begins at ``bound`` or later."""
    at = bound.astimezone(UTC)
    return at.date() if at.time() == time() else at.date() + timedelta(days=1)

"""Results of queries that are fetched page by page (docs/vendors/salesforce.md §2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.soql import Result

_LOCATOR_PREFIX = "0r8"
LONGEST_ROW = 9  # digits of the row in a locator; no result is longer


@dataclass(frozen=True, slots=True)
class Cursor:
    """A kept result of one user."""

    result: Result
    user_id: str
    opened_at: datetime


class Cursors:
    """Kept results by locator; they are forgotten when their life is over."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._kept: dict[str, Cursor] = {}

    def keep(self, result: Result, user_id: str) -> str:
        """A locator under which the result can be read again."""
        now = self._org.now()
        self._kept = {name: cursor for name, cursor in self._kept.items() if self._lives(cursor, now)}
        locator = self._org.ids.new(_LOCATOR_PREFIX)
        self._kept[locator] = Cursor(result, user_id, now)
        return locator

    def open(self, text: str, user_id: str) -> tuple[str, Result, int]:
        """Locator, result and first row of what ``<locator>-<row>`` names. Raises INVALID_QUERY_LOCATOR."""
        locator, _, start = text.partition("-")
        cursor = self._kept.get(locator)
        if cursor is None or cursor.user_id != user_id or not self._lives(cursor, self._org.now()):
            raise invalid_locator()
        return locator, cursor.result, row_of(start, len(cursor.result.ids))

    def forget_all(self) -> int:
        """Forgets every result; gives how many."""
        count = len(self._kept)
        self._kept.clear()
        return count

    def _lives(self, cursor: Cursor, now: datetime) -> bool:
        return now < cursor.opened_at + timedelta(seconds=self._org.switches.cursor_life_s)


def row_of(text: str, rows: int) -> int:
    """The row with which a page begins, as a locator says it. Raises INVALID_QUERY_LOCATOR when there is none."""
    well_formed = text.isascii() and text.isdecimal() and len(text) <= LONGEST_ROW
    if not well_formed or int(text) >= rows:
        raise invalid_locator()
    return int(text)


def invalid_locator() -> SalesforceError:
    return SalesforceError("INVALID_QUERY_LOCATOR", "invalid query locator")

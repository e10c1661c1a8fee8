"""Faults of a page of rows. They work on any JSON answer: the rows are its first list of objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from .faults import FaultKind

TOTAL_KEYS = frozenset({"total", "total_hits", "total_count", "total_pages", "totalSize"})


def find_rows(value: Any) -> list[Any] | None:
    """The first list of objects in an answer, breadth first; None when there is none. An empty list counts."""
    level = [value]
    while level:
        following: list[Any] = []
        for item in level:
            if isinstance(item, list) and all(isinstance(row, dict) for row in item):
                return item
            if isinstance(item, dict):
                following.extend(item.values())
        level = following
    return None


def spoil(kind: FaultKind, value: Any, *, previous: list[Any] | None, rng: Random) -> Any:
    """The answer ``value`` (changed in place) with a page fault; unchanged when it has no rows.

    ``previous`` are the rows of the answer before, for a repeated page.
    """
    if kind is FaultKind.WRONG_TOTALS:
        return _raise_totals(value)
    rows = find_rows(value)
    if rows is not None:
        rows[:] = _CHANGES[kind](rows, previous, rng)
    return value


def _raise_totals(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: item + 7 if key in TOTAL_KEYS and isinstance(item, int) else _raise_totals(item)
            for key, item in value.items()
        }
    return value


def _shuffled(rows: list[Any], previous: list[Any] | None, rng: Random) -> list[Any]:
    shuffled = rng.sample(rows, len(rows))
    return shuffled if shuffled != rows else [*rows[1:], *rows[:1]]


_CHANGES: Mapping[FaultKind, Callable[[list[Any], list[Any] | None, Random], list[Any]]] = {
    FaultKind.EMPTY_PAGE: lambda rows, previous, rng: [],
    FaultKind.REPEATED_PAGE: lambda rows, previous, rng: list(rows if previous is None else previous),
    FaultKind.SHUFFLED: _shuffled,
    FaultKind.DUPLICATED_ROWS: lambda rows, previous, rng: [*rows[: (len(rows) + 1) // 2], *rows],
}

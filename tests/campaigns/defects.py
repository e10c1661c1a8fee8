"""Deliberate defects: what a mistake in the engine would look like, to see that a campaign notices it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cshub.core.comparison import Comparison
from cshub.core.diff import decide
from cshub.core.planning import Desired, PlanRow
from cshub.core.records import Presence
from cshub.core.stats import RunStatistics
from cshub.pipeline.extract import Opened, open_run
from cshub.pipeline.load import _Load
from cshub.pipeline.rivals import Rivals
from cshub.pipeline.run import Asked, Run
from cshub.pipeline.settle import _LOOKERS

Defect = Callable[[], AbstractContextManager[Any]]
_STATISTICS, _SOURCE_WINS = _Load.statistics, Comparison.source_wins


def _too_early(run: Run, asked: Asked, *, only_waiting: bool = False) -> Opened:
    opened = open_run(run, asked, only_waiting=only_waiting)
    run.ledger.set_watermark(run.bound.id, opened.window.end, run.run_id, run.clock.now())
    return opened


def _absence_is_deletion(desired: Desired, *rest: Any) -> PlanRow:
    gone = desired.presence is Presence.ABSENT
    return decide(replace(desired, presence=Presence.DELETED) if gone else desired, *rest)


def _uncounted(task: _Load, mapped: RunStatistics) -> RunStatistics:
    numbers = _STATISTICS(task, mapped)
    return replace(numbers, updated=0, unchanged=numbers.unchanged + numbers.updated)


def _earlier_wins(comparison: Comparison, name: str) -> bool:
    return not _SOURCE_WINS(comparison, name)


def _nothing_found(*_: Any, **__: Any) -> dict[Any, Any]:
    return {}


def _all_rows(_: Any, rows: Sequence[PlanRow]) -> list[PlanRow]:
    return list(rows)


DEFECTS: Mapping[str, Defect] = {
    "writes whose answers were lost are never looked for": lambda: patch("cshub.pipeline.load.settle", _nothing_found),
    "a lost create is sent again without a search": lambda: patch.dict(
        _LOOKERS, {operation: _nothing_found for operation in _LOOKERS if operation == "create"}
    ),
    "the watermark is saved before the work is done": lambda: patch(
        "tests.campaigns.simulation.hub.open_run", _too_early
    ),
    "what the hub wrote itself is taken for an edit": lambda: patch.object(
        Comparison, "target_changed", lambda *_: True
    ),
    "a record that is not shown is taken for deleted": lambda: patch(
        "cshub.pipeline.diff.decide", _absence_is_deletion
    ),
    "updates are not counted": lambda: patch.object(_Load, "statistics", _uncounted),
    "the fence is not asked before a call": lambda: patch("cshub.pipeline.guard.SendGuard.check", _nothing_found),
    "a run that goes on makes what it read long ago": lambda: patch.object(Rivals, "have_passed_changes", False),
    "the earlier edit wins": lambda: patch.object(Comparison, "source_wins", _earlier_wins),
    "what other runs did meanwhile does not matter": lambda: patch(
        "cshub.pipeline.rivals.Rivals.without_outdated", _all_rows
    ),
    "what an earlier try has done is forgotten": lambda: patch.object(_Load, "resume", _nothing_found),
    "a plan is never looked at afresh": lambda: patch("cshub.pipeline.load.moved_rows", lambda *_, **__: []),
    "a change that was left out is passed by the watermark": lambda: patch.object(_Load, "left_out", lambda _: []),
}
"""What is wrong → the patch that makes it so."""

"""Other runs of a pair that were at work while this one read: what it read may be older than what the ledger says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from cshub.core.planning import PlanRow, Rule
from cshub.core.records import Action, RunKind
from cshub.ledger import RunRow
from cshub.pipeline.guard import LOCK_TTL
from cshub.pipeline.run import Run

CALL_TAKES = timedelta(seconds=30)  # how long after its intent a call may still have written


@dataclass(frozen=True, slots=True)
class Rivals:
    """``run_ids``: runs of either direction; ``keys``: records of this run's source that a broken-off write changed.

    ``opened_at``: when those of the same job were opened: changes and deletions that they have read, no later run will
    read again.
    """

    run: Run
    run_ids: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    opened_at: tuple[datetime, ...] = ()

    @classmethod
    def of(cls, run: Run) -> Self:
        """As the ledger knows them now: to be asked before open intents are settled."""
        own = run.ledger.run(run.run_id)
        if own is None:
            return cls(run)
        other = run.other_direction
        jobs = [run.bound.id] if other is None else [run.bound.id, other.bound.id]
        since = run.ledger.runs_since(jobs, own.opened_at - LOCK_TTL)
        runs = [item for item in since if item.run_id != run.run_id and _was_at_work(item, own.opened_at)]
        late = [intent for intent in run.ledger.open_intents(run.pair) if intent.begun_at > own.opened_at - CALL_TAKES]
        keys = {intent.source_key if intent.pair == run.pair else intent.target_key for intent in late}
        return cls(
            run,
            frozenset(item.run_id for item in runs),
            frozenset(key for key in keys if key is not None),
            tuple(item.opened_at for item in runs if item.job_id == run.bound.id and item.kind is not RunKind.DRY),
        )

    def without_outdated(self, rows: Sequence[PlanRow]) -> list[PlanRow]:
        """The rows, those left out that rest on a reading of the source from before a rival's change."""
        if not self.run_ids and not self.keys:
            return list(rows)
        deciding = [row.source_key for row in rows if row.action is not Action.UNCHANGED or row.teaches]
        links = self.run.ledger.links(self.run.pair, deciding)
        outdated = {key for key, link in links.items() if link.run_id in self.run_ids or key in self.keys}
        return [left_out(row) if row.source_key in outdated else row for row in rows]

    @property
    def have_passed_changes(self) -> bool:
        """Whether a record that is new to this run may have been changed or deleted since, as a rival has read."""
        return bool(self.opened_at) or (bool(self.run_ids) and self.run.ledger.has_remade(self.run_ids))


def _was_at_work(item: RunRow, since: datetime) -> bool:
    return item.updated_at > (since - LOCK_TTL if item.closed_at is None else since)


def left_out(row: PlanRow) -> PlanRow:
    """The row, so that nothing is done: the record has moved since it was read."""
    rule = Rule.MOVED_SINCE_PLAN
    return replace(
        row, action=Action.SKIP, rule=rule, reason=rule.value, values={}, changes=(), source=None, target=None
    )

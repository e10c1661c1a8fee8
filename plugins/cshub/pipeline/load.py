"""Load: carry out a plan, resumable at any point, and close the run with numbers that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cshub.core.diff import PlanRow
from cshub.core.errors import TransientError
from cshub.core.records import Action, Link, Outcome, RunKind, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.core.values import parse_moment
from cshub.core.window import Window, next_watermark
from cshub.pipeline.diff import staged_plan
from cshub.pipeline.locking import locked
from cshub.pipeline.map import staged_rejects
from cshub.pipeline.readback import read_back
from cshub.pipeline.recheck import moved_rows
from cshub.pipeline.rejects import record_rejects
from cshub.pipeline.run import Run
from cshub.pipeline.settle import settle
from cshub.pipeline.writes import OPERATIONS, Writer, Written, decision_of, new_link
from cshub.staging import FrameRef

RECHECK_AFTER = timedelta(minutes=10)
LEDGER_BATCH = 500
FAILURES_IN_A_ROW = 3  # the service is taken to be down, the rest is left to the next try
PROGRESS_EVERY = timedelta(seconds=1)
SENDING_ROUNDS = 4
_WATERMARK_KINDS = frozenset({RunKind.SCHEDULED, RunKind.MANUAL})
_DEFAULT_OUTCOMES: Mapping[Action, Outcome] = {
    Action.UNCHANGED: Outcome.UNCHANGED,
    Action.SKIP: Outcome.SKIPPED,
    Action.PARK: Outcome.PARKED,
    Action.CONFLICT: Outcome.CONFLICT_KEPT,
}


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """What load works from: the staged plan and rejects, what earlier steps counted, and where the watermark may go."""

    plan: FrameRef
    rejects: FrameRef
    mapped: RunStatistics
    planned_at: datetime
    window: Window
    first_run: bool


@dataclass(frozen=True, slots=True)
class Loaded:
    statistics: RunStatistics
    outcome: RunOutcome


def load(run: Run, order: LoadOrder) -> Loaded:
    """Carry out the plan and close the run.

    Every record that an earlier try of this run handled is left alone. Raises ``TransientError`` when records remain
    that may succeed later: run the step again. The run is red when the target refused any record.
    """
    rows = list(staged_plan(run, order.plan))
    with locked(run) as fence:
        writer = Writer(run, fence)
        settle(writer)
        task = _Load(run, writer, rows)
        task.resume()
        task.record_decisions()
        record_rejects(run, fence, staged_rejects(run, order.rejects))
        if run.clock.now() - order.planned_at > RECHECK_AFTER or run.kind is RunKind.APPLY:
            task.leave_out_moved()
        task.send()
        read_back(writer, task.written_rows())
        statistics = task.statistics(order.mapped)
        outcome = RunOutcome.GREEN if statistics.is_green else RunOutcome.RED
        _advance_watermark(run, order)
        run.ledger.close_run(run.run_id, outcome, statistics, now=run.clock.now())
    return Loaded(statistics, outcome)


@dataclass(slots=True)
class _Load:
    run: Run
    writer: Writer
    rows: Sequence[PlanRow]
    settled: dict[str, Written] = field(default_factory=dict)
    shown_at: datetime | None = None

    def resume(self) -> None:
        """Learn what earlier tries of this run have done."""
        keys = {row.source_key for row in self.rows}
        for entry in self.run.ledger.decisions_of_run(self.run.run_id):
            if entry.source_key in keys:
                self.settled[entry.source_key] = Written(entry.outcome, entry.reason)

    def record_decisions(self) -> None:
        """Store what needs no call: parked, skipped, kept and learned."""
        waiting = [row for row in self.rows if row.action not in OPERATIONS and row.source_key not in self.settled]
        telling = [row for row in waiting if row.state is not None or (row.link_version is None and row.reason)]
        for start in range(0, len(telling), LEDGER_BATCH):
            batch = telling[start : start + LEDGER_BATCH]
            links = self.run.ledger.links(self.run.pair_id, [row.source_key for row in batch])
            now = self.run.clock.now()
            self.run.ledger.record(
                self.writer.fence,
                self.run.run_id,
                links=[_learned(self.run, row, links.get(row.source_key), now) for row in batch if row.state],
                decisions=[decision_of(row, _DEFAULT_OUTCOMES[row.action], row.target_key) for row in batch],
                now=now,
            )
        for row in waiting:
            self.settled[row.source_key] = Written(_DEFAULT_OUTCOMES[row.action], row.reason)

    def leave_out_moved(self) -> None:
        """Refuse the rows that are no longer as the plan saw them."""
        for row in moved_rows(self.run, self._open_rows()):
            self._note(row, self.writer.moved(row))

    def send(self) -> None:
        """Send the writes, then settle lost answers; what did not happen is sent again."""
        for _ in range(SENDING_ROUNDS):
            rows = self._open_rows()
            if not rows:
                return
            self._send(rows)
            if self._open_rows():
                settle(self.writer)
                self.resume()
        left = len(self._open_rows())
        if left:
            raise TransientError(
                f"{left} records could not be written, because the answers were lost {SENDING_ROUNDS} times: "
                "nothing is lost or doubled; run the step again once the service is well."
            )

    def written_rows(self) -> list[PlanRow]:
        done = {Outcome.CREATED, Outcome.UPDATED}
        return [row for row in self.rows if row.action in OPERATIONS and self.settled[row.source_key].outcome in done]

    def statistics(self, mapped: RunStatistics) -> RunStatistics:
        outcomes = Counter(written.outcome for written in self.settled.values())
        skipped = Counter(item.reason for item in self.settled.values() if item.outcome is Outcome.SKIPPED)
        return replace(
            mapped,
            created=outcomes[Outcome.CREATED],
            updated=outcomes[Outcome.UPDATED],
            deleted=outcomes[Outcome.DELETED],
            unchanged=outcomes[Outcome.UNCHANGED],
            parked=outcomes[Outcome.PARKED],
            failed=outcomes[Outcome.FAILED],
            conflicts_kept=outcomes[Outcome.CONFLICT_KEPT],
            skipped=dict(skipped),
            api_calls=dict(Counter(mapped.api_calls) + Counter(self.run.api_calls())),
        ).check()

    def _open_rows(self) -> list[PlanRow]:
        return [row for row in self.rows if row.action in OPERATIONS and row.source_key not in self.settled]

    def _send(self, rows: Sequence[PlanRow]) -> None:
        links = self.run.ledger.links(self.run.pair_id, [row.source_key for row in rows])
        in_a_row = 0
        last: TransientError | None = None
        for row in rows:
            try:
                self._note(row, self.writer.write(row, links.get(row.source_key)))
                in_a_row = 0
            except TransientError as error:
                in_a_row, last = in_a_row + 1, error
                if in_a_row == FAILURES_IN_A_ROW:
                    raise
            self._show()
        if last is not None:
            raise last

    def _note(self, row: PlanRow, written: Written) -> None:
        if written.outcome is not None:
            self.settled[row.source_key] = written

    def _show(self) -> None:
        now = self.run.clock.now()
        if self.shown_at is not None and now - self.shown_at < PROGRESS_EVERY:
            return
        self.shown_at = now
        outcomes = Counter(written.outcome for written in self.settled.values() if written.outcome)
        progress = {
            "step": "load",
            "done": len(self.settled),
            "total": len(self.rows),
            **{outcome.value: count for outcome, count in outcomes.items()},
        }
        self.run.ledger.progress(self.run.run_id, progress, now)
        self.run.on_progress(progress)


def _learned(run: Run, row: PlanRow, link: Link | None, now: datetime) -> Link:
    """The link after a decision that sent nothing."""
    old = link or new_link(run, row.source_key, now)
    changed = replace(
        old, state=row.state or old.state, source_base=row.source_base, mapping_version=run.mapping.version
    )
    if row.target_base is not None:
        changed = replace(changed, target_base=row.target_base, target_extra=row.target_extra)
    if row.target_key is not None:
        changed = replace(changed, target_key=row.target_key, target_account_id=row.account_id)
    if row.target_modified_at:
        changed = replace(changed, target_modified_at=parse_moment(row.target_modified_at))
    return changed


def _advance_watermark(run: Run, order: LoadOrder) -> None:
    if run.kind not in _WATERMARK_KINDS:
        return
    position = next_watermark(order.window, run.ledger.watermark(run.bound.id), first_run=order.first_run)
    if position is not None:
        run.ledger.set_watermark(run.bound.id, position, run.run_id, run.clock.now())

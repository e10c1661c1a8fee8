"""Load: carry out a plan, resumable at any point, and close the run with numbers that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

from cshub.core.errors import TransientError
from cshub.core.linking import learned
from cshub.core.planning import PlanRow, Rule
from cshub.core.records import Action, Link, LinkState, Origin, Outcome, RejectEntry, RunKind, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.core.window import Window, next_watermark
from cshub.pipeline.diff import staged_plan
from cshub.pipeline.locking import locked
from cshub.pipeline.map import staged_rejects
from cshub.pipeline.readback import read_back
from cshub.pipeline.recheck import moved_rows
from cshub.pipeline.rejects import record_rejects
from cshub.pipeline.rivals import Rivals
from cshub.pipeline.run import LOADING, Run
from cshub.pipeline.settle import AFTER_OWN_CALL_S, AFTER_TAKEOVER_S, settle
from cshub.pipeline.targets import batches
from cshub.pipeline.writes import OPERATIONS, Writer, Written, decision_of
from cshub.staging import FrameRef

RECHECK_AFTER = timedelta(minutes=10)
CHANGES_RECHECKED_AFTER = timedelta(minutes=1)  # an update overwrites: a person may have edited since it was planned
CHANGES_RECHECKED = 50
UNSEEN_READ_AGAIN = timedelta(days=1)
LEDGER_BATCH = 500
FAILURES_IN_A_ROW = 3  # the service is taken to be down, the rest is left to the next try
PROGRESS_EVERY = timedelta(seconds=1)
SENDING_ROUNDS = 4
_ORDER = (Action.DELETE, Action.UPDATE, Action.CREATE)
_WATERMARK_KINDS = frozenset({RunKind.SCHEDULED, RunKind.MANUAL})
_HANDLED = frozenset({LinkState.IN_STEP, LinkState.EMPTY, LinkState.DELETED, LinkState.GONE})
_WRITTEN = frozenset({Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED})
_DEFAULT_OUTCOMES: Mapping[Action, Outcome] = {
    Action.UNCHANGED: Outcome.UNCHANGED,
    Action.SKIP: Outcome.SKIPPED,
    Action.PARK: Outcome.PARKED,
    Action.CONFLICT: Outcome.CONFLICT_KEPT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFacts:
    """What earlier steps counted, when the plan was made, and where the watermark may go."""

    mapped: RunStatistics
    planned_at: datetime
    window: Window
    first_run: bool
    is_whole: bool  # the window was read completely; otherwise the watermark stays where it is
    undoes: str | None = None  # the run that this plan takes back


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOrder(LoadFacts):
    """What load works from: the staged plan and rejects, and the facts beside them."""

    plan: FrameRef
    rejects: FrameRef


@dataclass(frozen=True, slots=True)
class Loaded:
    statistics: RunStatistics
    outcome: RunOutcome


def load(run: Run, order: LoadOrder) -> Loaded:
    """Carry out the staged plan; see :func:`carry_out`."""
    return carry_out(run, list(staged_plan(run, order.plan)), staged_rejects(run, order.rejects), order)


def carry_out(run: Run, rows: Sequence[PlanRow], rejects: Sequence[RejectEntry], facts: LoadFacts) -> Loaded:
    """Carry out the plan and close the run.

    Every record that an earlier try of this run handled is left alone. Raises ``TransientError`` when records remain
    that may succeed later: run the step again. The run is red when the target refused any record.
    """
    with locked(run) as fence:
        writer = Writer(run, fence)
        task = _Load(run, writer, rows, facts.planned_at, facts.undoes)
        task.show()
        settle(writer, patience_s=AFTER_TAKEOVER_S)
        task.resume()
        if run.kind is RunKind.APPLY or _is_overtaken(run, facts.planned_at):
            task.leave_out_moved()
        task.record_decisions()
        record_rejects(run, fence, _still_rejected(run, rejects))
        task.send()
        task.show(at_once=True)
        read_back(writer, task.rows_to_read_back())
        statistics = task.statistics(facts.mapped)
        outcome = RunOutcome.GREEN if statistics.is_green else RunOutcome.RED
        _advance_watermark(run, facts, task.left_out(), unseen=task.has_unseen())
        run.ledger.close_run(run.run_id, outcome, statistics, now=run.clock.now())
    return Loaded(statistics, outcome)


@dataclass(slots=True)
class _Load:
    run: Run
    writer: Writer
    rows: Sequence[PlanRow]
    planned_at: datetime
    undoes: str | None = None
    settled: dict[str, Written] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    answered: bool = False
    sent: set[str] = field(default_factory=set)
    looked_at: dict[str, datetime] = field(default_factory=dict)
    written: Mapping[str, Outcome] = field(default_factory=dict)
    shown_at: datetime | None = None

    def show(self, *, at_once: bool = False) -> None:
        """Tell how many rows are settled; unless ``at_once``, only so often as :data:`PROGRESS_EVERY` says."""
        now = self.run.clock.now()
        if not at_once and self.shown_at is not None and now - self.shown_at < PROGRESS_EVERY:
            return
        self.shown_at = now
        outcomes = Counter(written.outcome for written in self.settled.values() if written.outcome)
        progress = {
            "step": LOADING,
            "done": len(self.settled),
            "total": len(self.rows),
            **{outcome.value: count for outcome, count in outcomes.items()},
        }
        self.run.ledger.progress(self.run.run_id, progress, now)
        self.run.show(progress)

    def resume(self) -> None:
        """Learn what earlier tries of this run have done with this plan.

        A decision of this run that left the link as the plan saw it belongs to an earlier plan, or to a lost answer
        that was settled before the plan was made; the row still waits.
        """
        told = self.run.ledger.decisions_of_run(self.run.run_id)
        entries = {entry.source_key: entry for entry in told if entry.pair == self.run.pair}
        self.written = {key: item.outcome for key, item in entries.items() if item.outcome in _WRITTEN}
        rows = [row for row in self.rows if row.source_key in entries and row.source_key not in self.settled]
        links = self.run.ledger.links(self.run.pair, [row.source_key for row in rows])
        for row in rows:
            link, entry = links.get(row.source_key), entries[row.source_key]
            has_moved = row.source_key in self.written if link is None else link.version != row.link_version
            if has_moved:
                self.settled[row.source_key] = Written(entry.outcome, entry.reason)

    def record_decisions(self) -> None:
        """Store what needs no call: parked, skipped, kept and learned."""
        waiting = [row for row in self.rows if row.action not in OPERATIONS and row.source_key not in self.settled]
        telling = [row for row in waiting if row.teaches]
        telling += self._news([row for row in waiting if not row.teaches])
        for start in range(0, len(telling), LEDGER_BATCH):
            batch = telling[start : start + LEDGER_BATCH]
            links = self.run.ledger.links(self.run.pair, [row.source_key for row in batch])
            moved = [row for row in batch if row.teaches and _version(links.get(row.source_key)) != row.link_version]
            for row in moved:
                self._note(row, self.writer.moved(row))
            standing = [row for row in batch if row.source_key not in self.settled]
            now = self.run.clock.now()
            self.run.ledger.record(
                self.writer.fence,
                self.run.run_id,
                links=[learned(row, links.get(row.source_key), self.run.pair, now) for row in standing if row.teaches],
                decisions=[decision_of(row, _DEFAULT_OUTCOMES[row.action], row.target_key) for row in standing],
                now=now,
            )
        for row in waiting:
            self.settled.setdefault(row.source_key, self._without_a_call(row))

    def leave_out_moved(self) -> None:
        """Refuse the rows that are no longer as the plan saw them."""
        self._recheck(self._open_rows())

    def send(self) -> None:
        """Send the writes, then settle lost answers; what did not happen is sent again.

        At most :data:`SENDING_ROUNDS` rounds, counted anew from each that got some of the rows done.
        """
        rounds = SENDING_ROUNDS
        while rounds and (rows := self._open_rows()):
            self._send(sorted(rows, key=lambda row: row.source_key in self.troubles))
            if self._open_rows():
                settle(self.writer, patience_s=AFTER_OWN_CALL_S)
                self.resume()
            rounds = (SENDING_ROUNDS if len(self._open_rows()) < len(rows) else rounds) - 1
        left = self._open_rows()
        if not left:
            return
        if self.answered and all(row.source_key in self.troubles for row in left):
            self._give_up(left)
        else:
            raise TransientError(
                f"{len(left)} records could not be written, though they were tried again and again. "
                f"The last trouble: {next(reversed(self.troubles.values()), 'none')} "
                "Nothing is lost or doubled; run the step again once the service is well."
            )

    def rows_to_read_back(self) -> list[PlanRow]:
        """Records made by this run, and those changed in this try: since an earlier one somebody may have edited."""
        return [row for row in self.rows if self._is_to_be_read_back(row)]

    def _is_to_be_read_back(self, row: PlanRow) -> bool:
        if row.action not in OPERATIONS:
            return False
        outcome = self.settled[row.source_key].outcome
        return outcome is Outcome.CREATED or (outcome is Outcome.UPDATED and row.source_key in self.sent)

    def left_out(self) -> list[PlanRow]:
        """Rows of the window whose records had moved when they were to be written."""
        reason = Rule.MOVED_SINCE_PLAN.value
        return [
            row
            for row in self.rows
            if row.origin is Origin.WINDOW and self.settled[row.source_key] == Written(Outcome.SKIPPED, reason)
        ]

    def has_unseen(self) -> bool:
        """Whether a record of the window could not be carried over, as its target was not to be seen."""
        return any(row.rule is Rule.TARGET_NOT_READABLE and row.origin is Origin.WINDOW for row in self.rows)

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
        """Send each row once, unless the service answers several calls in a row not at all."""
        links = self.run.ledger.links(self.run.pair, [row.source_key for row in rows])
        calls = self._calls(rows)
        in_a_row = 0
        for number, call in enumerate(calls):
            if any(self._is_outdated(row) for row in call):
                coming = [row for later in calls[number:] for row in later if self._is_outdated(row)]
                self._recheck(coming[: max(CHANGES_RECHECKED, len(call))])
            batch = [row for row in call if row.source_key not in self.settled]
            if not batch:
                continue
            for row, result in zip(batch, self.writer.write(batch, links), strict=True):
                self._note(row, result)
                if result.outcome is None:
                    self.troubles.pop(row.source_key, None)
                    self.troubles[row.source_key] = result.reason
                else:
                    self.sent.add(row.source_key)
            answered = any(row.source_key in self.settled for row in batch)
            in_a_row = 0 if answered else in_a_row + 1
            self.answered = self.answered or answered
            self.show()
            if in_a_row == FAILURES_IN_A_ROW:
                return

    def _calls(self, rows: Sequence[PlanRow]) -> list[Sequence[PlanRow]]:
        """The rows as they go out together: of one operation, as many as the target takes at once.

        Rows of one account stay together: a target that locks the account of what it writes locks it once. Rows that
        had trouble go alone, so that one of them cannot hold up the others again.
        """
        size = self.run.target.batch_size
        if size == 1:
            return [[row] for row in rows]
        fresh = [row for row in rows if row.source_key not in self.troubles]
        fresh.sort(key=lambda row: (_ORDER.index(row.action), row.account_id or "", row.source_key))
        calls: list[Sequence[PlanRow]] = []
        for _, group in groupby(fresh, key=lambda row: row.action):
            calls += batches(list(group), size)
        troubled = [row for row in rows if row.source_key in self.troubles]
        return calls + [list(group) for _, group in groupby(troubled, key=lambda row: (row.action, row.source_key))]

    def _is_outdated(self, row: PlanRow) -> bool:
        """Whether a change rests on a look at the target that is too old."""
        looked_at = self.looked_at.get(row.source_key, self.planned_at)
        return row.action is not Action.CREATE and self.run.clock.now() - looked_at > CHANGES_RECHECKED_AFTER

    def _recheck(self, rows: Sequence[PlanRow]) -> None:
        now = self.run.clock.now()
        for row in moved_rows(self.run, rows, undoes=self.undoes):
            self._note(row, self.writer.moved(row))
        self.looked_at.update(dict.fromkeys((row.source_key for row in rows), now))

    def _give_up(self, rows: Sequence[PlanRow]) -> None:
        """The service answers other records: these are not waiting for it to come back."""
        links = self.run.ledger.links(self.run.pair, [row.source_key for row in rows])
        for row in rows:
            self._note(row, self.writer.give_up(row, links.get(row.source_key), self.troubles[row.source_key]))

    def _note(self, row: PlanRow, written: Written) -> None:
        if written.outcome is not None:
            self.settled[row.source_key] = written

    def _without_a_call(self, row: PlanRow) -> Written:
        """A record that is in step because an earlier pass of this run has written it was written by this run."""
        earlier = self.written.get(row.source_key) if row.action is Action.UNCHANGED else None
        return Written(earlier or _DEFAULT_OUTCOMES[row.action], row.reason)

    def _news(self, rows: Sequence[PlanRow]) -> list[PlanRow]:
        """Rows of records without a link of which nothing was told yet, or something else: not the same in each run."""
        unlinked = [row for row in rows if row.link_version is None and row.reason]
        found: list[PlanRow] = []
        for batch in batches(unlinked, LEDGER_BATCH):
            last = self.run.ledger.last_decisions(self.run.pair, [row.source_key for row in batch])
            told = ((row, (_DEFAULT_OUTCOMES[row.action], row.rule.value, row.reason)) for row in batch)
            found += [row for row, entry in told if last.get(row.source_key) != entry]
        return found


def _is_overtaken(run: Run, planned_at: datetime) -> bool:
    """Whether the plan is old, or another run of the job has been at work since, and may have read later changes."""
    if run.clock.now() - planned_at > RECHECK_AFTER:
        return True
    since = run.ledger.runs_since([run.bound.id], planned_at)
    return any(item.run_id != run.run_id and item.kind is not RunKind.DRY for item in since)


def _version(link: Link | None) -> int | None:
    return None if link is None else link.version


def _still_rejected(run: Run, rejects: Sequence[RejectEntry]) -> Sequence[RejectEntry]:
    """Without those that were handled after a kept plan was made."""
    if run.kind is not RunKind.APPLY:
        return rejects
    links = run.ledger.links(run.pair, list({entry.source_key for entry in rejects}))
    handled = {key for key, link in links.items() if link.state in _HANDLED}
    return [entry for entry in rejects if entry.source_key not in handled]


def _advance_watermark(run: Run, facts: LoadFacts, left_out: Sequence[PlanRow], *, unseen: bool) -> None:
    """Move the watermark to the window's end.

    Never beyond the moment of reading, as what is to come was not read; nor beyond that of another run of the job that
    was at work meanwhile, as what it made may have been deleted since it was read; nor beyond a change that was left
    out because the record had moved: the next run reads it again. A change whose target was not to be seen is read
    again for a day, and once at least: it may be hidden only now, or gone with its account for good.
    """
    if run.kind not in _WATERMARK_KINDS or not facts.is_whole:
        return
    known = run.ledger.watermark(run.bound.id)
    position = next_watermark(facts.window, known, first_run=facts.first_run)
    opened = run.ledger.run(run.run_id)
    if position is not None and opened is not None:
        changed_at = [row.source.modified_at if row.source else None for row in left_out]
        if None in changed_at:
            return
        rivals = Rivals.of(run).opened_at
        if unseen:
            read_by_then = _read_by(run, opened.opened_at - UNSEEN_READ_AGAIN) or known
            if read_by_then is None:
                return
            position = min(position, max(known, read_by_then) if known else read_by_then)
        position = min([position, opened.opened_at, *rivals, *(at for at in changed_at if at is not None)])
        run.ledger.set_watermark(run.bound.id, position, run.run_id, run.clock.now())


def _read_by(run: Run, moment: datetime) -> datetime | None:
    """Up to where runs of the job had read by then: what lies behind it was first read later. None without a run."""
    earlier = run.ledger.run_before(run.bound.id, moment, kinds=_WATERMARK_KINDS)
    return None if earlier is None or earlier.window is None else min(earlier.window.end, earlier.opened_at)

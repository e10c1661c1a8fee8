"""The ledger: the one door to what cshub remembers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from cshub.core.records import (
    DecisionEntry,
    Intent,
    Link,
    LinkState,
    Operation,
    Outcome,
    RejectEntry,
    RunKind,
    RunOutcome,
)
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.ledger import decisions, intents, lock, pairs, plans, rejects, runs, upgrade, writes
from cshub.ledger.database import Database
from cshub.ledger.links import LinkBook
from cshub.ledger.rows import DecisionRow, Fence, PlanRow, RejectRow, RunRow
from cshub.ledger.settings import ledger_url


class Ledger:
    """Links, intents, runs, decisions, rejects, plans and locks, on SQLite or PostgreSQL.

    Every method is one transaction. Moments are aware; they come back in UTC. Methods that take a
    :class:`~cshub.ledger.rows.Fence` first check that it is the current one, hold its lock until they have committed,
    and renew it; they raise :class:`~cshub.core.errors.FencedOut` otherwise. Any method raises
    :class:`~cshub.core.errors.ServiceUnavailable` when the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._links = LinkBook(database)

    @classmethod
    def open(cls, url: str | None = None) -> Self:
        """The ledger at ``url`` (default: :func:`~cshub.ledger.settings.ledger_url`), its tables brought up to date."""
        ledger = cls(Database(url or ledger_url()))
        try:
            ledger.upgrade()
        except BaseException:
            ledger.close()
            raise
        return ledger

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; a later call opens new ones."""
        self.database.close()

    def upgrade(self) -> None:
        """Bring the tables to the newest revision; nothing happens when they are there."""
        upgrade.prepare(self.database)

    def revision(self) -> str | None:
        """The revision of the tables, None when there are none."""
        return upgrade.revision(self.database)

    def bind_pair(self, name: str, *, source: pairs.Side, target: pairs.Side, now: datetime) -> int:
        """Number of the pair, made on the first call. Each side is (system, object, identity).

        :class:`~cshub.core.errors.IdentityChanged` when the pair was built with other sides.
        """
        with self.database.writing() as connection:
            return pairs.bind(connection, name, source, target, now)

    def pair_id(self, name: str) -> int | None:
        """Number of the pair, None when it was never bound."""
        with self.database.reading() as connection:
            return pairs.number_of(connection, name)

    def open_run(
        self,
        run_id: str,
        *,
        job_id: str,
        pair_id: int | None,
        kind: RunKind,
        window: Window | None,
        job_digest: str,
        now: datetime,
    ) -> RunRow:
        """The run's row. Opened again, it keeps its first kind and window, counts one attempt more and is running.

        A run that fails before its pair or window is known is opened without; the next attempt adds them.
        """
        values = {"run_id": run_id, "job_id": job_id, "pair_id": pair_id, "kind": kind.value, "job_digest": job_digest}
        with self.database.writing() as connection:
            return runs.open_one(connection, values, window, now)

    def progress(self, run_id: str, progress: Mapping[str, Any], now: datetime) -> None:
        """Replace the live progress of a run (any JSON object)."""
        with self.database.writing() as connection:
            runs.change(connection, run_id, now, progress=dict(progress))

    def save_statistics(self, run_id: str, statistics: RunStatistics, now: datetime) -> None:
        """Keep the numbers so far of a run that goes on."""
        with self.database.writing() as connection:
            runs.change(connection, run_id, now, statistics=statistics.as_dict())

    def close_run(
        self, run_id: str, outcome: RunOutcome, statistics: RunStatistics, *, error: str | None = None, now: datetime
    ) -> None:
        """End a run with its outcome and numbers."""
        values = {"outcome": outcome.value, "statistics": statistics.as_dict(), "error": error, "closed_at": now}
        with self.database.writing() as connection:
            runs.change(connection, run_id, now, **values)

    def run(self, run_id: str) -> RunRow | None:
        """One run, None when it was never opened."""
        with self.database.reading() as connection:
            return runs.find(connection, run_id)

    def runs(self, job_id: str | None = None, *, limit: int = 20) -> list[RunRow]:
        """The newest runs, of one job or of all, newest first."""
        with self.database.reading() as connection:
            return runs.newest(connection, job_id, limit)

    def watermark(self, job_id: str) -> datetime | None:
        """Everything before this moment is safely handled; None before the first run."""
        with self.database.reading() as connection:
            return runs.read_watermark(connection, job_id)

    def set_watermark(
        self, job_id: str, position: datetime, run_id: str, now: datetime, *, force: bool = False
    ) -> None:
        """Move the watermark forward. An earlier position changes nothing unless ``force``."""
        with self.database.writing() as connection:
            runs.move_watermark(connection, job_id, position, run_id=run_id, now=now, force=force)

    def links(self, pair_id: int, source_keys: Sequence[str]) -> dict[str, Link]:
        """Source key → link, for any number of keys; keys without a link are left out."""
        return self._links.by_source(pair_id, source_keys)

    def links_by_target(self, pair_id: int, target_keys: Sequence[str]) -> dict[str, Link]:
        """Target key → link, for any number of keys; keys without a link are left out."""
        return self._links.by_target(pair_id, target_keys)

    def links_in_state(
        self, pair_id: int, states: Collection[LinkState], *, seen_since: datetime | None = None
    ) -> list[Link]:
        """Links in one of ``states``, in order of source key; only those first seen at ``seen_since`` or later."""
        return self._links.in_state(pair_id, states, seen_since)

    def count_links(self, pair_id: int) -> dict[LinkState, int]:
        """State → number of links; states without links are left out."""
        return self._links.count(pair_id)

    def acquire_lock(self, name: str, *, holder: str, run_id: str, now: datetime, ttl: timedelta) -> Fence:
        """Become the only writer under ``name`` for ``ttl``; every fenced method renews it for as long.

        A lock that is free, has expired, or is held by the same run (a retry after a kill) is given with a higher
        token, which ends the former holder's leave. Otherwise :class:`~cshub.core.errors.LockHeld`.
        """
        with self.database.writing() as connection:
            return lock.acquire(connection, name, holder=holder, run_id=run_id, now=now, ttl=ttl)

    def renew(self, fence: Fence, now: datetime, ttl: timedelta) -> None:
        """Hold the lock until ``now + ttl``."""
        with self.database.writing() as connection:
            lock.demand(connection, fence, now, ttl)

    def release(self, fence: Fence) -> None:
        """Free the lock; nothing happens when somebody else has it."""
        with self.database.writing() as connection:
            lock.release(connection, fence)

    def runs_at_work(self, now: datetime) -> set[str]:
        """Ids of the runs that hold a lock which has not expired."""
        with self.database.reading() as connection:
            return lock.holders(connection, now)

    def begin(
        self,
        fence: Fence,
        *,
        pair_id: int,
        source_key: str,
        operation: Operation,
        run_id: str,
        target_key: str | None,
        payload_hash: str,
        hint: Mapping[str, Any],
        expected_version: int | None,
        now: datetime,
    ) -> Intent:
        """Commit that a write is about to be sent. Send it only after this has returned.

        ``expected_version``: the version of the link the plan was made on, None for a create, which demands that no
        target record is linked. :class:`~cshub.core.errors.LinkMoved` when that does not hold, or when an earlier
        write of the same record is not settled.
        """
        values = {
            "pair_id": pair_id,
            "source_key": source_key,
            "operation": operation.value,
            "target_key": target_key,
            "payload_hash": payload_hash,
            "hint": dict(hint),
            "begun_at": now,
        }
        with self.database.writing() as connection:
            lock.demand(connection, fence, now)
            values["run_number"] = runs.place(connection, run_id).number
            return intents.begin(connection, values, expected_version)

    def confirm(self, fence: Fence, intent_id: int, *, link: Link, decision: DecisionEntry, now: datetime) -> Link:
        """Record that a write happened: close the intent, store link and decision. The link as stored comes back.

        An open reject of the row is settled by it.
        """
        packed = self._links.packed([link])
        with self.database.writing() as connection:
            run_id = writes.confirm(connection, fence, intent_id, packed=packed, decision=decision, now=now)
        return replace(link, version=link.version + 1, run_id=run_id)

    def abandon(
        self,
        fence: Fence,
        intent_id: int,
        *,
        reason: str,
        decision: DecisionEntry | None = None,
        link: Link | None = None,
        reject: RejectEntry | None = None,
        now: datetime,
    ) -> None:
        """Record that a write certainly did not happen: close the intent; store what is given beside it."""
        packed = self._links.packed([link] if link else [])
        with self.database.writing() as connection:
            writes.abandon(
                connection, fence, intent_id, reason=reason, packed=packed, decision=decision, reject=reject, now=now
            )

    def open_intents(self, pair_id: int) -> list[Intent]:
        """Writes that may or may not have happened, oldest first.

        A request of a process that was replaced may still be on its way: until the longest duration of a call has
        passed since ``begun_at``, a record that is not in the target is not proof that it will not be.
        """
        with self.database.reading() as connection:
            return intents.still_open(connection, pair_id)

    def record(
        self,
        fence: Fence,
        run_id: str,
        *,
        links: Sequence[Link],
        decisions: Sequence[DecisionEntry],
        rejects: Sequence[RejectEntry] = (),
        now: datetime,
    ) -> None:
        """Record what needs no write to the target, all or nothing.

        Each link is stored at the version after its own, which must be the stored one (0 = new), else
        :class:`~cshub.core.errors.LinkMoved`.
        """
        packed = self._links.packed(links)
        with self.database.writing() as connection:
            writes.record(connection, fence, run_id, packed=packed, decisions=decisions, rejects=rejects, now=now)

    def outcomes(self, run_id: str) -> dict[str, Outcome]:
        """Source key → what this run has already recorded for it."""
        with self.database.reading() as connection:
            return decisions.outcomes(connection, run_id)

    def decisions(self, pair_id: int, key: str) -> list[DecisionRow]:
        """Everything that happened to a source or target record, oldest first."""
        with self.database.reading() as connection:
            return decisions.of_key(connection, pair_id, key)

    def decisions_of_run(self, run_id: str) -> list[DecisionRow]:
        """The audit of one run, in the order of its recording."""
        with self.database.reading() as connection:
            return decisions.of_run(connection, run_id)

    def rejects(self, job_id: str, *, run_id: str | None = None, only_open: bool = True) -> list[RejectRow]:
        """Reasons of rejected and failed rows, in order of source key; of ``run_id``: those it rejected last."""
        with self.database.reading() as connection:
            return rejects.of_job(connection, job_id, run_id=run_id, only_open=only_open)

    def resolve_rejects(self, pair_id: int, source_keys: Collection[str], run_id: str, now: datetime) -> None:
        """Settle the open rejects of these rows."""
        with self.database.writing() as connection:
            rejects.resolve(connection, pair_id, source_keys, run_id, now)

    def save_plan(
        self,
        plan_id: str,
        *,
        job_id: str,
        pair_id: int,
        run_id: str,
        window: Window | None,
        reference: Mapping[str, Any],
        counts: Mapping[str, int],
        now: datetime,
    ) -> None:
        """Keep a plan. The same run may save it again until it is applied.

        :class:`~cshub.core.errors.StateError` when another run made it, or it was applied.
        """
        values = {"plan_id": plan_id, "job_id": job_id, "pair_id": pair_id, "run_id": run_id}
        with self.database.writing() as connection:
            plans.save(connection, {**values, "reference": dict(reference), "counts": dict(counts)}, window, now)

    def plan(self, plan_id: str) -> PlanRow | None:
        """One plan, None when there is none of this id."""
        with self.database.reading() as connection:
            return plans.find(connection, plan_id)

    def plans(self, job_id: str, limit: int = 20) -> list[PlanRow]:
        """The newest plans of a job, newest first."""
        with self.database.reading() as connection:
            return plans.newest(connection, job_id, limit)

    def mark_applied(self, plan_id: str, run_id: str, now: datetime) -> None:
        """Give the plan to the run that applies it. Asked again by the same run, nothing happens.

        :class:`~cshub.core.errors.StateError` when another run has it, or there is no such plan.
        """
        with self.database.writing() as connection:
            plans.mark_applied(connection, plan_id, run_id, now)

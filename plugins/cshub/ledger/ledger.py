"""The ledger: the one door to what cshub remembers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from cshub.core.errors import LinkMoved
from cshub.core.records import (
    DecisionEntry,
    Intent,
    Link,
    LinkState,
    Operation,
    Outcome,
    Pair,
    RejectEntry,
    RunKind,
    RunOutcome,
)
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.ledger import decisions, intents, lock, pairs, plans, rejects, runs, upgrade, writes
from cshub.ledger.database import Database, chunks
from cshub.ledger.link_writes import batch_of
from cshub.ledger.links import LinkBook
from cshub.ledger.rows import Closing, DecisionRow, Fence, IntentRequest, PlanKind, PlanRow, RejectRow, RunRow
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

    def bind_pair(self, name: str, *, source: pairs.Side, target: pairs.Side, now: datetime) -> Pair:
        """The pair in the direction of a job from ``source`` to ``target``, made on the first call.

        Each side is (system, object, identity). The first call's source is the left side; a job of the opposite
        direction gets the pair mirrored. Where the same object of one system is on both sides, the first order that
        fits is taken. :class:`~cshub.core.errors.IdentityChanged` when the pair was built with other sides.
        """
        with self.database.writing() as connection:
            return pairs.bind(connection, name, source, target, now)

    def remember_users(self, pair: Pair, *, source: str, target: str) -> tuple[str, str]:
        """Store the ids of the users signed in on both sides of a pair, "" where a service does not tell.

        Returns whom they replace, "" where nobody or the same user was known.
        """
        with self.database.reading() as connection:
            known = pairs.users_of(connection, pair)
        news = [bool(user) and user != old for old, user in zip(known, (source, target), strict=True)]
        if any(news):
            with self.database.writing() as connection:
                pairs.remember_users(connection, pair, source, target)
        return (known[0] if news[0] else "", known[1] if news[1] else "")

    def pair_id(self, name: str) -> int | None:
        """Number of the pair, None when it was never bound."""
        with self.database.reading() as connection:
            return pairs.number_of(connection, name)

    def pair_sides(self, name: str) -> pairs.PairSides | None:
        """What the pair was first built with, None when it was never bound."""
        with self.database.reading() as connection:
            return pairs.sides_of(connection, name)

    def find_pair(self, name: str, *, source: pairs.ObjectName, target: pairs.ObjectName) -> Pair | None:
        """The pair as a job between these objects sees it, without asking the systems who they are.

        Each object is (system, object). None when the pair was never bound, or with other objects.
        """
        with self.database.reading() as connection:
            return pairs.seen_by(connection, name, source, target)

    def open_run(
        self,
        run_id: str,
        *,
        job_id: str,
        pair: Pair | None,
        kind: RunKind,
        window: Window | None,
        job_digest: str,
        now: datetime,
    ) -> RunRow:
        """The run's row. Opened again, it keeps its first kind and window, counts one attempt more and is running.

        The pair's direction is the one its decisions and rejects are told in. A run that fails before its pair or
        window is known is opened without; the next attempt adds them.
        """
        values = {"run_id": run_id, "job_id": job_id, "kind": kind.value, "job_digest": job_digest}
        with self.database.writing() as connection:
            return runs.open_one(connection, values, pair, window, now)

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

    def runs_since(self, job_ids: Collection[str], moment: datetime) -> list[RunRow]:
        """Every run of these jobs that was written about after ``moment``, newest first."""
        with self.database.reading() as connection:
            return runs.written_since(connection, job_ids, moment)

    def run_before(self, job_id: str, moment: datetime, *, kinds: Collection[RunKind]) -> RunRow | None:
        """The job's newest run of these kinds that was opened by a moment and came to its end, whatever it wrote."""
        with self.database.reading() as connection:
            return runs.ended_before(connection, job_id, moment, kinds)

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

    def links(self, pair: Pair, source_keys: Sequence[str]) -> dict[str, Link]:
        """Source key → link, for any number of keys; keys without a link are left out."""
        return self._links.by_source(pair, source_keys)

    def links_by_target(self, pair: Pair, target_keys: Sequence[str]) -> dict[str, Link]:
        """Target key → link, for any number of keys; keys without a link are left out.

        A link that only the other direction knows has no source key.
        """
        return self._links.by_target(pair, target_keys)

    def links_alike(self, pair: Pair, key: str) -> list[Link]:
        """Links of a record on either side whose Salesforce id begins with the 15 characters of ``key``, in any case.

        For an id that has lost its case. Reads every link of the pair.
        """
        return self._links.alike(pair, key)

    def links_in_state(
        self, pair: Pair, states: Collection[LinkState], *, seen_since: datetime | None = None, linked: bool = False
    ) -> list[Link]:
        """Links whose source side is in one of ``states``, in order of source key.

        Only those with a source key, first seen at ``seen_since`` or later, and if ``linked`` with a target key too.
        """
        return self._links.in_state(pair, states, seen_since, linked=linked)

    def count_links(self, pair: Pair) -> dict[LinkState, int]:
        """State of the source side → number of links with a source key; states without links are left out."""
        return self._links.count(pair)

    def made_elsewhere(self, pair: Pair, source_keys: Sequence[str]) -> set[str]:
        """Those of these source records that a job of another pair has made; a person's with a twin are not among them.

        Told by the audit: whoever writes a record's creation there has made it, in whichever direction.
        """
        with self.database.reading() as connection:
            ways = pairs.pairs_into(connection, pair)
        found: set[str] = set()
        for part in chunks(source_keys) if ways else ():
            with self.database.reading() as connection:
                found |= decisions.created(connection, ways, part)
        return found

    def linked(self, pair: Pair) -> Iterator[Link]:
        """All links with a record on both sides, in order of source key, read page by page.

        A link stored meanwhile is given as it was when its page was read.
        """
        return self._links.linked(pair)

    def links_dated(self, pair: Pair, window: Window) -> Iterator[Link]:
        """Links with a record on both sides and a ``dated_at`` in the window, in its order, read page by page.

        Those whose source side is deleted or gone are left out.
        """
        return self._links.dated(pair, window)

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
        pair: Pair,
        source_key: str,
        operation: Operation,
        run_id: str,
        target_key: str | None,
        payload_hash: str,
        hint: Mapping[str, Any],
        expected_version: int | None,
        now: datetime,
    ) -> Intent:
        """:meth:`begin_many` for one write. Raises the :class:`~cshub.core.errors.LinkMoved` that stands against it."""
        request = IntentRequest(pair, source_key, operation, target_key, payload_hash, hint, expected_version)
        (answer,) = self.begin_many(fence, [request], run_id=run_id, now=now)
        if isinstance(answer, LinkMoved):
            raise answer
        return answer

    def begin_many(
        self, fence: Fence, requests: Sequence[IntentRequest], *, run_id: str, now: datetime
    ) -> list[Intent | LinkMoved]:
        """Commit that these writes are about to be sent. Send them only after this has returned.

        An answer for each, in order: its intent, or a :class:`~cshub.core.errors.LinkMoved` that is returned and not
        raised when it must not be sent: the link is not as the request expects it, or one of its two records is in a
        write, of either direction, that is not settled.
        """
        with self.database.writing() as connection:
            lock.demand(connection, fence, now)
            return intents.begin(connection, requests, runs.place(connection, run_id), now)

    def confirm(self, fence: Fence, intent_id: int, *, link: Link, decision: DecisionEntry, now: datetime) -> Link:
        """Record that one write happened; the link as stored. See :meth:`settle_many`."""
        (stored,) = self.settle_many(fence, [Closing(intent_id, True, link, decision)], now=now)
        return stored

    def confirm_many(
        self, fence: Fence, confirmed: Sequence[tuple[int, Link, DecisionEntry]], *, now: datetime
    ) -> list[Link]:
        """Record that these writes (number of the intent, link, decision) happened. See :meth:`settle_many`."""
        return self.settle_many(
            fence, [Closing(number, True, link, entry) for number, link, entry in confirmed], now=now
        )

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
        """Record that one write certainly did not happen. See :meth:`settle_many`."""
        self.settle_many(fence, [Closing(intent_id, False, link, decision, reject, reason)], now=now)

    def settle_many(self, fence: Fence, closings: Sequence[Closing], *, now: datetime) -> list[Link]:
        """Record what became of writes that had begun, all or nothing: close their intents, store what belongs to them.

        The links come back, in order, as stored: with number, next version and run. Raises
        :class:`~cshub.core.errors.StateError` for an intent that is not open, or a link that is not about its record,
        :class:`~cshub.core.errors.LinkMoved` as :meth:`record` does.
        """
        batch = batch_of(self._links.shapes, [item.link for item in closings if item.link is not None])
        with self.database.writing() as connection:
            return writes.settle(connection, self._links.shapes, fence, closings, batch=batch, now=now)

    def open_intents(self, pair: Pair) -> list[Intent]:
        """Writes that may or may not have happened, oldest first, those of both directions.

        Each tells its own direction by its ``pair``. A request of a process that was replaced may still be on its way:
        until the longest duration of a call has passed since ``begun_at``, a record that is not in the target is not
        proof that it will not be.
        """
        with self.database.reading() as connection:
            return intents.still_open(connection, pair.number)

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
        """Record what needs no write to the target, all or nothing; decisions and rejects in the run's direction.

        Each link is stored at the version after its own, which must be the stored one, else
        :class:`~cshub.core.errors.LinkMoved`; so it is when a record belongs to another link. A link of number 0 is new
        and must name records without a link. One of another number that gains a record which has a link without a
        counterpart takes that link in.
        """
        batch = batch_of(self._links.shapes, links)
        with self.database.writing() as connection:
            writes.record(
                connection,
                self._links.shapes,
                fence,
                run_id,
                batch=batch,
                decisions=decisions,
                rejects=rejects,
                now=now,
            )

    def outcomes(self, run_id: str) -> dict[str, Outcome]:
        """Source key → what this run has already recorded for it, in its own direction."""
        with self.database.reading() as connection:
            return decisions.outcomes(connection, run_id)

    def has_remade(self, run_ids: Collection[str]) -> bool:
        """Whether one of these runs made a record for a source that had another counterpart, which has no link now."""
        with self.database.reading() as connection:
            return decisions.has_remade(connection, run_ids)

    def last_decisions(self, pair: Pair, source_keys: Sequence[str]) -> dict[str, tuple[Outcome, str, str]]:
        """Source key → outcome, rule and reason of the last decision on it in the pair's direction, if there is one."""
        with self.database.reading() as connection:
            return decisions.last_of(connection, pair, source_keys)

    def decisions(self, pair: Pair | int, key: str) -> list[DecisionRow]:
        """Everything that happened to a record of either side, in either direction, oldest first."""
        number = pair.number if isinstance(pair, Pair) else pair
        with self.database.reading() as connection:
            return decisions.of_key(connection, number, key)

    def decisions_of_run(self, run_id: str) -> list[DecisionRow]:
        """The audit of one run, in the order of its recording."""
        with self.database.reading() as connection:
            return decisions.of_run(connection, run_id)

    def rejects(self, job_id: str, *, run_id: str | None = None, only_open: bool = True) -> list[RejectRow]:
        """Reasons of rejected and failed rows, in order of source key; of ``run_id``: those it rejected last."""
        with self.database.reading() as connection:
            return rejects.of_job(connection, job_id, run_id=run_id, only_open=only_open)

    def resolve_rejects(self, pair: Pair, source_keys: Collection[str], run_id: str, now: datetime) -> None:
        """Settle the open rejects of these rows of one direction."""
        with self.database.writing() as connection:
            rejects.resolve(connection, pair, source_keys, run_id, now)

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
        kind: PlanKind = PlanKind.SYNC,
        undoes: str | None = None,
    ) -> None:
        """Keep a plan; ``undoes``: the run it takes back. The same run may save it again until it is applied.

        :class:`~cshub.core.errors.StateError` when another run made it, or it was applied.
        """
        values = {
            "plan_id": plan_id,
            "job_id": job_id,
            "pair_id": pair_id,
            "run_id": run_id,
            "reference": dict(reference),
            "counts": dict(counts),
            "kind": kind.value,
            "undoes_run_id": undoes,
        }
        with self.database.writing() as connection:
            plans.save(connection, values, window, now)

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

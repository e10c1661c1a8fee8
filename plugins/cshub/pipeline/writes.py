"""Writes, safely: intents committed → one call → confirmations committed. And what the ledger learns from each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import xxhash

from cshub.core.errors import (
    AmbiguousWrite,
    DataError,
    HubError,
    LinkMoved,
    NotFound,
    RateLimited,
    RequestRefused,
    StateError,
    TransientError,
)
from cshub.core.linking import intent_hint, new_link, written, written_fields
from cshub.core.planning import PlanRow, Rule
from cshub.core.ports import Verdict, Write
from cshub.core.records import (
    Action,
    Change,
    DecisionEntry,
    Intent,
    Link,
    LinkState,
    Operation,
    Outcome,
    RecordKey,
    RejectEntry,
)
from cshub.ledger import Closing, Fence, IntentRequest
from cshub.pipeline.run import Run

OPERATIONS: Mapping[Action, Operation] = {
    Action.CREATE: Operation.CREATE,
    Action.UPDATE: Operation.UPDATE,
    Action.DELETE: Operation.DELETE,
}
OUTCOMES: Mapping[Operation, Outcome] = {
    Operation.CREATE: Outcome.CREATED,
    Operation.UPDATE: Outcome.UPDATED,
    Operation.DELETE: Outcome.DELETED,
}


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one write. ``outcome`` is None when it is still open: no answer, ``reason`` says why."""

    outcome: Outcome | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Begun:
    row: PlanRow
    link: Link | None
    intent: Intent


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes rows of a plan under one fence."""

    run: Run
    fence: Fence

    def write(self, rows: Sequence[PlanRow], links: Mapping[str, Link]) -> list[Written]:
        """Carry out rows of one operation, no more than the target takes in one call; what became of each, in order.

        A refusal by the service is an outcome, kept with its reason. A lost answer leaves the row and its intent open,
        a call that did not happen the row alone. Raises ``RateLimited``, ``PermanentError`` or ``SpecError`` when no
        row can be written now, ``FencedOut`` when another process has taken over, ``ServiceUnavailable`` when the
        ledger does not answer.
        """
        run, asked_at = self.run, self.run.clock.now()
        answers = run.ledger.begin_many(
            self.fence,
            [self._request(row, links.get(row.source_key)) for row in rows],
            run_id=run.run_id,
            now=asked_at,
        )
        results: dict[str, Written] = {}
        begun: list[_Begun] = []
        for row, answer in zip(rows, answers, strict=True):
            if isinstance(answer, LinkMoved):
                results[row.source_key] = self.moved(row)
            else:
                begun.append(_Begun(row, links.get(row.source_key), answer))
        if begun:
            run.guard.vouched(asked_at)
            results.update(self._send(begun))
        return [results[row.source_key] for row in rows]

    def confirm(self, intent: Intent, link: Link, decision: DecisionEntry) -> None:
        self.run.ledger.confirm(self.fence, intent.id, link=link, decision=decision, now=self.run.clock.now())

    def moved(self, row: PlanRow) -> Written:
        """Leave out a row that is no longer as the plan saw it."""
        entry = replace(decision_of(row, Outcome.SKIPPED, row.target_key), rule=Rule.MOVED_SINCE_PLAN.value)
        entry = replace(entry, reason=Rule.MOVED_SINCE_PLAN.value, changes=())
        self.run.ledger.record(self.fence, self.run.run_id, links=[], decisions=[entry], now=self.run.clock.now())
        return Written(Outcome.SKIPPED, Rule.MOVED_SINCE_PLAN.value)

    def give_up(self, row: PlanRow, link: Link | None, reason: str) -> Written:
        """Leave a row that the service never answered to later runs, as failed."""
        now = self.run.clock.now()
        entry = replace(decision_of(row, Outcome.FAILED, row.target_key), answer=reason)
        reject = RejectEntry(row.source_key, "load", "(record)", reason, _TRIED_AGAIN)
        self.run.ledger.record(
            self.fence,
            self.run.run_id,
            links=[self._failed(row, link)],
            decisions=[entry],
            rejects=[reject],
            now=now,
        )
        return Written(Outcome.FAILED, reason)

    def _request(self, row: PlanRow, link: Link | None) -> IntentRequest:
        run = self.run
        find = run.target.hint(_write_of(row)) if row.action is Action.CREATE else {}
        return IntentRequest(
            pair=run.pair,
            source_key=row.source_key,
            operation=OPERATIONS[row.action],
            target_key=row.target_key,
            payload_hash=payload_hash(row.values),
            hint=intent_hint(row, find, kinds=run.kinds),
            expected_version=row.link_version if link is not None and link.is_linked else None,
        )

    def _send(self, begun: Sequence[_Begun]) -> dict[str, Written]:
        run = self.run
        try:
            verdicts = run.target.write([_write_of(item.row) for item in begun])
        except AmbiguousWrite as error:
            return {item.row.source_key: Written(None, str(error)) for item in begun}
        except StateError:
            raise
        except HubError as error:
            unsent = [Closing(item.intent.id, happened=False, reason=str(error)) for item in begun]
            run.ledger.settle_many(self.fence, unsent, now=run.clock.now())
            if isinstance(error, TransientError) and not isinstance(error, RateLimited):
                return {item.row.source_key: Written(None, str(error)) for item in begun}
            raise
        results: dict[str, Written] = {}
        closings: list[Closing] = []
        for item, verdict in zip(begun, verdicts, strict=True):
            closing, results[item.row.source_key] = self._judged(item, verdict)
            if closing is not None:
                closings.append(closing)
        run.ledger.settle_many(self.fence, closings, now=run.clock.now())
        return results

    def _judged(self, item: _Begun, verdict: Verdict) -> tuple[Closing | None, Written]:
        return self._done(item, verdict) if verdict.error is None else self._not_done(item, verdict.error)

    def _done(self, item: _Begun, verdict: Verdict) -> tuple[Closing, Written]:
        run, row, operation = self.run, item.row, item.intent.operation
        key = verdict.key or RecordKey(row.target_key or "", row.account_id or "", row.target_extra)
        link = written(row, item.link, key, run.pair, kinds=run.kinds, now=run.clock.now(), held=verdict.held)
        outcome = OUTCOMES[operation]
        return Closing(item.intent.id, happened=True, link=link, decision=decision_of(row, outcome, key.key)), Written(
            outcome
        )

    def _not_done(self, item: _Begun, error: HubError) -> tuple[Closing | None, Written]:
        if isinstance(error, AmbiguousWrite):
            return None, Written(None, str(error))
        if isinstance(error, NotFound) and item.row.target_key is not None and item.link is not None:
            return self._vanished(item, item.link, error)
        if isinstance(error, RequestRefused | DataError):
            return self._refused(item, error)
        if isinstance(error, TransientError) and not isinstance(error, RateLimited):
            return Closing(item.intent.id, happened=False, reason=str(error)), Written(None, str(error))
        raise error

    def _vanished(self, item: _Begun, link: Link, error: NotFound) -> tuple[Closing, Written]:
        """The target does not know the record: deleted by a person if it is proven so, refused otherwise."""
        row = item.row
        if not is_proven_gone(self.run, RecordKey(row.target_key or "", row.account_id or "", row.target_extra)):
            return self._refused(item, error)
        reason = Rule.DELETED_IN_TARGET.value
        entry = replace(decision_of(row, Outcome.SKIPPED, row.target_key), rule=reason, reason=reason, changes=())
        if self.run.two_way:
            gone = link.having(target={"state": LinkState.MISSING})
        else:
            gone = link.having(source={"state": LinkState.DELETED}, target={"state": LinkState.DELETED})
        closing = Closing(item.intent.id, happened=False, reason=reason, decision=entry, link=gone)
        return closing, Written(Outcome.SKIPPED, reason)

    def _refused(self, item: _Begun, error: RequestRefused | DataError) -> tuple[Closing, Written]:
        row = item.row
        verdict = getattr(error, "verdict", "") or str(error)
        entry = replace(decision_of(row, Outcome.FAILED, row.target_key), answer=verdict)
        reject = RejectEntry(row.source_key, "load", "(record)", str(error), _remedy(error))
        closing = Closing(
            item.intent.id,
            happened=False,
            reason=str(error),
            decision=entry,
            link=self._failed(row, item.link),
            reject=reject,
        )
        return closing, Written(Outcome.FAILED, str(error))

    def _failed(self, row: PlanRow, link: Link | None) -> Link:
        old = link or new_link(self.run.pair, row.source_key, self.run.clock.now())
        address = {"account_id": row.source.account_id, "extra": row.source.extra} if row.source and not link else {}
        return old.having(source={"state": LinkState.FAILED, **address})


def is_proven_gone(run: Run, key: RecordKey) -> bool:
    """Whether the target record is proven not to exist. What cannot be read is not proven."""
    answer = run.target.read_keys([key])
    return key.key in answer and answer[key.key] is None


def decision_of(row: PlanRow, outcome: Outcome, target_key: str | None) -> DecisionEntry:
    return DecisionEntry(row.source_key, outcome, row.rule.value, row.reason, target_key, tuple(row.changes))


def payload_hash(values: Mapping[str, Any]) -> str:
    """16 hex digits over what is sent."""
    return xxhash.xxh3_64_hexdigest(orjson.dumps(values, option=orjson.OPT_SORT_KEYS))


def changes_of(hint: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(Change(*item) for item in hint["changes"])


def _write_of(row: PlanRow) -> Write:
    key = RecordKey(row.target_key, row.account_id or "", row.target_extra) if row.target_key is not None else None
    return Write(
        OPERATIONS[row.action],
        None if row.action is Action.CREATE else key,
        row.account_id or "",
        row.values,
        written_fields(row),
        row.external_id or row.source_key,
    )


_TRIED_AGAIN = "It is tried again in the next run. If it stays so, ask the target's support what is wrong with it."


def _remedy(error: RequestRefused | DataError) -> str:
    hidden = " The target does not know the record or hides it from this connection."
    return "Correct the record in the source or the mapping; it is tried again in the next run." + (
        hidden if isinstance(error, NotFound) else ""
    )

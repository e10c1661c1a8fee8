"""One write, safely: intent committed → call → confirmation committed. And what the ledger learns from each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import xxhash

from cshub.core.errors import (
    AmbiguousWrite,
    DataError,
    FencedOut,
    HubError,
    LinkMoved,
    NotFound,
    RateLimited,
    RequestRefused,
    TransientError,
)
from cshub.core.planning import PlanRow, Rule
from cshub.core.records import (
    Action,
    Change,
    DecisionEntry,
    Intent,
    Link,
    LinkState,
    Operation,
    Outcome,
    RejectEntry,
    TargetKey,
    TargetRecord,
)
from cshub.core.values import fingerprints, parse_moment
from cshub.ledger import Fence
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
class Writer:
    """Writes rows of a plan under one fence."""

    run: Run
    fence: Fence

    def write(self, row: PlanRow, link: Link | None) -> Written:
        """Carry out one row.

        A refusal by the service is an outcome, kept with its reason. A lost answer leaves the row and its intent open,
        a call that did not happen the row alone. Raises ``RateLimited``, ``PermanentError`` or ``SpecError`` when no
        row can be written now, ``FencedOut`` when another process has taken over, ``ServiceUnavailable`` when the
        ledger does not answer.
        """
        run, operation = self.run, OPERATIONS[row.action]
        try:
            intent = run.ledger.begin(
                self.fence,
                pair_id=run.pair_id,
                source_key=row.source_key,
                operation=operation,
                run_id=run.run_id,
                target_key=row.target_key,
                payload_hash=payload_hash(row.values),
                hint=self._hint(row),
                expected_version=row.link_version if link is not None and link.target_key else None,
                now=run.clock.now(),
            )
        except LinkMoved:
            return self.moved(row)
        run.guard.vouched(run.clock.now())
        try:
            key = self._call(operation, row)
        except AmbiguousWrite as error:
            return Written(None, str(error))
        except FencedOut:
            raise
        except NotFound as error:
            return self._vanished(intent, row, link, error)
        except (RequestRefused, DataError) as error:
            return self._refused(intent, row, link, error)
        except HubError as error:
            run.ledger.abandon(self.fence, intent.id, reason=str(error), now=run.clock.now())
            if isinstance(error, TransientError) and not isinstance(error, RateLimited):
                return Written(None, str(error))
            raise
        self.confirm(intent, link_after(run, row, link, key), decision_of(row, OUTCOMES[operation], key.key))
        return Written(OUTCOMES[operation])

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
        failed = replace(link or new_link(self.run, row.source_key, now), state=LinkState.FAILED)
        entry = replace(decision_of(row, Outcome.FAILED, row.target_key), answer=reason)
        reject = RejectEntry(row.source_key, "load", "(record)", reason, _TRIED_AGAIN)
        self.run.ledger.record(
            self.fence, self.run.run_id, links=[failed], decisions=[entry], rejects=[reject], now=now
        )
        return Written(Outcome.FAILED, reason)

    def _hint(self, row: PlanRow) -> dict[str, Any]:
        """All that is needed to finish this write without the plan: how to find the record, and the link to store."""
        find = self.run.target.hint(row.account_id or "", row.values) if row.action is Action.CREATE else {}
        return {
            "find": dict(find),
            "account_id": row.account_id,
            "target_extra": dict(row.target_extra),
            "expected": fingerprints(row.values, self.run.mapping.kinds),
            "source_base": dict(row.source_base),
            "target_base": dict(row.target_base) if row.target_base is not None else None,
            "written": [change.field for change in row.changes if change.winner == "source"],
            "state": (row.state or LinkState.IN_STEP).value,
            "modified_at": row.modified_at,
            "rule": row.rule.value,
            "changes": [[change.field, change.before, change.after, change.winner] for change in row.changes],
        }

    def _call(self, operation: Operation, row: PlanRow) -> TargetKey:
        target = self.run.target
        if operation is Operation.CREATE:
            return target.create(row.account_id or "", row.values, external_id=row.source_key)
        key = TargetKey(row.target_key or "", row.account_id or "", row.target_extra)
        if operation is Operation.UPDATE:
            target.update(key, row.values)
        else:
            target.delete(key)
        return key

    def _vanished(self, intent: Intent, row: PlanRow, link: Link | None, error: NotFound) -> Written:
        """The target does not know the record: deleted by a person if its timeline agrees, refused otherwise."""
        if row.target_key is None or link is None:
            return self._refused(intent, row, link, error)
        key = TargetKey(row.target_key, row.account_id or "", row.target_extra)
        if not is_proven_gone(self.run, key):
            return self._refused(intent, row, link, error)
        reason = Rule.DELETED_IN_TARGET.value
        entry = replace(decision_of(row, Outcome.SKIPPED, row.target_key), rule=reason, reason=reason, changes=())
        self.run.ledger.abandon(
            self.fence,
            intent.id,
            reason=reason,
            decision=entry,
            link=replace(link, state=LinkState.DELETED),
            now=self.run.clock.now(),
        )
        return Written(Outcome.SKIPPED, reason)

    def _refused(self, intent: Intent, row: PlanRow, link: Link | None, error: RequestRefused | DataError) -> Written:
        now = self.run.clock.now()
        failed = replace(link or new_link(self.run, row.source_key, now), state=LinkState.FAILED)
        verdict = getattr(error, "verdict", "") or str(error)
        entry = replace(decision_of(row, Outcome.FAILED, row.target_key), answer=verdict)
        reject = RejectEntry(row.source_key, "load", "(record)", str(error), _remedy(error))
        self.run.ledger.abandon(
            self.fence, intent.id, reason=str(error), decision=entry, link=failed, reject=reject, now=now
        )
        return Written(Outcome.FAILED, str(error))


def is_proven_gone(run: Run, key: TargetKey) -> bool:
    """Whether the target record is proven not to exist. What cannot be read is not proven."""
    answer = run.target.read_keys([key])
    return key.key in answer and answer[key.key] is None


def was_edited(record: TargetRecord) -> bool:
    """Whether somebody changed the record after it was made, by the service's own clock."""
    made, changed = record.created_at, record.modified_at
    return made is not None and changed is not None and changed > made


def new_link(run: Run, source_key: str, now: datetime) -> Link:
    """A link the ledger does not have yet."""
    return Link(run.pair_id, source_key, LinkState.PARKED, 0, first_seen_at=now, mapping_version=run.mapping.version)


def link_after(run: Run, row: PlanRow, link: Link | None, key: TargetKey) -> Link:
    """The link once the row was written.

    What a create left in the target is known only when it is read back; after an update it is foretold from what was
    sent, and corrected when it is read back.
    """
    now = run.clock.now()
    old = link or new_link(run, row.source_key, now)
    is_new = old.target_key is None
    adopted = is_new and row.target_key is not None
    target_base: Mapping[str, str] | None = None
    if row.target_base is not None:
        sent = {change.field: row.values.get(change.field) for change in row.changes if change.winner == "source"}
        target_base = {**row.target_base, **fingerprints(sent, run.mapping.kinds)}
    return replace(
        old,
        state=row.state or LinkState.IN_STEP,
        target_key=key.key,
        target_account_id=key.account_id or row.account_id,
        target_extra={**old.target_extra, **key.extra},
        source_base=row.source_base,
        target_base=target_base,
        mapping_version=run.mapping.version,
        source_modified_at=parse_moment(row.modified_at) if row.modified_at else old.source_modified_at,
        target_modified_at=parse_moment(row.target_modified_at) if row.target_modified_at else old.target_modified_at,
        created_at=now if is_new and not adopted else old.created_at,
        written_at=now,
    )


def decision_of(row: PlanRow, outcome: Outcome, target_key: str | None) -> DecisionEntry:
    return DecisionEntry(row.source_key, outcome, row.rule.value, row.reason, target_key, tuple(row.changes))


def payload_hash(values: Mapping[str, Any]) -> str:
    """16 hex digits over what is sent."""
    return xxhash.xxh3_64_hexdigest(orjson.dumps(values, option=orjson.OPT_SORT_KEYS))


def changes_of(hint: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(Change(*item) for item in hint["changes"])


_TRIED_AGAIN = "It is tried again in the next run. If it stays so, ask the target's support what is wrong with it."


def _remedy(error: RequestRefused | DataError) -> str:
    hidden = " The target does not know the record or hides it from this connection."
    return "Correct the record in the source or the mapping; it is tried again in the next run." + (
        hidden if isinstance(error, NotFound) else ""
    )

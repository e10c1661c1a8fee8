"""What carrying out a plan will cost: every call to the target, and the time they take within the shared budget."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cshub.core.planning import PlanRow
from cshub.core.records import Action, Origin, RunKind
from cshub.pipeline.load import CHANGES_RECHECKED, CHANGES_RECHECKED_AFTER
from cshub.pipeline.readback import SEARCH_LAG_S
from cshub.pipeline.run import Run, known_pair
from cshub.pipeline.settle import AFTER_TAKEOVER_S
from cshub.pipeline.targets import READ_BATCH
from cshub.pipeline.writes import OPERATIONS

BATCH_S = 2.0  # a call that writes some hundred records, triggers of the org included: an estimate
CALL_S = 0.1  # a call and the ledger's commits around it, when no budget holds it up: an estimate
SIGN_IN = 1  # the target is asked whom the connection belongs to
CATALOGUES = 1  # an update sends along what only the target's catalogue can check
TEAM = 1  # read once per process, when people are looked up
ACCOUNTS_A_CALL = 100  # two spellings of each, 200 values a call
PEOPLE_OF_RECORDS_A_CALL = 50
FOUND_A_CALL = 700  # records of a search by date
REVIEWED_KINDS = frozenset({RunKind.DRY, RunKind.APPLY})  # their plans wait for a person, and are looked at afresh


@dataclass(frozen=True, slots=True)
class Forecast:
    """Calls to the target, the seconds from start to end, and how many of these are waited for the call budget."""

    calls: int
    seconds: float
    waits_s: float


def forecast_of(run: Run, rows: Sequence[PlanRow]) -> Forecast:
    """The cost of carrying out these rows of a plan now: writes, what they look up, looking again, reading back.

    An estimate: answers that are lost, and edits made meanwhile, cost more.
    """
    writes = [row for row in rows if row.action in OPERATIONS]
    if not writes:
        return Forecast(0, 0.0, 0.0)
    changes = [row for row in writes if row.action is not Action.CREATE]
    pair = known_pair(run.bound, run.ledger)
    open_writes = len(run.ledger.open_intents(pair)) if pair is not None else 0
    if run.target.reads_cheaply:
        return _in_batches(run, writes, open_writes)
    read_back = _found([row for row in writes if _is_read_back(row)])
    calls = SIGN_IN + open_writes + _sent(writes) + read_back
    if run.kind in REVIEWED_KINDS:
        calls += TEAM + _looked_at(writes)
    calls += _looked_at_again(run, calls, changes)
    waits_s = run.target.forecast(calls)
    pauses_s = (SEARCH_LAG_S if read_back else 0.0) + (AFTER_TAKEOVER_S if open_writes else 0.0)
    return Forecast(calls, max(waits_s, calls * CALL_S) + pauses_s, waits_s)


def _in_batches(run: Run, writes: Sequence[PlanRow], open_writes: int) -> Forecast:
    """A target that takes many records in a call, and shows as many."""
    by_action = Counter(row.action for row in writes)
    sent = sum(math.ceil(count / run.target.batch_size) for count in by_action.values())
    looked_up = math.ceil(open_writes / READ_BATCH)
    looks = 2 if run.kind in REVIEWED_KINDS else 1
    calls = SIGN_IN + looked_up + sent + looks * math.ceil(len(writes) / READ_BATCH)
    waits_s = run.target.forecast(calls)
    pauses_s = AFTER_TAKEOVER_S if open_writes else 0.0
    return Forecast(calls, max(waits_s, sent * BATCH_S) + pauses_s, waits_s)


def _sent(writes: Sequence[PlanRow]) -> int:
    """The writes themselves; a record that was never read back is looked up before it is changed."""
    changed = [row for row in writes if row.action is not Action.CREATE]
    looked_up = sum(not row.target_extra for row in changed)
    return len(writes) + looked_up + (CATALOGUES if any(row.action is Action.UPDATE for row in changed) else 0)


def _looked_at(rows: Sequence[PlanRow]) -> int:
    """Planning rows afresh: accounts, people, the target by date, and by account or date what no window leads to."""
    accounts = math.ceil(len({row.account_id for row in rows}) / ACCOUNTS_A_CALL)
    people = math.ceil(len(rows) / PEOPLE_OF_RECORDS_A_CALL)
    elsewhere = [row for row in rows if row.origin is not Origin.WINDOW]
    timelines = {row.account_id for row in elsewhere if row.target_key is not None}
    released = sum(row.target_key is None for row in elsewhere)
    return accounts + people + _found([row for row in rows if row.origin is Origin.WINDOW]) + len(timelines) + released


def _looked_at_again(run: Run, calls: int, changes: Sequence[PlanRow]) -> int:
    """Changes that the budget puts off are looked at again before they are sent, some at a time."""
    at_once = bisect_right(range(calls + 1), CHANGES_RECHECKED_AFTER.total_seconds(), key=run.target.forecast) - 1
    late = changes[math.ceil(len(changes) * at_once / calls) :]
    again = sum(_looked_at(late[start : start + CHANGES_RECHECKED]) for start in range(0, len(late), CHANGES_RECHECKED))
    return again + (TEAM if late and run.kind not in REVIEWED_KINDS else 0)


def _is_read_back(row: PlanRow) -> bool:
    return row.action is not Action.DELETE and row.origin is Origin.WINDOW


def _found(rows: Sequence[PlanRow]) -> int:
    return math.ceil(len(rows) / FOUND_A_CALL)

"""What carrying out a plan will cost: every call to both systems, and the time they take within the shared budgets."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cshub.core.plan import count_plan, excesses, in_step
from cshub.core.planning import PlanRow, Rule
from cshub.core.ports import ById, CallCounter
from cshub.core.records import Action, Link, Origin, RunKind
from cshub.pipeline.load import CHANGES_RECHECKED, CHANGES_RECHECKED_AFTER
from cshub.pipeline.readback import SEARCH_LAG_S
from cshub.pipeline.run import Run, known_pair
from cshub.pipeline.settle import AFTER_TAKEOVER_S
from cshub.pipeline.writes import OPERATIONS

BATCH_S = 2.0  # a call that writes some hundred records, triggers of the org included: an estimate
CALL_S = 0.1  # a call and the ledger's commits around it, when no budget holds it up: an estimate
SIGN_IN = 1  # each system is asked whom the connection belongs to
CATALOGUES = 1  # a create or update sends along what only the target's catalogue can check
TEAM = 1  # read once per process, when people are looked up
ACCOUNTS_A_CALL = 100  # two spellings of each, 200 values a call
PEOPLE_OF_RECORDS_A_CALL = 50
FOUND_A_CALL = 700  # records of a search by date
DESCRIBED = 1  # a target that reads in batches describes its object once
LOOKUPS = 3  # before a fresh look: the parents' object, the parents, and records that bear the source's id
REVIEWED_KINDS = frozenset({RunKind.DRY, RunKind.APPLY})  # their plans wait for a person, and are looked at afresh


@dataclass(frozen=True, slots=True)
class Forecast:
    """Calls by system, the seconds from start to end, and how many of these are waited for the call budgets."""

    by_system: Mapping[str, int]
    seconds: float
    waits_s: float

    @property
    def calls(self) -> int:
        return sum(self.by_system.values())


def forecast_of(run: Run, rows: Sequence[PlanRow]) -> Forecast:
    """The cost of carrying out these rows of a plan now: writes, what they look up, looking again, reading back.

    A plan that a person sees first is looked at afresh before it is sent, in the source and in the target; one that
    takes a run back only in the target. An estimate: answers that are lost, and edits made meanwhile, cost more.
    """
    writes = [row for row in rows if row.action in OPERATIONS]
    return _Costs(run, rows, writes).forecast() if writes else Forecast({}, 0.0, 0.0)


@dataclass
class _Costs:
    run: Run
    rows: Sequence[PlanRow]
    writes: Sequence[PlanRow]

    def forecast(self) -> Forecast:
        ours, theirs = self._target_calls(), self._source_calls()
        late = self._late(ours)
        for start in range(0, len(late), CHANGES_RECHECKED):
            batch = late[start : start + CHANGES_RECHECKED]
            ours += self._looked_at(batch)
            theirs += 0 if self._is_undo else self._read_by_id(batch)
        ours += TEAM if late and not self._is_reviewed else 0
        calls: Counter[str] = Counter()
        calls[self.run.bound.source.system] += theirs
        calls[self.run.bound.target.system] += ours
        ports: dict[str, CallCounter] = {self.run.bound.target.system: self.run.target}
        if theirs:
            ports.setdefault(self.run.bound.source.system, self.run.source)
        waits_s = max(port.forecast(calls[system]) for system, port in ports.items())
        work_s = calls.total() * CALL_S + (self._sent * BATCH_S if self.run.target.lookup.is_cheap else 0.0)
        pauses_s = (SEARCH_LAG_S if self._read_back else 0.0) + (AFTER_TAKEOVER_S if self._open_writes else 0.0)
        return Forecast(
            {name: count for name, count in calls.items() if count}, max(waits_s, work_s) + pauses_s, waits_s
        )

    @cached_property
    def _is_undo(self) -> bool:
        return all(row.rule is Rule.UNDONE for row in self.writes)

    @cached_property
    def _is_reviewed(self) -> bool:
        """Whether a person sees the plan first: of its kind, or because it exceeds the guard."""
        if self.run.kind in REVIEWED_KINDS:
            return True
        return bool(excesses(count_plan(self.rows), self.run.bound.job.guard, linked=self._linked))

    @cached_property
    def _links(self) -> Mapping[str, Link]:
        pair = known_pair(self.run.bound, self.run.ledger)
        return self.run.ledger.links(pair, [row.source_key for row in self.writes]) if pair is not None else {}

    @cached_property
    def _linked(self) -> int:
        pair = known_pair(self.run.bound, self.run.ledger)
        return in_step(self.run.ledger.count_links(pair)) if pair is not None else 0

    @cached_property
    def _open_writes(self) -> int:
        pair = known_pair(self.run.bound, self.run.ledger)
        return len(self.run.ledger.open_intents(pair)) if pair is not None else 0

    @cached_property
    def _sent(self) -> int:
        """Calls that write."""
        by_action = Counter(row.action for row in self.writes)
        return sum(math.ceil(count / self.run.target.batch_size) for count in by_action.values())

    @cached_property
    def _read_back(self) -> int:
        if self.run.target.lookup.is_cheap:
            return 0
        return _found([row for row in self.writes if row.action is not Action.DELETE and row.origin is Origin.WINDOW])

    def _target_calls(self) -> int:
        if self.run.target.lookup.is_cheap:
            settled = self.run.target.lookup.batches(self._open_writes)
            around = DESCRIBED + (TEAM if self._is_reviewed else 0)
            around += LOOKUPS if self._is_reviewed and not self._is_undo else 0
            looks = 2 if self._is_reviewed else 1
            return SIGN_IN + around + settled + self._sent + looks * self.run.target.lookup.batches(len(self.writes))
        calls = SIGN_IN + self._open_writes + self._sent + self._looked_up() + self._read_back
        if self._is_reviewed:
            calls += self._looked_at(self.writes) + (0 if self._is_undo else TEAM)
        return calls

    def _looked_up(self) -> int:
        """What writes read first: the catalogue, and a record that was never read back, of its account."""
        sends_choices = any(row.action is not Action.DELETE for row in self.writes)
        unread = 0
        if self.run.target.lookup.way is ById.BY_ACCOUNT:
            unread = sum(row.action is not Action.CREATE and not row.target_extra for row in self.writes)
        return unread + (CATALOGUES if sends_choices else 0)

    def _source_calls(self) -> int:
        """Signing in, and each record by id where the plan is looked at afresh."""
        if self._is_undo or not self._is_reviewed:
            return SIGN_IN
        return SIGN_IN + self._read_by_id(self.writes)

    def _read_by_id(self, rows: Sequence[PlanRow]) -> int:
        """Reading these records in the source."""
        lookup = self.run.source.lookup
        if lookup.way is ById.IN_BATCHES:
            return lookup.beside + lookup.batches(len(rows))
        if lookup.way is ById.SINGLY:
            return lookup.beside + len(rows) + len({row.account_id for row in rows})
        homes = {link.source.account_id for row in rows if (link := self._links.get(row.source_key)) is not None}
        return lookup.beside + len(homes) + (1 if any(row.source_key not in self._links for row in rows) else 0)

    def _looked_at(self, rows: Sequence[PlanRow]) -> int:
        """Planning rows afresh: accounts, people, the target by date, and by id what no window leads to.

        Rows that take a run back are read by id alone.
        """
        if self.run.target.lookup.is_cheap:
            return self.run.target.lookup.batches(len(rows))
        if self._is_undo:
            return self._shown_by_id(rows)
        accounts = math.ceil(len({row.account_id for row in rows}) / ACCOUNTS_A_CALL)
        people = math.ceil(len(rows) / PEOPLE_OF_RECORDS_A_CALL)
        elsewhere = [row for row in rows if row.origin is not Origin.WINDOW]
        released = sum(row.target_key is None for row in elsewhere)
        found = _found([row for row in rows if row.origin is Origin.WINDOW])
        return accounts + people + found + self._shown_by_id(elsewhere) + released

    def _shown_by_id(self, rows: Sequence[PlanRow]) -> int:
        """Reading by id the target's records of these rows."""
        held = [row for row in rows if row.target_key is not None]
        timelines = len({self._home(row) for row in held})
        return timelines + (len(held) if self.run.target.lookup.way is ById.SINGLY else 0)

    def _home(self, row: PlanRow) -> str | None:
        """The account of the target's record: a row that deletes may not name it."""
        link = self._links.get(row.source_key)
        return row.account_id or (link.target.account_id if link is not None else None)

    def _late(self, calls: int) -> Sequence[PlanRow]:
        """Changes that the budget puts off: they are looked at again before they are sent, some at a time."""
        if self.run.target.lookup.is_cheap:
            return []
        changes = [row for row in self.writes if row.action is not Action.CREATE]
        limit_s = CHANGES_RECHECKED_AFTER.total_seconds()
        at_once = bisect_right(range(calls + 1), limit_s, key=self.run.target.forecast) - 1
        return changes[math.ceil(len(changes) * at_once / calls) :]


def _found(rows: Sequence[PlanRow]) -> int:
    return math.ceil(len(rows) / FOUND_A_CALL)

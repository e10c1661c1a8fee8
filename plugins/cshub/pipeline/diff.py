"""Diff: look up accounts and people, read the target as it is now, and let the planner decide each record."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

import pyarrow as pa

from cshub.core.diff import decide, needs_proof
from cshub.core.mapping import MappedRecord
from cshub.core.objects import Role
from cshub.core.plan import PLAN_COLUMNS, PlanCounts, count_plan, plan_digest, plan_frame, plan_rows
from cshub.core.planning import Desired, PlanRow, PlanRules, Rule, TargetView
from cshub.core.records import Link, Origin, Presence, RunKind, TargetKey, TargetRecord
from cshub.core.values import parse_moment
from cshub.core.window import Window
from cshub.pipeline.locking import locked
from cshub.pipeline.map import staged_rows
from cshub.pipeline.run import CHUNK, Run
from cshub.pipeline.settle import AFTER_TAKEOVER_S, settle
from cshub.pipeline.writes import Writer
from cshub.staging import FrameRef

SEARCH_LAG = timedelta(minutes=5)
"""A search may show the state before our own write: seconds (docs/vendors/totango.md §6.2), here with room."""
ItemT = TypeVar("ItemT")
PLAN_SCHEMA = pa.schema([(name, pa.int64() if name == "link_version" else pa.string()) for name in PLAN_COLUMNS])


@dataclass(frozen=True, slots=True)
class Planned:
    """``ref``: the staged plan; ``linked``: records the pair has in step, for the guard's share."""

    ref: FrameRef
    counts: PlanCounts
    digest: str
    warnings: Mapping[str, int]
    linked: int


def diff(run: Run, mapped: FrameRef) -> Planned:
    """Plan everything that map staged, and stage the plan. Nothing is written to either system.

    Writes whose answers an earlier run lost are settled first: a plan made before that would be wrong.
    """
    if run.kind is not RunKind.DRY and run.ledger.open_intents(run.pair_id):
        with locked(run) as fence:
            settle(Writer(run, fence), patience_s=AFTER_TAKEOVER_S)
    rows = plan_mapped(run, list(staged_rows(run, mapped)))
    ref = stage_plan(run, rows)
    warnings = Counter(warning for row in rows for warning in _new_warnings(row))
    linked = sum(run.ledger.count_links(run.pair_id).values())
    return Planned(ref, count_plan(rows), plan_digest(rows), dict(warnings), linked)


def plan_mapped(run: Run, records: Sequence[MappedRecord]) -> list[PlanRow]:
    """One plan row per mapped record, in the same order."""
    rules = run.plan_rules()
    links = run.ledger.links(run.pair_id, [record.source_key for record in records])
    drafts = _with_accounts(run, records, links)
    targets = _Targets(run, rules, links)
    targets.read_around(drafts)
    targets.read_released(drafts)
    targets.prove(drafts)
    desired = _with_people(run, drafts, {draft.source_key: targets.home(draft) for draft in drafts})
    return [decide(item, links.get(item.source_key), targets.view(item.source_key), rules) for item in desired]


def stage_plan(run: Run, rows: Sequence[PlanRow]) -> FrameRef:
    frames = (plan_frame(chunk) for chunk in _batches(rows, CHUNK))
    return run.staging.write(run.bound.id, run.run_id, "plan", frames, schema=PLAN_SCHEMA)


def staged_plan(run: Run, ref: FrameRef) -> Iterator[PlanRow]:
    for frame in run.staging.read(ref):
        yield from plan_rows(frame)


def _batches(items: Sequence[ItemT], size: int) -> Iterator[Sequence[ItemT]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _with_accounts(run: Run, records: Sequence[MappedRecord], links: Mapping[str, Link]) -> list[Desired]:
    live = [record for record in records if record.skip_reason is None]
    references = {record.account_reference for record in live if record.account_reference is not None}
    accounts = run.target.resolve_accounts(references) if references else {}
    return [_desired(record, links.get(record.source_key), accounts) for record in records]


def _desired(record: MappedRecord, link: Link | None, accounts: Mapping[str, str]) -> Desired:
    reference = record.account_reference
    gone = record.skip_reason == Rule.SOURCE_NOT_READABLE
    linked_to = link.target_account_id if link is not None and link.target_key is not None else None
    return Desired(
        source_key=record.source_key,
        origin=record.origin,
        values=record.values,
        presence=Presence.ABSENT if gone else Presence.PRESENT,
        account_reference=reference,
        account_id=(accounts.get(reference) if reference is not None else None) or linked_to,
        modified_at=record.source_modified_at,
        skip_reason=record.skip_reason,
        warnings=tuple(record.warnings),
    )


def _with_people(run: Run, drafts: Sequence[Desired], homes: Mapping[str, str | None]) -> list[Desired]:
    """E-mails of people become the target's user ids; those it does not know are left out and counted.

    ``homes``: source key → account whose contacts count, which is that of the target record where there is one.
    """
    names = [name for name, spec in run.mapping.attributes.items() if spec.role is Role.PEOPLE]
    wanted: dict[str, set[str]] = defaultdict(set)
    for draft in drafts:
        home = homes[draft.source_key]
        for name in names if home is not None else ():
            wanted[str(home)].update(email.lower() for email in draft.values.get(name) or [])
    known = run.target.resolve_people(wanted) if any(wanted.values()) else {}
    return [_known_people(draft, homes[draft.source_key], names, known) for draft in drafts]


def _known_people(
    draft: Desired, home: str | None, names: Sequence[str], known: Mapping[tuple[str, str], str]
) -> Desired:
    values, unmatched = dict(draft.values), 0
    if home is None:
        return draft
    for name in names:
        if values.get(name) is None:
            continue
        emails = sorted({email.lower() for email in values[name]})
        found = [known[home, email] for email in emails if (home, email) in known]
        unmatched += len(emails) - len(found)
        values[name] = sorted(set(found))
    warnings = (*draft.warnings, *("participant_unmatched",) * unmatched)
    return replace(draft, values=values, warnings=warnings)


@dataclass(slots=True)
class _Targets:
    """The target's records that matter to a plan: read by date, then proven by id where a search is not enough."""

    run: Run
    rules: PlanRules
    links: Mapping[str, Link]
    by_key: dict[str, TargetRecord] = field(default_factory=dict)
    by_external_id: dict[str, TargetRecord] = field(default_factory=dict)
    proven: dict[str, TargetRecord | None] = field(default_factory=dict)

    def read_around(self, desired: Sequence[Desired]) -> None:
        """Read the target over the days that the window's records lie in; older ones are read by id."""
        name = self.run.mapping.attribute_with(Role.DATE)
        moments = [
            parse_moment(item.values[name])
            for item in desired
            if name and item.origin is Origin.WINDOW and item.values.get(name)
        ]
        if not moments:
            return
        self._search(min(moments), max(moments))

    def read_released(self, desired: Sequence[Desired]) -> None:
        """Look where a record that waited is about to be made: somebody else may have made it since."""
        name = self.run.mapping.attribute_with(Role.DATE)
        for item in desired:
            link = self.links.get(item.source_key)
            waited = item.origin is not Origin.WINDOW and item.account_id and not (link and link.target_key)
            if name and waited and item.skip_reason is None and item.values.get(name):
                moment = parse_moment(item.values[name])
                self._search(moment, moment)

    def _search(self, first: datetime, last: datetime) -> None:
        for page in self.run.target.read_window(Window(first, last + timedelta(milliseconds=1))):
            for record in page:
                self.by_key[record.key] = record
                if record.external_id:
                    self.by_external_id[record.external_id] = record

    def prove(self, desired: Sequence[Desired]) -> None:
        """Read by id every linked record that the search did not show, or shows as it was before our own last write.

        One whose account tells nothing (it was merged into another) is looked for at its date.
        """
        wanted = [
            TargetKey(link.target_key, link.target_account_id or "", link.target_extra)
            for link in self.links.values()
            if link.target_key is not None
            and needs_proof(link, self._searched(link.target_key), self.rules, lag=SEARCH_LAG)
        ]
        for batch in _batches(wanted, 1000):
            self.proven.update(self.run.target.read_keys(batch))
        unproven = {key.key for key in wanted} - self.proven.keys() - self.by_key.keys()
        name = self.run.mapping.attribute_with(Role.DATE)
        for item in desired:
            link = self.links.get(item.source_key)
            if name and link is not None and link.target_key in unproven and item.values.get(name):
                moment = parse_moment(item.values[name])
                self._search(moment, moment)

    def home(self, draft: Desired) -> str | None:
        """The account a record's people belong to."""
        view, link = self.view(draft.source_key), self.links.get(draft.source_key)
        if view is not None and view.record is not None:
            return view.record.account_id
        return (link.target_account_id if link and link.target_key else None) or draft.account_id

    def view(self, source_key: str) -> TargetView | None:
        link = self.links.get(source_key)
        if link is None or link.target_key is None:
            record = self._adoptable(source_key)
            return TargetView(Presence.PRESENT, record) if record else None
        if link.target_key in self.proven:
            record = self.proven[link.target_key]
            return TargetView(Presence.PRESENT if record else Presence.DELETED, record)
        return self._searched(link.target_key)

    def _searched(self, key: str) -> TargetView | None:
        record = self.by_key.get(key)
        return TargetView(Presence.PRESENT, record) if record else None

    def _adoptable(self, source_key: str) -> TargetRecord | None:
        record = self.by_external_id.get(source_key.lower())
        if record is None:
            return None
        taken = self.run.ledger.links_by_target(self.run.pair_id, [record.key])
        return None if taken else record


def _new_warnings(row: PlanRow) -> Sequence[str]:
    """Warnings that the planning added; those of the mapping were counted there."""
    return [name for name in row.warnings if name in {"participant_unmatched", "account_changed_in_source"}]

"""Diff: look up accounts and people, read the target as it is now, and let the planner decide each record."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from cshub.core.diff import decide
from cshub.core.mapping import MappedRecord
from cshub.core.objects import Role
from cshub.core.plan import PLAN_COLUMNS, PlanCounts, count_plan, in_step, plan_digest, plan_frame, plan_rows
from cshub.core.planning import Desired, PlanRow, Rule
from cshub.core.records import Action, Link, RecordKey, RunKind
from cshub.pipeline.extract import read_again
from cshub.pipeline.locking import locked
from cshub.pipeline.map import map_now, staged_rows
from cshub.pipeline.rivals import Rivals, left_out
from cshub.pipeline.run import CHUNK, Run
from cshub.pipeline.settle import AFTER_TAKEOVER_S, settle
from cshub.pipeline.targets import Targets, batches, is_alive
from cshub.pipeline.writes import Writer
from cshub.staging import FrameRef
from cshub.systems import registry

OWN_COMPANY = ""
_LASTING_WARNINGS = frozenset({"account_changed_in_source"})
_PLANNING_WARNINGS = _LASTING_WARNINGS | {"participant_unmatched", "owner_unmatched"}
_WRITES = frozenset({Action.CREATE, Action.UPDATE})
PLAN_SCHEMA = pa.schema([(name, pa.int64() if name == "link_version" else pa.string()) for name in PLAN_COLUMNS])


@dataclass(frozen=True, slots=True)
class Planned:
    """``ref``: the staged plan; ``linked``: records the pair has in step, for the guard's share."""

    ref: FrameRef
    counts: PlanCounts
    digest: str
    warnings: Mapping[str, int]
    linked: int


def diff(run: Run, mapped: FrameRef, *, beside_lost: bool) -> Planned:
    """Plan everything that map staged, and stage the plan; see :func:`plan_settled`."""
    rows = plan_settled(run, list(staged_rows(run, mapped)), beside_lost=beside_lost)
    ref = stage_plan(run, rows)
    warnings = Counter(warning for row in rows for warning in _new_warnings(row))
    linked = in_step(run.ledger.count_links(run.pair))
    return Planned(ref, count_plan(rows), plan_digest(rows), dict(warnings), linked)


def plan_settled(run: Run, records: Sequence[MappedRecord], *, beside_lost: bool) -> list[PlanRow]:
    """One plan row per mapped record. Nothing is written to either system.

    Writes whose answers an earlier run lost, in either direction, are settled first: a plan made before that would be
    wrong. A record that another run has written since this one began to read it is left to the next run. One that is
    to be made is read again where another run may have read a later change of it, or where it may be the hub's own:
    read while a lost create was not settled (``beside_lost``), and deleted before anybody looked for it.
    """
    rivals = Rivals.of(run)
    lost = run.ledger.open_intents(run.pair) if run.kind is not RunKind.DRY else []
    if lost:
        with locked(run) as fence:
            settle(Writer(run, fence), patience_s=AFTER_TAKEOVER_S)
    rows = rivals.without_outdated(plan_mapped(run, records))
    return _made_afresh(run, rows) if rivals.have_passed_changes or beside_lost else rows


def plan_mapped(run: Run, records: Sequence[MappedRecord]) -> list[PlanRow]:
    """One plan row per mapped record, in the same order."""
    rules = run.plan_rules()
    links = run.ledger.links(run.pair, [record.source_key for record in records])
    drafts = _without_made(run, _with_accounts(run, records, links), links)
    targets = Targets(run, rules, links)
    targets.look(drafts)
    desired = with_people(run, drafts, {draft.source_key: targets.home(draft) for draft in drafts})
    return [
        _explained(run, item, decide(item, links.get(item.source_key), targets.view(item), rules)) for item in desired
    ]


def _made_afresh(run: Run, rows: Sequence[PlanRow]) -> list[PlanRow]:
    """The rows, those that make a record planned by what is there now; what is not to be seen now is left to later."""
    making = {row.source_key for row in rows if row.action is Action.CREATE}
    if not making:
        return list(rows)
    received = read_again(run, [row for row in rows if row.source_key in making])
    again = plan_mapped(run, map_now(run, received)[0])
    fresh = {row.source_key: row for row in again if row.rule is not Rule.SOURCE_NOT_READABLE}
    return [fresh.get(row.source_key) or left_out(row) if row.source_key in making else row for row in rows]


def stage_plan(run: Run, rows: Sequence[PlanRow]) -> FrameRef:
    frames = (plan_frame(chunk) for chunk in batches(rows, CHUNK))
    return run.staging.write(run.bound.id, run.run_id, "plan", frames, schema=PLAN_SCHEMA)


def staged_plan(run: Run, ref: FrameRef) -> Iterator[PlanRow]:
    for frame in run.staging.read(ref):
        yield from plan_rows(frame)


def _with_accounts(run: Run, records: Sequence[MappedRecord], links: Mapping[str, Link]) -> list[Desired]:
    live = [record for record in records if record.skip_reason is None]
    references = {record.account_reference for record in live if record.account_reference is not None}
    accounts = run.target.resolve_accounts(references) if references else {}
    return [desired_of(run, record, links.get(record.source_key), accounts) for record in records]


def desired_of(run: Run, record: MappedRecord, link: Link | None, accounts: Mapping[str, str]) -> Desired:
    """The record as the planner is given it. ``accounts``: account reference → account id of the target."""
    reference, seen = record.account_reference, record.seen
    linked_to = link.target.account_id if link is not None and is_alive(link) else None
    date = run.mapping.attribute_with(Role.DATE)
    unreadable = record.skip_reason == Rule.SOURCE_NOT_READABLE
    return Desired(
        source_key=record.source_key,
        origin=seen.origin,
        values=record.values,
        presence=seen.presence,
        account_reference=reference,
        account_id=(accounts.get(reference) if reference is not None else None) or linked_to,
        modified_at=seen.modified_at,
        dated_at=seen.dated_at or (record.values.get(date) if date else None),
        skip_reason=None if unreadable else record.skip_reason,
        warnings=tuple(record.warnings),
        external_id=record.external_id,
        marks=record.marks,
        address=RecordKey(record.source_key, seen.account_id, seen.extra),
    )


def _without_made(run: Run, drafts: Sequence[Desired], links: Mapping[str, Link]) -> list[Desired]:
    """What another job of the hub has made in the source is left out: it has its own source already.

    A record that a person made is not, though another job has made a twin of it elsewhere.
    """
    if run.bound.job.include_made_records:
        return list(drafts)
    fresh = [
        draft.source_key for draft in drafts if (link := links.get(draft.source_key)) is None or not link.is_linked
    ]
    made = run.ledger.made_elsewhere(run.pair, fresh) if fresh else set()
    reason = Rule.MADE_BY_OTHER_JOB.value
    return [replace(draft, skip_reason=reason) if draft.source_key in made else draft for draft in drafts]


def with_people(run: Run, drafts: Sequence[Desired], homes: Mapping[str, str | None]) -> list[Desired]:
    """E-mails of people become the target's user ids; those it does not know are left out and counted.

    ``homes``: source key → account whose contacts count, which is that of the target record where there is one. Owners
    are people of one's own company; an owner that is no e-mail is an id already.
    """
    attributes = run.mapping.attributes
    people = [name for name, spec in attributes.items() if spec.role is Role.PEOPLE]
    owners = [name for name, spec in attributes.items() if spec.role is Role.OWNER]
    wanted: dict[str, set[str]] = defaultdict(set)
    for draft in drafts:
        home = homes[draft.source_key]
        for name in people if home is not None else ():
            wanted[str(home)].update(email.lower() for email in draft.values.get(name) or [])
        wanted[OWN_COMPANY].update(email for name in owners if (email := _owner_email(draft.values.get(name))))
    known = run.target.resolve_people(wanted) if any(wanted.values()) else {}
    return [
        _known_owners(_known_people(draft, homes[draft.source_key], people, known), owners, known) for draft in drafts
    ]


def _known_people(
    draft: Desired, home: str | None, names: Sequence[str], known: Mapping[tuple[str, str], str]
) -> Desired:
    if home is None or not names:
        return draft
    values, unmatched = dict(draft.values), 0
    for name in names:
        if values.get(name) is None:
            continue
        emails = sorted({email.lower() for email in values[name]})
        found = [known[home, email] for email in emails if (home, email) in known]
        unmatched += len(emails) - len(found)
        values[name] = sorted(set(found))
    warnings = (*draft.warnings, *("participant_unmatched",) * unmatched)
    return replace(draft, values=values, warnings=warnings)


def _known_owners(draft: Desired, names: Sequence[str], known: Mapping[tuple[str, str], str]) -> Desired:
    if not names:
        return draft
    values, unmatched = dict(draft.values), 0
    for name in names:
        email = _owner_email(values.get(name))
        if email and (OWN_COMPANY, email) in known:
            values[name] = known[OWN_COMPANY, email]
        elif email:
            del values[name]
            unmatched += 1
    return replace(draft, values=values, warnings=(*draft.warnings, *("owner_unmatched",) * unmatched))


def _owner_email(value: object) -> str | None:
    return value.lower() if isinstance(value, str) and "@" in value else None


def _explained(run: Run, desired: Desired, row: PlanRow) -> PlanRow:
    """A record whose account is known, but not by what the target calls it, says where that was looked for."""
    account = desired.address.account_id if desired.address else ""
    if row.rule is not Rule.NO_ACCOUNT_REFERENCE or not account:
        return row
    model = run.source_spec.source_options or run.source_spec.options
    attribute = model.model_validate(run.bound.source_options).account_attribute()
    if attribute is None:
        return row
    system, other = (registry.system(name).title for name in (run.bound.source.system, run.bound.target.system))
    return replace(
        row,
        reason=f"its account {account} carries no id of {other}: the attribute {attribute} that is looked at is empty; "
        f"fill it in {system}, and the record comes by itself",
    )


def _new_warnings(row: PlanRow) -> Sequence[str]:
    """Warnings that the planning added; those of the mapping were counted there.

    Who was not found matters where a record is written: one that stays as it is would warn in every run.
    """
    told = _PLANNING_WARNINGS if row.action in _WRITES else _LASTING_WARNINGS
    return [name for name in row.warnings if name in told]

"""The planner: for one record, what the source says now, what the target says now, and the base both last agreed on.

:func:`decide` is one pure function for all integration types and both directions. A linked record that both sides
still have is merged field by field (:mod:`cshub.core.merge`); this module decides the rest:

======================  =======================  ==========================================================
source                  target                   decision
======================  =======================  ==========================================================
there, not linked       –                        create if allowed and the account exists; park or skip else
there, not linked       carries the record's id  adopt it
there, not linked       may carry it             wait until it is clear: neither adopt nor create
there, held             –                        wait until a person names it
there                   proven gone, two-way     create again if the source was edited since; else leave the
                                                 deletion to the other direction
there                   proven gone, one-way     never made again
proven gone             unchanged                delete, if the job follows deletions
proven gone             edited since             conflict: the edit wins, and the other direction makes the
                                                 record again
proven gone             proven gone              only the ledger learns
not in the answer       –                        nothing: absence proves nothing
gone with its account   –                        nothing: nobody has deleted the record itself
======================  =======================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from cshub.core.comparison import NATIVE_OVERWRITE, Comparison, Sides, may_write, state_of
from cshub.core.jobs import TargetEdit
from cshub.core.merge import merge
from cshub.core.planning import Desired, PlanRow, PlanRules, Rule, TargetView
from cshub.core.records import Action, Change, Link, LinkSide, LinkState, Origin, Presence, TargetRecord
from cshub.core.values import fingerprints, is_blank, parse_moment

_ENDED = frozenset({LinkState.DELETED, LinkState.GONE})


def decide(desired: Desired, link: Link | None, target: TargetView | None, rules: PlanRules) -> PlanRow:
    """The plan for one record.

    ``target`` is None when there is nothing to compare with. A linked record whose target is neither PRESENT nor
    DELETED (proven) is left alone until a later run can see it.
    """
    draft = _Draft(desired, link, rules)
    if desired.presence is Presence.ABSENT:
        return draft.row(Action.SKIP, Rule.SOURCE_NOT_READABLE)
    if desired.presence is Presence.ACCOUNT_GONE:
        return draft.row(Action.SKIP, Rule.ACCOUNT_GONE)
    if desired.presence is Presence.DELETED:
        return _deleted(draft, target)
    if desired.skip_reason is not None:
        return draft.row(Action.SKIP, Rule.FILTERED, reason=desired.skip_reason)
    if link is not None and desired.origin is not Origin.NAMED:
        if link.state is LinkState.DELETED:
            return draft.row(Action.SKIP, Rule.DELETED_IN_TARGET)
        if link.state is LinkState.HELD:
            return draft.row(Action.PARK, Rule.FITS_SEVERAL)
    if link is None or not link.is_linked or (link.state in _ENDED and not _is_back(link, target)):
        if target is not None and target.record is not None:
            return _adopt(draft, target.record)
        if target is not None and target.doubt is not None:
            return draft.learns(Action.PARK, target.doubt, source=LinkState.PARKED)
        restored = link is not None and link.state in _ENDED
        return _new(draft, Rule.RESTORED if restored else Rule.NEW)
    if target is None or target.presence is Presence.ABSENT:
        return draft.row(Action.SKIP, Rule.TARGET_NOT_READABLE)
    if target.record is None:
        return _target_gone(draft, link)
    return merge(desired, link, target.record, rules)


def _is_back(link: Link, target: TargetView | None) -> bool:
    """Whether the target still has, or has again, the record that the link remembers."""
    return target is not None and target.record is not None and target.record.key == link.target.key


def needs_proof(link: Link, target: TargetView | None, rules: PlanRules, *, lag: timedelta) -> bool:
    """Whether the target must be read by id before this record is decided.

    Absence from a search proves nothing. And a search may still show the state before our own last write: a
    difference is only believed when that write is older than ``lag``.
    """
    if target is None or target.record is None:
        return True
    if link.written_at is None or rules.now - link.written_at > lag:
        return False
    marks = link.target.marks
    now = fingerprints(target.record.values, rules.kinds)
    return marks is None or any(now[name] != marks[name] for name in now if name in marks)


@dataclass(frozen=True, slots=True)
class _Draft:
    desired: Desired
    link: Link | None
    rules: PlanRules

    def row(self, action: Action, rule: Rule, *, reason: str = "", **more: Any) -> PlanRow:
        return Sides(self.desired, self.link, self.rules).row(action, rule, reason=reason, **more)

    def learns(
        self, action: Action, rule: Rule, *, source: LinkState, target: LinkState | None = None, **more: Any
    ) -> PlanRow:
        """A row that changes nothing but the link's states; nothing at all where they are so already."""
        sides = Sides(self.desired, self.link, self.rules)
        old_source, old_target = sides.old_source, sides.old_target
        target = target or old_target.state
        if self.link is not None and (old_source.state, old_target.state) == (source, target):
            return self.row(action, rule, **more)
        return self.row(
            action, rule, source=replace(old_source, state=source), target=replace(old_target, state=target), **more
        )


def _new(draft: _Draft, rule: Rule) -> PlanRow:
    desired, rules = draft.desired, draft.rules
    if desired.account_reference is None:
        return draft.learns(Action.PARK, Rule.NO_ACCOUNT_REFERENCE, source=LinkState.PARKED)
    if desired.account_id is None:
        return draft.learns(Action.PARK, Rule.NO_ACCOUNT, source=LinkState.PARKED)
    if not rules.allow_new:
        return draft.row(Action.SKIP, Rule.CREATION_NOT_ALLOWED)
    values = {name: value for name, value in desired.values.items() if value is not None}
    sides = Sides(desired, draft.link, rules)
    source = sides.source_after(state=state_of(desired.values, rules))
    return draft.row(
        Action.CREATE,
        rule,
        account_id=desired.account_id,
        target_key=None,
        target_extra={},
        values=values,
        changes=[Change(name, None, value) for name, value in values.items()],
        source=replace(source, marks=desired.marks or None),
        target=LinkSide(account_id=desired.account_id, edited_at=sides.source_edited_at),
    )


def _deleted(draft: _Draft, target: TargetView | None) -> PlanRow:
    """The source record is proven to be deleted."""
    link, rules = draft.link, draft.rules
    if link is None:
        return draft.row(Action.SKIP, Rule.NEVER_SYNCED)
    if not link.is_linked:
        return draft.learns(Action.SKIP, Rule.NEVER_SYNCED, source=LinkState.GONE)
    if link.state in _ENDED and link.target.state not in _ENDED:
        return draft.row(Action.SKIP, Rule.EDIT_BEATS_DELETION)
    if link.state is LinkState.DELETED:  # set aside for good, perhaps with a record that an undo made again
        return draft.row(Action.UNCHANGED, Rule.BOTH_DELETED)
    if link.state is LinkState.GONE:
        return draft.learns(Action.UNCHANGED, Rule.BOTH_DELETED, source=LinkState.GONE, target=LinkState.GONE)
    if not rules.follows_deletions:
        return draft.row(Action.SKIP, Rule.DELETION_NOT_FOLLOWED)
    if target is None or target.presence is Presence.ABSENT:
        return draft.row(Action.SKIP, Rule.TARGET_NOT_READABLE)
    if target.record is None:
        return draft.learns(Action.UNCHANGED, Rule.BOTH_DELETED, source=LinkState.GONE, target=LinkState.GONE)
    record = target.record
    comparison = Comparison.of(draft.desired, link, record, rules)
    edited = comparison.target_edits()
    if edited:
        changes = tuple(Change(name, record.values.get(name), None, "target") for name in edited)
        waits = LinkState.PARKED if rules.two_way else link.target.state
        return draft.learns(
            Action.CONFLICT, Rule.EDIT_BEATS_DELETION, source=LinkState.GONE, target=waits, changes=changes
        )
    sides = Sides(draft.desired, link, rules)
    return draft.row(
        Action.DELETE,
        Rule.DELETED_IN_SOURCE,
        account_id=record.account_id or link.target.account_id,
        target_extra={**link.target.extra, **record.extra},
        changes=[Change(name, value, None) for name, value in record.values.items() if value is not None],
        source=replace(sides.old_source, state=LinkState.GONE),
        target=replace(sides.old_target, state=LinkState.GONE),
    )


def _target_gone(draft: _Draft, link: Link) -> PlanRow:
    """The target record of a linked one is proven to be deleted by somebody else."""
    if not draft.rules.two_way:
        return draft.learns(Action.SKIP, Rule.DELETED_IN_TARGET, source=LinkState.DELETED, target=LinkState.DELETED)
    if link.target.state is LinkState.GONE:  # the other direction found it gone, and lets an edit of the source win
        return _new(draft, Rule.EDIT_BEATS_DELETION)
    comparison = Comparison.of(draft.desired, link, None, draft.rules)
    if any(comparison.source_edited(name) for name in comparison.source_now):
        return _new(draft, Rule.EDIT_BEATS_DELETION)
    return draft.learns(Action.SKIP, Rule.DELETED_IN_TARGET, source=link.state, target=LinkState.MISSING)


def _adopt(draft: _Draft, record: TargetRecord) -> PlanRow:
    """A target record that carries this source record's id already: link it, and bring it up to date."""
    desired, rules = draft.desired, draft.rules
    sides = Sides(desired, draft.link, rules)
    mapped = sides.mapped
    target_now = fingerprints(record.values, {**rules.noted, **rules.kinds})
    shown = [name for name in mapped if name in rules.updateable and name in target_now]
    differing = [name for name in shown if mapped[name] != target_now[name]]
    writable = [name for name in differing if may_write(name, desired.values[name], rules)]
    overwrites = _adopting_overwrites(desired, record, rules)
    writes = [name for name in writable if overwrites or is_blank(record.values.get(name), rules.kinds[name])]
    kept = [
        Change(name, record.values.get(name), desired.values[name], "target") for name in writable if name not in writes
    ]
    values = {**record.values, **{name: desired.values[name] for name in writes}} if writes else {}
    changes = [Change(name, record.values.get(name), desired.values[name]) for name in writes]
    return draft.row(
        Action.UPDATE if writes else Action.UNCHANGED,
        Rule.ADOPTED,
        account_id=record.account_id,
        target_key=record.key,
        target_extra=record.extra,
        values=values,
        changes=[*changes, *kept],
        source=sides.source_after(state=state_of(values or record.values, rules)),
        target=LinkSide(
            key=record.key,
            account_id=record.account_id,
            extra=record.extra,
            marks=_adopted_marks(target_now, mapped, writes, kept, rules),
            modified_at=record.modified_at,
            edited_at=record.modified_at,
        ),
    )


def _adopted_marks(
    now: dict[str, str], mapped: dict[str, str], writes: Sequence[str], kept: Sequence[Change], rules: PlanRules
) -> dict[str, str]:
    """The target's marks: between two jobs a kept value is an edit that the other direction has still to carry over."""
    edited = {change.field: "" for change in kept} if rules.two_way else {}
    return {name: edited.get(name, mark) for name, mark in now.items() if name not in writes}


def _adopting_overwrites(desired: Desired, record: TargetRecord, rules: PlanRules) -> bool:
    """Whether an adopted record's values give way. Blank ones always do: nobody's words are lost."""
    if rules.two_way or rules.target_edit is TargetEdit.NEWEST:
        changed_at = None if desired.modified_at is None else parse_moment(desired.modified_at)
        return changed_at is not None and record.modified_at is not None and changed_at > record.modified_at
    if rules.target_edit is TargetEdit.OVERWRITE_WITHIN_24H:
        return record.created_at is None or rules.now - record.created_at <= NATIVE_OVERWRITE
    return rules.target_edit is TargetEdit.OVERWRITE

"""Merging one linked record that both sides have, field by field against the base both last agreed on.

==============  ==============  ==================================================================
source vs base  target vs base  decision for the field
==============  ==============  ==================================================================
same            same            nothing
changed         same            write the source's value
same            changed         two-way: the other direction's work; one-way: the job's policy decides
mapping changed same            write what the new mapping makes; two-way: where the target holds what the old one made
mapping changed changed         as if the source were the same
changed         alike           nothing; only the ledger learns the new base
changed         changed         conflict: the policy decides, the loser is kept in the audit
==============  ==============  ==================================================================

What "changed" means is told in :mod:`cshub.core.comparison`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cshub.core.comparison import Comparison, Sides, edited_at, may_write, state_of
from cshub.core.planning import Desired, PlanRow, PlanRules, Rule
from cshub.core.records import Action, Change, Link, LinkSide, LinkState, TargetRecord

_WRITES = frozenset({Rule.CHANGED_IN_SOURCE, Rule.MAPPING_CHANGED, Rule.EDIT_OVERWRITTEN, Rule.CONFLICT_OVERWRITTEN})
_KEEPS = frozenset({Rule.EDIT_KEPT, Rule.EDIT_OF_OTHER_DIRECTION, Rule.CONFLICT_KEPT})
_PRECEDENCE = (
    Rule.CONFLICT_OVERWRITTEN,
    Rule.CONFLICT_KEPT,
    Rule.EDIT_OVERWRITTEN,
    Rule.CHANGED_IN_SOURCE,
    Rule.MAPPING_CHANGED,
    Rule.EDIT_KEPT,
    Rule.EDIT_OF_OTHER_DIRECTION,
    Rule.BOTH_AGREE,
)


def merge(desired: Desired, link: Link, record: TargetRecord, rules: PlanRules) -> PlanRow:
    """One row: an update when any field is written, a conflict when the target's value stands, unchanged otherwise."""
    if desired.account_id not in (None, link.target.account_id, record.account_id):
        desired = replace(desired, warnings=(*desired.warnings, "account_changed_in_source"))
    sides, comparison = Sides(desired, link, rules), Comparison.of(desired, link, record, rules)
    verdicts = {
        name: comparison.verdict(name)
        for name, value in desired.values.items()
        if name in rules.updateable and name in comparison.source_now and may_write(name, value, rules)
    }
    written = [name for name, verdict in verdicts.items() if verdict in _WRITES]
    values: dict[str, Any] = dict(record.values)
    values.update({name: value for name, value in desired.values.items() if name not in rules.updateable})
    values.update({name: desired.values[name] for name in written})
    changes = [
        Change(name, record.values.get(name), desired.values[name], "source" if name in written else "target")
        for name, verdict in verdicts.items()
        if name in written or verdict is Rule.CONFLICT_KEPT
    ]
    uncompared = [name for name in comparison.target_now if name in rules.updateable and name not in verdicts]
    kept = [name for name in uncompared if comparison.target_changed(name)]
    kept += comparison.noted_edits()
    kept += [name for name, verdict in verdicts.items() if verdict in _KEEPS]
    source, target = _agreed(sides, comparison, record, verdicts, kept)
    rule = next((item for item in _PRECEDENCE if item in verdicts.values()), Rule.NOTHING_CHANGED)
    facts: dict[str, Any] = {
        "account_id": record.account_id or link.target.account_id,
        "target_extra": target.extra,
        "changes": changes,
    }
    source = replace(source, state=state_of(values, rules))
    if written:
        target = replace(target, mapped={})  # what the other direction made of the target is no longer what is there
        return sides.row(Action.UPDATE, rule, values=values, source=source, target=target, **facts)
    if rule is Rule.CONFLICT_KEPT:
        if rules.two_way:  # the other direction carries what was kept, though its mapping may not show that it changed
            target = replace(target, mapped={})
        return sides.row(Action.CONFLICT, rule, source=source, target=target, **facts)
    if rule is Rule.NOTHING_CHANGED and source.state is LinkState.EMPTY:
        rule = Rule.STILL_EMPTY
    if _teaches_nothing(link, source, target):
        return sides.row(Action.UNCHANGED, rule)
    return sides.row(Action.UNCHANGED, rule, source=source, target=target, **facts)


def _agreed(
    sides: Sides, comparison: Comparison, record: TargetRecord, verdicts: Mapping[str, Rule], kept: list[str]
) -> tuple[LinkSide, LinkSide]:
    """Both sides as the ledger shall hold them.

    A value of the target that was kept counts as an edit there, which the other direction has still to carry over.
    """
    rules, link, old = sides.rules, comparison.link, comparison.link.target
    left_out = {name for name in comparison.source_now if name in rules.updateable and name not in verdicts}
    mapped = {
        **comparison.source_now,
        **link.source.mapped,
        **{name: mark for name, mark in comparison.source_now.items() if name not in left_out},
    }
    kept_paths = frozenset(rules.paths[name] for name in left_out if name in rules.paths)
    source = replace(sides.source_after(state=link.state, kept_paths=kept_paths), mapped=mapped)
    known = old.marks or {}
    now = {**comparison.noted_now, **comparison.target_now, **{name: known.get(name, "") for name in kept}}
    if rules.two_way:  # whatever the target holds when the other direction looks has won, be it the old value again
        now.update({name: "" for name, verdict in verdicts.items() if verdict is Rule.CONFLICT_KEPT})
    marks = {name: mark for name, mark in {**known, **now}.items() if verdicts.get(name) not in _WRITES}
    left = (name for name, verdict in verdicts.items() if verdict is Rule.NOTHING_CHANGED)
    differs = bool(kept) or any(comparison.leaves_a_difference(name) for name in left)
    forgets = comparison.unreadable or (rules.two_way and Rule.BOTH_AGREE in verdicts.values())
    target = replace(
        old,
        key=record.key,
        account_id=record.account_id or old.account_id,
        extra={**old.extra, **record.extra},
        marks=marks,
        state=LinkState.IN_STEP if old.state in (LinkState.GONE, LinkState.DELETED) else old.state,
        # what the other direction made of the target is no base for it, now that both sides agree on something newer
        mapped={} if forgets else old.mapped,
        mapping_version="" if comparison.unreadable else old.mapping_version,
        modified_at=record.modified_at,
        edited_at=edited_at(old, record.modified_at) if differs or source.edited_at is None else source.edited_at,
    )
    return source, target


def _teaches_nothing(link: Link, source: LinkSide, target: LinkSide) -> bool:
    """Whether both sides are as the ledger has them; when a side was looked at does not count."""
    return _lasting(link.source) == _lasting(source) and _lasting(link.target) == _lasting(target)


def _lasting(side: LinkSide) -> tuple[object, ...]:
    return side.key, side.account_id, side.extra, side.marks, side.mapped, side.mapping_version, side.state

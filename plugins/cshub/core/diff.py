"""The planner: for one record, what the source says now, what the target says now, and the base both last agreed on.

:func:`decide` is one pure function for all integration types. Fields are compared one by one:

==============  ==============  ==================================================
source vs base  target vs base  decision for the field
==============  ==============  ==================================================
same            same            nothing
changed         same            write the source's value
same            changed         an edit in the target: the job's policy decides
changed         alike           nothing; only the ledger learns the new base
changed         changed         conflict: the job's policy decides, the loser is kept in the audit
==============  ==============  ==================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from cshub.core.jobs import TargetEdit
from cshub.core.planning import Desired, PlanRow, PlanRules, Rule, TargetView
from cshub.core.records import Action, Change, Link, LinkState, Presence, TargetRecord
from cshub.core.values import fingerprint, is_blank, iso_ms

NATIVE_OVERWRITE = timedelta(hours=24)  # the native connector, docs/vendors/totango.md §4, row "Chorus job"


def decide(desired: Desired, link: Link | None, target: TargetView | None, rules: PlanRules) -> PlanRow:
    """The plan for one record.

    ``target`` is None when there is nothing to compare with. A linked record whose target is neither PRESENT nor
    DELETED (proven) is left alone until a later run can see it.
    """
    version = link.version if link else None
    linked = link is not None and link.target_key is not None
    draft = _Draft(desired, link, version)
    if desired.presence is not Presence.PRESENT:
        return draft.row(Action.SKIP, Rule.SOURCE_NOT_READABLE, reason="source_not_readable")
    if desired.skip_reason is not None:
        return draft.row(Action.SKIP, Rule.FILTERED, reason=desired.skip_reason)
    if link is not None and link.state is LinkState.DELETED:
        return draft.row(Action.SKIP, Rule.DELETED_IN_TARGET, reason="deleted_in_target")
    if not linked:
        if target is not None and target.record is not None:
            return _adopt(draft, target.record, rules)
        return _new(draft, rules)
    assert link is not None
    if target is None or target.presence is Presence.ABSENT:
        return draft.row(Action.SKIP, Rule.TARGET_NOT_READABLE)
    if target.record is None:
        return draft.row(Action.SKIP, Rule.DELETED_IN_TARGET, reason="deleted_in_target", state=LinkState.DELETED)
    return _merge(draft, link, target.record, rules)


def needs_proof(link: Link, target: TargetView | None, rules: PlanRules, *, lag: timedelta) -> bool:
    """Whether the target must be read by id before this record is decided.

    Absence from a search proves nothing. And a search may still show the state before our own last write: a
    difference is only believed when that write is older than ``lag``.
    """
    if target is None or target.record is None:
        return True
    if link.written_at is None or rules.now - link.written_at > lag:
        return False
    base = link.target_base
    now = _fingerprints(target.record.values, rules)
    return base is None or any(now[name] != base[name] for name in now if name in base)


@dataclass(frozen=True, slots=True)
class _Draft:
    desired: Desired
    link: Link | None
    version: int | None

    def row(self, action: Action, rule: Rule, *, reason: str = "", **more: Any) -> PlanRow:
        link = self.link
        facts: dict[str, Any] = {
            "account_id": (link.target_account_id if link else None) or self.desired.account_id,
            "target_key": link.target_key if link else None,
            "target_extra": link.target_extra if link else {},
            "source_base": link.source_base if link else {},
        }
        return PlanRow(
            source_key=self.desired.source_key,
            origin=self.desired.origin,
            action=action,
            rule=rule,
            reason=reason or rule.value,
            link_version=self.version,
            modified_at=self.desired.modified_at,
            warnings=self.desired.warnings,
            **{**facts, **more, "changes": tuple(more.get("changes", ()))},
        )


def _new(draft: _Draft, rules: PlanRules) -> PlanRow:
    desired = draft.desired
    parked = LinkState.PARKED if draft.link is None or draft.link.state is not LinkState.PARKED else None
    if desired.account_reference is None:
        return draft.row(Action.PARK, Rule.NO_ACCOUNT_REFERENCE, state=parked)
    if desired.account_id is None:
        return draft.row(Action.PARK, Rule.NO_ACCOUNT, state=parked)
    if not rules.allow_new:
        return draft.row(Action.SKIP, Rule.CREATION_NOT_ALLOWED)
    values = {name: value for name, value in desired.values.items() if value is not None}
    changes = [Change(name, None, value) for name, value in values.items()]
    return draft.row(
        Action.CREATE,
        Rule.NEW,
        account_id=desired.account_id,
        values=values,
        changes=changes,
        source_base=_fingerprints(desired.values, rules),
        state=_state(desired.values, rules),
    )


def _adopt(draft: _Draft, record: TargetRecord, rules: PlanRules) -> PlanRow:
    """A target record that carries this source record's id already: link it, and bring it up to date."""
    source_base = _fingerprints(draft.desired.values, rules)
    target_now = _fingerprints(record.values, rules)
    shown = [name for name in source_base if name in rules.updateable and name in target_now]
    differing = [name for name in shown if source_base[name] != target_now[name]]
    writable = [name for name in differing if _may_write(name, draft.desired.values[name], rules)]
    writes = [
        name
        for name in writable
        if _adopting_overwrites(record, rules) or is_blank(record.values.get(name), rules.kinds[name])
    ]
    kept = [
        Change(name, record.values.get(name), draft.desired.values[name], "target")
        for name in writable
        if name not in writes
    ]
    facts: dict[str, Any] = {
        "account_id": record.account_id,
        "target_key": record.key,
        "target_extra": record.extra,
        "source_base": source_base,
        "target_base": {name: mark for name, mark in target_now.items() if name not in writes},
        "target_modified_at": iso_ms(record.modified_at) if record.modified_at else None,
    }
    if not writes:
        state = _state(record.values, rules)
        return draft.row(Action.UNCHANGED, Rule.ADOPTED, changes=kept, state=state, **facts)
    values = {**record.values, **{name: draft.desired.values[name] for name in writes}}
    changes = [Change(name, record.values.get(name), draft.desired.values[name]) for name in writes]
    return draft.row(
        Action.UPDATE, Rule.ADOPTED, values=values, changes=[*changes, *kept], state=_state(values, rules), **facts
    )


def _adopting_overwrites(record: TargetRecord, rules: PlanRules) -> bool:
    """Whether an adopted record's values give way. Blank ones always do: nobody's words are lost."""
    if rules.target_edit is TargetEdit.OVERWRITE_WITHIN_24H:
        return record.created_at is None or rules.now - record.created_at <= NATIVE_OVERWRITE
    return rules.target_edit is TargetEdit.OVERWRITE


def _merge(draft: _Draft, link: Link, record: TargetRecord, rules: PlanRules) -> PlanRow:
    """Field by field, then one row: an update when any field is written, a conflict when the target's value stands."""
    desired = draft.desired
    source_now = _fingerprints(desired.values, rules)
    target_now = _fingerprints(record.values, rules)
    comparison = _Comparison(
        link, source_now, target_now, _edited_after_our_write(link, record), _source_wins(link, rules)
    )
    verdicts = {
        name: comparison.verdict(name)
        for name, value in desired.values.items()
        if name in rules.updateable and name in source_now and _may_write(name, value, rules)
    }
    values: dict[str, Any] = dict(record.values)
    values.update({name: value for name, value in desired.values.items() if name not in rules.updateable})
    changes: list[Change] = []
    for name, verdict in verdicts.items():
        before, after = record.values.get(name), desired.values[name]
        if verdict in _WRITES:
            values[name] = after
            changes.append(Change(name, before, after))
        elif verdict is Rule.CONFLICT_KEPT:
            changes.append(Change(name, before, after, "target"))
    ignored = {name for name in source_now if name in rules.updateable and name not in verdicts}
    source_base = {**link.source_base, **{name: mark for name, mark in source_now.items() if name not in ignored}}
    uncompared = [name for name in target_now if name in rules.updateable and name not in verdicts]
    edited = [name for name in uncompared if comparison.target_changed(name)]
    edited += [name for name, verdict in verdicts.items() if verdict in _KEEPS]
    kept = {name: (link.target_base or {}).get(name, "") for name in edited}
    if desired.account_id not in (None, link.target_account_id, record.account_id):
        draft = replace(draft, desired=replace(desired, warnings=(*desired.warnings, "account_changed_in_source")))
    state = _state(values, rules)
    facts: dict[str, Any] = {
        "account_id": record.account_id or link.target_account_id,
        "target_extra": {**link.target_extra, **record.extra},
        "source_base": source_base,
        "target_base": {
            name: mark for name, mark in {**target_now, **kept}.items() if verdicts.get(name) not in _WRITES
        },
        "target_modified_at": iso_ms(record.modified_at) if record.modified_at else None,
        "changes": changes,
    }
    rule = next((item for item in _PRECEDENCE if item in verdicts.values()), Rule.NOTHING_CHANGED)
    if rule in _WRITES or any(verdict in _WRITES for verdict in verdicts.values()):
        return draft.row(Action.UPDATE, rule, values=values, state=state, **facts)
    if rule is Rule.CONFLICT_KEPT:
        return draft.row(Action.CONFLICT, rule, state=state, **facts)
    if rule is Rule.NOTHING_CHANGED and state is LinkState.EMPTY:
        rule = Rule.STILL_EMPTY
    known = (link.target_account_id, dict(link.source_base), link.target_base, dict(link.target_extra), link.state)
    if known == (*(facts[name] for name in ("account_id", "source_base", "target_base", "target_extra")), state):
        return draft.row(Action.UNCHANGED, rule)
    return draft.row(Action.UNCHANGED, rule, state=state, **facts)


_WRITES = frozenset({Rule.CHANGED_IN_SOURCE, Rule.EDIT_OVERWRITTEN, Rule.CONFLICT_OVERWRITTEN})
_KEEPS = frozenset({Rule.EDIT_KEPT, Rule.CONFLICT_KEPT})
_PRECEDENCE = (
    Rule.CONFLICT_OVERWRITTEN,
    Rule.CONFLICT_KEPT,
    Rule.EDIT_OVERWRITTEN,
    Rule.CHANGED_IN_SOURCE,
    Rule.EDIT_KEPT,
    Rule.BOTH_AGREE,
)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Both sides of one record against the base. A field without a base counts as changed in the source only.

    The target is unchanged where it holds what was last read back from it, or still exactly what was last sent to it.
    What was sent and never read back is told from an edit by time.
    """

    link: Link
    source_now: Mapping[str, str]
    target_now: Mapping[str, str]
    edited_later: bool
    source_wins: bool

    def verdict(self, name: str) -> Rule:
        source_changed = self.source_now[name] != self.link.source_base.get(name)
        if name not in self.target_now:
            return Rule.CHANGED_IN_SOURCE if source_changed else Rule.NOTHING_CHANGED
        if self.source_now[name] == self.target_now[name]:
            return Rule.BOTH_AGREE if source_changed else Rule.NOTHING_CHANGED
        return _VERDICTS[source_changed, self.target_changed(name), self.source_wins]

    def target_changed(self, name: str) -> bool:
        """Whether a person edited the field in the target; it must be shown there."""
        if name not in self.link.source_base:
            return False
        now = self.target_now[name]
        known = (self.link.target_base or {}).get(name)
        if now in (known, self.link.source_base[name]):
            return False
        return known is not None or self.edited_later


_VERDICTS: Mapping[tuple[bool, bool, bool], Rule] = {
    # source changed, target changed, source wins
    (False, False, False): Rule.NOTHING_CHANGED,
    (False, False, True): Rule.NOTHING_CHANGED,
    (True, False, False): Rule.CHANGED_IN_SOURCE,
    (True, False, True): Rule.CHANGED_IN_SOURCE,
    (False, True, False): Rule.EDIT_KEPT,
    (False, True, True): Rule.EDIT_OVERWRITTEN,
    (True, True, False): Rule.CONFLICT_KEPT,
    (True, True, True): Rule.CONFLICT_OVERWRITTEN,
}


def _source_wins(link: Link, rules: PlanRules) -> bool:
    if rules.target_edit is TargetEdit.OVERWRITE_WITHIN_24H:
        return link.created_at is not None and rules.now - link.created_at <= NATIVE_OVERWRITE
    return rules.target_edit is TargetEdit.OVERWRITE


def _edited_after_our_write(link: Link, record: TargetRecord) -> bool:
    if record.modified_at is None or link.written_at is None:
        return False
    return record.modified_at > max(link.target_modified_at or link.written_at, link.written_at)


def _may_write(name: str, value: Any, rules: PlanRules) -> bool:
    return value is not None or name in rules.clearing


def _state(values: Mapping[str, Any], rules: PlanRules) -> LinkState:
    if rules.content is None or rules.content not in rules.kinds:
        return LinkState.IN_STEP
    blank = is_blank(values.get(rules.content), rules.kinds[rules.content])
    return LinkState.EMPTY if blank else LinkState.IN_STEP


def _fingerprints(values: Mapping[str, Any], rules: PlanRules) -> dict[str, str]:
    return {name: fingerprint(values[name], kind) for name, kind in rules.kinds.items() if name in values}

"""Both sides of a record against what the ledger holds of them: what changed, who changed it last, who wins.

The base of each side is a fingerprint per field. The source's is told by what this job last made of it (``mapped``);
where the other direction has written the source since, by the source's own values as then read back (``marks``).

Fingerprints of another algorithm than today's tell nothing. Then only the clocks of both services tell who edited, and
what nobody edited is learned anew: nothing is written for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Self

from cshub.core.jobs import TargetEdit
from cshub.core.planning import NEWEST, Desired, PlanRow, PlanRules, Rule
from cshub.core.records import Action, Link, LinkSide, LinkState, TargetRecord
from cshub.core.values import fingerprints, is_blank, parse_moment

NATIVE_OVERWRITE = timedelta(hours=24)  # the native connector, docs/vendors/totango.md §4, row "Chorus job"


def may_write(name: str, value: Any, rules: PlanRules) -> bool:
    return value is not None or name in rules.clearing


def state_of(values: Mapping[str, Any], rules: PlanRules) -> LinkState:
    """EMPTY when the record has a content attribute and it is blank."""
    if rules.content is None or rules.content not in rules.kinds:
        return LinkState.IN_STEP
    blank = is_blank(values.get(rules.content), rules.kinds[rules.content])
    return LinkState.EMPTY if blank else LinkState.IN_STEP


@dataclass(frozen=True, slots=True)
class Sides:
    """What the ledger holds of both sides of a record, and what it shall hold of the source."""

    desired: Desired
    link: Link | None
    rules: PlanRules

    @property
    def old_source(self) -> LinkSide:
        desired = self.desired
        if self.link is not None and self.link.source.key is not None:
            return self.link.source
        address = desired.address
        return LinkSide(
            key=desired.source_key,
            account_id=(address.account_id or None) if address else None,
            extra=address.extra if address else {},
        )

    @property
    def old_target(self) -> LinkSide:
        return LinkSide() if self.link is None else self.link.target

    @property
    def mapped(self) -> dict[str, str]:
        return fingerprints(self.desired.values, self.rules.kinds)

    @property
    def modified_at(self) -> datetime | None:
        return None if self.desired.modified_at is None else parse_moment(self.desired.modified_at)

    @property
    def source_edited_at(self) -> datetime | None:
        """When somebody else than the hub last changed the source."""
        return edited_at(self.old_source, self.modified_at)

    def source_after(self, *, state: LinkState, kept_paths: frozenset[str] = frozenset()) -> LinkSide:
        """The source side once this record is agreed on; fields of ``kept_paths`` keep the marks they had, if any."""
        old, desired = self.old_source, self.desired
        known = old.marks or {}
        marks = {**desired.marks, **{name: mark for name, mark in known.items() if self._stays(name, kept_paths)}}
        address = desired.address
        return replace(
            old,
            account_id=(address.account_id if address else None) or old.account_id,
            extra={**old.extra, **(address.extra if address else {})},
            marks=marks or old.marks,
            mapped=self.mapped,
            mapping_version=self.rules.mapping_version,
            state=state,
            modified_at=self.modified_at or old.modified_at,
            edited_at=self.source_edited_at,
        )

    def _stays(self, name: str, kept_paths: frozenset[str]) -> bool:
        return name in kept_paths or name not in self.desired.marks

    def row(self, action: Action, rule: Rule, *, reason: str = "", **more: Any) -> PlanRow:
        """A row about this record; what ``more`` does not say is as the ledger has it."""
        link, desired = self.link, self.desired
        facts: dict[str, Any] = {
            "account_id": (link.target.account_id if link else None) or desired.account_id,
            "target_key": link.target.key if link else None,
            "target_extra": link.target.extra if link else {},
        }
        return PlanRow(
            source_key=desired.source_key,
            origin=desired.origin,
            action=action,
            rule=rule,
            reason=reason or rule.value,
            external_id=desired.external_id or desired.source_key,
            link_version=link.version if link else None,
            dated_at=desired.dated_at,
            warnings=desired.warnings,
            **{**facts, **more, "changes": tuple(more.get("changes", ()))},
        )


@dataclass(frozen=True)
class Comparison:
    """Both sides of one linked record against their bases.

    The target is unchanged where it holds what was last read back from it, or still exactly what was last sent to it.
    What was sent and never read back is told from an edit by time.
    """

    desired: Desired
    link: Link
    record: TargetRecord | None
    rules: PlanRules
    source_now: Mapping[str, str]
    target_now: Mapping[str, str]
    noted_now: Mapping[str, str]

    @classmethod
    def of(cls, desired: Desired, link: Link, record: TargetRecord | None, rules: PlanRules) -> Self:
        shown = record.values if record else {}
        source_now = fingerprints(desired.values, rules.kinds)
        return cls(
            desired,
            link,
            record,
            rules,
            source_now,
            fingerprints(shown, rules.kinds),
            fingerprints(shown, rules.noted),
        )

    def verdict(self, name: str) -> Rule:
        source_changed = self.source_changed(name)
        if source_changed and self.mapping_changed(name):
            return self._remapped(name)
        changed = Rule.MAPPING_CHANGED if self.unreadable else Rule.CHANGED_IN_SOURCE
        if name not in self.target_now:
            return changed if source_changed else Rule.NOTHING_CHANGED
        if self.source_now[name] == self.target_now[name]:
            return Rule.BOTH_AGREE if source_changed else Rule.NOTHING_CHANGED
        if not self.target_changed(name):
            return changed if source_changed else Rule.NOTHING_CHANGED
        if not self.source_edited(name):
            return self._edit_in_target()
        return Rule.CONFLICT_OVERWRITTEN if self.source_wins(name) else Rule.CONFLICT_KEPT

    def source_changed(self, name: str) -> bool:
        """Whether the source says something else than when both sides last agreed."""
        side = self.link.source
        if self.unreadable:
            return self._source_edited
        if name in side.mapped:
            return self.source_now[name] != side.mapped[name]
        if side.mapped and self._other_mapping:
            return True
        path = self.rules.paths.get(name, "")
        sent_by_other_direction = self.link.target.mapped.get(path)
        known = (side.marks or {}).get(path, sent_by_other_direction)
        if known is not None and path in self.desired.marks:
            return self.desired.marks[path] != known
        return bool(side.mapped) or not self._made_by_other_direction or self._source_edited

    def mapping_changed(self, name: str) -> bool:
        """Whether the source says something else only because the job's mapping is another one than last time."""
        if self.unreadable or not self.link.source.mapped or not self._other_mapping:
            return False
        path, now, known = self.rules.paths.get(name, ""), self.desired.marks, self.link.source.marks or {}
        return now[path] == known[path] if path in now and path in known else not self._source_edited

    def source_edited(self, name: str) -> bool:
        """Whether a person edited the source, be it in a way that the mapping does not show."""
        if self.source_changed(name):
            return not self.mapping_changed(name)
        path, now, known = self.rules.paths.get(name, ""), self.desired.marks, self.link.source.marks or {}
        if self.unreadable:
            return False
        return self.rules.two_way and path in now and path in known and now[path] != known[path]

    def target_changed(self, name: str) -> bool:
        """Whether a person edited the field in the target; it must be shown there."""
        if self.unreadable:
            return self._target_edited
        now, known = self.target_now[name], (self.link.target.marks or {}).get(name)
        sent = self.link.source.mapped.get(name)
        if known is None and sent is None:
            return False
        if known == "":  # an edit that waits, be it the old value again
            return True
        if now in (known, sent):
            return False
        return known is not None or self._target_edited_after_our_write

    def leaves_a_difference(self, name: str) -> bool:
        """Whether the target shows another value than the source, so that both have their own last edit."""
        return self.target_now.get(name, self.source_now[name]) != self.source_now[name]

    def noted_edits(self) -> list[str]:
        """Fields of the target that only the other direction reads, and that a person edited."""
        if self.unreadable:
            return list(self.noted_now) if self._target_edited else []
        known = self.link.target.marks or {}
        return [name for name, mark in self.noted_now.items() if mark != known.get(name, mark)]

    def target_edits(self) -> list[str]:
        """Every field that a person edited in the target; of those never seen before, all that may have been edited."""
        updateable = self.rules.updateable
        edits = [name for name in self.target_now if name in updateable and self.target_changed(name)]
        return [*edits, *self.noted_edits(), *(self._unseen() if self._target_edited else ())]

    def source_wins(self, name: str) -> bool:
        """Who wins a conflict. A tie goes to the system whose name comes first, in both directions alike."""
        rules, policy = self.rules, self.rules.policies.get(name, NEWEST)
        if policy in (rules.source_system, rules.target_system):
            return policy == rules.source_system
        if not rules.two_way and rules.target_edit is not TargetEdit.NEWEST:
            return self._policy_overwrites
        source = edited_at(self.link.source, self._source_modified_at)
        target = edited_at(self.link.target, self.record.modified_at if self.record else None)
        if source is None or target is None:
            return target is None and source is not None
        earlier, later = source.replace(microsecond=0), target.replace(microsecond=0)
        return earlier > later if earlier != later else rules.source_system < rules.target_system

    def _remapped(self, name: str) -> Rule:
        """A new mapping speaks where the old one spoke, and leaves what people of the target wrote."""
        if name not in self.target_now:
            return Rule.MAPPING_CHANGED
        if self.source_now[name] == self.target_now[name]:
            return Rule.BOTH_AGREE
        if self.target_changed(name):
            return self._edit_in_target()
        said = self.link.source.mapped.get(name)
        if not self.rules.two_way and (said is not None or name in (self.link.target.marks or {})):
            return Rule.MAPPING_CHANGED
        if said is not None:
            return Rule.MAPPING_CHANGED if self.target_now[name] == said else Rule.NOTHING_CHANGED
        values = self.record.values if self.record else {}
        gives_way = is_blank(values.get(name), self.rules.kinds[name]) or self.source_wins(name)
        return Rule.MAPPING_CHANGED if gives_way else Rule.NOTHING_CHANGED

    def _edit_in_target(self) -> Rule:
        if self.rules.two_way:
            return Rule.EDIT_OF_OTHER_DIRECTION
        return Rule.EDIT_OVERWRITTEN if self._policy_overwrites else Rule.EDIT_KEPT

    @property
    def _policy_overwrites(self) -> bool:
        rules = self.rules
        if rules.target_edit is TargetEdit.OVERWRITE_WITHIN_24H:
            made_at = self.link.created_at
            return made_at is not None and rules.now - made_at <= NATIVE_OVERWRITE
        return rules.target_edit is TargetEdit.OVERWRITE

    @property
    def _source_modified_at(self) -> datetime | None:
        return None if self.desired.modified_at is None else parse_moment(self.desired.modified_at)

    @cached_property
    def unreadable(self) -> bool:
        """Whether the ledger's fingerprints of this record were made by another algorithm than today's."""
        versions = (self.link.source.mapping_version, self.link.target.mapping_version)
        today = _algorithm(self.rules.mapping_version)
        return any(version and _algorithm(version) != today for version in versions)

    @property
    def _other_mapping(self) -> bool:
        """Whether the source was last mapped by another mapping than today's."""
        return self.link.source.mapping_version not in ("", self.rules.mapping_version)

    @property
    def _made_by_other_direction(self) -> bool:
        return self.rules.two_way and not self.link.source.mapped

    def _unseen(self) -> list[str]:
        """Fields of the target that hold a value and that no run has looked at yet."""
        known = {**self.link.source.mapped, **(self.link.target.marks or {})}
        kinds = {**self.rules.noted, **self.rules.kinds}
        values = self.record.values if self.record else {}
        shown = [*(name for name in self.target_now if name in self.rules.updateable), *self.noted_now]
        return [name for name in shown if name not in known and not is_blank(values.get(name), kinds[name])]

    @property
    def _target_edited(self) -> bool:
        """Whether the target was changed after the hub last looked at it or made it, by the target's own clock."""
        now, known = self.record.modified_at if self.record else None, self.link.target.modified_at
        return self._target_edited_after_our_write if known is None else now is not None and now > known

    @property
    def _source_edited(self) -> bool:
        """Whether the source was changed after the hub last looked at it or wrote it, by the source's own clock."""
        now, known = self._source_modified_at, self.link.source.modified_at
        return now is not None and known is not None and now > known

    @cached_property
    def _target_edited_after_our_write(self) -> bool:
        record, modified_at = self.record, self.record.modified_at if self.record else None
        if modified_at is None or self.link.written_at is None:
            return False
        if self.link.target.marks is None and record is not None and record.created_at is not None:
            return modified_at > record.created_at  # by its own clock, as only a create is ever left without marks
        return modified_at > max(self.link.target.modified_at or self.link.written_at, self.link.written_at)


def _algorithm(mapping_version: str) -> str:
    """The fingerprint algorithm that the version of a mapping names first."""
    return mapping_version.partition(":")[0]


def edited_at(side: LinkSide, modified_at: datetime | None) -> datetime | None:
    """When somebody else than the hub last changed a side: the hub's own writes move ``modified_at`` too."""
    if modified_at is not None and modified_at == side.modified_at and side.edited_at is not None:
        return side.edited_at
    return modified_at

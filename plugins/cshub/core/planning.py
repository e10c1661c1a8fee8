"""What the planner is given and what it gives: both sides of a record, a job's rules, and one row of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from cshub.core.jobs import TargetEdit
from cshub.core.objects import Kind
from cshub.core.records import Action, Change, LinkState, Origin, Presence, TargetRecord


class Rule(StrEnum):
    """Which rule decided a record."""

    NEW = "new"
    ADOPTED = "adopted"
    CHANGED_IN_SOURCE = "changed_in_source"
    EDIT_OVERWRITTEN = "target_edit_overwritten"
    EDIT_KEPT = "target_edit_kept"
    CONFLICT_OVERWRITTEN = "conflict_source_wins"
    CONFLICT_KEPT = "conflict_target_kept"
    BOTH_AGREE = "both_sides_agree"
    NOTHING_CHANGED = "nothing_changed"
    STILL_EMPTY = "still_empty"
    FILTERED = "filtered"
    NO_ACCOUNT = "no_account"
    NO_ACCOUNT_REFERENCE = "no_account_reference"
    CREATION_NOT_ALLOWED = "creation_not_allowed"
    DELETED_IN_TARGET = "deleted_in_target"
    SOURCE_NOT_READABLE = "source_not_readable"
    TARGET_NOT_READABLE = "target_not_readable"
    MOVED_SINCE_PLAN = "moved_since_plan"


@dataclass(frozen=True, slots=True)
class Desired:
    """The source side: one record in target attributes, its account and people already looked up."""

    source_key: str
    origin: Origin
    values: Mapping[str, Any] = field(default_factory=dict)
    presence: Presence = Presence.PRESENT
    account_reference: str | None = None
    account_id: str | None = None
    modified_at: str | None = None
    skip_reason: str | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TargetView:
    """The target side as far as it is known. ``record`` is there when ``presence`` is PRESENT."""

    presence: Presence
    record: TargetRecord | None = None


@dataclass(frozen=True, slots=True)
class PlanRules:
    """What a job lays down for its plans. ``kinds``: compared attributes; the sets are subsets of its names."""

    kinds: Mapping[str, Kind]
    updateable: frozenset[str]
    clearing: frozenset[str]
    content: str | None
    allow_new: bool
    target_edit: TargetEdit
    now: datetime


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What is to be done with one record, and why.

    ``values``: all attributes as the target shall hold them (create, update). ``state``: the link's state afterwards,
    None when the ledger has nothing to learn. ``source_base`` and ``target_base``: what the link must hold afterwards,
    also after a write; attributes that were written are missing in ``target_base`` until they are read back, attributes
    whose value in the target was kept stay in it with a mark that shows them as edited.
    ``link_version``: the version the decision rests on, None when there is no link.
    """

    source_key: str
    origin: Origin
    action: Action
    rule: Rule
    reason: str = ""
    account_id: str | None = None
    target_key: str | None = None
    target_extra: Mapping[str, str] = field(default_factory=dict)
    link_version: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    changes: Sequence[Change] = ()
    source_base: Mapping[str, str] = field(default_factory=dict)
    target_base: Mapping[str, str] | None = None
    target_modified_at: str | None = None
    state: LinkState | None = None
    modified_at: str | None = None
    warnings: Sequence[str] = ()

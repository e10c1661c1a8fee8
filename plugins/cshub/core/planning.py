"""What the planner is given and what it gives: both sides of a record, a job's rules, and one row of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from cshub.core.jobs import TargetEdit
from cshub.core.objects import Kind
from cshub.core.records import Action, Change, LinkSide, LinkState, Origin, Presence, RecordKey, TargetRecord

NEWEST = "newest"
"""The policy by which the later edit wins; every other policy is the name of the system that wins."""


class Rule(StrEnum):
    """Which rule decided a record."""

    NEW = "new"
    ADOPTED = "adopted"
    RESTORED = "restored_in_source"
    CHANGED_IN_SOURCE = "changed_in_source"
    MAPPING_CHANGED = "mapping_changed"
    DELETED_IN_SOURCE = "deleted_in_source"
    EDIT_OVERWRITTEN = "target_edit_overwritten"
    EDIT_KEPT = "target_edit_kept"
    EDIT_OF_OTHER_DIRECTION = "target_edit_for_other_direction"
    EDIT_BEATS_DELETION = "edit_beats_deletion"
    CONFLICT_OVERWRITTEN = "conflict_source_wins"
    CONFLICT_KEPT = "conflict_target_kept"
    BOTH_AGREE = "both_sides_agree"
    BOTH_DELETED = "both_sides_deleted"
    NOTHING_CHANGED = "nothing_changed"
    STILL_EMPTY = "still_empty"
    FILTERED = "filtered"
    NO_ACCOUNT = "no_account"
    NO_ACCOUNT_REFERENCE = "no_account_reference"
    ID_FITS_SEVERAL = "id_fits_several"
    ID_NOT_PROVEN = "id_not_proven"
    ACCOUNT_GONE = "account_gone"
    CREATION_NOT_ALLOWED = "creation_not_allowed"
    DELETION_NOT_FOLLOWED = "deletion_not_followed"
    NEVER_SYNCED = "deleted_before_it_was_synced"
    DELETED_IN_TARGET = "deleted_in_target"
    SOURCE_NOT_READABLE = "source_not_readable"
    TARGET_NOT_READABLE = "target_not_readable"
    MADE_BY_OTHER_JOB = "made_by_other_job"
    MOVED_SINCE_PLAN = "moved_since_plan"
    UNDONE = "undone"
    RELINKED = "relinked"
    FITS_SEVERAL = "fits_several"


@dataclass(frozen=True, slots=True)
class Desired:
    """The source side: one record in target attributes, its account and people already looked up.

    Moments are ISO 8601 UTC text. ``marks``: source field → fingerprint of its value as read, {} when nobody writes
    the source. ``address``: how the source is asked for the record by id.
    """

    source_key: str
    origin: Origin
    values: Mapping[str, Any] = field(default_factory=dict)
    presence: Presence = Presence.PRESENT
    account_reference: str | None = None
    account_id: str | None = None
    modified_at: str | None = None
    dated_at: str | None = None
    skip_reason: str | None = None
    warnings: Sequence[str] = ()
    external_id: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)
    address: RecordKey | None = None


@dataclass(frozen=True, slots=True)
class TargetView:
    """The target side as far as it is known. ``record`` is there when ``presence`` is PRESENT.

    ``doubt``: why it is not clear whether a record that has no link yet is there already.
    """

    presence: Presence
    record: TargetRecord | None = None
    doubt: Rule | None = None


@dataclass(frozen=True, slots=True)
class PlanRules:
    """What a job lays down for its plans.

    ``kinds``: compared attributes; the sets and mappings speak of its names. ``paths``: attribute → source field.
    ``two_way``: another job writes the source from the target. ``policies``: attribute → who wins a conflict, where
    that is not the later edit. ``noted``: fields of the target that only the job of the other direction reads, with
    their kinds; they are not compared, but remembered for it.
    """

    kinds: Mapping[str, Kind]
    updateable: frozenset[str]
    clearing: frozenset[str]
    content: str | None
    allow_new: bool
    target_edit: TargetEdit
    now: datetime
    paths: Mapping[str, str] = field(default_factory=dict)
    noted: Mapping[str, Kind] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    two_way: bool = False
    follows_deletions: bool = False
    source_system: str = "source"
    target_system: str = "target"
    mapping_version: str = ""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What is to be done with one record, and why.

    ``values``: all attributes as the target shall hold them (create, update). ``source`` and ``target``: what the link
    must remember of both sides afterwards, also after a write; both None when the ledger has nothing to learn. Marks of
    attributes that are written are missing in ``target`` until they are read back; those whose value in the target was
    kept stay in it with a mark that shows them as edited. ``target_key`` and ``target_extra``: the record to write.
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
    external_id: str = ""
    link_version: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    changes: Sequence[Change] = ()
    source: LinkSide | None = None
    target: LinkSide | None = None
    dated_at: str | None = None
    warnings: Sequence[str] = ()

    @property
    def teaches(self) -> bool:
        """Whether the ledger has something to learn from this row."""
        return self.source is not None

    @property
    def state(self) -> LinkState | None:
        """The link's state afterwards, None when it stays."""
        return None if self.source is None else self.source.state

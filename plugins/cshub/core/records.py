"""The values that travel between systems, planner and ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Presence(StrEnum):
    """What is known of a record on one side."""

    PRESENT = "present"
    ABSENT = "absent"  # not in the answer; nothing is proven
    DELETED = "deleted"  # proven by id


class Origin(StrEnum):
    """Why a source record was read."""

    WINDOW = "window"
    PENDING = "pending"  # linked, but arrived empty; read again by id
    PARKED = "parked"  # waited for its account
    RETRY = "retry"  # rejected or failed before
    NAMED = "named"  # asked for by a person


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One record as its service sent it.

    ``body`` is None when a record that was asked for by id did not come back (``presence`` says what is proven).
    """

    key: str
    body: Mapping[str, Any] | None
    modified_at: datetime | None
    presence: Presence = Presence.PRESENT


@dataclass(frozen=True, slots=True)
class Page:
    """Records of one answer; ``stated_total`` is the number the service itself gave for the whole read."""

    records: Sequence[SourceRecord]
    stated_total: int | None = None


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """One record of the target as it is now, in attribute names of the mapping.

    ``key`` is the target's own id as text (Totango: note id). ``extra`` holds what a write needs beside the key
    (Totango: ``event_id``, ``account_id``). ``external_id`` is lower case, None when the record carries none.
    """

    key: str
    account_id: str
    values: Mapping[str, Any]
    extra: Mapping[str, str] = field(default_factory=dict)
    external_id: str | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None
    modified_by: str | None = None


@dataclass(frozen=True, slots=True)
class TargetKey:
    """Address of a target record for writing."""

    key: str
    account_id: str
    extra: Mapping[str, str] = field(default_factory=dict)


class LinkState(StrEnum):
    """State of one synced pair of records, or of a source record that waits."""

    IN_STEP = "in_step"
    EMPTY = "empty"  # written without content; read again until it has some
    PARKED = "parked"  # no account on the target side yet; no target record
    REJECTED = "rejected"  # failed validation; no write was tried
    FAILED = "failed"  # the target refused the write
    DELETED = "deleted"  # the target record was deleted by a person; never made again


RETRIED_STATES = (LinkState.EMPTY, LinkState.PARKED, LinkState.REJECTED, LinkState.FAILED)


@dataclass(frozen=True, slots=True)
class Link:
    """What the ledger remembers of one source record and its counterpart.

    ``source_base`` and ``target_base`` map attribute name to fingerprint of the value both sides last agreed on
    (as mapped from the source; as read back from the target, None until it was read back).
    ``version`` grows by one with each change; a plan made on another version is refused.
    """

    pair_id: int
    source_key: str
    state: LinkState
    version: int
    target_key: str | None = None
    target_account_id: str | None = None
    target_extra: Mapping[str, str] = field(default_factory=dict)
    source_base: Mapping[str, str] = field(default_factory=dict)
    target_base: Mapping[str, str] | None = None
    mapping_version: str = ""
    source_modified_at: datetime | None = None
    target_modified_at: datetime | None = None
    first_seen_at: datetime | None = None
    created_at: datetime | None = None  # when the target record was created (or adopted)
    written_at: datetime | None = None  # last write by the hub
    run_id: str | None = None  # the run that changed the link last


class Operation(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Intent:
    """A write that has begun and is not confirmed.

    ``payload_hash`` fingerprints what was sent; ``hint`` holds what recovery needs to find the record in the
    target (Totango: account_id, timestamp_ms, author, subject, content fingerprint).
    """

    id: int
    pair_id: int
    source_key: str
    operation: Operation
    run_id: str
    begun_at: datetime
    target_key: str | None
    payload_hash: str
    hint: Mapping[str, Any]


class Action(StrEnum):
    """What the planner decided for one record. Each is one column of the run statistics."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    SKIP = "skip"
    PARK = "park"
    CONFLICT = "conflict"  # both sides changed and the target's value is kept


class Outcome(StrEnum):
    """What became of one record in one run."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    PARKED = "parked"
    REJECTED = "rejected"
    FAILED = "failed"
    CONFLICT_KEPT = "conflict_kept"


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one record, before and after. None stands for no value."""

    field: str
    before: Any
    after: Any
    winner: str = "source"  # source or target: whose value stands after the run


@dataclass(frozen=True, slots=True)
class DecisionEntry:
    """One line of the audit: what happened to a record in a run, and why."""

    source_key: str
    outcome: Outcome
    rule: str
    reason: str = ""
    target_key: str | None = None
    changes: Sequence[Change] = ()
    answer: str = ""  # the service's verdict, redacted


@dataclass(frozen=True, slots=True)
class RejectEntry:
    """A rejected or failed row with its reason. ``value`` is the offending value as text, cut to 500 characters."""

    source_key: str
    step: str  # map or load
    field: str
    reason: str
    remedy: str = ""
    value: str = ""


class RunKind(StrEnum):
    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BACKFILL = "backfill"
    DRY = "dry"
    APPLY = "apply"
    RETRY = "retry"


class RunOutcome(StrEnum):
    RUNNING = "running"
    GREEN = "green"
    RED = "red"
    PLANNED = "planned"  # a dry run that ended after diff
    REFUSED = "refused"  # a person said no, or nobody answered in time

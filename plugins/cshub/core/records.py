"""The values that travel between systems, planner and ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


class Presence(StrEnum):
    """What is known of a record on one side."""

    PRESENT = "present"
    ABSENT = "absent"  # not in the answer; nothing is proven
    DELETED = "deleted"  # proven by id
    ACCOUNT_GONE = "account_gone"  # nor is its account there, deleted or merged: nobody has deleted the record itself


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

    ``body`` is None when there is no record to show: asked for by id and not there, or told to be deleted
    (``presence`` says what is proven). ``modified_at``: its last change by anybody, by the service's own clock.
    ``dated_at``: the date by which the service lists it, where that is not ``modified_at``. ``account_id`` and
    ``extra`` are what reading it by id needs beside the key (see :class:`RecordKey`).
    """

    key: str
    body: Mapping[str, Any] | None
    modified_at: datetime | None
    presence: Presence = Presence.PRESENT
    created_at: datetime | None = None
    dated_at: datetime | None = None
    account_id: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


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
class RecordKey:
    """Address of a record: its id, and what its system needs beside it (Totango: account id, ``event_id``)."""

    key: str
    account_id: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


class LinkState(StrEnum):
    """State of one synced pair of records, or of a source record that waits."""

    IN_STEP = "in_step"
    EMPTY = "empty"  # written without content; read again until it has some
    PARKED = "parked"  # no account on the target side yet; no target record
    REJECTED = "rejected"  # failed validation; no write was tried
    FAILED = "failed"  # the target refused the write
    DELETED = "deleted"  # the target record was deleted by a person; never made again
    MISSING = "missing"  # the job of the other direction found it gone; looked at by id in the next run
    GONE = "gone"  # deleted on both sides; made again when the source brings it back
    HELD = "held"  # a rebuilt ledger cannot tell which record is its counterpart; waits for a person


RETRIED_STATES = (LinkState.EMPTY, LinkState.PARKED, LinkState.REJECTED, LinkState.FAILED, LinkState.MISSING)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two objects kept in step. ``mirrored``: this job's source is the side the pair was first built with as target."""

    number: int
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class LinkSide:
    """What a link remembers of the record on one side.

    ``marks``: field or attribute of this system → fingerprint of the value both sides last agreed on, as read from
    this side; None until it was read. ``mapped``: target attribute → fingerprint of what the job that reads this side
    last made of it, under ``mapping_version``. ``state`` is that job's: what it still has to do with the record.
    ``modified_at``: the side's own clock when it was last looked at or written; ``edited_at``: when somebody else than
    the hub last changed it, as of then.
    """

    key: str | None = None
    account_id: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, str] | None = None
    mapped: Mapping[str, str] = field(default_factory=dict)
    mapping_version: str = ""
    state: LinkState = LinkState.IN_STEP
    modified_at: datetime | None = None
    edited_at: datetime | None = None

    @property
    def address(self) -> RecordKey | None:
        return None if self.key is None else RecordKey(self.key, self.account_id or "", self.extra)


@dataclass(frozen=True, slots=True)
class Link:
    """What the ledger remembers of one source record and its counterpart, seen from one job's direction.

    ``number`` is 0 and ``version`` 0 until it is stored; ``version`` grows by one with each change, and a plan made on
    another version is refused. ``dated_at``: the date by which one of the systems lists the record.
    """

    pair: Pair
    source: LinkSide
    target: LinkSide
    number: int = 0
    version: int = 0
    dated_at: datetime | None = None
    first_seen_at: datetime | None = None
    created_at: datetime | None = None  # when one of the two was made by the hub, or both were found to belong together
    written_at: datetime | None = None  # last write by the hub, in either direction, by its own clock
    run_id: str | None = None  # the run that changed the link last

    @property
    def source_key(self) -> str:
        """Raises :class:`AssertionError` for a link that only the other direction knows."""
        assert self.source.key is not None
        return self.source.key

    @property
    def target_key(self) -> str | None:
        return self.target.key

    @property
    def state(self) -> LinkState:
        return self.source.state

    @property
    def is_linked(self) -> bool:
        return self.source.key is not None and self.target.key is not None

    def mirrored(self) -> Link:
        """The same link, seen from the other direction."""
        pair = Pair(self.pair.number, not self.pair.mirrored)
        return Link(
            pair,
            self.target,
            self.source,
            self.number,
            self.version,
            self.dated_at,
            self.first_seen_at,
            self.created_at,
            self.written_at,
            self.run_id,
        )

    def having(
        self, *, source: Mapping[str, Any] | None = None, target: Mapping[str, Any] | None = None, **more: Any
    ) -> Link:
        """This link with some facts of its sides replaced."""
        return replace(
            self,
            source=replace(self.source, **source) if source else self.source,
            target=replace(self.target, **target) if target else self.target,
            **more,
        )


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
    pair: Pair
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
    REBUILD = "rebuild"  # links made again from what both sides hold; writes to neither


class RunOutcome(StrEnum):
    RUNNING = "running"
    GREEN = "green"
    RED = "red"
    PLANNED = "planned"  # a dry run that ended after diff
    REFUSED = "refused"  # a person said no, or nobody answered in time

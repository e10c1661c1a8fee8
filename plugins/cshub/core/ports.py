"""The two ports the pipeline knows: where records come from, and where changes go.

A system offers a source, a target, or both; the pipeline never learns which system it talks to.
All methods raise the errors of :mod:`cshub.core.errors`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from cshub.core.errors import HubError
from cshub.core.records import Operation, Page, RecordKey, SourceRecord, TargetRecord
from cshub.core.window import Window


class Reading(StrEnum):
    """How a system lists its records by time, and so what a complete read of a window proves."""

    BY_CHANGE = "by_change"  # those changed in the window, deleted ones among them: a record not listed did not change
    BY_DATE = "by_date"  # those dated in the window: a known record dated in it and not listed may be gone


class ById(StrEnum):
    """How a system reads records by id."""

    IN_BATCHES = "in_batches"
    BY_ACCOUNT = "by_account"  # one timeline for each account
    SINGLY = "singly"  # one call for each record, and one timeline for each account


@dataclass(frozen=True, slots=True)
class Lookup:
    """What reading records by id costs, in calls.

    ``beside``: calls for what is read with the records: descriptions of objects, accounts, people.
    """

    way: ById
    ids_a_call: int = 1  # in batches
    beside: int = 0

    @property
    def is_cheap(self) -> bool:
        """Whether it takes so few calls that a search by date first would not pay."""
        return self.way is ById.IN_BATCHES

    def batches(self, records: int) -> int:
        """Calls that read so many records, where they are read in batches."""
        return math.ceil(records / self.ids_a_call)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that a create with a lost answer may have made.

    ``doubt``: 0 where it surely is; the higher, the less it still holds of what was sent. ``is_vague``: so little that
    it tells only where no other record and no other create comes into question.
    """

    record: TargetRecord
    doubt: int = 0
    is_vague: bool = False


class CallCounter(Protocol):
    @property
    def calls(self) -> int:
        """HTTP calls sent so far, retries included."""
        ...

    def forecast(self, calls: int) -> float:
        """Seconds from now until so many further calls are sent, within the budget shared with all others."""
        ...


class Source(CallCounter, Protocol):
    @property
    def reading(self) -> Reading: ...

    @property
    def lookup(self) -> Lookup: ...

    def identity(self) -> str:
        """Org, tenant or company the connection is signed in to; stable over token renewals."""
        ...

    def user(self) -> str:
        """Id of the user who is signed in, "" where the service does not tell."""
        ...

    def read_window(self, window: Window) -> Iterator[Page]:
        """Every record of the window, page by page, each key once; proven deletions as records without body.

        Complete or :class:`~cshub.core.errors.ShortRead`: an end that cannot be trusted is checked again.
        """
        ...

    def read_keys(self, keys: Sequence[RecordKey]) -> Iterator[Page]:
        """These records by id, in any order. A key that does not come back yields a record without body.

        Its presence is DELETED only where the service itself proves it by id; ACCOUNT_GONE where that proves nothing,
        as the account has vanished with all its records; ABSENT otherwise.
        """
        ...

    def sample(self, window: Window, limit: int) -> list[SourceRecord]:
        """Up to ``limit`` of the newest records of the window, for a preview, in as few calls as possible."""
        ...


@dataclass(frozen=True, slots=True)
class Write:
    """One change to one record of the target.

    ``values``: all mapped attributes as the record shall hold them, changed or not (create, update); ``changed``: names
    of those that differ from what it holds. ``key`` is None for a create. ``external_id``: id of the source record.
    """

    operation: Operation
    key: RecordKey | None
    account_id: str
    values: Mapping[str, Any] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one write: the record's address, or why not. ``held``: values kept in another form than sent.

    ``AmbiguousWrite``: it may have happened. Any other :class:`TransientError`: it did not happen and may later.
    ``NotFound``: the target does not know the record. ``RequestRefused`` or ``DataError``: refused for this record.
    """

    key: RecordKey | None = None
    error: HubError | None = None
    held: Mapping[str, Any] = field(default_factory=dict)


class Target(CallCounter, Protocol):
    @property
    def batch_size(self) -> int:
        """The most records that one :meth:`write` sends in one call."""
        ...

    @property
    def lookup(self) -> Lookup: ...

    def identity(self) -> str:
        """Org, tenant or company the connection is signed in to; stable over token renewals."""
        ...

    def user(self) -> str:
        """Id of the user who is signed in, "" where the service does not tell."""
        ...

    def resolve_accounts(self, references: AbstractSet[str]) -> Mapping[str, str]:
        """Reference as the source writes it → account id of the target. Unknown references are left out."""
        ...

    def resolve_people(self, wanted: Mapping[str, AbstractSet[str]]) -> Mapping[tuple[str, str], str]:
        """For each account id a set of lower-case e-mails → {(account id, e-mail): user id}. Unknown left out.

        The account id "" asks for people of one's own company, who can own a record.
        """
        ...

    def read_window(self, window: Window) -> Iterator[Sequence[TargetRecord]]:
        """Every record whose own date lies in the window. Complete or :class:`~cshub.core.errors.ShortRead`.

        May lag behind writes by seconds: absence here proves nothing.
        """
        ...

    def read_keys(self, keys: Sequence[RecordKey]) -> Mapping[str, TargetRecord | None]:
        """These records, read from the place that shows writes at once. None = proven not to exist."""
        ...

    def read_external(self, external_ids: AbstractSet[str]) -> Mapping[str, TargetRecord]:
        """External id → record that carries it, where the target can look records up so; {} where it cannot."""
        ...

    def read_alike(self, external_ids: Mapping[str, AbstractSet[str]]) -> Mapping[tuple[str, str], list[TargetRecord]]:
        """For each account id, external ids of source records that look like ids of the target which lost their case →
        {(account id, external id): records of that account that it may name}.

        [] = proven that there is none; left out where nothing is proven. {} where records are found by their date.
        """
        ...

    def hint(self, write: Write) -> Mapping[str, Any]:
        """What :meth:`find` needs to recognise the record that this create makes. JSON-ready."""
        ...

    def find(self, hints: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Candidate]]:
        """For each hint the records that a lost create may have made, likeliest first; those edited since included.

        Read from the place that shows writes at once.
        """
        ...

    def write(self, writes: Sequence[Write]) -> Sequence[Verdict]:
        """Carry out up to :attr:`batch_size` writes of one operation; a verdict for each, in order.

        A create is never retried blindly; updates and deletes are safe to repeat, a record already gone is no error
        to a delete. Raises ``RateLimited``, ``PermanentError`` or ``SpecError`` when nothing can be written now.
        """
        ...

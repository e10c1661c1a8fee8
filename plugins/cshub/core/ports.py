"""The two ports the pipeline knows: where records come from, and where changes go.

A system offers a source, a target, or both; the pipeline never learns which system it talks to.
All methods raise the errors of :mod:`cshub.core.errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from cshub.core.records import Page, SourceRecord, TargetKey, TargetRecord
from cshub.core.window import Window


class CallCounter(Protocol):
    @property
    def calls(self) -> int:
        """HTTP calls sent so far, retries included."""
        ...

    def forecast(self, calls: int) -> float:
        """Seconds from now until so many further calls are sent, within the budget shared with all others."""
        ...


class Source(CallCounter, Protocol):
    def identity(self) -> str:
        """Org, tenant or company the connection is signed in to; stable over token renewals."""
        ...

    def read_window(self, window: Window) -> Iterator[Page]:
        """Every record of the window, page by page, each key once.

        Complete or :class:`~cshub.core.errors.ShortRead`: an end that cannot be trusted is checked again.
        """
        ...

    def read_keys(self, keys: Sequence[str]) -> Iterator[Page]:
        """These records by id, in any order. A key that does not come back yields a record without body."""
        ...

    def sample(self, window: Window, limit: int) -> list[SourceRecord]:
        """Up to ``limit`` of the newest records of the window, for a preview, in as few calls as possible."""
        ...


class Target(CallCounter, Protocol):
    def identity(self) -> str:
        """Org, tenant or company the connection is signed in to; stable over token renewals."""
        ...

    def resolve_accounts(self, references: AbstractSet[str]) -> Mapping[str, str]:
        """Reference as the source writes it → account id of the target. Unknown references are left out."""
        ...

    def resolve_people(self, wanted: Mapping[str, AbstractSet[str]]) -> Mapping[tuple[str, str], str]:
        """For each account id a set of lower-case e-mails → {(account id, e-mail): user id}. Unknown left out."""
        ...

    def read_window(self, window: Window) -> Iterator[Sequence[TargetRecord]]:
        """Every record whose own date lies in the window. Complete or :class:`~cshub.core.errors.ShortRead`.

        May lag behind writes by seconds: absence here proves nothing.
        """
        ...

    def read_keys(self, keys: Sequence[TargetKey]) -> Mapping[str, TargetRecord | None]:
        """These records, read from the place that shows writes at once. None = proven not to exist."""
        ...

    def hint(self, account_id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """What :meth:`find` needs to recognise the record that a create with these values makes. JSON-ready."""
        ...

    def find(self, hint: Mapping[str, Any]) -> Sequence[TargetRecord]:
        """Records that a lost create with this hint may have made, likeliest first; those edited since included.

        Read from the place that shows writes at once.
        """
        ...

    def create(self, account_id: str, values: Mapping[str, Any], *, external_id: str) -> TargetKey:
        """Make a record. Never retried blindly: a lost answer raises ``AmbiguousWrite``."""
        ...

    def update(self, key: TargetKey, values: Mapping[str, Any]) -> None:
        """Set the record to ``values`` (all mapped attributes, changed or not). Safe to repeat."""
        ...

    def delete(self, key: TargetKey) -> None:
        """Remove the record. Safe to repeat: a record already gone is no error."""
        ...

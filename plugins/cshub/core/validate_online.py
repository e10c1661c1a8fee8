"""A job against what the services themselves say of their objects and of the options: every fault at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cshub.core.errors import SpecError
from cshub.core.objects import ObjectSpec


@dataclass(frozen=True, slots=True)
class OptionFault:
    """One thing wrong with an option. ``option``: its name below ``source.options`` or ``target.options``."""

    option: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.option}: {self.reason}"


@runtime_checkable
class ChecksOptions(Protocol):
    """A source or target that can tell every option that does not fit its service."""

    def option_faults(self) -> Sequence[OptionFault]: ...


@runtime_checkable
class WarnsOfOptions(Protocol):
    """A source or target that can tell what is valid in its options and yet hardly meant."""

    def option_warnings(self) -> Sequence[OptionFault]: ...


@runtime_checkable
class IsDescribed(Protocol):
    """A source or target whose service describes its objects."""

    def described(self, paths: Sequence[str]) -> ObjectSpec:
        """The object as the signed-in user sees it, with those of ``paths`` that lead to fields of parents.

        Not open-ended: what is not in it cannot be used.
        """
        ...


def refuse_options(faults: Sequence[OptionFault], place: str) -> None:
    """Raise :class:`SpecError` that names every fault; nothing without faults. ``place``: where the options stand."""
    if faults:
        raise SpecError(f"{'; '.join(map(str, faults))}. Correct {place} of the job file, or the org.")

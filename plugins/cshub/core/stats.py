"""The numbers of a run: a value that checks itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from cshub.core.errors import StatisticsMismatch

XCOM_VERSION = 1
COUNTS = (
    "read",
    "mapped",
    "rejected",
    "created",
    "updated",
    "deleted",
    "unchanged",
    "parked",
    "failed",
    "conflicts_kept",
)
TALLIES = ("skipped", "warnings", "api_calls")


@dataclass(frozen=True, slots=True)
class RunStatistics:
    """Counts of one run. ``skipped``: reason → count; ``warnings``: kind → count; ``api_calls``: system → count."""

    read: int = 0
    mapped: int = 0
    rejected: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    parked: int = 0
    failed: int = 0
    conflicts_kept: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    api_calls: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: RunStatistics) -> RunStatistics:
        counts = {name: getattr(self, name) + getattr(other, name) for name in COUNTS}
        tallies = {name: dict(Counter(getattr(self, name)) + Counter(getattr(other, name))) for name in TALLIES}
        return RunStatistics.from_dict({**counts, **tallies})

    @property
    def skipped_total(self) -> int:
        return sum(self.skipped.values())

    @property
    def writes(self) -> int:
        return self.created + self.updated + self.deleted

    @property
    def is_green(self) -> bool:
        return self.failed == 0

    def check(self) -> Self:
        """This value, or :class:`StatisticsMismatch` when the laws of a finished run do not hold.

        read = mapped + rejected;
        mapped = created + updated + deleted + unchanged + skipped + parked + failed + conflicts kept.
        """
        settled = self.writes + self.unchanged + self.skipped_total + self.parked + self.failed + self.conflicts_kept
        self._demand("read", self.read, "mapped + rejected", self.mapped + self.rejected)
        self._demand("mapped", self.mapped, "created + … + conflicts kept", settled)
        return self

    def check_mapping(self) -> Self:
        """The law that must hold after the map step: read = mapped + rejected."""
        self._demand("read", self.read, "mapped + rejected", self.mapped + self.rejected)
        return self

    def _demand(self, left_name: str, left: int, right_name: str, right: int) -> None:
        if left != right:
            raise StatisticsMismatch(
                f"The run's numbers do not add up: {left_name} is {left}, {right_name} is {right}. "
                f"Nothing is marked as done; run again, and report it with these numbers: {self.as_dict()}"
            )

    def as_dict(self) -> dict[str, Any]:
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    @classmethod
    def from_dict(cls, numbers: Mapping[str, Any]) -> Self:
        return cls(**{item.name: numbers[item.name] for item in fields(cls) if item.name in numbers})


def _plain(value: Any) -> Any:
    return dict(sorted(value.items())) if isinstance(value, Mapping) else value

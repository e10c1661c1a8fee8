"""What a long campaign has judged so far, so that one that is broken off goes on when it is run again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True)
class Part:
    """A batch that was judged. ``first``: its first seed; ``spent_s``: since the one before; ``found``: violations."""

    first: int
    spent_s: float
    found: dict[int, str]


@dataclass(slots=True)
class Parts:
    """The parts judged so far, a line of a file each. Without a file they are forgotten with the process."""

    path: Path | None = None
    done: list[Part] = field(default_factory=list)
    _since: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            self.done = list(_read(self.path))

    @property
    def found(self) -> dict[int, str]:
        return {seed: violation for part in self.done for seed, violation in part.found.items()}

    @property
    def spent_s(self) -> float:
        return sum(part.spent_s for part in self.done)

    def add(self, first: int, found: dict[int, str]) -> None:
        now = time.perf_counter()
        part = Part(first, now - self._since, found)
        self._since = now
        self.done.append(part)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(orjson.dumps(part, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS))

    def forget(self) -> None:
        """The campaign is at its end."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _read(path: Path) -> Iterator[Part]:
    """The parts of a file; a last line that was cut off is left out."""
    for line in path.read_bytes().splitlines():
        with suppress(orjson.JSONDecodeError):
            told = orjson.loads(line)
            yield Part(told["first"], told["spent_s"], {int(seed): text for seed, text in told["found"].items()})

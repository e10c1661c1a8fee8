"""What the parts of the fuzz campaign count and tell, added up over parts and processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

STORIES = 20


class Count(StrEnum):
    """What is counted; the values are the names of the figures."""

    RECORDS = "records carried by real runs"
    LAWS = "records mapped there and back"
    FILES = "job and mapping files checked"
    CALLS = "odd calls to the simulated services"
    PLACES = "outputs searched for secrets"
    CRASHES = "crashes"
    WRONG = "records neither as mapped nor refused with a reason"
    AGAIN = "writes of a second run"
    LIVE = "plain texts that became live markup"
    UNSTABLE = "fingerprints that change on the way there and back"
    TRACEBACKS = "tracebacks shown for a file"
    UNNAMED = "faulty files without file, reason and remedy, or with another exit status than they deserve"
    ERRORS_500 = "calls answered with 500 or not at all"
    LEAKS = "outputs that hold a secret"


@dataclass
class Findings:
    """Counts, and the first stories of what went wrong."""

    counts: Counter[Count] = field(default_factory=Counter)
    stories: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        self.counts.update(other.counts)
        self.stories = [*self.stories, *other.stories][:STORIES]

    def wrong(self, count: Count, story: str) -> None:
        self.counts[count] += 1
        if len(self.stories) < STORIES:
            self.stories.append(f"{count}: {story}")

    @contextmanager
    def surviving(self, what: str, count: Count = Count.CRASHES) -> Iterator[None]:
        """Whatever is raised inside is a crash of ``what``."""
        try:
            yield
        except Exception as error:
            self.wrong(count, f"{what}: {type(error).__name__}: {str(error)[:1000]}")

"""One small world under one seed in which poison texts are carried, and how they are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from cshub.core.errors import HubError
from cshub.core.jobs import BoundJob
from cshub.pipeline.run import Asked
from tests.campaigns.fuzz_findings import Count, Findings
from tests.campaigns.fuzz_secrets import Watch
from tests.campaigns.fuzz_texts import Kitchen, Poison, arrived
from tests.pipeline.lab import Done, Lab

CONTENT = 12_000  # characters that Totango takes (docs/vendors/totango.md §3)
SUBJECT = 255  # characters (docs/vendors/salesforce.md §4.1, row Subject)
DESCRIPTION = 32_000  # characters (docs/vendors/salesforce.md §4.1, row Description)


@dataclass
class Entry:
    """One record that a person made in a source. ``texts``: title and text as the source keeps them."""

    key: str
    texts: tuple[Poison, Poison]
    from_salesforce: bool = False

    @property
    def words(self) -> list[str]:
        return [text.first for text in self.texts if not text.is_blank]

    def told(self) -> str:
        return f"{self.key} ({', '.join(text.kind for text in self.texts)})"


@dataclass
class Scene:
    """One small world under one seed. ``name`` stands before each story."""

    name: str
    folder: Path
    seed: int
    findings: Findings
    rng: Random = field(init=False)
    kitchen: Kitchen = field(init=False)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.rng = Random(f"{self.name} {self.seed}")
        self.kitchen = Kitchen(self.rng)
        self.watch = Watch(self.findings)

    @property
    def title(self) -> str:
        return f"{self.name}, seed {self.seed}"

    def wrong(self, entry: Entry, why: str) -> None:
        self.findings.wrong(Count.WRONG, f"{self.title}: {entry.told()}: {why}")

    def run(self, lab: Lab, job: BoundJob | None = None) -> Done | None:
        """One full sync with everybody listening. None, and a crash, when it raises."""
        course = lab.course(asked=Asked(full_sync=True), job=job)
        with self.watch.listening(self.title), self.findings.surviving(self.title):
            try:
                return course.go_on()
            except HubError as error:
                self.watch.look_at_error(self.title, error)
                raise
            finally:
                self.watch.look_at_course(self.title, course)
        return None

    def refused(self, lab: Lab, job: BoundJob, entry: Entry) -> bool:
        """Whether the ledger tells why a record was not carried."""
        return any(row.source_key == entry.key and row.reason for row in lab.ledger.rejects(job.id))

    def check_text(self, entry: Entry, given: Poison, held: str | None, limit: int | None) -> None:
        why = arrived(given, held, limit=limit)
        if why is not None:
            self.wrong(entry, f"{given.kind}: {why}")

    def check_repeat(self, lab: Lab, runs: Callable[[], object]) -> None:
        """Nothing is written when the same runs come again."""
        before = sum(entry.write for entry in lab.sandbox.log.entries)
        runs()
        written = [entry for entry in lab.sandbox.log.entries if entry.write][before:]
        if written:
            first = f"{written[0].method} {written[0].path} {str(written[0].body)[:500]}"
            self.findings.wrong(Count.AGAIN, f"{self.title}: {len(written)} writes, the first: {first}")
            self.findings.counts[Count.AGAIN] += len(written) - 1


def filled(scene: Scene, place: str, most: int | None = None) -> Poison:
    """A text that is not blank."""
    while (made := scene.kitchen.text(place, most=most)).is_blank:
        continue
    return made


@contextmanager
def closing(lab: Lab) -> Iterator[None]:
    """The ledger is closed at the end."""
    try:
        yield
    finally:
        lab.ledger.close()

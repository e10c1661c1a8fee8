"""kill -9 at the boundaries of a run: before, during and after each call to a service and each commit of the ledger.

The boundaries of every integration type and direction are enumerated in a clean run; then a real process dies at each,
a new one repeats the step that failed, and clean runs follow.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random

from cshub_runtime.postgres import EmbeddedPostgres
from cshub_sandbox.faults import is_write
from cshub_sandbox.kernel import Request
from tests.campaigns.campaign import Asked, Campaign, Figure, Outcome, exactly, told
from tests.campaigns.crash_ledgers import LedgerServer
from tests.campaigns.crash_stages import LEDGER, NAMES, Stage, Story, prepare, stories_of
from tests.campaigns.crash_trial import Findings, Point, try_point
from tests.campaigns.workers import workers

CORES = 2
CHUNK = 8  # points that one process lives through before it reports
SHARE_OF_POSTGRESQL = 10  # one point in so many
IN_A_SHARE, OF_TWO_WAYS_IN_A_SHARE = 7, 4  # points of a stage; where two directions follow, a point costs more
MOMENTS = 3  # before, during and after
STORIES = 20
Place = tuple[int, str]
"""Number of a boundary and what it is called."""
_CONTEXT = multiprocessing.get_context("forkserver")
_numbers = count(1)


@dataclass
class _Workshop:
    """What one process of the campaign needs for its trials, made when it is first asked for."""

    folder: Path
    server: LedgerServer
    stages: dict[str, Stage] = field(default_factory=dict)

    def try_points(self, points: Sequence[Point]) -> list[Findings]:
        return [self._try(point) for point in points]

    def _try(self, point: Point) -> Findings:
        stage = self._stage(point.stage)
        folder = self.folder / f"point{next(_numbers)}"
        if not point.postgresql:
            return try_point(stage, point, folder)
        with self.server.copy(stage.folder / LEDGER) as url:
            return try_point(stage, point, folder, url)

    def _stage(self, name: str) -> Stage:
        if name not in self.stages:
            self.stages.update(prepare(name, self.folder / name))
            gc.collect()
            gc.freeze()  # what the forks share is not looked through, and so not copied, in each of them
        return self.stages[name]


_workshops: list[_Workshop] = []


def _open_workshop(folder: Path, server_url: str) -> None:
    name = f"crash_{os.getpid()}"
    _workshops.append(_Workshop(folder / name, LedgerServer(server_url, name)))


def _try_points(points: Sequence[Point]) -> list[Findings]:
    return _workshops[0].try_points(points)


@contextmanager
def _workers(asked: Asked) -> Iterator[ProcessPoolExecutor]:
    folder = Path(tempfile.mkdtemp(prefix="cshub-crashes-"))
    folder.chmod(0o711)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = ""
        if asked.is_full:
            url = stack.enter_context(EmbeddedPostgres(folder / "postgres" / "data", durable=False)).url("postgres")
        count = CORES if asked.is_full else 1
        yield stack.enter_context(workers(count, prepare=_open_workshop, arguments=(folder, url)))


@dataclass
class _Sweep:
    """``clean``: undisturbed runs by stage and story, which tell where processes can die and what is written."""

    asked: Asked
    workers: ProcessPoolExecutor
    clean: dict[tuple[str, Story], Findings] = field(default_factory=dict)

    def run(self) -> Outcome:
        kinds = [Point(name, story) for name in NAMES for story in stories_of(name)]
        if not self.asked.is_full:
            kinds = [kind for kind in kinds if kind.story is Story.PLAIN]
        undisturbed = [kind for kind in kinds if kind.story is not Story.PARTNER_FIRST]
        for findings in self._try(undisturbed, len(undisturbed)):
            self.clean[findings.point.stage, findings.point.story] = findings
        points = self._points(kinds)
        total = len(points) + len(undisturbed)
        found = [*self.clean.values(), *self._try(points, total, done=len(undisturbed))]
        return Outcome(self._figures(found), self._stories(found))

    def _points(self, kinds: Sequence[Point]) -> list[Point]:
        rng = Random(self.asked.seed)
        points = []
        for kind in kinds:
            places = list(enumerate(self._clean_of(kind).places, start=1))
            for number, place in self._chosen(kind, places, rng):
                points.append(replace(kind, number=number, place=place))
        if not self.asked.is_full:
            return points
        others = set(rng.sample(range(len(points)), len(points) // SHARE_OF_POSTGRESQL))
        return [replace(point, postgresql=place in others) for place, point in enumerate(points)]

    def _chosen(self, kind: Point, places: Sequence[Place], rng: Random) -> Sequence[Place]:
        """All boundaries; of another story than the plain one of the three at each call and commit.

        In a share one after a write of each kind, and few others.
        """
        if not self.asked.is_full:
            count = OF_TWO_WAYS_IN_A_SHARE if Story.PARTNER_FIRST in stories_of(kind.stage) else IN_A_SHARE
            written = _after_writes(places)
            first = [rng.choice(group) for group in written.values()]
            others = [place for place in places if place not in first]
            return sorted(first + rng.sample(others, count - len(first)))
        if kind.story is Story.PLAIN:
            return places
        return [rng.choice(places[start : start + MOMENTS]) for start in range(0, len(places), MOMENTS)]

    def _clean_of(self, point: Point) -> Findings:
        story = Story.PLAIN if point.story is Story.PARTNER_FIRST else point.story
        return self.clean[point.stage, story]

    def _try(self, points: Sequence[Point], total: int, *, done: int = 0) -> list[Findings]:
        chunks = [points[start : start + CHUNK] for start in range(0, len(points), CHUNK)]
        found: list[Findings] = []
        for future in as_completed([self.workers.submit(_try_points, chunk) for chunk in chunks]):
            found += future.result()
            self.asked.progress(done + len(found), total)
        return found

    def _beyond(self, findings: Findings) -> Counter[str]:
        """Rows written that an undisturbed run does not write. With lost answers a change may be sent again."""
        clean = self._clean_of(findings.point)
        beyond = findings.sent - clean.sent
        if findings.point.story is Story.LOST_ANSWERS:
            return Counter({name: number for name, number in beyond.items() if name.endswith("POST")})
        return beyond

    def _figures(self, found: Sequence[Findings]) -> list[Figure]:
        deaths = [findings for findings in found if findings.point.number is not None]
        places = [(name, len(self.clean[name, Story.PLAIN].places)) for name in NAMES]
        return [
            told("processes killed", len(deaths)),
            *(told(f"boundaries of {name}", number) for name, number in places),
            told("boundaries in all", sum(number for _, number in places)),
            told("killed over a ledger on PostgreSQL", sum(item.point.postgresql for item in deaths)),
            told("killed while answers were lost as well", _count(deaths, Story.LOST_ANSWERS)),
            told("killed, and the other direction ran before the retry", _count(deaths, Story.PARTNER_FIRST)),
            exactly("records doubled", sum(item.doubled for item in found)),
            exactly("records lost or with other values", sum(item.lost for item in found)),
            exactly("writes beyond those of a clean run", sum(self._beyond(item).total() for item in found)),
            exactly("writes of the second clean run", sum(item.late_writes for item in found)),
            exactly("open intents left", sum(item.open_intents for item in found)),
            exactly("statistics that do not add up", sum(item.wrong_statistics for item in found)),
            exactly("runs not finished by their retries", sum(item.unfinished for item in found)),
            exactly("processes that did not die where they were to", sum(item.astray for item in found)),
        ]

    def _stories(self, found: Sequence[Findings]) -> list[str]:
        stories = []
        for findings in found:
            lines = [*findings.told]
            if beyond := self._beyond(findings):
                lines.append(f"written beyond a clean run: {dict(beyond)}")
            if lines:
                stories.append("\n  ".join([f"seed {self.asked.seed}: {findings.point}", *lines]))
        return stories[:STORIES]


def _after_writes(places: Sequence[Place]) -> Mapping[str, Sequence[Place]]:
    """By method, the boundaries at which a write has been sent and its answer is not in the ledger."""
    found: dict[str, list[Place]] = {}
    for number, place in places:
        moment, _, call = place.partition(" ")
        method, _, path = call.partition(" ")
        if moment != "before" and path and is_write(Request(method, path)):
            found.setdefault(method, []).append((number, place))
    return found


def _count(found: Sequence[Findings], story: Story) -> int:
    return sum(findings.point.story is story for findings in found)


def run(asked: Asked) -> Outcome:
    with _workers(asked) as workers:
        return _Sweep(asked, workers).run()


CAMPAIGN = Campaign(
    name="crash",
    title="Crash sweep",
    promise="A process killed with kill -9 before, during or after any call to a service or any commit of the ledger "
    "is replaced by another that finishes the run: nothing doubled, lost or written twice.",
    run=run,
)

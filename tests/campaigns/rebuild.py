"""The ledger is lost: a year of pairs is linked again from what both services hold, and no run makes one twice.

The pairs are made in both services by their users' own actions (:mod:`tests.campaigns.rebuild_past`), as runs would
have left them, and the ledger is empty: it never knew them. Which record belongs to which is therefore nobody's report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from cshub.pipeline.rebuild import Rebuilt
from cshub.pipeline.run import Asked as RunAsked
from tests.campaigns.campaign import Asked, Campaign, Outcome, at_least, at_most, exactly, told
from tests.campaigns.rebuild_past import Objects, Past
from tests.campaigns.workers import workers
from tests.pipeline.lost_ledger import rebuilt, writes_to
from tests.pipeline.two_way import Row

FULL = {Objects.TOUCHPOINTS: 40_000, Objects.TASKS: 30_000, Objects.MEETINGS: 30_000}
SHARE = dict.fromkeys(Objects, 100)
FULL_TWINS, SHARE_TWINS = 40, 4  # of each kind of pairs, in couples
LEAST_SHARE = {True: 0.999, False: 0.98}  # of so few pairs as in the share, one may be half a percent
MOST_MB = 1_000
STORIES = 5


@dataclass(frozen=True, slots=True)
class Found:
    """Counts of one kind of pairs; ``stories`` tell of what must not be."""

    pairs: int
    edited: int
    apart: int  # pairs both of whose records are there, and that something tells from others
    linked: int  # of these
    held: int
    wrong: int
    unlisted: int
    written: int
    doubled: int
    lost: int
    unsettled: int
    added_mb: float
    stories: Sequence[str] = ()


def _run(asked: Asked) -> Outcome:
    sizes, twins = (FULL, FULL_TWINS) if asked.is_full else (SHARE, SHARE_TWINS)
    total = sum(sizes.values())
    trials = [partial(lose_and_rebuild, objects, size, twins, asked.seed) for objects, size in sizes.items()]
    found = []
    for item in _carried_out(trials, parallel=asked.is_full):
        found.append(item)
        asked.progress(sum(one.pairs for one in found), total)

    def sum_of(name: str) -> int:
        return sum(getattr(item, name) for item in found)

    figures = [
        told("pairs made", sum_of("pairs")),
        told("of these edited on one side since the last run", sum_of("edited")),
        told("of these to be told from all others", sum_of("apart")),
        at_least("share of those linked again", sum_of("linked") / sum_of("apart"), LEAST_SHARE[asked.is_full]),
        exactly("wrong links", sum_of("wrong")),
        told("records held for a person, because several may be their own", sum_of("held")),
        exactly("records neither linked nor listed", sum_of("unlisted")),
        exactly("writes to either service during the rebuild", sum_of("written")),
        exactly("records that the next runs made twice", sum_of("doubled")),
        exactly("edits that the next runs lost", sum_of("lost")),
        exactly("writes of the runs after those", sum_of("unsettled")),
        at_most("memory that a rebuild adds", max(item.added_mb for item in found), MOST_MB, "MB"),
    ]
    return Outcome(figures, [story for item in found for story in item.stories])


def lose_and_rebuild(objects: Objects, pairs: int, twins: int, seed: int) -> Found:
    """Make the pairs, rebuild, look at every link, and run both jobs over everything, twice."""
    with TemporaryDirectory(prefix="rebuild-") as folder:
        past = Past.make(Path(folder), objects, pairs=pairs, twins=twins, seed=seed)
        with closing(past.lab.ledger):
            return _judged(past, f"seed {seed}, {pairs:,} pairs of {objects}")


def _judged(past: Past, case: str) -> Found:
    memory = _Memory.now()
    with writes_to(past.lab) as writes:
        done = rebuilt(past.lab)
    added_mb = memory.added_mb()
    links = {link.source_key: link.target_key for link in past.lab.ledger.linked(past.lab.new_run().pair)}
    standing = past.standing
    lefts_of = {right: left for left, right in past.pairs.items()}
    wrong = [
        (left, right)
        for left, right in links.items()
        if past.pairs.get(left, right) != right or lefts_of.get(str(right), left) != left
    ]
    apart = standing.keys() - past.twins
    unlisted = _unlisted(past, links, done)
    stories = [f"{case}: {left} was linked to {right}; its own is {past.pairs.get(left)}" for left, right in wrong]
    stories += [f"{case}: {key} is neither linked nor listed" for key in unlisted]
    stories += [f"{case}: the rebuild sent {entry.method} {entry.path} to {entry.service}" for entry in writes.seen]
    after = _after_runs(past, links)
    stories += [f"{case}: made twice by a run: {row}" for row in after.doubled]
    stories += [f"{case}: the edit of {left} was not carried over to {past.pairs[left]}" for left in after.lost]
    return Found(
        pairs=len(past.pairs),
        edited=len(past.edits),
        apart=len(apart),
        linked=sum(links.get(left) == standing[left] for left in apart),
        held=sum(1 for item in done.rest if item.fits),
        wrong=len(wrong),
        unlisted=len(unlisted),
        written=len(writes.seen),
        doubled=len(after.doubled),
        lost=len(after.lost),
        unsettled=after.unsettled,
        added_mb=added_mb,
        stories=stories[:STORIES],
    )


def _unlisted(past: Past, links: Mapping[str, str | None], done: Rebuilt) -> list[str]:
    """Records that are there, and that the rebuild neither linked nor listed. A target's own are nobody's source."""
    listed = {item.key for item in done.rest}
    linked = {*links, *links.values()}
    rights = [] if past.objects is Objects.MEETINGS else past.pairs.values()
    told_of = past.gone | linked | listed
    return sorted(key for key in (*past.pairs, *rights) if key not in told_of)


@dataclass(frozen=True, slots=True)
class _After:
    """What runs over everything did, and how many writes the runs after those sent.

    ``doubled``: rows of paired records that were made once more; ``lost``: left keys of linked pairs whose edit is not
    on both sides.
    """

    doubled: Sequence[Row]
    lost: Sequence[str]
    unsettled: int


def _after_runs(past: Past, links: Mapping[str, str | None]) -> _After:
    lefts, rights = past.left_rows(), past.right_rows()
    wanted = {
        left: lefts[left] if in_left else rights[past.pairs[left]]
        for left, in_left in past.edits.items()
        if left in links and past.objects is not Objects.MEETINGS  # one way, and edits of the target are kept
    }
    _round(past)
    left_rows, right_rows = past.left_rows(), past.right_rows()
    standing = past.standing
    doubled = [
        *_made_again(right_rows, rights, {key: left_rows.get(key) for key in lefts}, standing.keys()),
        *_made_again(left_rows, lefts, {key: right_rows.get(key) for key in rights}, set(standing.values())),
    ]
    lost = [left for left, row in wanted.items() if {left_rows[left], right_rows[past.pairs[left]]} != {row}]
    with writes_to(past.lab) as writes:
        _round(past)
    return _After(doubled, lost, len(writes.seen))


def _made_again(
    there: Mapping[str, Row], before: Collection[str], others: Mapping[str, Row | None], paired: Collection[str]
) -> Iterator[Row]:
    """Rows of new records that say what a paired record of the other side says; its single ones may be made."""
    new = Counter(row for key, row in there.items() if key not in before)
    single = Counter(row for key, row in others.items() if key not in paired)
    for row in {others[key] for key in paired}:
        if row is not None:
            yield from [row] * max(0, new[row] - single[row])


def _round(past: Past) -> None:
    """Each job once, over everything."""
    jobs = [past.lab.job, *([past.lab.back] if past.lab.back else [])]
    for job in jobs:
        past.lab.sync(asked=RunAsked(full_sync=True), job=job)
        past.lab.wait(minutes=10)


@dataclass(frozen=True, slots=True)
class _Memory:
    rss: int

    @classmethod
    def now(cls) -> _Memory:
        return cls(psutil.Process().memory_info().rss)

    def added_mb(self) -> float:
        """How much more than then the process holds now."""
        return round(max(0, psutil.Process().memory_info().rss - self.rss) / 1e6)


def _carried_out(trials: Sequence[partial[Found]], *, parallel: bool) -> Iterator[Found]:
    if not parallel:
        yield from (trial() for trial in trials)
        return
    with workers(2) as pool:
        yield from (future.result() for future in [pool.submit(trial) for trial in trials])


CAMPAIGN = Campaign(
    name="rebuild",
    title="Ledger lost and rebuilt",
    promise=(
        "A ledger that is gone is made again from what both services hold: nothing is written to either, nothing is "
        "linked wrongly, what cannot be told apart is listed, and no run makes a record twice."
    ),
    run=_run,
)

"""Seeds judged in great numbers: here, or on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed

from tests.campaigns.campaign import Asked
from tests.campaigns.workers import workers

Violations = Callable[[range], dict[int, str]]
"""Seeds → seed and what its case violates, for those that violate anything. A function of a module."""


def judged(violations: Violations, asked: Asked, *, share: int, full: int, batch: int) -> dict[int, str]:
    """The share in this process; the full number in batches on all cores."""
    count = full if asked.is_full else share
    seeds = range(asked.seed, asked.seed + count)
    batches = [seeds[at : at + batch] for at in range(0, count, batch)]
    found: dict[int, str] = {}
    for done, part in enumerate(_parts(violations, batches, parallel=asked.is_full), start=1):
        found.update(part)
        for seed, violation in part.items():
            asked.finding(f"seed {seed}: {violation}")
        asked.progress(min(done * batch, count), count)
    return found


def _parts(violations: Violations, batches: Sequence[range], *, parallel: bool) -> Iterator[dict[int, str]]:
    if not parallel:
        yield from map(violations, batches)
        return
    with workers(len(os.sched_getaffinity(0)), fresh=False) as pool:
        for part in as_completed([pool.submit(violations, batch) for batch in batches]):
            yield part.result()

"""Seeds judged in great numbers: here, or on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path

from tests.campaigns.campaign import Asked
from tests.campaigns.parts import Parts
from tests.campaigns.report import ROOT, revision
from tests.campaigns.workers import workers

Violations = Callable[[range], dict[int, str]]
"""Seeds → seed and what its case violates, for those that violate anything. A function of a module."""


def judged(name: str, violations: Violations, asked: Asked, *, share: int, full: int, batch: int) -> Parts:
    """The share in this process; the full number in batches on all cores.

    The full number goes on from what the campaign ``name`` has judged on the same commit before it was broken off.
    """
    count = full if asked.is_full else share
    parts = Parts(_path(name, asked, batch) if asked.is_full else None)
    known = {part.first for part in parts.done}
    seeds = range(asked.seed, asked.seed + count)
    batches = [seeds[at : at + batch] for at in range(0, count, batch)]
    left = [seeds for seeds in batches if seeds.start not in known]
    if known:
        asked.finding(f"goes on: {len(known) * batch:,} of {count:,} were judged before on this commit")
    for first, found in _parts(violations, left, parallel=asked.is_full):
        parts.add(first, found)
        asked.progress(min(len(parts.done) * batch, count), count)
        for seed, violation in found.items():
            asked.finding(f"✗ seed {seed}: {violation}")
    parts.forget()
    return parts


def _path(name: str, asked: Asked, batch: int) -> Path | None:
    """Where the parts are kept, None when the code is not that of a commit."""
    commit = revision()
    return None if commit.endswith("+") else ROOT / ".campaign" / f"{name}-{commit}-{asked.seed}-{batch}.jsonl"


def _parts(violations: Violations, batches: Sequence[range], *, parallel: bool) -> Iterator[tuple[int, dict[int, str]]]:
    if not parallel:
        yield from ((seeds.start, violations(seeds)) for seeds in batches)
        return
    with workers(len(os.sched_getaffinity(0)), fresh=False) as pool:
        asked = {pool.submit(violations, seeds): seeds.start for seeds in batches}
        for part in as_completed(asked):
            yield asked[part], part.result()

"""Seeds judged in great numbers: here, or on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.campaigns.campaign import Asked

Violations = Callable[[range], dict[int, str]]
"""Seeds → seed and what its case violates, for those that violate anything. A function of a module."""


def judged(violations: Violations, asked: Asked, *, share: int, full: int, batch: int) -> dict[int, str]:
    """The share in this process; the full number in batches on all cores."""
    if not asked.is_full:
        return violations(range(asked.seed, asked.seed + share))
    seeds = range(asked.seed, asked.seed + full)
    found: dict[int, str] = {}
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        batches = [pool.submit(violations, seeds[at : at + batch]) for at in range(0, full, batch)]
        for done, part in enumerate(as_completed(batches), start=1):
            found.update(part.result())
            asked.progress(min(done * batch, full), full)
    return found

"""Simulated histories: people, runs of both jobs, faults, deaths and jumping clocks under one seed each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from tests.campaigns.campaign import Asked, Campaign, Figure, Outcome, at_least, exactly, told
from tests.campaigns.simulation.history import STEPS, history_of
from tests.campaigns.simulation.hub import mapped_now
from tests.campaigns.simulation.stories import shortest, story_of, violation_of
from tests.campaigns.simulation.unguarded import unguarded
from tests.campaigns.volume import judged

SHARE = 10_000
FULL = 1_000_000
BATCH = 500
STORIES = 3
WANTED_A_SECOND = 200  # on two cores


def violations(seeds: range) -> dict[int, str]:
    """Seed → what its history violates."""
    with light_frames():
        found = ((seed, violation_of(history_of(seed))) for seed in seeds)
        return {seed: violation for seed, violation in found if violation is not None}


@contextmanager
def light_frames() -> Iterator[None]:
    """Rows that are looked at afresh are mapped without a frame, as all others of a simulated run; no guard slows."""
    with ExitStack() as stack:
        stack.enter_context(unguarded())
        for step in ("diff", "recheck", "sights"):
            stack.enter_context(patch(f"cshub.pipeline.{step}.map_now", mapped_now))
        yield


def stories(seeds: Sequence[int]) -> list[str]:
    """The first failing histories, shortened and told."""
    with light_frames():
        return [story_of(shortest(history_of(seed))) for seed in seeds[:STORIES]]


def story(seed: int) -> str:
    """The history of one seed: whole when it ends well, else what is needed to make it end so."""
    with light_frames():
        return story_of(shortest(history_of(seed)) if violation_of(history_of(seed)) else history_of(seed))


def run(asked: Asked) -> Outcome:
    parts = judged("histories", violations, asked, share=SHARE, full=FULL, batch=BATCH)
    count = FULL if asked.is_full else SHARE
    figures: list[Figure] = [told("histories", count, "histories"), told("steps in each", STEPS)]
    figures.append(exactly("violations", len(parts.found)))
    if asked.is_full:
        figures.append(at_least("speed", count / parts.spent_s, WANTED_A_SECOND, "histories/s"))
    return Outcome(figures, stories(sorted(parts.found)), parts.spent_s)


CAMPAIGN = Campaign(
    "histories",
    "Simulated histories",
    "After any history of edits, deletions, runs, backfills, faults, crashes and clock jumps, a clean run brings both "
    "sides to the same: nothing doubled, nothing lost, no echo, no deletion without proof, numbers that are true.",
    run,
    story,
)

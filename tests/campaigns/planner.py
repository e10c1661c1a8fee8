"""The planner alone: generated snapshots of both sides and the base, judged by who changed what and when."""

from __future__ import annotations

from tests.campaigns.campaign import Asked, Campaign, Figure, Outcome, exactly, told
from tests.campaigns.volume import judged
from tests.core.histories import history_of, shortest, story_of, violation_of

SHARE = 600
FULL = 1_000_000
BATCH = 2_000
STORIES = 3


def violations(seeds: range) -> dict[int, str]:
    """Seed → what its history violates."""
    found = ((seed, violation_of(history_of(seed))) for seed in seeds)
    return {seed: violation for seed, violation in found if violation is not None}


def story(seed: int) -> str:
    """The history of one seed: whole when it ends well, else what is needed to make it end so."""
    history = history_of(seed)
    found = violation_of(history)
    return story_of(shortest(history) if found else history)


def run(asked: Asked) -> Outcome:
    parts = judged("planner", violations, asked, share=SHARE, full=FULL, batch=BATCH)
    count = FULL if asked.is_full else SHARE
    figures: list[Figure] = [told("cases", count, "cases"), exactly("violations", len(parts.found))]
    if asked.is_full:
        figures.append(told("speed", count / parts.spent_s, "cases/s"))
    stories = [f"seed {seed}\n{story(seed)}" for seed in sorted(parts.found)[:STORIES]]
    return Outcome(figures, stories, parts.spent_s)


CAMPAIGN = Campaign(
    "planner",
    "Planner alone",
    "Whatever people did on both sides, plans end in at most three rounds, both sides agree, and nothing is deleted "
    "that one side has just edited.",
    run,
    story,
)

"""Fuzz: odd texts, odd files and odd calls, by the thousand; nothing crashes, nothing is lost in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tests.campaigns.campaign import Asked, Campaign, Figure, Outcome, exactly, told
from tests.campaigns.fuzz_files import check
from tests.campaigns.fuzz_findings import Count, Findings
from tests.campaigns.fuzz_laws import hold
from tests.campaigns.fuzz_services import disturb
from tests.campaigns.fuzz_syncs import SCENES, play
from tests.campaigns.workers import workers

CORES = 2
_WORKS: Mapping[str, Callable[[int, int], Findings]] = {
    "laws": hold,
    "files": check,
    "services": disturb,
    **{name: partial(play, name) for name in SCENES},
}
_SHARE = {
    "laws": 500,
    "files": 40,
    "services": 120,
    "meetings": 24,
    "touchpoints": 32,
    "tasks": 32,
    "campaign touches": 6,
    "services that repeat what they hear": 6,
}
_FULL = {
    "laws": (10, 10_000),
    "files": (20, 250),
    "services": (10, 2_000),
    "meetings": (40, 40),
    "touchpoints": (40, 40),
    "tasks": (40, 40),
    "campaign touches": (10, 12),
    "services that repeat what they hear": (30, 12),
}
_TOLD = (Count.RECORDS, Count.LAWS, Count.FILES, Count.CALLS, Count.PLACES)


@dataclass(frozen=True, slots=True)
class Portion:
    """One piece of work: ``size`` inputs of one kind under one seed."""

    work: str
    seed: int
    size: int


def run(asked: Asked) -> Outcome:
    """Every kind of input in turn; at full size many seeds of each, on two cores."""
    portions = list(_portions(asked))
    findings = Findings()
    for done, found in enumerate(_worked_off(portions, is_full=asked.is_full), 1):
        findings.add(found)
        asked.progress(done, len(portions))
    cases = sum(findings.counts[count] for count in (Count.RECORDS, Count.LAWS, Count.FILES, Count.CALLS))
    figures: list[Figure] = [told("odd inputs", cases)]
    figures += [told(count, findings.counts[count]) for count in _TOLD]
    figures += [exactly(count, findings.counts[count]) for count in Count if count not in _TOLD]
    return Outcome(figures, findings.stories)


def _portions(asked: Asked) -> Iterator[Portion]:
    if not asked.is_full:
        yield from (Portion(work, asked.seed, size) for work, size in _SHARE.items())
        return
    for work, (seeds, size) in _FULL.items():
        yield from (Portion(work, asked.seed + number, size) for number in range(seeds))


def _worked_off(portions: list[Portion], *, is_full: bool) -> Iterator[Findings]:
    if not is_full:
        yield from map(_work, portions)
        return
    with workers(CORES) as pool:
        yield from pool.map(_work, portions)


def _work(portion: Portion) -> Findings:
    return _WORKS[portion.work](portion.seed, portion.size)


CAMPAIGN = Campaign(
    name="fuzz",
    title="Odd texts, files and calls",
    promise="Whatever stands in a field, a file or a call, nothing crashes: each record arrives as it was mapped or is "
    "refused with a reason, plain text never becomes live markup, each broken file is named with its remedy, and no "
    "output holds a secret.",
    run=run,
)

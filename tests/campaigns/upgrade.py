"""Upgrades: ledgers of every older level, mapping and fingerprint algorithm, taken over while people go on working."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from cshub_runtime.postgres import EmbeddedPostgres
from tests.campaigns.campaign import Asked, Campaign, Figure, Outcome, exactly, told
from tests.campaigns.upgrade_breaks import drop_database, kills, make_bases, new_database, refuses_the_future, survives
from tests.campaigns.upgrade_ledgers import LEVELS
from tests.campaigns.upgrade_stages import STAGES, Way
from tests.campaigns.upgrade_trial import ALL_LEVELS, Case, Change, Trial, Wrong, attempt
from tests.campaigns.workers import workers

CORES = 2
STORIES = 20
Work = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


def run(asked: Asked) -> Outcome:
    """Whole upgrades, then upgrades that are killed, then ledgers from the future."""
    with _place() as (folder, server), _workers(asked) as work:
        cases = _cases(asked)
        bases = make_bases(folder, LEVELS if asked.is_full else LEVELS[:1], server)
        killed = list(kills(bases, folder, None if asked.is_full else Random(asked.seed), 1))
        total = len(cases) + len(killed)
        wrong: Counter[Wrong] = Counter()
        stories: list[str] = []
        approvals = 0
        for done, trial in enumerate(work(partial(_attempt, server=server), cases), 1):
            wrong.update(trial.wrong)
            stories += trial.stories
            approvals += trial.approvals
            asked.progress(done, total)
        unlike = []
        for done, story in enumerate(work(survives, killed), len(cases) + 1):
            unlike += [story] * bool(story)
            asked.progress(done, total)
        futures = (f"sqlite:///{folder}/future.db", new_database(server, "future"))
        accepted = [story for url in futures if (story := refuses_the_future(url))]
    figures: list[Figure] = [
        told("upgrades", len(cases)),
        told("plans of a changed mapping that waited for a person", approvals),
        *(exactly(kind, wrong[kind]) for kind in Wrong),
        told("upgrades killed at a statement", len(killed)),
        exactly("killed upgrades that did not go on as if nothing had been", len(unlike)),
        exactly("ledgers of a newer program that were not refused untouched", len(accepted)),
    ]
    return Outcome(figures, [*stories, *unlike, *accepted][:STORIES])


def _cases(asked: Asked) -> list[Case]:
    """Everything with everything, on both databases, at full size; else one case of every stage, and some more."""
    every = [
        Case(stage, level, change, algorithm, False, asked.seed + at)
        for at, (stage, level, change, algorithm) in enumerate(product(STAGES, ALL_LEVELS, Change, (False, True)))
    ]
    if asked.is_full:
        return [replace(case, postgresql=postgresql) for case in every for postgresql in (False, True)]
    rng, count = Random(asked.seed), len(STAGES)
    levels, changes = (rng.sample([*items] * count, count) for items in (ALL_LEVELS, Change))
    cases = [
        Case(stage, level, change, at % 4 == 1, at % 4 == 2, asked.seed + at)
        for at, (stage, level, change) in enumerate(zip(STAGES, levels, changes, strict=True))
    ]
    both = [replace(case, algorithm=True, change=Change.NONE) for case in cases if case.stage.endswith(Way.BOTH)]
    return [*cases, *(replace(case, seed=case.seed + count, postgresql=False) for case in both)]


def _attempt(case: Case, *, server: str) -> Trial:
    with TemporaryDirectory() as folder:
        if not case.postgresql:
            return attempt(case, Path(folder), f"sqlite:///{folder}/older.db")
        name = f"case_{case.seed}"
        try:
            return attempt(case, Path(folder), new_database(server, name))
        finally:
            drop_database(server, name)


@contextmanager
def _place() -> Iterator[tuple[Path, str]]:
    """A folder, and the url of a PostgreSQL server in it."""
    with TemporaryDirectory(prefix="cshub-upgrade-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with EmbeddedPostgres(folder / "postgres", durable=False) as server:
            yield folder, server.url("postgres")


@contextmanager
def _workers(asked: Asked) -> Iterator[Work]:
    if not asked.is_full:
        yield map
        return
    with workers(CORES) as pool:
        yield pool.map


CAMPAIGN = Campaign(
    name="upgrade",
    title="Upgrades",
    promise="A ledger that an older program, mapping or fingerprint algorithm has left is taken over while people go "
    "on working: nothing is resent without a plan, no edit is lost, nothing is doubled, and an upgrade that is killed "
    "goes on.",
    run=run,
)

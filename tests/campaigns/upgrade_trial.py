"""One upgrade from beginning to end: an older program keeps a world in step, people work on, today's takes over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import cshub.pipeline.run as run_module
from cshub.core import mapping, values
from cshub.core.jobs import BoundJob, FieldMap
from cshub.core.plan import excesses
from cshub.ledger import Ledger
from cshub.pipeline.run import Asked
from tests.campaigns.upgrade_ledgers import LEVELS, ONE_DIRECTION, write_older
from tests.campaigns.upgrade_stages import STAGES, Person, Stage, says
from tests.pipeline.crashes import FusedDatabase

TODAY = "today"
BEFORE, AFTER = "before", "after"
ALL_LEVELS = (*LEVELS, TODAY)


class Change(StrEnum):
    """How the mapping of the older installation differs from today's."""

    NONE = "the same mapping"
    FIELD_ADDED = "a field less"
    TRANSFORM_CHANGED = "another transform"
    POLICY_CHANGED = "another policy"


REWRITTEN = (Change.FIELD_ADDED, Change.TRANSFORM_CHANGED)
"""Changes that alone would write other values."""


@dataclass(frozen=True, slots=True)
class Case:
    """``level``: of the older ledger; ``algorithm``: its fingerprints were made otherwise."""

    stage: str
    level: str
    change: Change
    algorithm: bool
    postgresql: bool
    seed: int

    def told(self) -> str:
        facts = [f"{self.stage}, ledger of {self.level}, {self.change}"]
        facts += ["other fingerprints"] * self.algorithm + ["PostgreSQL" if self.postgresql else "SQLite"]
        return f"{', '.join(facts)}, seed {self.seed}"


class Wrong(StrEnum):
    """What must not happen; the values are the names of the figures."""

    UNASKED = "writes sent without approval above the guard"
    NEEDLESS = "plans that waited though mapping and fingerprints are as before"
    EDITS = "edits of people overwritten or not carried"
    DOUBLED = "records doubled"
    LOST = "records lost"
    AGAIN = "writes of a second run"
    CRASHES = "runs or upgrades that failed"


@dataclass
class Trial:
    """``wrong``: kind → how often. ``stories`` name the case."""

    case: Case
    wrong: dict[Wrong, int] = field(default_factory=dict)
    stories: list[str] = field(default_factory=list)
    approvals: int = 0

    def tell(self, kind: Wrong, count: int, why: str) -> None:
        if count:
            self.wrong[kind] = self.wrong.get(kind, 0) + count
            self.stories.append(f"{self.case.told()}: {kind} ({count}): {why}")


def attempt(case: Case, folder: Path, url: str) -> Trial:
    """``url``: an empty database for the ledger of today."""
    trial = Trial(case)
    stage = STAGES[case.stage](folder)
    try:
        _live(case, trial, stage, url)
    except Exception as error:
        trial.tell(Wrong.CRASHES, 1, f"{type(error).__name__}: {str(error)[:800]}")
    finally:
        stage.close()
    return trial


def _live(case: Case, trial: Trial, stage: Stage, url: str) -> None:
    lab, rng = stage.lab, Random(case.seed)
    shipped, back = stage.jobs, lab.back
    with _older_program(case, stage):
        for _ in range(2):
            _round(stage)
    links = rng.sample(stage.links(), 4)
    people = _edit(stage, links[:2], BEFORE, rng)
    stage.made.append(stage.make_source("Made before the upgrade"))
    before = stage.count()
    lab.wait(minutes=10)
    _take_over(case, stage, url)
    lab.job, lab.back = shipped[0], back
    for job in stage.jobs:
        _first_run(trial, stage, job, asked=len(people) + len(stage.made))
        lab.wait(minutes=10)
    _round(stage)
    people += _edit(stage, links[2:], AFTER, rng)
    stage.made.append(stage.make_source("Made after the upgrade"))
    lab.wait(minutes=10)
    for _ in range(2):
        _round(stage)
    _judge(case, trial, stage, people, dict(links), before)
    sent = stage.writes()
    _round(stage)
    again = (stage.writes() - sent).total()
    trial.tell(Wrong.AGAIN, again, "a round in which nobody did anything")


def _take_over(case: Case, stage: Stage, url: str) -> None:
    """The older ledger, and today's program on it."""
    lab = stage.lab
    if case.level == TODAY and not case.postgresql:
        return
    older = lab.ledger
    write_older(older, url, "0004" if case.level == TODAY else case.level)
    older.close()
    lab.ledger = Ledger(FusedDatabase(url, lab.fuse))
    lab.ledger.upgrade()


def _first_run(trial: Trial, stage: Stage, job: BoundJob, *, asked: int) -> None:
    """Today's program runs a job for the first time: what it would send beyond the guard waits for a person."""
    course = stage.lab.course(asked=Asked(full_sync=True), job=job)
    before = stage.writes().total()
    planned = course.plan()
    guard = job.job.guard
    found = excesses(planned.counts, guard, linked=planned.linked)
    trial.tell(Wrong.UNASKED, stage.writes().total() - before, "sent before the plan was made")
    course.insist()
    if found:
        trial.approvals += 1
        is_needless = trial.case.change not in REWRITTEN and not trial.case.algorithm
        trial.tell(Wrong.NEEDLESS, int(is_needless), ", ".join(item.text for item in found))
        return
    limit = min(guard.remap.count or 0, int((guard.remap.share or 0) * planned.linked))
    newcomers = planned.counts.as_dict()["create"]
    sent = stage.writes().total() - before - newcomers
    trial.tell(
        Wrong.UNASKED, max(0, sent - asked - limit), f"{sent} writes, people did {asked} things, {limit} may pass"
    )


def _edit(stage: Stage, links: Sequence[tuple[str, str]], when: str, rng: Random) -> list[Person]:
    """One edit on each side, of two records."""
    (first, _), (_, second) = links
    said = [f"Edited {when} the upgrade in the {side} {rng.randrange(10**6)}" for side in ("source", "target")]
    people = []
    if stage.source_is_edited:
        stage.edit_source(first, said[0])
        people.append(Person(first, True, said[0], when == BEFORE))
    stage.lab.wait(minutes=1)
    stage.edit_target(second, said[1])
    people.append(Person(links[1][0], False, said[1], when == BEFORE))
    stage.lab.wait(minutes=5)
    return people


def _judge(
    case: Case, trial: Trial, stage: Stage, people: Sequence[Person], links: Mapping[str, str], before: int
) -> None:
    two_way = stage.lab.back is not None
    unseen = case.algorithm and not stage.source_tells_when  # given up: docs/decisions/0008-changed-mappings.md
    unread = case.level in ONE_DIRECTION and case.change is Change.FIELD_ADDED  # no job had ever looked at this text
    for person in people:
        if unseen and person.in_source and person.before:
            continue
        places = {"target": stage.target_text(links[person.key])}
        if person.in_source or (two_way and not (unread and person.before)):
            places["source"] = stage.source_text(person.key)
        for place, held in places.items():
            if not says(held, person.said):
                trial.tell(Wrong.EDITS, 1, f"{person.said!r}, {person.key}: in the {place} stands {held[:120]!r}")
    if two_way:
        left, right = stage.different()
        if unread or (case.algorithm and case.change in REWRITTEN):  # what the change alone makes is not written then
            left, right = max(0, left - right), max(0, right - left)
        trial.tell(Wrong.LOST, left, f"{left} records of Salesforce are not so in Totango")
        trial.tell(Wrong.DOUBLED, right, f"{right} records of Totango are not so in Salesforce")
        if case.level in ONE_DIRECTION:  # the other direction is new, and brings what was never carried
            return
    made = len(stage.made)
    grown = stage.count() - before
    trial.tell(Wrong.DOUBLED, max(0, grown - made - 1), f"{made} records made, {grown} more in both services")
    trial.tell(Wrong.LOST, max(0, made + 1 - grown), f"{made} records made, {grown} more in both services")


def _round(stage: Stage) -> None:
    for job in stage.jobs:
        done = stage.lab.sync(asked=Asked(full_sync=True), job=job)
        done.statistics.check()
        stage.lab.wait(minutes=10)


@contextmanager
def _older_program(case: Case, stage: Stage) -> Iterator[None]:
    """Jobs and fingerprints as they were."""
    lab = stage.lab
    stage.set_jobs(lambda job: _older(job, stage, case.change))
    if case.level in ONE_DIRECTION:
        lab.back = None
    with ExitStack() as patches:
        if case.algorithm:
            today = values.fingerprint

            def other(value: Any, kind: Any) -> str:
                return today(value, kind)[::-1]

            for module in (values, mapping):
                patches.enter_context(patch.object(module, "fingerprint", other))
            patches.enter_context(patch.object(run_module, "FINGERPRINT_VERSION", "x0"))
        yield


def _older(job: BoundJob, stage: Stage, change: Change) -> BoundJob:
    title, text = stage.titles.get(job.target.system), stage.texts.get(job.target.system)
    rows: list[FieldMap] = []
    for row in job.template.fields:
        if row.target == text and change is Change.FIELD_ADDED:
            continue
        if row.target == title and change is Change.TRANSFORM_CHANGED and job is stage.lab.job:
            row = row.model_copy(update={"transforms": [*row.transforms, "upper"]})
        if row.target == text and change is Change.POLICY_CHANGED:
            row = row.model_copy(update={"policy": job.source.system})
        rows.append(row)
    return job.model_copy(update={"template": job.template.model_copy(update={"fields": rows})})

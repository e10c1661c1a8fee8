"""Records that vanish by the hundred: nothing is deleted without proof, and no crowd of them unless a person agrees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from cshub.core.errors import HubError
from cshub.core.jobs import BoundJob
from cshub.core.plan import excesses
from cshub.core.records import Operation, RunOutcome
from cshub.pipeline.run import Asked as RunAsked
from cshub_sandbox.kernel import LogEntry
from tests.campaigns.campaign import Asked, Campaign, Figure, Outcome, at_least, exactly, told
from tests.campaigns.deletion_ways import WAYS, Disaster, Way
from tests.faults.two_way_stage import COLLECTION
from tests.pipeline.lab import Course, Lab

FULL_RECORDS, SHARE_RECORDS = 200, 30
SWEPT = (20, 400, 1_000, 1_200)  # records linked, beside the number that every way is tried with
FULL_SWEPT, SHARE_SWEPT = 100, 60
MOST_ROWS, MOST_SHARE = 50, 0.05
PARTS = (0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Trial:
    disaster: Disaster
    part: float
    full_sync: bool
    partner_first: bool

    def __str__(self) -> str:
        amount = f"{self.part:.0%} " if self.disaster in (Disaster.DELETED, Disaster.HIDDEN) else ""
        first = ", the job of the other direction runs first" if self.partner_first else ""
        return f"{amount}{self.disaster}, {'full sync' if self.full_sync else 'ordinary run'}{first}"


@dataclass
class Verdict:
    """What the services tell of all trials. ``stories``: what went wrong."""

    trials: int = 0
    waited: int = 0
    unapproved: int = 0
    unproven: int = 0
    missed: int = 0
    other_writes: int = 0
    carried: int = 0
    stories: list[str] = field(default_factory=list)


def run(asked: Asked) -> Outcome:
    rng, verdict, done = Random(asked.seed), Verdict(), count(1)
    sweeps = _sweeps(asked)
    total = len(WAYS) + len(sweeps)
    for way in WAYS:
        with _stage(way, FULL_RECORDS if asked.is_full else SHARE_RECORDS) as (lab, folder):
            for number, trial in enumerate(_trials(way) if asked.is_full else _some(_trials(way), rng)):
                _try(way, trial, lab.fork(folder / f"trial{number}"), rng, verdict, asked.seed)
        asked.progress(next(done), total)
    tripped: dict[tuple[str, int], int] = {}
    for way, linked in sweeps:
        tripped[way.name, linked] = _first_that_waits(way, linked)
        asked.progress(next(done), total)
    return Outcome(_figures(verdict, tripped), verdict.stories)


def _figures(verdict: Verdict, tripped: Mapping[tuple[str, int], int]) -> list[Figure]:
    return [
        told("trials", verdict.trials, "trials"),
        at_least("trials whose deletions waited for an approval", verdict.waited, 1),
        exactly("deletions that nobody approved", verdict.unapproved),
        exactly("approved deletions of records that were there still", verdict.unproven),
        exactly("approved deletions that were not carried out", verdict.missed),
        told("approved deletions carried out", verdict.carried),
        exactly("other writes after a disaster", verdict.other_writes),
        *(
            exactly(f"fewest deletions that wait where {linked:,} are linked: {way}", first, _limit(linked) + 1)
            for (way, linked), first in tripped.items()
        ),
    ]


def _sweeps(asked: Asked) -> list[tuple[Way, int]]:
    following = [way for way in WAYS if way.follows]
    if not asked.is_full:
        return [(following[0], SHARE_SWEPT)]
    return [*((following[0], linked) for linked in SWEPT), *((way, FULL_SWEPT) for way in following)]


def _limit(linked: int) -> int:
    return min(MOST_ROWS, int(MOST_SHARE * linked))


def _trials(way: Way) -> list[Trial]:
    disasters = [
        (disaster, part)
        for disaster in Disaster
        for part in (PARTS if disaster in (Disaster.DELETED, Disaster.HIDDEN) else (1.0,))
        if not (disaster is Disaster.DELETED and way.source.delete is None)
        and not (disaster is Disaster.HIDDEN and way.source.hide is None)
    ]
    return [
        Trial(disaster, part, full, first)
        for (disaster, part), full, first in product(
            disasters, (False, True), (False, True) if way.two_way else (False,)
        )
    ]


def _some(trials: Sequence[Trial], rng: Random) -> list[Trial]:
    """One of each kind that says most, where there is such a one, and any other."""
    real = [trial for trial in trials if trial.disaster is Disaster.DELETED]
    hidden = [trial for trial in trials if trial.disaster is Disaster.HIDDEN and trial.full_sync]
    others = [trial for trial in trials if trial not in real and trial not in hidden]
    return [rng.choice(kind) for kind in (real, hidden, others) if kind]


@contextmanager
def _stage(way: Way, records: int) -> Iterator[tuple[Lab, Path]]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "origin").mkdir()
        lab = way.build(folder / "origin", records)
        assert way.source.names(lab).keys() == way.target.names(lab).keys()
        try:
            yield lab, folder
        finally:
            lab.ledger.close()


def _try(way: Way, trial: Trial, lab: Lab, rng: Random, verdict: Verdict, seed: int) -> None:
    """One disaster, a run that may want to delete, a refusal; then the run again, and a person who approves all of it.

    That person is spared where the service itself tells by id that records are gone which are not.
    """
    before = way.target.names(lab)
    chosen = rng.sample(sorted(way.source.names(lab)), round(trial.part * len(before)))
    _strike(way, trial, lab, chosen)
    lab.wait(minutes=10)
    mark = len(lab.sandbox.log.entries)
    if trial.partner_first and (partner := way.partner(lab)) is not None:
        _sync(lab, partner, full=False)
    waited = _sync(lab, _struck_job(way, trial, lab), full=trial.full_sync)
    verdict.trials += 1
    verdict.waited += waited
    real = set(chosen) if trial.disaster is Disaster.DELETED and way.follows else set()
    gone = before.keys() - way.target.names(lab).keys()
    unapproved = gone if waited else gone - real
    story = f"{way.name}, {trial}, seed {seed}"
    _count(verdict, story, "unapproved", len(unapproved), "records were deleted and nobody had approved it")
    if real and not waited and len(real) > _limit(len(before)):
        verdict.stories.append(f"{story}: {len(real)} deletions did not wait for a person")
    _count(verdict, story, "other_writes", len(_other_writes(lab, mark)), "writes were sent that are no deletions")
    if trial.disaster not in way.source.deceives:
        lab.wait(minutes=10)
        _sync(lab, way.job(lab), full=trial.full_sync, approved=True)
        gone = before.keys() - way.target.names(lab).keys()
        verdict.carried += len(gone & real)
        _count(verdict, story, "unproven", len(gone - real), "approved deletions took records that are there still")
        _count(verdict, story, "missed", len(real - gone), "approved deletions were not carried out")
    lab.ledger.close()


def _count(verdict: Verdict, story: str, name: str, number: int, what: str) -> None:
    setattr(verdict, name, getattr(verdict, name) + number)
    if number:
        verdict.stories.append(f"{story}: {number} {what}")


def _sync(lab: Lab, job: BoundJob, *, full: bool, approved: bool = False) -> bool:
    """One run as Airflow drives it; whether it waited for a person, who refuses unless ``approved``.

    A run that fails because it does not believe what it reads sends nothing, and that is all right.
    """
    course = lab.course(job=job, asked=RunAsked(full_sync=full))
    try:
        course.plan()
    except HubError:
        return False
    waits = _waits(course, job)
    if not waits or approved:
        course.load()
    elif course.mapped is not None:
        now = lab.clock.now()
        lab.ledger.close_run(course.run_id, RunOutcome.REFUSED, course.mapped.statistics, now=now)
    return waits


def _waits(course: Course, job: BoundJob) -> bool:
    planned = course.plan()
    found = excesses(planned.counts, job.job.guard, linked=planned.linked)
    return any(item.operation is Operation.DELETE for item in found)


def _strike(way: Way, trial: Trial, lab: Lab, chosen: Sequence[str]) -> None:
    names = way.source.names(lab)
    keys = [names[name] for name in chosen]
    if trial.disaster is Disaster.DELETED:
        assert way.source.delete is not None
        for key in keys:
            way.source.delete(lab, key)
    elif trial.disaster is Disaster.HIDDEN:
        assert way.source.hide is not None
        way.source.hide(lab, keys, trial.part)
    elif trial.disaster in (Disaster.UNLISTED, Disaster.SILENT):
        everything = trial.disaster is Disaster.SILENT
        for path, body in EMPTY_ANSWERS[way.source.service].items():
            if everything or path in LISTS:
                lab.fault("status", status=200, service=way.source.service, path=path, body=body, headers=_media(body))


def _media(body: str) -> Mapping[str, str]:
    return {} if body[:1] in "[{" else {"Content-Type": "text/csv"}


def _struck_job(way: Way, trial: Trial, lab: Lab) -> BoundJob:
    job = way.job(lab)
    if trial.disaster is not Disaster.MISTYPED:
        return job
    options = {**job.job.source.options, **way.source.filter}
    changed = job.job.model_copy(update={"source": job.job.source.model_copy(update={"options": options})})
    mistyped = job.model_copy(update={"job": changed, "digest": "mistyped"})
    if job is lab.job:
        lab.job = mistyped
    else:
        lab.back = mistyped
    return mistyped


def _other_writes(lab: Lab, mark: int) -> list[LogEntry]:
    entries = lab.sandbox.log.entries[mark:]
    return [entry for entry in entries if entry.write and entry.committed and entry.method != "DELETE"]


EMPTY_ANSWERS: Mapping[str, Mapping[str, str]] = {
    "salesforce": {
        "/services/data/*/query": '{"totalSize":0,"done":true,"records":[]}',
        "/services/data/*/queryAll": '{"totalSize":0,"done":true,"records":[]}',
        f"/services/data/*{COLLECTION}/*": "[]",
        "/services/data/*/sobjects/*/deleted/": "{}",
    },
    "totango": {
        "/api/v2/events/search": '{"response":{"events":{"total_hits":0,"hits":[]}}}',
        "/api/v2/events/": "[]",
        "/api/v3/tasks": "[]",
        "/api/v3/tasks/export/csv": "id,title,description,account_id,status,assignee,assigner,priority,create_date,"
        "completed_date,due_date\n",
    },
    "chorus": {"/v3/engagements": '{"engagements":[],"continuation_key":" "}'},
}
LISTS = ("/services/data/*/query", "/api/v2/events/search", "/api/v3/tasks/export/csv", "/v3/engagements")


def _first_that_waits(way: Way, linked: int) -> int:
    """The smallest number of deletions for which a plan waits, found by deleting one record after the other.

    Among the links are as many of records that were deleted on both sides long ago, which must not count.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        lab = way.build(folder, 2 * linked)
        assert way.source.delete is not None
        names = way.source.names(lab)
        past = sorted(names)[linked:]
        for key in past:
            way.source.delete(lab, names[key])
        lab.wait(minutes=10)
        _sync(lab, way.job(lab), full=False, approved=True)
        assert len(way.target.names(lab)) == linked
        left = iter(sorted(way.source.names(lab).items()))
        for number in range(1, linked + 1):
            way.source.delete(lab, next(left)[1])
            lab.wait(minutes=1)
            if number >= _limit(linked) - 1 and _waits(lab.course(job=way.job(lab)), way.job(lab)):
                lab.ledger.close()
                return number
        lab.ledger.close()
        return linked + 1


CAMPAIGN = Campaign(
    "mass_deletion",
    "Mass deletions",
    "When records vanish by the hundred, be they deleted, hidden, not listed or filtered away, nothing is deleted on "
    "the other side that is not proven gone, and nothing beyond 50 records or 5 % unless a person approves it.",
    run,
)

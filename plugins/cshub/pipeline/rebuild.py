"""Rebuild: the links of a lost ledger made again from what both systems hold. Neither of them is written to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cshub.core.errors import StateError
from cshub.core.linking import new_link
from cshub.core.planning import Rule
from cshub.core.rebuilding import Clue, Match, Matching, Signs, match
from cshub.core.records import DecisionEntry, Link, LinkState, Outcome, RunOutcome
from cshub.core.relinking import View, is_made_by_source, relinked
from cshub.core.stats import RunStatistics
from cshub.ledger import Fence
from cshub.pipeline.locking import locked
from cshub.pipeline.run import Run
from cshub.pipeline.settle import AFTER_TAKEOVER_S, settle
from cshub.pipeline.sights import Sights
from cshub.pipeline.standing import Standing
from cshub.pipeline.targets import batches
from cshub.pipeline.writes import Writer

BATCH = 500
SHOWN = 5  # records of the other side that a held one names


class Unmatched(StrEnum):
    """Why a record of a source has no counterpart; what asks most of a person first."""

    FITS_SEVERAL = "several_fit"
    REJECTED = "rejected"
    NO_ACCOUNT = "no_account"
    NONE_FITS = "none_fits"


_URGENCY = {why: place for place, why in enumerate(Unmatched)}


@dataclass(frozen=True, slots=True)
class Rest:
    """One record that was not matched, and the job whose source has it.

    ``titled_by``: the attribute that ``title`` is of; ``fits``: keys of the other side.
    """

    job_id: str
    key: str
    account: str
    dated_on: str
    title: str
    titled_by: str
    why: Unmatched
    fits: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """``read``: job → records of its source; ``matched``: clue → pairs; ``linked``: pairs that had a link before.

    ``left_out``: job → records that its mapping leaves out.
    """

    read: Mapping[str, int]
    matched: Mapping[Clue, int]
    rest: Sequence[Rest]
    linked: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    api_calls: Mapping[str, int] = field(default_factory=dict)

    @property
    def pairs(self) -> int:
        return sum(self.matched.values())

    @property
    def why(self) -> Counter[Unmatched]:
        """In the order of :class:`Unmatched`."""
        found = Counter(item.why for item in self.rest)
        return Counter({why: found[why] for why in Unmatched if found[why]})


def rebuild(run: Run, *, add: bool = False, dry_run: bool = False) -> Rebuilt:
    """Find which records of both sides belong together and store their links, for both directions of the pair.

    Where several records fit, those of a source are held: no run makes them until a person names them. Writes that were
    broken off are settled first: a run that did so on an old copy of the ledger would make records twice. Raises
    :class:`StateError` when the pair has links already and ``add`` does not say to keep them. ``dry_run``: the ledger
    stays as it is.
    """
    if not add:
        _refuse_linked(run)
    with nullcontext() if dry_run else locked(run) as fence:
        if fence is not None:
            _open(run, run)
            settle(Writer(run, fence), patience_s=AFTER_TAKEOVER_S)
        looks: list[Sights] = []
        for item in directions(run):
            looks.append(Sights.of(item, *looks))
        task = _Task(run, looks, Standing.of(run, looks))
        matching = task.matching()
        if fence is not None:
            task.store(fence, matching)
    return task.result(matching)


@dataclass(frozen=True, slots=True)
class _Task:
    """``looks``: what the job sees, and what the job of the other direction sees."""

    run: Run
    looks: Sequence[Sights]
    linked: Standing

    @property
    def own(self) -> Sights:
        return self.looks[0]

    @property
    def back(self) -> Sights | None:
        return self.looks[1] if len(self.looks) > 1 else None

    def matching(self) -> Matching:
        own, back = self.own, self.back
        if back is None:
            left = {key: sight.signs for key, sight in own.made.items()}
            right = {key: sight.signs for key, sight in own.held.items()}
            clues = own.lens.clues
        else:
            unseen, unseen_back = own.lens.no_signs, back.lens.no_signs
            left, right = (
                {
                    key: (mine[key].signs if key in mine else unseen)
                    + (theirs[key].signs if key in theirs else unseen_back)
                    for key in mine.keys() | theirs.keys()
                }
                for mine, theirs in ((own.made, back.held), (own.held, back.made))
            )
            clues = [*own.lens.clues, *back.lens.clues]
        sure = match(_without(left, self.linked.left), _without(right, self.linked.right), clues)
        if not self.linked.in_doubt:
            return sure
        stay_left, stay_right = (keys - self.linked.in_doubt for keys in (self.linked.left, self.linked.right))
        stay_left |= {item.left for item in sure.matches}
        stay_right |= {item.right for item in sure.matches}
        return self.linked.doubted(sure, match(_without(left, stay_left), _without(right, stay_right), clues))

    def store(self, fence: Fence, matching: Matching) -> None:
        """Store links with their decisions, and close the runs of both directions."""
        for sights in self.looks[1:]:
            _open(self.run, sights.run)
        anew = {key for item in matching.matches for key in (item.left, item.right)}
        anew |= matching.left_doubts.keys() | matching.right_doubts.keys()
        self.linked.free(self.run, fence, run_id_of(self.run, self.run), anew)
        self._store_matches(fence, matching.matches)
        for sights, doubts in zip(self.looks, (matching.left_doubts, matching.right_doubts), strict=False):
            self._hold(fence, sights, {key: fits for key, fits in doubts.items() if key in sights.made})
        for sights, numbers in zip(self.looks, self._statistics(matching), strict=True):
            run_id = run_id_of(self.run, sights.run)
            self.run.ledger.close_run(run_id, RunOutcome.GREEN, numbers, now=self.run.clock.now())

    def result(self, matching: Matching) -> Rebuilt:
        jobs = [sights.run.bound.id for sights in self.looks]
        read = [len(sights.made) + sights.skipped.total() + len(_rejected(sights)) for sights in self.looks]
        return Rebuilt(
            read=dict(zip(jobs, read, strict=True)),
            matched=Counter(item.clue for item in matching.matches),
            rest=sorted((item for sights in self.looks for item in self._rest(sights, matching)), key=_urgency),
            linked=len(self.linked.left),
            left_out={job: sights.skipped.total() for job, sights in zip(jobs, self.looks, strict=True)},
            warnings=self.run.warnings(),
            api_calls=self.run.api_calls(),
        )

    def _store_matches(self, fence: Fence, matches: Sequence[Match]) -> None:
        run, done = self.run, 0
        for batch in batches(matches, BATCH):
            links = run.ledger.links(run.pair, [item.left for item in batch])
            by_target = run.ledger.links_by_target(run.pair, [item.right for item in batch])
            found: dict[str, tuple[list[Link], list[DecisionEntry]]] = {}
            for item in batch:
                own, back = self._views(item)
                old = links.get(item.left) or by_target.get(item.right)
                link = relinked(run.pair, own, back, old, now=run.clock.now())
                made, other = (0, 1) if is_made_by_source(own, back) else (1, 0)
                keys = (item.left, item.right)
                entry = DecisionEntry(keys[made], Outcome.UNCHANGED, Rule.RELINKED.value, item.clue.value, keys[other])
                into = found.setdefault(run_id_of(run, self.looks[made].run), ([], []))
                into[0].append(link)
                into[1].append(entry)
            for run_id, (some, entries) in found.items():
                run.ledger.record(fence, run_id, links=some, decisions=entries, now=run.clock.now())
            done += len(batch)
            run.show({"step": "relink", "done": done, "total": len(matches)})

    def _views(self, item: Match) -> tuple[View | None, View | None]:
        own, back = self.own, self.back
        return _view(own, item.left, item.right), None if back is None else _view(back, item.right, item.left)

    def _hold(self, fence: Fence, sights: Sights, doubts: Mapping[str, Sequence[str]]) -> None:
        """Hold what is in doubt, and release what was held and is not any more: it is new."""
        run, ledger = sights.run, self.run.ledger
        for batch in batches(sorted(doubts), BATCH):
            old = ledger.links(run.pair, batch)
            now = self.run.clock.now()
            held = [_held(old.get(key) or new_link(run.pair, key, now), sights) for key in batch]
            entries = [DecisionEntry(key, Outcome.PARKED, Rule.FITS_SEVERAL.value, _told(doubts[key])) for key in batch]
            ledger.record(fence, run_id_of(self.run, run), links=held, decisions=entries, now=now)
        free = [
            link.having(source={"state": LinkState.PARKED})
            for link in ledger.links_in_state(run.pair, [LinkState.HELD])
            if not link.is_linked and link.source_key not in doubts and link.source_key in sights.made
        ]
        for some in batches(free, BATCH):
            ledger.record(fence, run_id_of(self.run, run), links=some, decisions=[], now=self.run.clock.now())

    def _rest(self, sights: Sights, matching: Matching) -> Iterator[Rest]:
        side = self.looks.index(sights)
        job_id, linked = sights.run.bound.id, (self.linked.left, self.linked.right)[side]
        doubts = (matching.left_doubts, matching.right_doubts)[side]
        known = linked | {(item.left, item.right)[side] for item in matching.matches}
        for key, sight in sights.made.items():
            if key not in known:
                why, fits = _why(key, sights, doubts)
                titled_by = sights.lens.title or ""
                yield Rest(job_id, key, sight.account, sight.dated_on, sight.title, titled_by, why, fits)
        for key, reason in _rejected(sights).items():
            if key not in known:
                yield Rest(job_id, key, "", "", reason, "", Unmatched.REJECTED)

    def _statistics(self, matching: Matching) -> list[RunStatistics]:
        """The numbers of each direction's run: what was linked is unchanged, what has no counterpart is skipped."""
        found = []
        for sights in self.looks:
            rest = Counter(item.why for item in self._rest(sights, matching))
            rejected, skipped = len(_rejected(sights)), dict(sights.skipped)
            parked = rest[Unmatched.FITS_SEVERAL] + rest[Unmatched.NO_ACCOUNT]
            if rest[Unmatched.NONE_FITS]:
                skipped[Unmatched.NONE_FITS.value] = rest[Unmatched.NONE_FITS]
            mapped = len(sights.made) + sights.skipped.total()
            numbers = RunStatistics(
                read=mapped + rejected,
                mapped=mapped,
                rejected=rejected,
                unchanged=len(sights.made) - parked - rest[Unmatched.NONE_FITS],
                parked=parked,
                skipped=skipped,
            )
            found.append(numbers.check())
        return [replace(found[0], warnings=self.run.warnings(), api_calls=self.run.api_calls()), *found[1:]]


def run_id_of(run: Run, direction: Run) -> str:
    """The id under which the rebuild of ``run`` tells of one direction: its own, with that direction's job in front."""
    return f"{direction.bound.id}:{run.run_id.removeprefix(f'{run.bound.id}:')}"


def directions(run: Run) -> list[Run]:
    """The run of the job, and that of the job of the other direction, if any."""
    other = run.other_direction
    return [run] if other is None else [run, other]


def _refuse_linked(run: Run) -> None:
    linked = sum(1 for _ in run.ledger.linked(run.pair))
    if linked:
        raise StateError(
            f"The ledger has {linked:,} linked pairs of {run.bound.id} already: it is not lost. To keep them "
            f"and match only what has no link, write `cshub ledger rebuild {run.bound.id} --add`."
        )


def _open(run: Run, direction: Run) -> None:
    run.ledger.open_run(
        run_id_of(run, direction),
        job_id=direction.bound.id,
        pair=direction.pair,
        kind=run.kind,
        window=None,
        job_digest=direction.bound.digest,
        now=run.clock.now(),
    )


def _view(sights: Sights, made: str, held: str) -> View | None:
    if made not in sights.made or held not in sights.held:
        return None
    return View(sights.made[made], sights.held[held], sights.rules, sights.roles)


def _without(signs: Mapping[str, Signs], linked: frozenset[str]) -> dict[str, Signs]:
    return {key: item for key, item in signs.items() if key not in linked}


def _why(key: str, sights: Sights, doubts: Mapping[str, Sequence[str]]) -> tuple[Unmatched, Sequence[str]]:
    if key in doubts:
        return Unmatched.FITS_SEVERAL, doubts[key]
    return Unmatched.NO_ACCOUNT if key in sights.unplaced else Unmatched.NONE_FITS, ()


def _urgency(item: Rest) -> tuple[int, str, str]:
    return _URGENCY[item.why], item.job_id, item.key


def _rejected(sights: Sights) -> dict[str, str]:
    """Source key → the first reason why the record cannot be mapped."""
    found: dict[str, str] = {}
    for entry in sights.rejects:
        found.setdefault(entry.source_key, f"{entry.field}: {entry.reason}")
    return found


def _held(link: Link, sights: Sights) -> Link:
    address = sights.made[link.source_key].address
    return link.having(
        source={"state": LinkState.HELD, "account_id": address.account_id or None, "extra": address.extra}
    )


def _told(fits: Sequence[str]) -> str:
    more = f" and {len(fits) - SHOWN} more" if len(fits) > SHOWN else ""
    return f"may belong to {', '.join(fits[:SHOWN])}{more}"

"""Everything that is known of one record: its link, both directions' decisions, rejects, and runs that left it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cshub.cli.asking import opened_ledger
from cshub.cli.personal import Mask
from cshub.cli.planning import mask_of
from cshub.cli.wording import ASIDE, MADE, STATES, explained, made_again, taken_away, worded
from cshub.core.errors import StateError
from cshub.core.ids import capitals_needed, has_lost_its_case, is_salesforce_id, to_18
from cshub.core.jobs import BoundJob
from cshub.core.planning import Rule
from cshub.core.records import Action, Link, LinkState, Outcome, Pair
from cshub.ledger import DecisionRow, Ledger, RejectRow
from cshub.library import JobLibrary
from cshub.pipeline.diff import PLAN_SCHEMA
from cshub.pipeline.run import known_pair
from cshub.settings import Settings
from cshub.staging import Staging
from cshub.systems import registry

RECENT_RUNS = 50
RECENT_PLANS = 200
_SETTING_ASIDE = frozenset({Outcome.CREATED, Outcome.DELETED, Outcome.UNCHANGED})
_ENDED = frozenset({Rule.DELETED_IN_TARGET, Rule.BOTH_DELETED})


@dataclass(frozen=True, slots=True)
class Direction:
    """One job of the pair: which way it carries records. ``source`` and ``target``: what people call the systems."""

    job_id: str
    pair: Pair
    source: str
    target: str
    mask: Mask = field(default_factory=Mask)

    @property
    def arrow(self) -> str:
        return f"{self.source} → {self.target}"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A run that saw the record and left it as it was. ``aside``: because an undo has set it aside."""

    job_id: str
    run_id: str
    at: datetime
    rule: str
    aside: bool = False

    @property
    def why(self) -> str:
        return ASIDE if self.aside else explained(self.rule)


@dataclass(frozen=True, slots=True)
class Story:
    """``link`` is seen from ``own``, the direction that was asked for; ``back`` is the job of the other one, if any.

    ``undone``: run that carried out an undo → the run it took back.
    """

    own: Direction
    key: str
    link: Link | None
    decisions: Sequence[DecisionRow]
    rejects: Sequence[RejectRow] = ()
    unchanged: Sequence[Sighting] = ()
    back: Direction | None = None
    undone: Mapping[str, str] = field(default_factory=dict)

    @property
    def directions(self) -> list[tuple[Direction, str | None, LinkState | None]]:
        """Each direction with the key of its source record, and what its job still has to do with it."""
        link = self.link
        sides = [(self.own, link.source if link else None), (self.back, link.target if link else None)]
        return [(way, side.key if side else None, side.state if side else None) for way, side in sides if way]

    @property
    def aside(self) -> DecisionRow | None:
        """The decision by which an undo set the record aside, where it still is."""
        last = next((row for row in reversed(self.decisions) if row.rule != Rule.MOVED_SINCE_PLAN), None)
        link = self.link
        if last is None or last.rule != Rule.UNDONE or last.outcome not in _SETTING_ASIDE or link is None:
            return None
        return last if {link.source.state, link.target.state} == {LinkState.DELETED} else None

    def told(self, state: LinkState) -> str:
        """A direction's state in words: its name and what it means."""
        row = self.aside
        if row is None:
            return f"{worded(state.value)}: {STATES[state.value]}"
        return f"set aside: {self.meaning(state)}"

    def meaning(self, state: LinkState) -> str:
        row, link = self.aside, self.link
        if row is None or link is None:
            return STATES[state.value]
        way = self.way(row)
        named = f"cshub run {way.job_id} --record {row.source_key}"
        if row.outcome is not Outcome.CREATED:
            return taken_away(way.target, named)
        other = self.back if way is self.own else self.own
        if other is None:
            return made_again(way.target)
        named = f"cshub run {other.job_id} --record {row.target_key}"
        return made_again(way.target, gone=way.source, command=named)

    def way(self, row: DecisionRow | RejectRow) -> Direction:
        """The direction in which a decision was made, or a row rejected."""
        return self.own if self.back is None or row.pair == self.own.pair else self.back


def story_of(job_id: str, key: str, *, show_personal: bool) -> Story:
    """Raises :class:`StateError` when the ledger has never heard of the key."""
    settings = Settings.from_environment()
    library = JobLibrary.from_settings(settings)
    bound = library.bound(job_id)
    partner = library.partner(bound)
    with opened_ledger() as ledger:
        pair = known_pair(bound, ledger)
        if pair is None:
            raise StateError(
                f"{job_id} has not run yet, so nothing is known of {key}. Start it with `cshub run {job_id}`."
            )
        own = _direction(bound, pair, show_personal=show_personal)
        mirrored = Pair(pair.number, not pair.mirrored)
        back = None if partner is None else _direction(partner, mirrored, show_personal=show_personal)
        forms = _forms(key)
        links = [*ledger.links(pair, forms).values(), *ledger.links_by_target(pair, forms).values()]
        link = links[0] if links else _alike(ledger, pair, key.strip())
        names = [name for name in (link.source.key, link.target.key) if name] if link is not None else forms
        found = {row.id: row for name in names for row in ledger.decisions(pair, name)}
        decisions = [found[number] for number in sorted(found)]
        ways = [way for way in (own, back) if way is not None]
        rejects = [
            row
            for way in ways
            for row in ledger.rejects(way.job_id, only_open=False)
            if row.pair == way.pair and row.source_key in names
        ]
        staging = Staging(settings.staging_url)
        unchanged = [sighting for way in ways for sighting in sightings(ledger, staging, way.job_id, names)]
        undone = _undone(ledger, ways) if any(row.rule == Rule.UNDONE for row in decisions) else {}
    if link is None and not decisions and not rejects and not unchanged:
        if has_lost_its_case(key.strip()):
            raise StateError(capitals_needed(key.strip(), f"no record that {job_id} has seen fits it"))
        raise StateError(
            f"{job_id} has never seen a record {key}. Was it in a window that was read? `cshub history {job_id}` tells "
            f"the runs, and `cshub preview {job_id} --from … --to …` looks into any window."
        )
    told = names[0] if link is not None else _source_key(decisions, rejects, key)
    unchanged.sort(key=lambda item: item.at)
    story = Story(own, told, link, decisions, rejects, unchanged, back, undone)
    aside = story.aside
    if aside is None:
        return story
    left = [replace(item, aside=item.at >= aside.at and item.rule in _ENDED) for item in unchanged]
    return replace(story, unchanged=left)


def _alike(ledger: Ledger, pair: Pair, key: str) -> Link | None:
    """The one link of a record that an id without its capitals fits."""
    found = ledger.links_alike(pair, key) if has_lost_its_case(key) else []
    if len(found) > 1:
        raise StateError(capitals_needed(key, f"{len(found)} records fit it"))
    return found[0] if found else None


def _direction(bound: BoundJob, pair: Pair, *, show_personal: bool) -> Direction:
    source, target = (registry.system(end.system).title for end in (bound.source, bound.target))
    return Direction(bound.id, pair, source, target, mask_of(bound, show_personal=show_personal))


def _undone(ledger: Ledger, ways: Sequence[Direction]) -> dict[str, str]:
    plans = [plan for way in ways for plan in ledger.plans(way.job_id, limit=RECENT_PLANS)]
    return {plan.applied_run_id: plan.undoes_run_id for plan in plans if plan.applied_run_id and plan.undoes_run_id}


def sightings(ledger: Ledger, staging: Staging, job_id: str, keys: Sequence[str]) -> list[Sighting]:
    """What recent runs decided and did not write down, from their staged plans as far as these are kept."""
    import pandas as pd

    found = []
    for run in ledger.runs(job_id, limit=RECENT_RUNS):
        ref = staging.find(job_id, run.run_id, "plan")
        if ref is None:
            continue
        frames = [frame[list(PLAN_SCHEMA.names)] for frame in staging.read(ref)]
        rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(PLAN_SCHEMA.names))
        silent = (rows["action"] == Action.SKIP.value) & rows["link_version"].notna() & rows["source"].isna()
        left = silent | (rows["action"] == Action.UNCHANGED.value)
        mine = rows[rows["source_key"].isin(keys) & left]
        rules = [reason if reason == MADE else rule for rule, reason in zip(mine["rule"], mine["reason"], strict=True)]
        found += [Sighting(job_id, run.run_id, run.opened_at, str(rule)) for rule in rules]
    return found


def _forms(key: str) -> list[str]:
    text = key.strip()
    forms = [text, text.upper(), text.lower()]
    return list(dict.fromkeys([*forms, to_18(text)] if is_salesforce_id(text) else forms))


def _source_key(decisions: Sequence[DecisionRow], rejects: Sequence[RejectRow], key: str) -> str:
    known = [row.source_key for row in decisions] + [row.source_key for row in rejects]
    return known[0] if known else key

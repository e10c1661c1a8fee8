"""Everything that is known of one record: link, decisions, rejects, and the runs that found it unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from cshub.cli.asking import local_time, opened_ledger
from cshub.cli.personal import Mask
from cshub.cli.plan_rows import change_document
from cshub.cli.planning import mask_of
from cshub.cli.screen import Screen, counted, grid, printable, shown
from cshub.cli.wording import STATES, explained, worded
from cshub.core.errors import StateError
from cshub.core.ids import is_salesforce_id, to_18
from cshub.core.records import Action, Change, Link, Outcome
from cshub.ledger import DecisionRow, Ledger, RejectRow
from cshub.library import JobLibrary
from cshub.pipeline.diff import PLAN_SCHEMA
from cshub.pipeline.run import known_pair
from cshub.settings import Settings
from cshub.staging import Staging

RECENT_RUNS = 50
SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A run that saw the record and left it as it was."""

    run_id: str
    at: datetime
    rule: str


@dataclass(frozen=True, slots=True)
class Story:
    job_id: str
    source_key: str
    link: Link | None
    decisions: Sequence[DecisionRow]
    rejects: Sequence[RejectRow]
    unchanged: Sequence[Sighting]
    mask: Mask


def story_of(job_id: str, key: str, *, show_personal: bool) -> Story:
    """Raises :class:`StateError` when the ledger has never heard of the key."""
    settings = Settings.from_environment()
    bound = JobLibrary.from_settings(settings).bound(job_id)
    with opened_ledger() as ledger:
        pair = known_pair(bound, ledger)
        if pair is None:
            raise StateError(
                f"{job_id} has not run yet, so nothing is known of {key}. Start it with `cshub run {job_id}`."
            )
        forms = _forms(key)
        links = [*ledger.links(pair, forms).values(), *ledger.links_by_target(pair, forms).values()]
        link = links[0] if links else None
        names = [name for name in (link.source.key, link.target.key) if name] if link is not None else forms
        found = {row.id: row for name in names for row in ledger.decisions(pair, name)}
        decisions = [found[number] for number in sorted(found)]
        rejects = [row for row in ledger.rejects(job_id, only_open=False) if row.source_key in names]
        source_key = link.source_key if link is not None else _source_key(decisions, rejects, key)
        unchanged = _unchanged(ledger, Staging(settings.staging_url), job_id, source_key)
    if link is None and not decisions and not rejects and not unchanged:
        raise StateError(
            f"{job_id} has never seen a record {key}. Was it in a window that was read? `cshub history {job_id}` tells "
            f"the runs, and `cshub preview {job_id} --from … --to …` looks into any window."
        )
    mask = mask_of(bound, show_personal=show_personal)
    return Story(job_id, source_key, link, decisions, rejects, unchanged, mask)


def show_story(screen: Screen, story: Story) -> None:
    from rich.text import Text

    link = story.link
    screen.show(Text.assemble((printable(story.source_key), "bold"), f"  job {story.job_id}"))
    if link is None:
        screen.show("  no link: nothing of it is in the target")
    else:
        target = (
            f"target record {link.target_key} in account {link.target.account_id}"
            if link.target_key
            else "no target record"
        )
        screen.show(f"  {worded(link.state.value)}: {STATES[link.state.value]}", f"  {printable(target)}")
        screen.show(
            f"  first seen {local_time(link.first_seen_at)}, last written {local_time(link.written_at)}, "
            f"{_writes(story.decisions)}"
        )
    for rows in folded(story.decisions):
        screen.show("")
        _show_decisions(screen, rows, story.mask)
    for item in story.rejects:
        state = "settled" if item.resolved_at else "open"
        screen.show(
            "", Text.assemble(("REJECTED ", "bold red"), f"{item.step}, {counted(item.attempts, 'attempt')}, {state}")
        )
        screen.show(Text(f"  {printable(item.field)}: {printable(item.reason)}"))
        value = story.mask.value(item.field, item.value)
        if value:
            screen.show(Text(f"  value {shown(value)}", style="dim"))
        if item.remedy:
            screen.show(Text(f"  {printable(item.remedy)}", style="green"))
    if story.unchanged:
        screen.show("", Text("Seen and left as it was", style="bold"))
        seen = [
            (counted(len(same), "run"), local_time(same[0].at), local_time(same[-1].at), explained(same[0].rule))
            for same in (list(group) for _, group in groupby(story.unchanged, key=lambda it: it.rule))
        ]
        screen.show(grid(("=in", "=first", "=last", "why"), seen, indent=2))


def story_document(story: Story) -> dict[str, Any]:
    link = story.link
    return {
        "job": story.job_id,
        "source_key": story.source_key,
        "link": None
        if link is None
        else {
            "state": link.state.value,
            "meaning": STATES[link.state.value],
            "target_key": link.target_key,
            "target_account_id": link.target.account_id,
            "target_extra": dict(link.target.extra),
            "version": link.version,
            "first_seen_at": link.first_seen_at,
            "created_at": link.created_at,
            "written_at": link.written_at,
            "source_modified_at": link.source.modified_at,
            "target_modified_at": link.target.modified_at,
        },
        "decisions": [
            {
                "at": row.at,
                "run_id": row.run_id,
                "outcome": row.outcome.value,
                "rule": row.rule,
                "why": explained(row.rule),
                "reason": row.reason,
                "changes": [change_document(item, story.mask) for item in row.changes],
                "answer": row.answer,
            }
            for row in story.decisions
        ],
        "rejects": [
            {
                "step": item.step,
                "field": item.field,
                "reason": item.reason,
                "remedy": item.remedy,
                "value": story.mask.value(item.field, item.value),
                "attempts": item.attempts,
                "first_run_id": item.first_run_id,
                "last_run_id": item.last_run_id,
                "resolved_at": item.resolved_at,
            }
            for item in story.rejects
        ],
        "unchanged": [{"run_id": item.run_id, "at": item.at, "rule": item.rule} for item in story.unchanged],
    }


def folded(decisions: Sequence[DecisionRow]) -> list[list[DecisionRow]]:
    """Neighbouring decisions that differ in nothing but run and time, oldest first."""

    def what(row: DecisionRow) -> str:
        return repr((row.outcome, row.rule, row.reason, row.changes, row.answer))

    return [list(group) for _, group in groupby(decisions, key=what)]


def _writes(decisions: Sequence[DecisionRow]) -> str:
    made = sum(row.outcome in {Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED} for row in decisions)
    return f"changed in the target {counted(made, 'time')}" if made else "never changed in the target"


def _show_decisions(screen: Screen, rows: Sequence[DecisionRow], mask: Mask) -> None:
    """Decisions that are all the same, as one."""
    from rich.text import Text

    row = rows[0]
    style = {"failed": "red", "rejected": "red", "created": "green", "updated": "yellow"}.get(row.outcome.value, "cyan")
    if len(rows) == 1:
        when, run = local_time(row.at), row.run_id.partition(":")[2] or row.run_id
    else:
        when = f"in {counted(len(rows), 'run')}, first {local_time(row.at)}, last {local_time(rows[-1].at)}"
        run = ""
    screen.show(
        Text.assemble((f"{worded(row.outcome.value).upper()} ", f"bold {style}"), when, (f"  {run}", "dim")),
        Text(f"  {printable(_why(row))}"),
    )
    written = [item for item in row.changes if item.winner == SOURCE]
    if written:
        screen.show(grid(("field", "before", "after"), [_cells(item, mask) for item in written], indent=2))
    kept = [item for item in row.changes if item.winner != SOURCE]
    if kept:
        cells = [(name, after, before) for name, before, after in (_cells(item, mask) for item in kept)]
        screen.show(grid(("field", "in the source", "in the target (kept)"), cells, indent=2))
    if row.answer:
        screen.show(Text(f"  the service answered: {printable(row.answer)}", style="dim"))


def _why(row: DecisionRow) -> str:
    if row.outcome is Outcome.REJECTED:
        return row.reason or explained(row.rule)
    return f"{explained(row.rule)}: {worded(row.reason)}" if row.rule == "filtered" else explained(row.rule)


def _cells(item: Change, mask: Mask) -> tuple[str, str, str]:
    before, after = (shown(mask.value(item.field, value), 60) for value in (item.before, item.after))
    return item.field, before, after


def _unchanged(ledger: Ledger, staging: Staging, job_id: str, source_key: str) -> list[Sighting]:
    """From the staged plans of recent runs, as far as they are kept."""
    import pandas as pd

    found = []
    for run in ledger.runs(job_id, limit=RECENT_RUNS):
        ref = staging.find(job_id, run.run_id, "plan")
        if ref is None:
            continue
        frames = [frame[list(PLAN_SCHEMA.names)] for frame in staging.read(ref)]
        rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(PLAN_SCHEMA.names))
        mine = rows[(rows["source_key"] == source_key) & (rows["action"] == Action.UNCHANGED.value)]
        found += [Sighting(run.run_id, run.opened_at, str(rule)) for rule in mine["rule"]]
    return found[::-1]


def _forms(key: str) -> list[str]:
    text = key.strip()
    forms = [text, text.upper(), text.lower()]
    return list(dict.fromkeys([*forms, to_18(text)] if is_salesforce_id(text) else forms))


def _source_key(decisions: Sequence[DecisionRow], rejects: Sequence[RejectRow], key: str) -> str:
    known = [row.source_key for row in decisions] + [row.source_key for row in rejects]
    return known[0] if known else key

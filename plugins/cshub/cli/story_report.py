"""The story of a record as people and machines see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from cshub.cli.asking import local_time
from cshub.cli.personal import Mask
from cshub.cli.plan_rows import change_document
from cshub.cli.screen import Screen, counted, grid, printable, shown
from cshub.cli.story import Direction, Sighting, Story
from cshub.cli.wording import MADE, explained, explained_row, worded
from cshub.core.planning import Rule
from cshub.core.records import Change, Outcome
from cshub.ledger import DecisionRow, RejectRow

SOURCE = "source"
STYLES: Mapping[str, str] = {
    "failed": "red",
    "rejected": "red",
    "deleted": "red",
    "created": "green",
    "updated": "yellow",
    "conflict_kept": "magenta",
}


def show_story(screen: Screen, story: Story) -> None:
    jobs = " and ".join(way.job_id for way, _, _ in story.directions)
    screen.show(Text.assemble((printable(story.key), "bold"), f"  job{'s' if story.back else ''} {jobs}"))
    _show_link(screen, story)
    for rows in folded(story.decisions):
        screen.show("")
        _show_decisions(screen, rows, story)
    for item in story.rejects:
        screen.show("")
        _show_reject(screen, item, story)
    if story.unchanged:
        screen.show("", Text("Seen and left as it was", style="bold"))
        seen = [
            _seen(list(group)) for _, group in groupby(story.unchanged, key=lambda it: (it.job_id, it.rule, it.aside))
        ]
        if story.back is not None:
            screen.show(grid(("=job", "=in", "=first", "=last", "why"), seen, indent=2))
        else:
            screen.show(grid(("=in", "=first", "=last", "why"), [row[1:] for row in seen], indent=2))


def story_document(story: Story) -> dict[str, Any]:
    link = story.link
    return {
        "job": story.own.job_id,
        "source_key": link.source.key if link is not None else story.key,
        "link": None
        if link is None
        else {
            "state": link.state.value,
            "meaning": story.meaning(link.state),
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
        "directions": [
            {
                "job": way.job_id,
                "from": way.source,
                "to": way.target,
                "source_key": key,
                "state": state.value if state else None,
                "meaning": story.meaning(state) if state else None,
            }
            for way, key, state in story.directions
        ],
        "decisions": [_decision_document(row, story) for row in story.decisions],
        "rejects": [
            {
                "job": item.job_id,
                "step": item.step,
                "field": item.field,
                "reason": item.reason,
                "remedy": item.remedy,
                "value": story.way(item).mask.value(item.field, item.value),
                "attempts": item.attempts,
                "first_run_id": item.first_run_id,
                "last_run_id": item.last_run_id,
                "resolved_at": item.resolved_at,
            }
            for item in story.rejects
        ],
        "unchanged": [
            {"job": item.job_id, "run_id": item.run_id, "at": item.at, "rule": item.rule, "why": item.why}
            for item in story.unchanged
        ],
    }


def folded(decisions: Sequence[DecisionRow]) -> list[list[DecisionRow]]:
    """Neighbouring decisions that differ in nothing but run and time, oldest first."""

    def what(row: DecisionRow) -> str:
        return repr((row.job_id, row.pair, row.outcome, row.rule, row.reason, row.changes, row.answer))

    return [list(group) for _, group in groupby(decisions, key=what)]


def _decision_document(row: DecisionRow, story: Story) -> dict[str, Any]:
    way = story.way(row)
    return {
        "at": row.at,
        "job": row.job_id,
        "run_id": row.run_id,
        "from": way.source,
        "to": way.target,
        "source_key": row.source_key,
        "target_key": row.target_key,
        "outcome": row.outcome.value,
        "rule": row.rule,
        "why": explained(row.reason if row.reason == MADE else row.rule),
        "reason": row.reason,
        "undoes": story.undone.get(row.run_id) if row.rule == Rule.UNDONE else None,
        "changes": [change_document(item, way.mask) for item in row.changes],
        "answer": row.answer,
    }


def _show_link(screen: Screen, story: Story) -> None:
    link, back = story.link, story.back
    if link is None:
        screen.show("  no link: nothing of it is in the target")
        return
    account = f" in account {printable(link.target.account_id)}" if link.target.account_id else ""
    if back is None:
        target = f"target record {printable(link.target_key)}{account}" if link.target_key else "no target record"
        screen.show(f"  {story.told(link.state)}", f"  {target}")
    else:
        for way, key, state in story.directions:
            record = f"record {printable(key)}" if key else "no record"
            screen.show(f"  {way.source}: {record}{account if way is back and key else ''}")
            if state is not None and key:
                screen.show(f"    {way.job_id}, {way.arrow}: {story.told(state)}")
    screen.show(
        f"  first seen {local_time(link.first_seen_at)}, last written {local_time(link.written_at)}, "
        f"{_writes(story.decisions, both=back is not None)}"
    )


def _writes(decisions: Sequence[DecisionRow], *, both: bool) -> str:
    made = sum(row.outcome in {Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED} for row in decisions)
    what = "changed by the hub" if both else "changed in the target"
    return f"{what} {counted(made, 'time')}" if made else f"never {what}"


def _show_decisions(screen: Screen, rows: Sequence[DecisionRow], story: Story) -> None:
    """Decisions that are all the same, as one."""
    row, way = rows[0], story.way(rows[0])
    if len(rows) == 1:
        when, run = local_time(row.at), row.run_id.partition(":")[2] or row.run_id
    else:
        when = f"in {counted(len(rows), 'run')}, first {local_time(row.at)}, last {local_time(rows[-1].at)}"
        run = ""
    job = f"  {row.job_id}" if story.back else ""
    style = STYLES.get(row.outcome.value, "cyan")
    screen.show(
        Text.assemble((f"{worded(row.outcome.value).upper()} ", f"bold {style}"), f"{when}{job}", (f"  {run}", "dim")),
        Text(f"  {f'{way.arrow}: ' if story.back else ''}{printable(_why(row, story))}"),
    )
    written = [item for item in row.changes if item.winner == SOURCE]
    if written:
        columns = _written_columns(row, way, named=story.back is not None)
        screen.show(grid(columns, [_cells(item, way.mask) for item in written], indent=2))
    kept = [item for item in row.changes if item.winner != SOURCE]
    if kept:
        cells = [(name, after, before) for name, before, after in (_cells(item, way.mask) for item in kept)]
        columns = ("field", "in the source", "in the target (kept)")
        if story.back is not None:
            columns = ("field", f"in {way.source} (lost)", f"in {way.target} (stands)")
        screen.show(grid(columns, cells, indent=2))
    if row.answer:
        screen.show(Text(f"  the service answered: {printable(row.answer)}", style="dim"))


def _written_columns(row: DecisionRow, way: Direction, *, named: bool) -> tuple[str, str, str]:
    if row.rule == Rule.CONFLICT_OVERWRITTEN:
        source, target = (way.source, way.target) if named else ("the source", "the target")
        return "field", f"in {target} (lost)", f"from {source} (stands)"
    return "field", "before", "after"


def _why(row: DecisionRow, story: Story) -> str:
    if row.outcome is Outcome.REJECTED:
        return row.reason or explained(row.rule)
    if row.rule == Rule.UNDONE and row.run_id in story.undone:
        return f"{explained(row.rule)}: {story.undone[row.run_id]}"
    if row.rule == Rule.FILTERED and row.reason != MADE:
        return f"{explained(row.rule)}: {worded(row.reason)}"
    return explained_row("", row.rule, row.reason)


def _show_reject(screen: Screen, item: RejectRow, story: Story) -> None:
    state = "settled" if item.resolved_at else "open"
    job = f", {item.job_id}" if story.back else ""
    screen.show(
        Text.assemble(("REJECTED ", "bold red"), f"{item.step}, {counted(item.attempts, 'attempt')}, {state}{job}"),
        Text(f"  {printable(item.field)}: {printable(item.reason)}"),
    )
    value = story.way(item).mask.value(item.field, item.value)
    if value:
        screen.show(Text(f"  value {shown(value)}", style="dim"))
    if item.remedy:
        screen.show(Text(f"  {printable(item.remedy)}", style="green"))


def _seen(same: Sequence[Sighting]) -> tuple[str, ...]:
    first = same[0]
    return (
        first.job_id,
        counted(len(same), "run"),
        local_time(first.at),
        local_time(same[-1].at),
        first.why,
    )


def _cells(item: Change, mask: Mask) -> tuple[str, str, str]:
    before, after = (shown(mask.value(item.field, value), 60) for value in (item.before, item.after))
    return item.field, before, after

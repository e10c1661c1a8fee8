"""A plan as people and machines see it."""

from __future__ import annotations

from typing import Any

import typer
from rich.text import Text

from cshub.cli.csv_text import STDOUT, write_csv
from cshub.cli.personal import Mask
from cshub.cli.plan_rows import (
    CSV_HEADER,
    counts_grid,
    csv_rows,
    excess_lines,
    forecast_document,
    forecast_line,
    row_block,
    row_document,
    sorted_rows,
    worth_showing,
)
from cshub.cli.planning import MadePlan
from cshub.cli.screen import Screen, counted, grid, shown
from cshub.core.window import Window

SHOWN_ROWS = 20


def refuse_two_documents(screen: Screen, csv: str | None, *, option: str = "--csv") -> None:
    """Standard output holds one document: JSON or CSV."""
    if csv == STDOUT and screen.as_json:
        raise typer.BadParameter("standard output cannot hold both JSON and CSV: name a file", param_hint=option)


def tell_plan(screen: Screen, made: MadePlan, mask: Mask, *, csv: str | None, show_all: bool) -> None:
    """Write the plan as CSV where it is asked for, and show it unless that went to standard output."""
    if csv is not None:
        count = write_csv(csv, CSV_HEADER, csv_rows(sorted_rows(made.rows), mask))
        screen.note(f"{counted(count, 'line')} written to {csv}")
    if csv != STDOUT:
        _show_plan(screen, made, mask, show_all=show_all)


def _show_plan(screen: Screen, made: MadePlan, mask: Mask, *, show_all: bool) -> None:
    screen.show(Text.assemble("Plan ", (made.plan_id or made.run_id, "bold")), made.window.as_text())
    screen.show(*([f"Takes back what {made.undoes} wrote"] if made.undoes else []), "")
    screen.show(counts_grid(made.counts.as_dict(), made.counts.skipped), "")
    rows = sorted_rows(made.rows)
    listed = rows if show_all else worth_showing(rows)[:SHOWN_ROWS]
    for row in listed:
        screen.show(*row_block(row, mask), "")
    left = len(worth_showing(rows)) - len(listed)
    if not show_all and left > 0:
        screen.show(f"… and {counted(left, 'more row')}: --all shows them, --csv writes them to a file.", "")
    if made.rejects:
        cells = [
            (it.source_key, it.field, it.reason, shown(mask.value(it.field, it.value) or None, 40))
            for it in made.rejects
        ]
        screen.show(Text("Rejected by the mapping", style="bold red"))
        screen.show(grid(("=record", "attribute", "reason", "value"), cells[:SHOWN_ROWS]), "")
    screen.show(*excess_lines(made.excesses), forecast_line(made.forecast))


def tell_next_step(screen: Screen, made: MadePlan) -> None:
    """How to send a plan that was shown, or which run has sent it."""
    if made.applied_at is not None:
        screen.show(f"It was applied by {made.applied_run_id}.")
    elif made.counts.writes and made.plan_id is not None:
        screen.show(f"Nothing was sent. Apply it with: cshub apply {made.plan_id}")


def plan_document(made: MadePlan, mask: Mask) -> dict[str, Any]:
    return {
        "plan_id": made.plan_id,
        "job": made.job_id,
        "run_id": made.run_id,
        "window": window_document(made.window),
        "counts": made.counts.as_dict(),
        "skipped": dict(made.counts.skipped),
        "forecast": forecast_document(made.forecast),
        "guard": list(made.excesses),
        "statistics": made.statistics.as_dict(),
        "rows": [row_document(row, mask) for row in made.rows],
        "rejects": [
            {
                "source_key": item.source_key,
                "field": item.field,
                "reason": item.reason,
                "remedy": item.remedy,
                "value": mask.value(item.field, item.value),
            }
            for item in made.rejects
        ],
        "undoes": made.undoes,
        "created_at": made.created_at,
        "applied_at": made.applied_at,
        "applied_run_id": made.applied_run_id,
    }


def window_document(window: Window) -> dict[str, str]:
    return {"start": window.start.isoformat(), "end": window.end.isoformat()}

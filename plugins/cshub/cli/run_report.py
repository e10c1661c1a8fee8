"""How a run ended: its statistics, and the exit status that says whether it was green."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from cshub.cli.screen import ExitCode, Screen, grid, printable
from cshub.cli.wording import worded

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cshub.core.stats import RunStatistics

STYLES: Mapping[str, str] = {
    "green": "green",
    "red": "red",
    "planned": "cyan",
    "refused": "yellow",
    "running": "blue",
    "interrupted": "yellow",
}
ROWS = (
    "read", "mapped", "rejected", "created", "updated", "deleted", "unchanged", "skipped", "parked", "conflicts_kept",
    "failed",
)  # fmt: skip
GOOD = frozenset({"green", "planned"})


def statistics_grid(statistics: RunStatistics) -> RenderableType:
    """One line per number; skips and warnings by reason, calls by system."""
    from rich.text import Text

    numbers = statistics.as_dict()
    rows: list[tuple[Any, ...]] = []
    for name in ROWS:
        number = statistics.skipped_total if name == "skipped" else numbers[name]
        style = "red" if name in {"failed", "rejected"} and number else "" if number else "dim"
        why = _reasons(statistics.skipped) if name == "skipped" else ""
        rows.append((Text(worded(name), style=style), Text(f"{number:,}", style=style), Text(why, style="dim")))
    if statistics.warnings:
        total = sum(statistics.warnings.values())
        rows.append(("warnings", Text(f"{total:,}", style="yellow"), Text(_reasons(statistics.warnings), style="dim")))
    if statistics.api_calls:
        total = sum(statistics.api_calls.values())
        rows.append(("API calls", f"{total:,}", Text(_reasons(statistics.api_calls), style="dim")))
    return grid(("statistics", "#records", ""), rows)


def finish_run(
    screen: Screen,
    job: str,
    run_id: str,
    outcome: str,
    statistics: RunStatistics | None,
    *,
    error: str | None = None,
    extra: Mapping[str, Any] | None = None,
    later: bool = False,
) -> NoReturn:
    """Show how a run ended and end the command: 0 for a green run or a kept plan, 3 when it is ``later``, else 1."""
    from rich.text import Text

    style = STYLES.get(outcome, "red")
    sign = "✓" if outcome in GOOD else "✗"
    screen.show(Text.assemble((f"{sign} {outcome}", f"bold {style}"), f"  {run_id}"))
    if statistics is not None:
        screen.show(statistics_grid(statistics))
        if statistics.failed or statistics.rejected:
            screen.show(f"Rejected and failed records, with reasons: cshub rejects {job}")
        if statistics.deleted or statistics.conflicts_kept:
            plan_id = (extra or {}).get("plan_id")
            rows = f"--show {plan_id}" if plan_id else f"{job} --run {run_id.removeprefix(f'{job}:')}"
            screen.show(f"Deletions and conflicts, field by field: cshub plan {rows} --all")
    if error:
        screen.err.print(Text(printable(error), style="red"), soft_wrap=True)
    screen.document(
        {
            "job": job,
            "run_id": run_id,
            "outcome": outcome,
            "statistics": statistics.as_dict() if statistics is not None else None,
            "error": error,
            **(extra or {}),
        }
    )
    screen.end(ExitCode.LATER if later else ExitCode.GREEN if outcome in GOOD else ExitCode.RED)


def _reasons(tally: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {worded(reason)}" for reason, count in tally.items())

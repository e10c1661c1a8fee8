"""What a person sees of sync runs: a line of progress while they run, a table of their statistics when they ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

STATISTICS_TASK = "load"
_SIGNS = {"success": "✓", "failed": "✗", "upstream_failed": "✗", "running": "▸", "skipped": "–", "up_for_retry": "↻"}
_COUNTS = ("read", "mapped", "created", "updated", "deleted", "unchanged", "skipped", "parked", "rejected", "failed")


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """One ended sync run as its load task reported it. `statistics` is empty when that task left none."""

    title: str
    succeeded: bool
    outcome: str
    seconds: float
    statistics: Mapping[str, Any]

    @classmethod
    def of(cls, title: str, *, succeeded: bool, seconds: float, report: Mapping[str, Any] | None) -> "RunReport":
        """Read the report of a load task; None stands for a run that ended before its load task."""
        found = report or {}
        outcome = str(found.get("outcome", "no report"))
        return cls(
            title=title, succeeded=succeeded, outcome=outcome, seconds=seconds, statistics=found.get("stats", {})
        )

    def count(self, name: str) -> int:
        """One number of the statistics; of a number split by reason, the sum."""
        value = self.statistics.get(name, 0)
        return sum(value.values()) if isinstance(value, Mapping) else int(value)

    def reasons(self) -> str:
        """Why records were skipped, in words: `3 no account, 1 filtered`."""
        skipped = self.statistics.get("skipped", {})
        return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in skipped.items() if count)


def progress_line(
    title: str, states: Mapping[str, str | None], order: Sequence[str], progress: Mapping[str, Any] | None = None
) -> str:
    """One line that shows how far a run is: its tasks in `order`, with signs, how much is loaded, what it waits for."""
    known = [task for task in order if task in states] + sorted(set(states) - set(order))
    line = f"{title}: " + "  ".join(f"{_SIGNS.get(states[task] or '', '·')} {task}" for task in known)
    if not progress or "total" not in progress:
        return line
    note = f" ({progress['note']})" if progress.get("note") else ""
    return f"{line}  {progress['done']} of {progress['total']}{note}"


def statistics_table(reports: Sequence[RunReport]) -> Table:
    """The statistics of several runs side by side, one column per run."""
    table = Table(title="Statistics", title_justify="left")
    table.add_column("")
    for report in reports:
        table.add_column(report.title, justify="right")
    table.add_row(
        "outcome", *(f"[{'green' if r.succeeded else 'red'}]{r.outcome}[/]" for r in reports), end_section=True
    )
    for name in _COUNTS:
        table.add_row(name, *(str(report.count(name)) for report in reports))
        if name == "skipped" and any(report.reasons() for report in reports):
            table.add_row("  of them", *(report.reasons() for report in reports))
    table.add_row("conflicts kept", *(str(report.count("conflicts_kept")) for report in reports), end_section=True)
    services = sorted({name for report in reports for name in report.statistics.get("api_calls", {})})
    for service in services:
        calls = (report.statistics.get("api_calls", {}).get(service, 0) for report in reports)
        table.add_row(f"calls to {service}", *(str(count) for count in calls))
    table.add_row("seconds", *(f"{report.seconds:.0f}" for report in reports))
    return table

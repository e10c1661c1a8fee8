"""What a person sees of sync runs: lines of progress while they run, tables of what they did when they ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cshub_runtime.acts import Told

STATISTICS_TASK = "load"
COUNTS = ("read", "created", "updated", "deleted", "unchanged")
JOB_WIDTH = 40
_LEFT = ("parked", "rejected", "failed")
_NONE = "·"


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """One ended sync run as its load task reported it. `statistics` is empty when that task left none."""

    job: str
    round: str
    succeeded: bool
    outcome: str
    seconds: float
    statistics: Mapping[str, Any]

    @classmethod
    def of(
        cls, job: str, round: str, *, succeeded: bool, seconds: float, report: Mapping[str, Any] | None
    ) -> "RunReport":
        """Read the report of a load task; None stands for a run that ended before its load task."""
        found = report or {}
        return cls(
            job=job,
            round=round,
            succeeded=succeeded,
            outcome=str(found.get("outcome", "no report")),
            seconds=seconds,
            statistics=found.get("stats", {}),
        )

    def count(self, name: str) -> int:
        """One number of the statistics; of a number split by reason or system, the sum."""
        value = self.statistics.get(name, 0)
        return sum(value.values()) if isinstance(value, Mapping) else int(value)

    def left_over(self) -> str:
        """What became neither written nor unchanged, in words: `2 parked, 1 rejected, 3 email, 1 conflict kept`."""
        numbers = {name: self.count(name) for name in _LEFT}
        numbers |= {reason.replace("_", " "): count for reason, count in self.statistics.get("skipped", {}).items()}
        kept = self.count("conflicts_kept")
        numbers |= {f"conflict{'s' if kept > 1 else ''} kept": kept}
        return ", ".join(f"{count} {name}" for name, count in numbers.items() if count)

    def summary(self) -> str:
        """The run in one line, without the job: `45 created, 3 unchanged, 2 parked`."""
        counts = [f"{self.count(name)} {name}" for name in COUNTS[1:] if self.count(name)]
        text = ", ".join(filter(None, [*counts, self.left_over()])) or f"{self.count('read')} read, nothing to do"
        return text if self.succeeded else f"{self.outcome}: {text}"


def progress_line(progress: Mapping[str, Mapping[str, Any] | None]) -> str:
    """How far loads are, by job, and what they wait for, in one line; empty when none has said anything."""
    said = {job: one for job, one in progress.items() if one and "total" in one}
    line = ", ".join(f"{job} {one['done']} of {one['total']}" for job, one in said.items())
    notes = sorted({str(one["note"]) for one in said.values() if one.get("note")})
    return f"{line} ({notes[0]})" if notes else line


def statistics_table(reports: Sequence[RunReport]) -> Table:
    """What each run did, one row per run below the title of its round; 80 columns wide at most."""
    table = Table(title="What the syncs did", title_justify="left", box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("", max_width=JOB_WIDTH)
    for name in (*COUNTS[:-1], "un-\nchanged", "calls"):
        table.add_column(name, justify="right", vertical="top")
    for title in dict.fromkeys(report.round for report in reports):
        table.add_row(f"[bold]{title}[/]")
        runs = [report for report in reports if report.round == title]
        for run in runs:
            counts = [_number(run.count(name)) for name in (*COUNTS, "api_calls")]
            table.add_row(_named(run), *counts, end_section=run is runs[-1])
    return table


def story_table(told: Sequence[Told]) -> Table:
    """What people did, and what became of it on the other side."""
    title = "What people did, and what became of it"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("meanwhile")
    table.add_column("after the next syncs")
    for one in told:
        mark = "[green]✓[/]" if one.held else "[red]✗[/]"
        table.add_row(one.announcement, f"{mark} {escape(one.sentence)}")
    return table


def _named(run: RunReport) -> RenderableType:
    """The job, and below it what was left over; a run that is not green says so."""
    name = Text(run.job) if run.succeeded else Text(f"✗ {run.job}", style="red")
    left = run.left_over() if run.statistics else run.outcome
    return Group(name, Padding(Text(left, style="dim"), (0, 0, 0, 2))) if left else name


def _number(count: int) -> str:
    return str(count) if count else _NONE

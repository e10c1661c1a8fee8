"""What a person sees of sync runs: lines of progress while they run, tables of what they did when they ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from cshub_runtime.acts import Told

STATISTICS_TASK = "load"
COUNTS = ("read", "created", "updated", "deleted", "unchanged")
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
    """How far loads are, by job, in one line: how much is done and what they wait for; empty when none has said."""
    return "; ".join(f"{job} {_progress(said)}" for job, said in progress.items() if said and "total" in said)


def _progress(said: Mapping[str, Any]) -> str:
    note = f" ({said['note']})" if said.get("note") else ""
    return f"{said['done']} of {said['total']}{note}"


def statistics_table(reports: Sequence[RunReport]) -> Table:
    """What each run did, one row per run, in the order and under the title of their rounds."""
    table = Table(title="What the syncs did", title_justify="left", pad_edge=False)
    table.add_column("")
    for name in COUNTS:
        table.add_column(name, justify="right")
    table.add_column("left over", max_width=30)
    table.add_column("calls", justify="right")
    table.add_column("s", justify="right")
    rounds = dict.fromkeys(report.round for report in reports)
    for title in rounds:
        runs = [report for report in reports if report.round == title]
        table.add_row(f"[bold]{title}[/]")
        for number, run in enumerate(runs, start=1):
            table.add_row(
                f"[{'green' if run.succeeded else 'red'}]{'✓' if run.succeeded else '✗'}[/] {run.job}",
                *(_number(run.count(name)) for name in COUNTS),
                run.left_over() if run.statistics else run.outcome,
                _number(run.count("api_calls")),
                f"{run.seconds:.0f}",
                end_section=number == len(runs),
            )
    return table


def story_table(told: Sequence[Told]) -> Table:
    """What people did, and what became of it on the other side."""
    table = Table(title="What people did, and what became of it", title_justify="left", pad_edge=False, show_lines=True)
    table.add_column("meanwhile")
    table.add_column("after the next syncs")
    for one in told:
        mark = "[green]✓[/]" if one.held else "[red]✗[/]"
        table.add_row(one.announcement, f"{mark} {one.sentence}")
    return table


def _number(count: int) -> str:
    return str(count) if count else _NONE

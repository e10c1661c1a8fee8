"""Live progress on standard error; nothing when it is no terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cshub.cli.screen import Screen
from cshub.cli.wording import worded

if TYPE_CHECKING:
    from rich.progress import Progress

    from cshub.pipeline.run import OnProgress

STEPS: Mapping[str, str] = {
    "extract": "Reading",
    "map": "Mapping",
    "diff": "Comparing",
    "load": "Loading",
    "relink": "Linking",
}


@contextmanager
def spinner(screen: Screen) -> Iterator[OnProgress]:
    """Shows the step a dry run is at."""
    with screen.err.status("Reading…") as status:
        yield lambda progress: status.update(progress_text(progress))


class LoadBar:
    """A bar that fills as records are settled. Starts when :meth:`start` is called, so that questions come first."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: Any = None

    def start(self, total: int | None) -> None:
        self._progress.start()
        self._task = self._progress.add_task("Loading", total=total, counts="")

    def show(self, progress: Mapping[str, Any]) -> None:
        """Takes what the load step reports: ``done``, ``total`` and a count per outcome."""
        if self._task is None:
            return
        self._progress.update(
            self._task,
            description=STEPS.get(str(progress.get("step")), "Loading"),
            completed=progress.get("done", 0),
            total=progress.get("total"),
            counts=counts_text(progress),
        )


@contextmanager
def load_bar(screen: Screen) -> Iterator[LoadBar]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, TextColumn("{task.fields[counts]}"), console=screen.err, transient=True)
    try:
        yield LoadBar(progress)
    finally:
        progress.stop()


def progress_text(progress: Mapping[str, Any]) -> str:
    """``Reading… 300 records``; ``Loading… 12 of 60``."""
    step = STEPS.get(str(progress.get("step")), "Working")
    if "total" in progress:
        return f"{step}… {progress.get('done', 0)} of {progress['total']}  {counts_text(progress)}"
    read = f" {progress['read']} records" if "read" in progress else ""
    return f"{step}…{read}{_note(progress)}"


def counts_text(progress: Mapping[str, Any]) -> str:
    """``12 created, 1 parked``, and what is waited for."""
    known = {"step", "done", "total", "read", "mapped", "note"}
    counts = ", ".join(f"{count} {worded(name)}" for name, count in progress.items() if name not in known)
    return f"{counts}{_note(progress)}".strip()


def _note(progress: Mapping[str, Any]) -> str:
    return f" ({progress['note']})" if progress.get("note") else ""

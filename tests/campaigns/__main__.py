"""Run campaigns and write their figures: ``python -m tests.campaigns --help``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.campaigns.campaign import SHARE_SEED, Asked, Bound, Campaign, Outcome, Size
from tests.campaigns.defects import DEFECTS
from tests.campaigns.report import PAGE, keep, measured, number, page
from tests.campaigns.roll import CAMPAIGNS

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console()
TOLD_EVERY_S = 60.0


@app.command()
def campaigns(
    names: Annotated[list[str] | None, typer.Argument(help="Which campaigns; all when none is named.")] = None,
    size: Annotated[Size, typer.Option(help="share: as in the everyday tests; full: published figures.")] = Size.FULL,
    seed: Annotated[int, typer.Option(min=0, help="First seed; the same seed gives the same histories.")] = SHARE_SEED,
    listed: Annotated[bool, typer.Option("--list", help="Show the campaigns and run none.")] = False,
    rendered: Annotated[bool, typer.Option("--page", help="Write the page from kept figures; run none.")] = False,
    story: Annotated[int | None, typer.Option(metavar="SEED", help="Tell the one case of this seed, run none.")] = None,
    defect: Annotated[str | None, typer.Option(help="Run with a deliberate defect, to see it noticed.")] = None,
    defects: Annotated[bool, typer.Option("--defects", help="Show the deliberate defects and run none.")] = False,
) -> None:
    """Run campaigns. At full size their figures are kept in docs/reliability/ and docs/reliability.md is written anew.

    The exit status is 1 when a figure is not what it must be; what went wrong is printed as a story with its seed. A
    campaign that is broken off keeps nothing, but one of a million cases goes on when it is run again on the same
    commit.
    """
    known = {campaign.name: campaign for campaign in CAMPAIGNS}
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        there = f"there are: {', '.join(known)}; several are parted by spaces"
        raise typer.BadParameter(f"no campaign is called {', '.join(unknown)}; {there}")
    if listed:
        for campaign in CAMPAIGNS:
            console.print(f"[bold]{campaign.name}[/]  {campaign.promise}", highlight=False)
        return
    if rendered:
        PAGE.write_text(page(CAMPAIGNS))
        return
    if defects:
        for name in DEFECTS:
            console.print(name, highlight=False)
        return
    if story is not None:
        _tell(names or [], story)
        return
    _check_defect(defect, size)
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        with DEFECTS[defect]() if defect else nullcontext():
            held = [_run(known[name], size, seed) for name in names or known]
    except KeyboardInterrupt:
        console.print(
            "Stopped: one of a million cases goes on from here on the same commit; of others nothing is kept.",
            style="yellow",
        )
        raise typer.Exit(130) from None
    if not all(held):
        raise typer.Exit(1)


def _tell(names: Sequence[str], seed: int) -> None:
    tellers = {campaign.name: campaign.story for campaign in CAMPAIGNS if campaign.story is not None}
    if len(names) != 1 or names[0] not in tellers:
        raise typer.BadParameter(f"a story needs one of the campaigns that tell them: {', '.join(tellers)}")
    console.print(tellers[names[0]](seed), markup=False, highlight=False, soft_wrap=True)


def _check_defect(name: str | None, size: Size) -> None:
    if name is not None and name not in DEFECTS:
        raise typer.BadParameter(f"no defect is called {name!r}; --defects shows them")
    if name is not None and size is Size.FULL:
        raise typer.BadParameter("figures of a hub with a defect are not kept: add --size share")


def _run(campaign: Campaign, size: Size, seed: int) -> bool:
    """Whether it held. One that breaks does not keep the others from being run."""
    console.rule(f"{campaign.title}, {size}")
    begun = time.monotonic()
    try:
        with _watched(campaign.name) as progress:
            outcome = campaign.run(Asked(size, seed, progress, _found))
    except Exception as error:
        console.print_exception()
        console.print(f"✗ {campaign.name} broke: {type(error).__name__}. Nothing of it is kept.", style="bold red")
        return False
    spent_s = time.monotonic() - begun
    _show(outcome)
    if size is Size.FULL:
        keep(measured(campaign, outcome, outcome.spent_s or spent_s, seed))
        PAGE.write_text(page(CAMPAIGNS))
    return outcome.holds


def _found(finding: str) -> None:
    console.print(finding, style="red" if finding.startswith("✗") else "", markup=False, highlight=False)


@contextmanager
def _watched(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar in a terminal; elsewhere a line from time to time."""
    if console.is_terminal:
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(TextColumn(name), *columns, console=console, transient=True) as bar:
            task = bar.add_task(name, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    told_at = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= TOLD_EVERY_S:
            told_at = time.monotonic()
            console.print(f"{datetime.now(UTC):%H:%M} {name}: {number(done)} of {number(total)}", highlight=False)

    yield tell


def _show(outcome: Outcome) -> None:
    table = Table(box=None, show_header=False)
    for figure in outcome.figures:
        wanted = "" if figure.bound is Bound.TOLD else f"{figure.bound} {number(figure.wanted)}"
        mark = "" if figure.bound is Bound.TOLD else "[green]✓[/]" if figure.holds else "[red]✗[/]"
        table.add_row(mark, figure.name, f"{number(figure.measured)} {figure.unit}", wanted)
    console.print(table)
    for story in outcome.stories:
        console.print(story, markup=False, highlight=False)


if __name__ == "__main__":
    app()

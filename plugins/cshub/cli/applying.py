"""`cshub apply`: make exactly the changes of a plan that was kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cshub.cli.options import Deletions, Json, Yes, examples
from cshub.cli.screen import ExitCode, Screen, begin, counted

if TYPE_CHECKING:
    from cshub.cli.planning import MadePlan


def register(app: typer.Typer) -> None:
    app.command(
        rich_help_panel="Runs", epilog=examples("cshub apply chorus_touchpoints_inbound-20261120-230000-1a2b3c")
    )(apply)


def apply(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="Id of a kept plan, as `cshub plan` shows it.")],
    yes: Yes = False,
    deletions: Deletions = None,
    as_json: Json = False,
) -> None:
    """Carry out a kept plan exactly as shown. Rows whose record has moved since are left out and counted.

    A plan is applied once. Given again after an interruption, the command goes on where it stood.
    """
    send_plan(begin(as_json), plan_id, yes=yes, deletions=deletions)


def send_plan(
    screen: Screen, plan_id: str, *, yes: bool = False, deletions: int | None = None, agreed: bool = False
) -> NoReturn:
    """Show what a kept plan counts and ask, unless a person has ``agreed``; carry it out, and end by its outcome.

    ``yes`` goes ahead without a question, but not with more deletions than the guard allows: those need their number.
    """
    from cshub.cli.asking import asked_of, opened_ledger
    from cshub.cli.plan_rows import counts_grid, excess_lines, forecast_line
    from cshub.cli.planning import kept_plan, new_run_id, noted_run, reopened
    from cshub.cli.progress import load_bar
    from cshub.cli.run_report import finish_run
    from cshub.core.records import RunKind
    from cshub.pipeline.plans import apply_plan, run_id_for

    screen.go_on = f"cshub apply {plan_id}"
    _, now = asked_of(None, None)
    with opened_ledger() as ledger:
        kept = kept_plan(ledger, plan_id)
        job = kept.job_id
        run_id = run_id_for(kept, ledger, new=new_run_id(job, "apply", now))
    if run_id == kept.applied_run_id:
        screen.note("This plan was begun and interrupted: goes on with what is left. What was sent is not sent again.")
    with load_bar(screen) as told, noted_run(job, run_id, RunKind.APPLY, on_progress=told.show) as run:
        made = reopened(run, kept)
        if not agreed:
            screen.show(f"Plan {plan_id}", counts_grid(made.counts.as_dict(), made.counts.skipped))
            screen.show(*excess_lines(made.excesses), forecast_line(made.forecast))
            _ask(screen, made, yes=yes, deletions=deletions)
        told.start(len(made.rows))
        done = apply_plan(run, kept)
    extra = {"plan_id": plan_id, **({"undoes": made.undoes} if made.undoes else {})}
    finish_run(screen, job, run_id, done.outcome.value, done.statistics, extra=extra)


def agrees(screen: Screen, made: MadePlan) -> bool:
    """Whether the person at the terminal wants the plan sent; deletions beyond the guard want their number typed."""
    too_many = too_many_deletions(made)
    if too_many is None:
        return screen.agrees(f"Send {counted(made.counts.writes, 'write')}?")
    return screen.agrees(
        f"{_told(too_many)} Type {too_many['planned']} to send the plan", word=str(too_many["planned"])
    )


def too_many_deletions(made: MadePlan) -> Mapping[str, Any] | None:
    """How many records the plan deletes, and the limit, where the guard allows fewer."""
    return next((item for item in made.excesses if item["operation"] == "delete"), None)


def _ask(screen: Screen, made: MadePlan, *, yes: bool, deletions: int | None) -> None:
    """Ends the command unless somebody agrees."""
    too_many, planned = too_many_deletions(made), made.counts.as_dict()["delete"]
    if deletions not in (None, planned):
        told = f"this plan deletes {counted(planned, 'record')}: look at it again, and give that number"
        raise typer.BadParameter(told, param_hint="--deletions")
    if deletions is not None or (yes and too_many is None):
        return
    if not screen.can_ask:
        if too_many is None:
            raise typer.BadParameter("nobody can be asked here: add --yes to go ahead without a question")
        raise typer.BadParameter(
            f"{_told(too_many)} Nobody can be asked here: add --deletions {planned} once the plan is as you want it"
        )
    if not agrees(screen, made):
        screen.note("Nothing was sent.")
        screen.end(ExitCode.RED)


def _told(too_many: Mapping[str, Any]) -> str:
    deleted = counted(too_many["planned"], "record")
    return f"{deleted} would be deleted; the job's guard allows {too_many['limit']}."

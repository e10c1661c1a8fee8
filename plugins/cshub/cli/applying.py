"""`cshub apply`: make exactly the changes of a plan that was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cshub.cli.options import Json, Yes, examples
from cshub.cli.screen import Screen, begin, counted

if TYPE_CHECKING:
    from cshub.cli.planning import MadePlan


def register(app: typer.Typer) -> None:
    app.command(
        rich_help_panel="Runs", epilog=examples("cshub apply chorus_touchpoints_inbound-20261120-230000-1a2b3c")
    )(apply)


def apply(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="Id of a kept plan, as `cshub plan` shows it.")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Carry out a kept plan exactly as shown. Rows whose record has moved since are left out and counted.

    A plan is applied once. Given again after an interruption, the command goes on where it stood.
    """
    send_plan(begin(as_json), plan_id, yes=yes)


def send_plan(screen: Screen, plan_id: str, *, yes: bool, again: bool = True) -> NoReturn:
    """Show what a kept plan counts (``again``) and ask, unless ``yes``; carry it out, and end by its outcome."""
    from cshub.cli.asking import asked_of, opened_ledger
    from cshub.cli.plan_rows import counts_grid, forecast_line
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
        if again:
            screen.show(f"Plan {plan_id}", counts_grid(made.counts.as_dict(), made.counts.skipped))
            screen.show(forecast_line(made.forecast))
        question, word = question_of(made)
        screen.confirm(question, yes=yes, word=word)
        told.start(len(made.rows))
        done = apply_plan(run, kept)
    extra = {"plan_id": plan_id, **({"undoes": made.undoes} if made.undoes else {})}
    finish_run(screen, job, run_id, done.outcome.value, done.statistics, extra=extra)


def question_of(made: MadePlan) -> tuple[str, str | None]:
    """What is asked before a plan is sent, and the word that must be typed where deletions pass the guard."""
    too_many = next((item for item in made.excesses if item["operation"] == "delete"), None)
    if too_many is None:
        return f"Send {counted(made.counts.writes, 'write')}?", None
    number = str(too_many["planned"])
    return (
        f"{counted(too_many['planned'], 'record')} would be deleted; the job's guard lets {too_many['limit']} pass. "
        f"Type {number} to send the plan",
        number,
    )

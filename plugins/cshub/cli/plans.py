"""`cshub plan` and `plans`: see every change before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from cshub.cli.options import (
    Csv,
    Full,
    JobId,
    Json,
    Records,
    ShowAll,
    ShowPersonal,
    Since,
    Until,
    examples,
    refuse_beside_records,
)
from cshub.cli.screen import begin, grid

if TYPE_CHECKING:
    from cshub.ledger import PlanRow

PANEL = "Before a run"


def register(app: typer.Typer) -> None:
    app.command(
        rich_help_panel=PANEL,
        epilog=examples(
            "cshub plan chorus_touchpoints_inbound",
            "cshub plan chorus_touchpoints_inbound --from 2026-11-01 --to 2026-11-08 --csv plan.csv",
            "cshub plan --show chorus_touchpoints_inbound-20261120-230000-1a2b3c",
        ),
    )(plan)
    app.command(rich_help_panel=PANEL, epilog=examples("cshub plans chorus_touchpoints_inbound"))(plans)


def plan(
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="Id of a job.", show_default=False)] = None,
    since: Since = None,
    until: Until = None,
    full: Full = False,
    record: Records = None,
    csv: Csv = None,
    show_all: ShowAll = False,
    show: Annotated[str | None, typer.Option(metavar="PLAN", help="Show a plan that was made before.")] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Show the plan of this run, for example one that waits.")
    ] = None,
    show_personal: ShowPersonal = False,
    as_json: Json = False,
) -> None:
    """Make a plan: read, map and compare, then show every change field by field. Sends nothing.

    The plan is kept; `cshub apply` carries it out exactly as shown, without the rows that have moved since.
    """
    from cshub.cli.asking import asked_of
    from cshub.cli.csv_text import STDOUT
    from cshub.cli.plan_report import plan_document, refuse_two_documents, tell_next_step, tell_plan
    from cshub.cli.planning import kept_plan, make_plan, mask_of, new_run_id, noted_run, plan_of_run, reopened
    from cshub.cli.progress import spinner
    from cshub.core.records import RunKind
    from cshub.operators.named import named_records

    screen = begin(as_json)
    if (job is None) == (show is None):
        raise typer.BadParameter("name a job to plan for, or a plan after --show", param_hint="JOB")
    refuse_two_documents(screen, csv)
    refuse_beside_records(record, since, until, full)
    asked, now = asked_of(since, until, full=full)
    if show is not None:
        job = _job_of(show)
    assert job is not None
    screen.go_on = f"cshub run {job}"
    with spinner(screen) as told, noted_run(job, new_run_id(job, "plan", now), RunKind.DRY, on_progress=told) as run:
        if show is not None:
            made = reopened(run, kept_plan(run.ledger, show))
        elif run_id is not None:
            made = plan_of_run(run, run_id)
        else:
            named = named_records(record or (), system=run.bound.source.system)
            made = make_plan(run, replace(asked, records=named))
        mask = mask_of(run.bound, show_personal=show_personal)
    tell_plan(screen, made, mask, csv=csv, show_all=show_all)
    if csv != STDOUT:
        tell_next_step(screen, made)
    screen.document(plan_document(made, mask))


def plans(job: JobId, as_json: Json = False) -> None:
    """List the kept plans of a job, newest first, and whether they were applied."""
    from cshub.cli.asking import local_time, opened_ledger
    from cshub.cli.plan_report import window_document
    from cshub.pipeline.plans import is_finished

    screen = begin(as_json)
    with opened_ledger() as ledger:
        found = ledger.plans(job)
        finished = {item.plan_id for item in found if is_finished(item, ledger)}
    rows = [
        (
            item.plan_id,
            local_time(item.created_at),
            _told(item),
            _applied(local_time(item.applied_at), item.plan_id in finished) if item.applied_at else "no",
        )
        for item in found
    ]
    if rows:
        screen.show(grid(("=plan", "=made", "records", "=applied"), rows))
    else:
        screen.show(f"No plan of {job} is kept. Make one with `cshub plan {job}`.")
    screen.document(
        {
            "job": job,
            "plans": [
                {
                    "plan_id": item.plan_id,
                    "run_id": item.run_id,
                    "window": window_document(item.window) if item.window else None,
                    "counts": dict(item.counts),
                    "undoes": item.undoes_run_id,
                    "created_at": item.created_at,
                    "applied_at": item.applied_at,
                    "applied_run_id": item.applied_run_id,
                    "finished": item.plan_id in finished,
                }
                for item in found
            ],
        }
    )


def _told(item: PlanRow) -> str:
    counts: Mapping[str, int] = item.counts
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing"
    undone = item.undoes_run_id
    return f"{told}; takes back {undone.removeprefix(f'{item.job_id}:')}" if undone else told


def _applied(moment: str, finished: bool) -> str:
    return moment if finished else f"begun {moment}, not finished"


def _job_of(plan_id: str) -> str:
    from cshub.cli.asking import opened_ledger
    from cshub.cli.planning import kept_plan

    with opened_ledger() as ledger:
        return kept_plan(ledger, plan_id).job_id

"""`cshub undo`: take back what a run wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from cshub.cli.applying import agrees, send_plan
from cshub.cli.options import Csv, Deletions, Json, ShowAll, ShowPersonal, Yes, examples
from cshub.cli.screen import ExitCode, begin


def register(app: typer.Typer) -> None:
    app.command(
        rich_help_panel="Runs",
        epilog=examples(
            "cshub undo chorus_touchpoints_inbound:manual__2026-11-20T23:00:00+00:00",
            "cshub undo apply__2026-11-20T23:00:00_1a2b3c --csv undo.csv",
        ),
    )(undo)


def undo(
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="Id of the run, as `cshub history` tells it; the job in front may be left out."
        ),
    ],
    csv: Csv = None,
    show_all: ShowAll = False,
    yes: Yes = False,
    deletions: Deletions = None,
    show_personal: ShowPersonal = False,
    as_json: Json = False,
) -> None:
    """Take back what a run wrote: show the plan first, then ask whether to send it.

    What the run created is deleted, what it changed gets the values before, what it deleted is
    made again. Records that changed since the run are left as they are.

    The plan is kept: when it is not sent at once, `cshub apply` sends it later.
    """
    from cshub.cli.asking import asked_of, name_ledger, opened_ledger
    from cshub.cli.csv_text import STDOUT
    from cshub.cli.plan_report import plan_document, refuse_two_documents, tell_next_step, tell_plan
    from cshub.cli.planning import mask_of, new_run_id, noted_run
    from cshub.cli.progress import spinner
    from cshub.cli.undo_plan import make_undo, run_to_undo
    from cshub.core.records import RunKind
    from cshub.library import JobLibrary

    screen = begin(as_json)
    refuse_two_documents(screen, csv)
    name_ledger(screen, only_new=True)
    _, now = asked_of(None, None)
    with opened_ledger() as ledger:
        undone = run_to_undo(run_id, JobLibrary.from_settings(), ledger, now=now)
    job = undone.job_id
    screen.go_on = f"cshub undo {undone.run_id}"
    with spinner(screen) as told, noted_run(job, new_run_id(job, "undo", now), RunKind.DRY, on_progress=told) as run:
        made = make_undo(run, undone.run_id)
        mask = mask_of(run.bound, show_personal=show_personal)
    tell_plan(screen, made, mask, csv=csv, show_all=show_all)
    assert made.plan_id is not None
    if made.counts.writes and (yes or deletions is not None):
        send_plan(screen, made.plan_id, yes=yes, deletions=deletions)
    if made.counts.writes and screen.can_ask and agrees(screen, made):
        send_plan(screen, made.plan_id, agreed=True)
    if csv != STDOUT:
        tell_next_step(screen, made)
    screen.document(plan_document(made, mask))
    screen.end(ExitCode.GREEN)

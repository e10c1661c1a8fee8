"""`cshub run`, `retry` and `backfill`: through the job's DAG, in a running Airflow or in a small one of its own."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cshub.cli.options import Full, JobId, Json, Records, Since, Until, examples, refuse_beside_records
from cshub.cli.screen import Screen, begin

PANEL = "Runs"
AirflowUrl = Annotated[
    str | None,
    typer.Option(
        "--airflow",
        envvar="CSHUB_AIRFLOW_URL",
        metavar="URL",
        help="A running Airflow. Sign-in: CSHUB_AIRFLOW_TOKEN, or CSHUB_AIRFLOW_USER and CSHUB_AIRFLOW_PASSWORD.",
    ),
]
Unpause = Annotated[bool, typer.Option("--unpause", help="Switch the DAG on if it is paused.")]


def register(app: typer.Typer) -> None:
    app.command(
        rich_help_panel=PANEL,
        epilog=examples(
            "cshub run chorus_touchpoints_inbound",
            "cshub run chorus_touchpoints_inbound --from 2026-11-01 --to 2026-11-08",
            "cshub run salesforce_tasks_inbound --record 00T5g00000XyZ12EAF --record 00T5g00000XyZ13",
            "cshub run chorus_touchpoints_inbound --airflow http://127.0.0.1:8080 --json",
        ),
    )(run)
    app.command(rich_help_panel=PANEL, epilog=examples("cshub retry chorus_touchpoints_inbound"))(retry)
    app.command(
        rich_help_panel=PANEL,
        epilog=examples(
            "cshub backfill chorus_touchpoints_inbound --from 2026-08-01 --to 2026-11-01 --airflow http://127.0.0.1:8080"
        ),
    )(backfill)


def run(
    job: JobId,
    since: Since = None,
    until: Until = None,
    full: Full = False,
    record: Records = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Stop after the plan, which is kept. Sends nothing.")
    ] = False,
    airflow: AirflowUrl = None,
    unpause: Unpause = False,
    as_json: Json = False,
) -> None:
    """Run a job through its DAG and follow it: in the Airflow at --airflow, else in a small one of this command.

    Without a window it reads on from the last run. With --record only the named records are
    read, and the next run goes on where the last one ended.

    The exit status is 0 only for a green run.
    """
    from cshub.cli.asking import asked_of

    screen = begin(as_json)
    refuse_beside_records(record, since, until, full)
    asked, _ = asked_of(since, until)
    params: dict[str, Any] = {}
    if asked.window_start is not None and asked.window_end is not None:
        params |= {"window_start": asked.window_start.isoformat(), "window_end": asked.window_end.isoformat()}
    if full:
        params["full_sync"] = True
    if record:
        params["records"] = _named(job, record, elsewhere=airflow is not None)
    if dry_run:
        params["dry_run"] = True
    _run(screen, airflow, job, params, unpause=unpause)


def retry(job: JobId, airflow: AirflowUrl = None, unpause: Unpause = False, as_json: Json = False) -> None:
    """Try again only what waits: parked, empty, rejected, failed and missing records. No window is read."""
    _run(begin(as_json), airflow, job, {"only_waiting": True}, unpause=unpause)


def backfill(
    job: JobId,
    since: Annotated[str, typer.Option("--from", metavar="MOMENT", help="Start, part of the window.")],
    until: Annotated[str, typer.Option("--to", metavar="MOMENT", help="End, not part of the window.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the runs that would be made.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also repeat runs that were made before.")] = False,
    airflow: AirflowUrl = None,
    unpause: Unpause = False,
    as_json: Json = False,
) -> None:
    """Backfill a window with Airflow's own backfill: one run per interval of the schedule. Needs a running Airflow.

    Airflow runs whole intervals, for example from 23:00 to 23:00: every interval that overlaps the window is read, so a
    little more than the window may be. Reading more, or again, changes nothing that is already right.
    """
    from cshub.cli.airflow_backfill import backfill_in_airflow
    from cshub.cli.asking import asked_of

    screen = begin(as_json)
    if airflow is None:
        raise typer.BadParameter("a backfill needs a running Airflow: give its address", param_hint="--airflow")
    screen.go_on = f"cshub run {job}"
    asked, _ = asked_of(since, until)
    assert asked.window_start is not None and asked.window_end is not None
    bounds = (asked.window_start, asked.window_end)
    backfill_in_airflow(screen, airflow, job, bounds, dry_run=dry_run, unpause=unpause, again=again)


def _named(job: str, records: list[str], *, elsewhere: bool) -> list[str]:
    """Ids as the job's source writes them; an Airflow ``elsewhere`` knows the job itself."""
    if elsewhere:
        return records
    from cshub.library import JobLibrary
    from cshub.operators.named import named_records

    return list(named_records(records, system=JobLibrary.from_settings().bound(job).source.system))


def _run(screen: Screen, airflow: str | None, job: str, params: dict[str, Any], *, unpause: bool) -> None:
    screen.go_on = f"cshub run {job}"
    if airflow is not None:
        from cshub.cli.airflow_runs import run_in_airflow

        run_in_airflow(screen, airflow, job, params, unpause=unpause)
    from cshub.cli.local_run import run_here

    run_here(screen, job, params)

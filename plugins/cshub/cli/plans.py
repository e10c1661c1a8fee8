"""`cshub preview`, `plan`, `plans` and `apply`: see what a run would do, and do exactly that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.cli.options import Full, JobId, Json, ShowPersonal, Since, Until, Yes, examples
from cshub.cli.screen import Screen, begin, counted, grid, printable, shown

if TYPE_CHECKING:
    from cshub.cli.personal import Mask
    from cshub.cli.planning import MadePlan, Previewed
    from cshub.core.window import Window

PANEL = "Before a run"
SHOWN_ROWS = 20
FATES: Mapping[str, tuple[str, str]] = {
    "create": ("will be created", "green"),
    "update": ("will be updated", "yellow"),
    "delete": ("will be deleted", "red"),
    "unchanged": ("already right", "dim"),
    "conflict": ("changed on both sides", "magenta"),
    "park": ("waits", "blue"),
    "skip": ("left out", "dim"),
    "reject": ("rejected", "red"),
}


def register(app: typer.Typer) -> None:
    app.command(
        rich_help_panel=PANEL,
        epilog=examples(
            "cshub preview chorus_touchpoints_inbound",
            "cshub preview chorus_touchpoints_inbound --limit 3 --from 2026-11-01 --to 2026-11-08",
        ),
    )(preview)
    app.command(
        rich_help_panel=PANEL,
        epilog=examples(
            "cshub plan chorus_touchpoints_inbound",
            "cshub plan chorus_touchpoints_inbound --from 2026-11-01 --to 2026-11-08 --csv plan.csv",
            "cshub plan --show chorus_touchpoints_inbound-20261120-230000-1a2b3c",
        ),
    )(plan)
    app.command(rich_help_panel=PANEL, epilog=examples("cshub plans chorus_touchpoints_inbound"))(plans)
    app.command(
        rich_help_panel="Runs", epilog=examples("cshub apply chorus_touchpoints_inbound-20261120-230000-1a2b3c")
    )(apply)


def preview(
    job: JobId,
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many records, the newest first.")] = 10,
    since: Since = None,
    until: Until = None,
    show_personal: ShowPersonal = False,
    as_json: Json = False,
) -> None:
    """Show the first records of the window as they will arrive: source value → target value. Sends nothing.

    Records that will be skipped, parked or rejected are shown too, marked with the reason.
    """
    from cshub.cli.asking import asked_of
    from cshub.cli.plan_rows import forecast_line
    from cshub.cli.planning import mask_of, new_run_id, noted_run
    from cshub.cli.planning import preview as previewed
    from cshub.cli.wording import worded
    from cshub.core.records import RunKind

    screen = begin(as_json)
    asked, now = asked_of(since, until)
    with screen.err.status("Reading…"), noted_run(job, new_run_id(job, "preview", now), RunKind.DRY) as run:
        window, records, forecast = previewed(run, asked, limit)
        mask = mask_of(run.bound, show_personal=show_personal)
    for number, item in enumerate(records, 1):
        _show_previewed(screen, number, item, mask)
    fates: dict[str, int] = {}
    for item in records:
        fates[item.fate] = fates.get(item.fate, 0) + 1
    summary = ", ".join(f"{count} {FATES[fate][0]}" for fate, count in fates.items()) or "no records in the window"
    screen.show(f"{window.as_text()}: {counted(len(records), 'record')}: {summary}.")
    screen.show(f"For these records: {forecast_line(forecast)}")
    screen.document(
        {
            "job": job,
            "window": _window(window),
            "records": [
                {
                    "source_key": item.record.key,
                    "fate": item.fate,
                    "rule": item.rule,
                    "reason": item.reason,
                    "fields": [
                        {
                            "source": field.source,
                            "source_value": mask.value(field.target, field.source_value),
                            "target": field.target,
                            "target_value": mask.value(field.target, field.target_value),
                        }
                        for field in item.fields
                    ],
                    "warnings": [worded(warning) for warning in item.warnings],
                }
                for item in records
            ],
            "forecast": {"calls": forecast.calls, "seconds": round(forecast.seconds, 1)},
        }
    )


def plan(
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="Id of a job.", show_default=False)] = None,
    since: Since = None,
    until: Until = None,
    full: Full = False,
    csv: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also write every change; - is standard output.")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every row, not the first 20 that matter.")] = False,
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
    from cshub.cli.csv_text import STDOUT, write_csv
    from cshub.cli.plan_rows import CSV_HEADER, csv_rows, sorted_rows
    from cshub.cli.planning import kept_plan, make_plan, mask_of, new_run_id, noted_run, plan_of_run, reopened
    from cshub.cli.progress import spinner
    from cshub.core.records import RunKind

    screen = begin(as_json)
    if (job is None) == (show is None):
        raise typer.BadParameter("name a job to plan for, or a plan after --show", param_hint="JOB")
    if csv == STDOUT and screen.as_json:
        raise typer.BadParameter("standard output cannot hold both JSON and CSV: name a file", param_hint="--csv")
    asked, now = asked_of(since, until, full=full)
    if show is not None:
        job = _job_of(show)
    assert job is not None
    screen.go_on = f"cshub run {job}"
    with spinner(screen) as told, noted_run(job, new_run_id(job, "plan", now), RunKind.DRY, on_progress=told) as run:
        if show is not None:
            made = reopened(run, kept_plan(run.ledger, show))
        else:
            made = plan_of_run(run, run_id) if run_id is not None else make_plan(run, asked)
        mask = mask_of(run.bound, show_personal=show_personal)
    if csv is not None:
        count = write_csv(csv, CSV_HEADER, csv_rows(sorted_rows(made.rows), mask))
        screen.note(f"{counted(count, 'line')} written to {csv}")
    if csv != STDOUT:
        _show_plan(screen, made, mask, show_all=show_all)
    screen.document(_plan_document(made, mask))


def plans(job: JobId, as_json: Json = False) -> None:
    """List the kept plans of a job, newest first, and whether they were applied."""
    from cshub.cli.asking import local_time, opened_ledger
    from cshub.pipeline.plans import is_finished

    screen = begin(as_json)
    with opened_ledger() as ledger:
        found = ledger.plans(job)
        finished = {item.plan_id for item in found if is_finished(item, ledger)}
    rows = [
        (
            item.plan_id,
            local_time(item.created_at),
            ", ".join(f"{count} {name}" for name, count in item.counts.items() if count) or "nothing",
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
                    "window": _window(item.window) if item.window else None,
                    "counts": dict(item.counts),
                    "created_at": item.created_at,
                    "applied_at": item.applied_at,
                    "applied_run_id": item.applied_run_id,
                    "finished": item.plan_id in finished,
                }
                for item in found
            ],
        }
    )


def apply(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="Id of a kept plan, as `cshub plan` shows it.")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Carry out a kept plan exactly as shown. Rows whose record has moved since are left out and counted.

    A plan is applied once. Given again after an interruption, the command goes on where it stood.
    """
    from cshub.cli.asking import asked_of, opened_ledger
    from cshub.cli.plan_rows import counts_grid, forecast_line
    from cshub.cli.planning import kept_plan, new_run_id, noted_run, reopened
    from cshub.cli.progress import load_bar
    from cshub.cli.run_report import finish_run
    from cshub.core.records import RunKind
    from cshub.pipeline.plans import apply_plan, run_id_for

    screen = begin(as_json)
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
        screen.show(f"Plan {plan_id}", counts_grid(made.counts.as_dict(), made.counts.skipped))
        screen.show(forecast_line(made.forecast))
        screen.confirm(f"Send {counted(made.counts.writes, 'write')}?", yes=yes)
        told.start(len(made.rows))
        done = apply_plan(run, kept)
    finish_run(screen, job, run_id, done.outcome.value, done.statistics, extra={"plan_id": plan_id})


def _applied(moment: str, finished: bool) -> str:
    return moment if finished else f"begun {moment}, not finished"


def _job_of(plan_id: str) -> str:
    from cshub.cli.asking import opened_ledger
    from cshub.cli.planning import kept_plan

    with opened_ledger() as ledger:
        return kept_plan(ledger, plan_id).job_id


def _show_previewed(screen: Screen, number: int, item: Previewed, mask: Mask) -> None:
    from rich.text import Text

    from cshub.cli.wording import explained, worded

    words, style = FATES[item.fate]
    known = {"create": "", "reject": item.reason, "skip": worded(item.reason)}
    because = known.get(item.fate, explained(item.rule))
    screen.show(
        Text.assemble(
            (f"{number:>2}  ", "dim"),
            (printable(item.record.key), "bold"),
            "  ",
            (words, f"bold {style}"),
            (f": {printable(because)}" if because else "", style),
        )
    )
    rows = [
        (
            field.source,
            shown(mask.value(field.target, field.source_value), 60),
            field.target,
            shown(mask.value(field.target, field.target_value), 60),
        )
        for field in item.fields
    ]
    screen.show(grid(("source field", "source value", "target attribute", "target value"), rows, indent=4), "")


def _show_plan(screen: Screen, made: MadePlan, mask: Mask, *, show_all: bool) -> None:
    from rich.text import Text

    from cshub.cli.plan_rows import counts_grid, forecast_line, row_block, sorted_rows, worth_showing

    screen.show(Text.assemble("Plan ", (made.plan_id or made.run_id, "bold")), made.window.as_text(), "")
    screen.show(counts_grid(made.counts.as_dict(), made.counts.skipped), "")
    rows = sorted_rows(made.rows)
    listed = rows if show_all else worth_showing(rows)[:SHOWN_ROWS]
    for row in listed:
        screen.show(*row_block(row, mask), "")
    left = len(worth_showing(rows)) - len(listed)
    if not show_all and left > 0:
        screen.show(f"… and {counted(left, 'more row')}: --all shows them, --csv writes them to a file.", "")
    if made.rejects:
        cells = [
            (it.source_key, it.field, it.reason, shown(mask.value(it.field, it.value) or None, 40))
            for it in made.rejects
        ]
        screen.show(Text("Rejected by the mapping", style="bold red"))
        screen.show(grid(("=record", "attribute", "reason", "value"), cells[:SHOWN_ROWS]), "")
    for item in made.excesses:
        words = f"{item['planned']} {item['operation']}s pass the job's guard ({item['limit']}): a run would wait."
        screen.show(Text(words, style="bold yellow"))
    screen.show(forecast_line(made.forecast))
    if made.applied_at is not None:
        screen.show(f"It was applied by {made.applied_run_id}.")
    elif made.counts.writes and made.plan_id is not None:
        screen.show(f"Nothing was sent. Apply it with: cshub apply {made.plan_id}")


def _plan_document(made: MadePlan, mask: Mask) -> dict[str, Any]:
    from cshub.cli.plan_rows import row_document

    return {
        "plan_id": made.plan_id,
        "job": made.job_id,
        "run_id": made.run_id,
        "window": _window(made.window),
        "counts": made.counts.as_dict(),
        "skipped": dict(made.counts.skipped),
        "forecast": {"calls": made.forecast.calls, "seconds": round(made.forecast.seconds, 1)},
        "guard": list(made.excesses),
        "statistics": made.statistics.as_dict(),
        "rows": [row_document(row, mask) for row in made.rows],
        "rejects": [
            {
                "source_key": item.source_key,
                "field": item.field,
                "reason": item.reason,
                "remedy": item.remedy,
                "value": mask.value(item.field, item.value),
            }
            for item in made.rejects
        ],
        "created_at": made.created_at,
        "applied_at": made.applied_at,
        "applied_run_id": made.applied_run_id,
    }


def _window(window: Window) -> dict[str, str]:
    return {"start": window.start.isoformat(), "end": window.end.isoformat()}

"""`cshub status`, `history`, `rejects` and `why`: what cshub remembers of jobs, runs and records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.cli.options import JobId, Json, ShowPersonal, examples
from cshub.cli.screen import Screen, begin, counted, facts, grid, printable, shown

if TYPE_CHECKING:
    from cshub.cli.job_status import JobStatus
    from cshub.ledger import RejectRow, RunRow

PANEL = "Looking back"
SHORT_ERROR = 160  # characters of a run's error in a table
REJECT_HEADER = (
    "source_key", "step", "attribute", "reason", "remedy", "value", "attempts", "first_run", "last_run", "last_at",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL, epilog=examples("cshub status", "cshub status chorus_touchpoints_inbound"))(
        status
    )
    app.command(rich_help_panel=PANEL, epilog=examples("cshub history chorus_touchpoints_inbound --limit 5"))(history)
    app.command(
        rich_help_panel=PANEL,
        epilog=examples(
            "cshub rejects chorus_touchpoints_inbound", "cshub rejects chorus_touchpoints_inbound --csv rejects.csv"
        ),
    )(rejects)
    app.command(
        rich_help_panel=PANEL,
        epilog=examples("cshub why chorus_touchpoints_inbound 7F3D90C1A2B34C5D8E6F708192A3B4C5"),
    )(why)


def status(
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="One job in detail.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Show the jobs: last run and its outcome, what waits, how far was read, when the next run is due."""
    from cshub.cli.asking import name_default_ledger, opened_ledger
    from cshub.cli.job_status import status_document, status_of
    from cshub.library import JobLibrary

    screen = begin(as_json)
    library = JobLibrary.from_settings()
    if job is not None:
        library.path_of(job)
    name_default_ledger(screen)
    with opened_ledger() as ledger:
        found = [status_of(name, library, ledger) for name in ([job] if job else library.job_ids())]
    if job is not None:
        _show_one(screen, found[0])
    else:
        _show_all(screen, found)
    screen.document({"jobs": [status_document(item) for item in found]})


def history(
    job: JobId,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many runs, the newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List the runs of a job, newest first."""
    from cshub.cli.asking import local_time, name_default_ledger, opened_ledger
    from cshub.cli.job_status import run_document, seen_outcome, short_run
    from cshub.library import JobLibrary

    screen = begin(as_json)
    name_default_ledger(screen)
    with opened_ledger() as ledger:
        found = ledger.runs(job, limit=limit)
        outcomes = {row.run_id: seen_outcome(row, ledger) for row in found}
    if found:
        rows = [
            (
                local_time(row.opened_at),
                row.kind.value,
                _outcome(outcomes[row.run_id]),
                _told(row),
                short_run(row),
            )
            for row in found
        ]
        screen.show(grid(("=started", "=kind", "=outcome", "records", "run"), rows))
    else:
        JobLibrary.from_settings().path_of(job)
        screen.show(f"{job} has not run yet. Start it with `cshub run {job}`.")
    screen.document({"job": job, "runs": [run_document(row, outcomes[row.run_id]) for row in found]})


def rejects(
    job: JobId,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Only those that this run rejected last; settled ones too.")
    ] = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write them as CSV; - is standard output.")] = None,
    show_personal: ShowPersonal = False,
    as_json: Json = False,
) -> None:
    """List the rows that were rejected or failed and are not settled yet, with reason, remedy and attempts.

    They are tried again in every run. The CSV is safe to open in a spreadsheet.
    """
    from cshub.cli.asking import name_default_ledger, opened_ledger
    from cshub.cli.csv_text import STDOUT, write_csv
    from cshub.cli.planning import mask_of
    from cshub.library import JobLibrary

    screen = begin(as_json)
    if csv == STDOUT and screen.as_json:
        raise typer.BadParameter("standard output cannot hold both JSON and CSV: name a file", param_hint="--csv")
    mask = mask_of(JobLibrary.from_settings().bound(job), show_personal=show_personal)
    name_default_ledger(screen)
    with opened_ledger() as ledger:
        full_id = run if run is None or run.startswith(f"{job}:") else f"{job}:{run}"
        found = ledger.rejects(job, run_id=full_id, only_open=run is None)
    values = [mask.value(item.field, item.value) for item in found]
    if csv is not None:
        lines = [_reject_line(item, value) for item, value in zip(found, values, strict=True)]
        count = write_csv(csv, REJECT_HEADER, lines)
        screen.note(f"{counted(count, 'line')} written to {csv}")
    elif found:
        for item, value in zip(found, values, strict=True):
            _show_reject(screen, item, value)
        rows = len({item.source_key for item in found})
        screen.show(f"{counted(rows, 'record')}. Try them again now with: cshub retry {job}")
    else:
        screen.show(f"Nothing of {job} is rejected.")
    screen.document(
        {
            "job": job,
            "rejects": [
                dict(zip(REJECT_HEADER, _reject_line(item, value), strict=True))
                for item, value in zip(found, values, strict=True)
            ],
        }
    )


def why(
    job: JobId,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Id of the record on either side.")],
    show_personal: ShowPersonal = False,
    as_json: Json = False,
) -> None:
    """Explain a record: where it stands, every decision with its rule, before → after, and the service's answer.

    In a two-way sync: of both jobs in the order of time, with the values that won and lost each conflict.
    """
    from cshub.cli.asking import name_default_ledger
    from cshub.cli.story import story_of
    from cshub.cli.story_report import show_story, story_document

    screen = begin(as_json)
    name_default_ledger(screen)
    story = story_of(job, key, show_personal=show_personal)
    if not screen.as_json:
        show_story(screen, story)
    screen.document(story_document(story))


def _show_all(screen: Screen, found: list[JobStatus]) -> None:
    from cshub.cli.asking import local_time

    if not found:
        screen.show("There are no jobs. Add a YAML file to the jobs folder (CSHUB_JOBS_DIR).")
        return
    rows = [
        (
            item.job_id,
            local_time(item.last.opened_at) if item.last else "never",
            _outcome(item.last_outcome) if item.last else "–",
            _waiting(item) or "nothing",
            local_time(item.next_at) if item.next_at else item.schedule.rpartition(", ")[2],
        )
        for item in found
    ]
    screen.show(grid(("=job", "=last run", "=outcome", "waits", "=next run"), rows))
    for item in found:
        if item.last is not None and _reason(item.last):
            screen.show(f"✗ {item.job_id}: {_reason(item.last)} More: cshub status {item.job_id}")
        if item.planned is not None:
            screen.show(f"{item.job_id}: {_planned(item.planned)}; nothing was sent")
        if item.faults:
            screen.show(f"✗ {item.job_id} has {counted(item.faults, 'fault')}: cshub validate {item.job_id}")
        if item.open_intents:
            lost = counted(item.open_intents, "write")
            screen.show(f"! {item.job_id}: {lost} without a known answer; the next run looks for what they made.")


def _show_one(screen: Screen, item: JobStatus) -> None:
    from rich.text import Text

    from cshub.cli.asking import local_time
    from cshub.cli.job_status import short_run
    from cshub.cli.run_report import statistics_grid

    last = item.last
    rows: list[tuple[str, Any]] = [
        ("job", Text(item.job_id, style="bold")),
        ("name", item.name),
        *([("pair", f"two-way with {item.partner}")] if item.partner else []),
        ("schedule", item.schedule),
        ("next run", local_time(item.next_at)),
        ("read up to", local_time(item.watermark)),
        ("last run", local_time(last.opened_at) if last else "never"),
        ("outcome", _outcome(item.last_outcome) if last else "–"),
        ("run", short_run(last) if last else "–"),
        *([("later", f"{_planned(item.planned)}; nothing was sent")] if item.planned else []),
        (
            "linked",
            ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in item.links.items()) or "nothing",
        ),
        ("waits", _waiting(item) or "nothing"),
        ("writes without a known answer", item.open_intents),
    ]
    screen.show(facts(rows), "")
    if last is not None and last.statistics is not None:
        screen.show(statistics_grid(last.statistics))
    for row in (last, item.planned):
        if row is not None and row.error:
            screen.show(Text(f"{short_run(row)}: {printable(row.error)}", style="red"))
    if item.faults:
        screen.show(f"✗ {counted(item.faults, 'fault')} in the files: cshub validate {item.job_id}")


def _waiting(item: JobStatus) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in item.waiting.items())


def _planned(row: RunRow) -> str:
    from cshub.cli.asking import local_time

    return f"{row.outcome.value} {local_time(row.opened_at)} ({row.kind.value})"


def _told(row: RunRow) -> Any:
    from rich.text import Text

    reason = _reason(row)
    return Text.assemble(_numbers(row), (f"\n{reason}" if reason else "", "red"))


def _reason(row: RunRow) -> str:
    """Why a run is red, in one line of a table; empty for others."""
    return shown(row.error, SHORT_ERROR) if row.error and row.outcome.value == "red" else ""


def _outcome(outcome: str) -> Any:
    from rich.text import Text

    from cshub.cli.run_report import STYLES

    return Text(outcome, style=STYLES[outcome])


def _numbers(row: RunRow) -> str:
    from cshub.cli.wording import worded

    if row.statistics is None:
        return "–"
    numbers = row.statistics.as_dict()
    told = ("read", "created", "updated", "deleted", "unchanged", "conflicts_kept", "parked", "rejected", "failed")
    skipped = row.statistics.skipped_total
    words = [f"{numbers[name]:,} {worded(name)}" for name in told if numbers[name]]
    return ", ".join([*words, *([f"{skipped:,} skipped"] if skipped else [])]) or "nothing read"


def _show_reject(screen: Screen, item: RejectRow, value: Any) -> None:
    from rich.text import Text

    attempts = f"{item.step}, {counted(item.attempts, 'attempt')}"
    settled = ", settled" if item.resolved_at else ""
    screen.show(
        Text.assemble((printable(item.source_key), "bold"), (f"  {attempts}{settled}", "dim")),
        Text.assemble("  ", printable(item.field), ": ", (printable(item.reason), "red")),
    )
    if value:
        screen.show(Text(f"  value   {shown(value)}", style="dim"))
    if item.remedy:
        screen.show(Text(f"  remedy  {printable(item.remedy)}", style="green"))
    screen.show("")


def _reject_line(item: RejectRow, value: Any) -> tuple[Any, ...]:
    head = (item.source_key, item.step, item.field, item.reason, item.remedy, value)
    return (*head, item.attempts, item.first_run_id, item.last_run_id, item.last_at.isoformat())

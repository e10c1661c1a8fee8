"""`cshub ledger rebuild`: the links of a lost ledger, made again from what both systems hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.cli.options import JobId, Json, ShowPersonal, examples
from cshub.cli.screen import Screen, begin, counted, grid, shown
from cshub.cli.wording import worded

if TYPE_CHECKING:
    from cshub.cli.personal import Mask
    from cshub.pipeline.rebuild import Rebuilt, Rest

SHOWN = 20
TITLE_SHOWN = 40
CSV_HEADER = ("job", "record", "account", "date", "title", "why", "fits", "next_step")
CLUES: Mapping[str, str] = {
    "id_carried": "the target's record carries the id of the source's",
    "id_named": "the source's record names the id of the target's",
    "id_carried_alike": "the same account, and an id that is the same but for capitals",
    "id_named_alike": "the same account, and an id that is the same but for capitals",
    "everything": "the same account, date, texts and all else",
    "date_and_texts": "the same account, date and texts",
    "date_and_a_text": "the same account, date and long text; the title differs",
    "texts": "the same account and texts, on another date",
    "date_and_title": "the same account, date and title; the long text differs",
    "moment": "the same account and moment; the texts differ",
}
WHYS: Mapping[str, str] = {
    "several_fit": "several records may be its own, or too little tells that one is",
    "rejected": "the mapping rejects it",
    "no_account": "its account is not in the target",
    "none_fits": "nothing is like it: it is new",
}
NEXT_STEPS: Mapping[str, str] = {
    "several_fit": "no run makes it. Change the title of one alike on both sides, and rebuild again with --add; "
    "or have it made: cshub run {job} --record {key}",
    "none_fits": "the next run makes it, if the job makes new records",
    "no_account": "it waits for its account, as always; if that comes back with its records, rebuild with --add",
    "rejected": "correct it and rebuild again with --add before the next run, which may make it anew",
}


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "cshub ledger rebuild salesforce_touchpoints_inbound --dry-run",
            "cshub ledger rebuild salesforce_touchpoints_inbound --unmatched unmatched.csv",
            "cshub ledger rebuild chorus_touchpoints_inbound --add",
        )
    )(rebuild)


def rebuild(
    job: JobId,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look: show the same table, keep nothing.")] = False,
    add: Annotated[
        bool,
        typer.Option("--add", help="Keep the links that are there, and match only records that have none."),
    ] = False,
    unmatched: Annotated[
        str | None,
        typer.Option(
            "--unmatched", metavar="FILE", help="Also write all that was not matched, as CSV; - is standard output."
        ),
    ] = None,
    show_personal: ShowPersonal = False,
    as_json: Json = False,
) -> None:
    """Link again what belongs together, after the ledger was lost or an old copy was restored.

    Both systems are read as far back as a full sync reads them, and neither is written to.
    Records are matched by ids that they carry, then by account, date and texts. Where several
    fit, nothing is chosen: such a record is listed, and no run makes it until you name it.

    The links serve both jobs of a two-way sync. Pause their DAGs first, look with --dry-run.
    """
    from cshub.cli.asking import asked_of, name_ledger
    from cshub.cli.csv_text import STDOUT, write_csv
    from cshub.cli.plan_report import refuse_two_documents
    from cshub.cli.planning import mask_of, new_run_id, noted_run
    from cshub.cli.progress import spinner
    from cshub.core.records import RunKind
    from cshub.pipeline import rebuild as step

    screen = begin(as_json)
    refuse_two_documents(screen, unmatched, option="--unmatched")
    screen.go_on = f"cshub ledger rebuild {job} --add"
    name_ledger(screen)
    _, now = asked_of(None, None)
    run_id = new_run_id(job, "rebuild", now)
    kind = RunKind.DRY if dry_run else RunKind.REBUILD
    with spinner(screen) as told, noted_run(job, run_id, kind, on_progress=told) as run:
        done = step.rebuild(run, add=add, dry_run=dry_run)
        masks = {look.bound.id: mask_of(look.bound, show_personal=show_personal) for look in step.directions(run)}
    if unmatched is not None:
        count = write_csv(unmatched, CSV_HEADER, _csv_rows(done, masks))
        screen.note(f"{counted(count, 'record')} written to {unmatched}")
    if unmatched != STDOUT:
        command = f"cshub ledger rebuild {job}{' --add' if add else ''}"
        _show(screen, command, done, masks, dry_run=dry_run, listed=unmatched is not None)
    screen.document(_document(job, None if dry_run else run_id, done, masks))


def _show(
    screen: Screen, command: str, done: Rebuilt, masks: Mapping[str, Mask], *, dry_run: bool, listed: bool
) -> None:
    """``command``: which keeps what a dry run has shown."""
    from rich.text import Text

    headline = "would be linked; nothing was kept" if dry_run else "linked; nothing was sent"
    screen.show(Text(f"{counted(done.pairs, 'pair')} {headline}", style="bold"))
    read = ", ".join(f"{number:,} by {name}" for name, number in done.read.items())
    rows: list[tuple[Any, ...]] = [("read", f"{sum(done.read.values()):,}", read)]
    rows += [("linked before", f"{done.linked:,}", "they stay as they are")] if done.linked else []
    rows += [("matched", f"{number:,}", CLUES[clue.value]) for clue, number in done.matched.items()]
    left_out = sum(done.left_out.values())
    rows += [("left out", f"{left_out:,}", "by skip rules of the mapping")] if left_out else []
    rows += [(worded(why), f"{number:,}", WHYS[why.value]) for why, number in done.why.items()]
    screen.show(grid(("=records", "#", ""), rows), "")
    if done.rest:
        cells = [_cells(item, masks) for item in done.rest[:SHOWN]]
        screen.show(Text("Not matched", style="bold yellow"))
        screen.show(grid(("=record", "account", "=date", "title", "=why", "fits, or the reason"), cells), "")
        for why in done.why:
            screen.show(f"{worded(why)}: {NEXT_STEPS[why.value].format(job='JOB', key='ID')}")
        if len(done.rest) > SHOWN and not listed:
            more = counted(len(done.rest) - SHOWN, "more record")
            screen.show(f"… and {more}: --unmatched FILE writes all of them.")
        screen.show("")
    if dry_run:
        screen.show(f"Keep it with: {command}" if done.pairs else "There is nothing to keep.")
    else:
        jobs = " and ".join(f"`cshub plan {name} --full`" for name in done.read)
        screen.show(f"Look at what the next runs would do before you switch the DAGs on: {jobs}")


def _cells(item: Rest, masks: Mapping[str, Mask]) -> tuple[str | None, ...]:
    date = item.dated_on[: len("2026-11-20")]
    is_rejected = item.why.value == "rejected"  # what stands for its title is the reason
    title = None if is_rejected else shown(_title(item, masks) or None, TITLE_SHOWN)
    fits = item.title if is_rejected else ", ".join(item.fits)
    return item.key, item.account or None, date or None, title, worded(item.why), fits or None


def _title(item: Rest, masks: Mapping[str, Mask]) -> str:
    return str(masks[item.job_id].value(item.titled_by, item.title) or "")


def _csv_rows(done: Rebuilt, masks: Mapping[str, Mask]) -> Iterator[tuple[Any, ...]]:
    for item in done.rest:
        step = NEXT_STEPS[item.why.value].format(job=item.job_id, key=item.key)
        title, fits = _title(item, masks), " ".join(item.fits)
        yield item.job_id, item.key, item.account, item.dated_on, title, WHYS[item.why.value], fits, step


def _document(job: str, run_id: str | None, done: Rebuilt, masks: Mapping[str, Mask]) -> dict[str, Any]:
    return {
        "job": job,
        "run_id": run_id,
        "read": dict(done.read),
        "left_out": dict(done.left_out),
        "linked_before": done.linked,
        "matched": {clue.value: number for clue, number in done.matched.items()},
        "pairs": done.pairs,
        "unmatched": [
            {
                "job": item.job_id,
                "record": item.key,
                "account": item.account,
                "date": item.dated_on or None,
                "title": _title(item, masks),
                "why": item.why.value,
                "fits": list(item.fits),
                "next_step": NEXT_STEPS[item.why.value].format(job=item.job_id, key=item.key),
            }
            for item in done.rest
        ],
        "warnings": dict(done.warnings),
        "api_calls": dict(done.api_calls),
    }

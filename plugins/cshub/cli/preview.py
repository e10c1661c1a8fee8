"""`cshub preview`: the first records of a window as they will arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from cshub.cli.options import JobId, Json, ShowPersonal, Since, Until, examples
from cshub.cli.screen import Screen, begin, counted, grid, printable, shown

if TYPE_CHECKING:
    from cshub.cli.personal import Mask
    from cshub.cli.planning import Previewed

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
        rich_help_panel="Before a run",
        epilog=examples(
            "cshub preview chorus_touchpoints_inbound",
            "cshub preview chorus_touchpoints_inbound --limit 3 --from 2026-11-01 --to 2026-11-08",
        ),
    )(preview)


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
    from cshub.cli.plan_report import window_document
    from cshub.cli.plan_rows import forecast_document, forecast_line
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
            "window": window_document(window),
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
            "forecast": forecast_document(forecast),
        }
    )


def _show_previewed(screen: Screen, number: int, item: Previewed, mask: Mask) -> None:
    from rich.text import Text

    from cshub.cli.wording import explained_row, worded

    words, style = FATES[item.fate]
    known = {"create": "", "reject": item.reason, "skip": worded(item.reason)}
    because = known.get(item.fate, explained_row(item.fate, item.rule, item.reason))
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

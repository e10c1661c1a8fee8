"""Options that several commands share, and how their help shows examples."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.", show_default=False)]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of a job: the name of its file in the jobs folder.")]
Since = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="MOMENT",
        help="Start of the window, part of it: 2026-11-01 or 2026-11-01T08:00Z. Without a zone: the hub's zone.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="MOMENT",
        help="End of the window, not part of it: --from 2026-11-01 --to 2026-11-08 is seven days. Default: now.",
    ),
]
Full = Annotated[
    bool,
    typer.Option(
        "--full",
        help="Full sync: ignore what earlier runs have read. Linked records that the source no longer lists are asked "
        "for by id, so deletions that it can still prove are found too.",
    ),
]
Records = Annotated[
    list[str] | None,
    typer.Option(
        "--record",
        metavar="KEY",
        help="Only this record, by its id in the source; may be given several times. Salesforce ids in any form, "
        "those of 15 characters with their capitals. One that was deleted in the target is made again.",
    ),
]
Csv = Annotated[
    str | None, typer.Option("--csv", metavar="FILE", help="Also write every change; - is standard output.")
]
ShowAll = Annotated[bool, typer.Option("--all", help="Show every row, not the first 20 that matter.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Go ahead without asking.")]
Deletions = Annotated[
    int | None,
    typer.Option(
        "--deletions",
        metavar="NUMBER",
        min=1,
        help="Agree to delete so many records where the job's guard allows fewer, instead of typing the number.",
    ),
]
ShowPersonal = Annotated[
    bool, typer.Option("--show-personal", help="Show personal attributes; otherwise a•••, first letter only.")
]


def examples(*lines: str) -> str:
    """The epilog of a command's help: each example on its own line."""
    return "\n".join(["[bold]Examples[/bold]", *(f"  [cyan]{line}[/cyan]" for line in lines)])


def refuse_beside_records(records: list[str] | None, *more: object) -> None:
    """Named records are read by id and nothing else with them."""
    if records and any(more):
        raise typer.BadParameter(
            "named records are read by their ids and nothing else with them: leave out --from, --to and --full",
            param_hint="--record",
        )


def moment_of(text: str, zone: ZoneInfo, option: str) -> datetime:
    """An aware moment from ISO text; a date is its midnight, a time without zone is in ``zone``."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no date or time: write 2026-11-01 or 2026-11-01T08:00Z", param_hint=option
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def bounds_of(
    since: str | None, until: str | None, zone: ZoneInfo, *, now: datetime
) -> tuple[datetime, datetime] | tuple[None, None]:
    """Both bounds of the asked window, the end ``now`` unless given; no bounds when none was asked for."""
    if since is None:
        if until is not None:
            raise typer.BadParameter("the window has an end but no start: give --from too", param_hint="--to")
        return None, None
    start = moment_of(since, zone, "--from")
    end = moment_of(until, zone, "--to") if until is not None else now
    if end <= start:
        raise typer.BadParameter(
            f"the window ends at {end.isoformat()}, not after its start {start.isoformat()}", param_hint="--to"
        )
    return start, end

"""Plan rows as people and machines see them: field by field before → after, personal values masked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cshub.cli.personal import Mask
from cshub.cli.screen import counted, grid, printable, shown
from cshub.cli.wording import duration, explained_row, worded

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from cshub.core.planning import PlanRow
    from cshub.core.records import Change
    from cshub.pipeline.forecast import Forecast

STYLES: Mapping[str, str] = {
    "create": "green",
    "update": "yellow",
    "delete": "red",
    "conflict": "magenta",
    "park": "blue",
    "skip": "dim",
    "unchanged": "dim",
}
ORDER = tuple(STYLES)
CSV_HEADER = (
    "action", "source_key", "target_key", "account_id", "rule", "reason", "field", "before", "after", "winner",
)  # fmt: skip


def sorted_rows(rows: Iterable[PlanRow]) -> list[PlanRow]:
    """Writes first, then what waits, then what stays."""
    return sorted(rows, key=lambda row: ORDER.index(row.action.value))


def worth_showing(rows: Iterable[PlanRow]) -> list[PlanRow]:
    """Rows that change something or wait; of a plan that takes back a run also those that are left out."""
    return [row for row in rows if row.action.value not in {"unchanged", "skip"} or row.rule.value == "undone"]


def row_block(row: PlanRow, mask: Mask) -> list[RenderableType]:
    """One record: what happens and why, then its fields."""
    from rich.text import Text

    line = Text.assemble(
        (f"{row.action.value.upper():<9}", f"bold {STYLES[row.action.value]}"),
        (printable(row.source_key), "bold"),
        f" → {printable(row.target_key)}" if row.target_key else "",
        f"  account {printable(row.account_id)}" if row.account_id else "",
    )
    block: list[RenderableType] = [line, Text(f"         {_why(row)}", style="dim")]
    if row.changes:
        cells = [(item.field, *_sides(item, mask), _kept(item)) for item in row.changes]
        with_note = any(cell[3] for cell in cells)
        columns = ("field", "before", "after", "") if with_note else ("field", "before", "after")
        block.append(grid(columns, [cell[: len(columns)] for cell in cells], indent=9))
    return block


def csv_rows(rows: Iterable[PlanRow], mask: Mask) -> Iterator[Sequence[Any]]:
    """One line per changed field; a record without changes has one line."""
    for row in rows:
        head = (row.action.value, row.source_key, row.target_key, row.account_id, row.rule.value, row.reason)
        if not row.changes:
            yield (*head, None, None, None, None)
        for item in row.changes:
            yield (
                *head,
                item.field,
                mask.value(item.field, item.before),
                mask.value(item.field, item.after),
                item.winner,
            )


def row_document(row: PlanRow, mask: Mask) -> dict[str, Any]:
    return {
        "action": row.action.value,
        "source_key": row.source_key,
        "target_key": row.target_key,
        "account_id": row.account_id,
        "rule": row.rule.value,
        "why": _why(row),
        "reason": row.reason,
        "changes": [change_document(item, mask) for item in row.changes],
        "warnings": list(row.warnings),
    }


def change_document(item: Change, mask: Mask) -> dict[str, Any]:
    return {
        "field": item.field,
        "before": mask.value(item.field, item.before),
        "after": mask.value(item.field, item.after),
        "winner": item.winner,
    }


def counts_grid(counts: Mapping[str, int], skipped: Mapping[str, int]) -> RenderableType:
    """How many records each action has; skips by reason."""
    from rich.text import Text

    rows: list[Sequence[Any]] = []
    for name in ORDER:
        number = counts.get(name, 0)
        style = STYLES[name] if number else "dim"
        why = ", ".join(f"{count} {worded(reason)}" for reason, count in skipped.items()) if name == "skip" else ""
        rows.append((Text(name, style=style), Text(f"{number:,}", style=style), Text(why, style="dim")))
    return grid(("action", "#records", ""), rows)


def excess_lines(excesses: Sequence[Mapping[str, Any]]) -> list[Text]:
    """What of a plan exceeds the job's guard, a line each."""
    from rich.text import Text

    told = "more than the job's guard allows, a run would wait for a person."
    return [Text(f"{item['text']}: {told}", style="bold yellow") for item in excesses]


def forecast_line(forecast: Forecast) -> str:
    if not forecast.calls:
        return "There is nothing to apply: no call would be made."
    cost = f"Applying it takes about {calls_text(forecast)} and"
    if forecast.waits_s < 1:
        return f"{cost} about {duration(forecast.seconds)}."
    return (
        f"{cost} at least {duration(forecast.seconds)}.\n"
        f"That is more than is left of the call budget: {duration(forecast.waits_s)} of it are waiting."
    )


def calls_text(forecast: Forecast) -> str:
    """Calls by system, the most first: ``75 calls to Totango, 12 calls to Salesforce``."""
    most_first = sorted(forecast.by_system.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{counted(number, 'call')} to {system.capitalize()}" for system, number in most_first)


def forecast_document(forecast: Forecast) -> dict[str, Any]:
    """``calls``: to all systems."""
    seconds = round(forecast.seconds, 1)
    return {"calls": forecast.calls, "by_system": dict(forecast.by_system), "seconds": seconds}


def _why(row: PlanRow) -> str:
    return explained_row(row.action.value, row.rule.value, row.reason)


def _sides(item: Change, mask: Mask) -> tuple[str, str]:
    return shown(mask.value(item.field, item.before), 60), shown(mask.value(item.field, item.after), 60)


def _kept(item: Change) -> str:
    return "the target's value stays" if item.winner == "target" else ""

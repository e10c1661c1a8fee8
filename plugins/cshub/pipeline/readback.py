"""Read back what was written, in bulk: the ids a create does not return, and the values the service really keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cshub.core.errors import TransientError
from cshub.core.objects import Role
from cshub.core.planning import PlanRow
from cshub.core.records import Action, Link, Origin, TargetRecord
from cshub.core.values import fingerprints, parse_moment
from cshub.core.window import Window
from cshub.pipeline.run import Run
from cshub.pipeline.writes import Writer, was_edited

SEARCH_LAG_S = 3.0  # docs/vendors/totango.md §6.2, row "Read-after-write"
BATCH = 500


def read_back(writer: Writer, rows: Sequence[PlanRow]) -> int:
    """Complete the links of written rows; returns how many were completed.

    Rows that the search does not show yet are completed by the next run, which reads them anyway; a service that does
    not answer here spoils nothing.
    """
    run = writer.run
    dated = _dates(run, rows)
    if not dated:
        return 0
    run.note("reading back what was written")
    run.clock.sleep(SEARCH_LAG_S)
    window = Window(min(dated.values()), max(dated.values()) + timedelta(milliseconds=1))
    try:
        found = {record.key: record for page in run.target.read_window(window) for record in page}
    except TransientError:
        return 0
    links = run.ledger.links(run.pair_id, [row.source_key for row in rows])
    by_key = {row.source_key: row for row in rows}
    completed = [
        _completed(run, link, by_key[link.source_key], found[link.target_key])
        for link in links.values()
        if link.target_key in found and _is_newer(link, found[link.target_key])
    ]
    for start in range(0, len(completed), BATCH):
        batch = completed[start : start + BATCH]
        run.ledger.record(writer.fence, run.run_id, links=batch, decisions=[], now=run.clock.now())
    return len(completed)


def _dates(run: Run, rows: Sequence[PlanRow]) -> dict[str, datetime]:
    name = run.mapping.attribute_with(Role.DATE)
    return {
        row.source_key: parse_moment(row.values[name])
        for row in rows
        if name and row.origin is Origin.WINDOW and row.values.get(name)
    }


def _is_newer(link: Link, record: TargetRecord) -> bool:
    """Whether the search shows the record as it was after our write, by the service's own clock."""
    if link.target_base is None or link.target_modified_at is None or record.modified_at is None:
        return link.target_base is None
    return record.modified_at > link.target_modified_at


def _completed(run: Run, link: Link, row: PlanRow, record: TargetRecord) -> Link:
    now = fingerprints(record.values, run.mapping.kinds)
    written = {change.field for change in row.changes if change.winner == "source"}
    kept = {name: mark for name, mark in (link.target_base or {}).items() if name not in written}
    if row.action is Action.CREATE and was_edited(record):
        kept = {**{name: mark for name, mark in row.source_base.items() if name in now}, **kept}
    return replace(
        link,
        target_base={**now, **kept},
        target_extra={**link.target_extra, **record.extra},
        target_modified_at=record.modified_at,
    )

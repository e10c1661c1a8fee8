"""A plan that waited: plan its rows afresh and name those that would come out otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from cshub.core.planning import PlanRow
from cshub.pipeline.diff import plan_mapped
from cshub.pipeline.extract import read_named
from cshub.pipeline.map import map_now
from cshub.pipeline.run import Run
from cshub.pipeline.taking_back import undo_rows


def moved_rows(run: Run, rows: Sequence[PlanRow], *, undoes: str | None = None) -> list[PlanRow]:
    """Rows whose source, target or link changed since they were planned. ``undoes``: the run that they take back."""
    if not rows:
        return []
    if undoes is not None:
        now = {row.source_key: row for row in undo_rows(run, undoes, frozenset(row.source_key for row in rows))}
        return [row for row in rows if not _same(row, now.get(row.source_key))]
    origins = {row.source_key: row.origin for row in rows}
    received = read_named(run, list(origins))
    records, _ = map_now(run, [(record, origins.get(record.key, origin)) for record, origin in received])
    fresh = {row.source_key: row for row in plan_mapped(run, records)}
    return [row for row in rows if not _same(row, fresh.get(row.source_key))]


def _same(planned: PlanRow, now: PlanRow | None) -> bool:
    return (
        now is not None
        and (planned.action, planned.target_key, planned.account_id, planned.link_version)
        == (
            now.action,
            now.target_key,
            now.account_id,
            now.link_version,
        )
        and (dict(planned.values), list(planned.changes)) == (dict(now.values), list(now.changes))
    )

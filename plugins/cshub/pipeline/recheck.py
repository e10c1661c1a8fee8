"""A plan that waited: plan its rows afresh and name those that would come out otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cshub.core.linking import written_fields
from cshub.core.objects import Kind
from cshub.core.planning import PlanRow
from cshub.core.records import Action
from cshub.core.values import fingerprints
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
        return [row for row in rows if not _same(row, now.get(row.source_key), run.kinds)]
    origins = {row.source_key: row.origin for row in rows}
    received = [(record, origins.get(record.key, origin)) for record, origin in read_named(run, list(origins))]
    fresh = {row.source_key: row for row in plan_mapped(run, map_now(run, received)[0])}
    return [row for row in rows if not _same(row, fresh.get(row.source_key), run.kinds)]


def _same(planned: PlanRow, now: PlanRow | None, kinds: Mapping[str, Kind]) -> bool:
    """Whether the row would do the same. One way of reading the target may show more of a record than another."""
    if now is None or _aim(planned) != _aim(now):
        return False
    if planned.action is Action.DELETE:
        return True
    shown = fingerprints(planned.values, kinds), fingerprints(now.values, kinds)
    both = shown[0].keys() & shown[1].keys()
    sent = [written_fields(row) for row in (planned, now)]
    return sent[0] == sent[1] and sent[0] <= both and all(shown[0][name] == shown[1][name] for name in both)


def _aim(row: PlanRow) -> tuple[object, ...]:
    return row.action, row.target_key, row.account_id, row.link_version

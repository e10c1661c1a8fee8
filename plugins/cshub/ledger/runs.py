"""Runs and watermarks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, case, func, select, true, update

from cshub.core.errors import StateError
from cshub.core.records import Pair, RunKind, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.ledger.rows import RunRow
from cshub.ledger.statements import insert_into
from cshub.ledger.tables import run, watermark


class RunPlace(NamedTuple):
    """Which run, and what it belongs to."""

    run_id: str
    number: int
    job_id: str
    pair: Pair | None


def open_one(
    connection: Connection, values: Mapping[str, Any], pair: Pair | None, window: Window | None, now: datetime
) -> RunRow:
    inserted = insert_into(connection, run).values(
        **values,
        pair_id=pair and pair.number,
        mirrored=bool(pair and pair.mirrored),
        window_start=window and window.start,
        window_end=window and window.end,
        attempt=1,
        outcome=RunOutcome.RUNNING.value,
        opened_at=now,
        updated_at=now,
    )
    reopened = {
        "attempt": run.c.attempt + 1,
        "outcome": RunOutcome.RUNNING.value,
        "updated_at": now,
        "closed_at": None,
        "error": None,
        "job_digest": inserted.excluded.job_digest,
        "pair_id": func.coalesce(run.c.pair_id, inserted.excluded.pair_id),
        "mirrored": case((run.c.pair_id.is_(None), inserted.excluded.mirrored), else_=run.c.mirrored),
        "window_start": func.coalesce(run.c.window_start, inserted.excluded.window_start),
        "window_end": func.coalesce(run.c.window_end, inserted.excluded.window_end),
    }
    statement = inserted.on_conflict_do_update(index_elements=[run.c.run_id], set_=reopened).returning(*run.c)
    stored = _row(connection.execute(statement).one())
    if stored.job_id != values["job_id"] or pair not in (None, stored.pair):
        raise StateError(
            f"Run {stored.run_id!r} belongs to job {stored.job_id!r} and its pair, not to {values['job_id']!r}. "
            "Run ids must differ between jobs: put the job's name into the id."
        )
    return stored


def change(connection: Connection, run_id: str, now: datetime, **values: Any) -> None:
    changed = connection.execute(update(run).where(run.c.run_id == run_id).values(updated_at=now, **values))
    if changed.rowcount == 0:
        raise unknown(run_id)


def find(connection: Connection, run_id: str) -> RunRow | None:
    row = connection.execute(select(run).where(run.c.run_id == run_id)).one_or_none()
    return None if row is None else _row(row)


def newest(connection: Connection, job_id: str | None, limit: int) -> list[RunRow]:
    wanted = true() if job_id is None else run.c.job_id == job_id
    return [
        _row(row) for row in connection.execute(select(run).where(wanted).order_by(run.c.number.desc()).limit(limit))
    ]


def written_since(connection: Connection, job_ids: Collection[str], moment: datetime) -> list[RunRow]:
    here = run.c.job_id.in_(job_ids) & (run.c.updated_at > moment)
    return [_row(row) for row in connection.execute(select(run).where(here).order_by(run.c.number.desc()))]


def ended_before(connection: Connection, job_id: str, moment: datetime, kinds: Collection[RunKind]) -> RunRow | None:
    here = and_(
        run.c.job_id == job_id,
        run.c.opened_at <= moment,
        run.c.kind.in_([kind.value for kind in kinds]),
        run.c.closed_at.is_not(None),
        run.c.error.is_(None),
        run.c.outcome.in_([RunOutcome.GREEN.value, RunOutcome.RED.value]),
    )
    row = connection.execute(select(run).where(here).order_by(run.c.number.desc()).limit(1)).one_or_none()
    return None if row is None else _row(row)


def place(connection: Connection, run_id: str) -> RunPlace:
    """:class:`StateError` when the run was never opened."""
    row = connection.execute(
        select(run.c.number, run.c.job_id, run.c.pair_id, run.c.mirrored).where(run.c.run_id == run_id)
    ).one_or_none()
    if row is None:
        raise unknown(run_id)
    return RunPlace(run_id, row.number, row.job_id, _pair(row))


def unknown(run_id: str) -> StateError:
    return StateError(f"The ledger knows no run {run_id!r}: open the run before anything is recorded for it.")


def read_watermark(connection: Connection, job_id: str) -> datetime | None:
    return connection.execute(select(watermark.c.position).where(watermark.c.job_id == job_id)).scalar_one_or_none()


def move_watermark(
    connection: Connection, job_id: str, position: datetime, *, run_id: str, now: datetime, force: bool
) -> None:
    inserted = insert_into(connection, watermark).values(
        job_id=job_id, position=position, run_id=run_id, updated_at=now
    )
    moved = {"position": position, "run_id": run_id, "updated_at": now}
    forward = None if force else watermark.c.position < position
    connection.execute(inserted.on_conflict_do_update(index_elements=[watermark.c.job_id], set_=moved, where=forward))


def _row(row: Row[Any]) -> RunRow:
    return RunRow(
        run_id=row.run_id,
        job_id=row.job_id,
        pair=_pair(row),
        kind=RunKind(row.kind),
        window=window_of(row),
        job_digest=row.job_digest,
        attempt=row.attempt,
        outcome=RunOutcome(row.outcome),
        opened_at=row.opened_at,
        updated_at=row.updated_at,
        closed_at=row.closed_at,
        progress=row.progress or {},
        statistics=None if row.statistics is None else RunStatistics.from_dict(row.statistics),
        error=row.error,
    )


def _pair(row: Row[*tuple[Any, ...]]) -> Pair | None:
    return None if row.pair_id is None else Pair(row.pair_id, row.mirrored)


def window_of(row: Row[Any]) -> Window | None:
    """The window in a row's ``window_start`` and ``window_end``."""
    return None if row.window_start is None else Window(row.window_start, row.window_end)

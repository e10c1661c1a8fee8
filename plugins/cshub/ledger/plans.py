"""Plans that were kept, and whether they were applied."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from cshub.core.errors import StateError
from cshub.core.window import Window
from cshub.ledger.rows import PlanKind, PlanRow
from cshub.ledger.runs import window_of
from cshub.ledger.statements import insert_into
from cshub.ledger.tables import plan


def save(connection: Connection, values: Mapping[str, Any], window: Window | None, now: datetime) -> None:
    """Keep a plan. A repeated task may save the same plan again, unless it was applied meanwhile."""
    inserted = insert_into(connection, plan).values(
        **values, window_start=window and window.start, window_end=window and window.end, created_at=now
    )
    names = ("window_start", "window_end", "reference", "counts", "created_at", "kind", "undoes_run_id")
    same = (plan.c.job_id == values["job_id"]) & (plan.c.run_id == values["run_id"]) & plan.c.applied_at.is_(None)
    saved = connection.execute(
        inserted.on_conflict_do_update(
            index_elements=[plan.c.plan_id], set_={name: inserted.excluded[name] for name in names}, where=same
        ).returning(plan.c.plan_id)
    )
    if saved.one_or_none() is None:
        raise StateError(f"The plan {values['plan_id']!r} was applied or is another run's: make a new plan.")


def find(connection: Connection, plan_id: str) -> PlanRow | None:
    row = connection.execute(select(plan).where(plan.c.plan_id == plan_id)).one_or_none()
    return None if row is None else _row(row)


def newest(connection: Connection, job_id: str, limit: int) -> list[PlanRow]:
    wanted = select(plan).where(plan.c.job_id == job_id).order_by(plan.c.created_at.desc(), plan.c.plan_id).limit(limit)
    return [_row(row) for row in connection.execute(wanted)]


def mark_applied(connection: Connection, plan_id: str, run_id: str, now: datetime) -> None:
    """Give the plan to ``run_id``. The same run may ask again; any other gets :class:`StateError`."""
    row = connection.execute(select(plan).where(plan.c.plan_id == plan_id).with_for_update()).one_or_none()
    if row is None:
        raise StateError(
            f"There is no plan {plan_id!r}. List the plans of the job, or make a new one with `cshub plan`."
        )
    if row.applied_run_id not in (None, run_id):
        raise StateError(
            f"The plan {plan_id!r} was applied by run {row.applied_run_id!r} at {row.applied_at:%Y-%m-%d %H:%M} UTC. "
            "A plan is applied once: make a new one with `cshub plan`."
        )
    if row.applied_run_id is None:
        connection.execute(update(plan).where(plan.c.plan_id == plan_id).values(applied_at=now, applied_run_id=run_id))


def _row(row: Row[Any]) -> PlanRow:
    return PlanRow(
        plan_id=row.plan_id,
        job_id=row.job_id,
        pair_id=row.pair_id,
        run_id=row.run_id,
        window=window_of(row),
        reference=row.reference,
        counts=row.counts,
        created_at=row.created_at,
        applied_at=row.applied_at,
        applied_run_id=row.applied_run_id,
        kind=PlanKind(row.kind),
        undoes_run_id=row.undoes_run_id,
    )

from __future__ import annotations

import pytest

from cshub.core.errors import StateError
from cshub.ledger import Ledger, PlanKind, PlanRow
from tests.ledger.cast import JOB, MINUTE, NOW, WINDOW, pair_of


def save(ledger: Ledger, plan_id: str = "plan-1", *, run_id: str = "run-1", minutes: int = 0) -> None:
    ledger.save_plan(
        plan_id,
        job_id=JOB,
        pair_id=pair_of(ledger).number,
        run_id=run_id,
        window=WINDOW,
        reference={"url": "file:///plan.parquet", "digest": "ab"},
        counts={"create": 2, "update": minutes},
        now=NOW + minutes * MINUTE,
    )


def test_a_plan_is_kept_and_given_to_one_run(ledger: Ledger) -> None:
    assert ledger.plan("plan-1") is None
    save(ledger)
    reference = {"url": "file:///plan.parquet", "digest": "ab"}
    counts = {"create": 2, "update": 0}
    kept = PlanRow("plan-1", JOB, pair_of(ledger).number, "run-1", WINDOW, reference, counts, NOW, None, None)
    assert ledger.plan("plan-1") == kept
    ledger.mark_applied("plan-1", "apply-1", NOW + MINUTE)
    ledger.mark_applied("plan-1", "apply-1", NOW + 2 * MINUTE)
    applied = ledger.plan("plan-1")
    assert applied is not None
    assert (applied.applied_run_id, applied.applied_at) == ("apply-1", NOW + MINUTE)
    with pytest.raises(StateError, match="was applied by run 'apply-1' at 2026-11-20 23:01 UTC"):
        ledger.mark_applied("plan-1", "apply-2", NOW)


def test_an_unknown_plan_cannot_be_applied(ledger: Ledger) -> None:
    with pytest.raises(StateError, match="no plan 'plan-9'"):
        ledger.mark_applied("plan-9", "apply-1", NOW)


def test_a_repeated_task_saves_its_plan_again_until_it_is_applied(ledger: Ledger) -> None:
    save(ledger)
    save(ledger, minutes=3)
    again = ledger.plan("plan-1")
    assert again is not None
    assert (again.counts["update"], again.created_at) == (3, NOW + 3 * MINUTE)
    with pytest.raises(StateError, match="another run's"):
        save(ledger, run_id="run-2")
    ledger.mark_applied("plan-1", "apply-1", NOW)
    with pytest.raises(StateError, match="was applied"):
        save(ledger)


def test_plans_of_a_job_are_listed_newest_first(ledger: Ledger) -> None:
    for number in range(3):
        save(ledger, f"plan-{number}", minutes=number)
    assert [row.plan_id for row in ledger.plans(JOB, 2)] == ["plan-2", "plan-1"]
    assert ledger.plans("other") == []


def test_a_plan_that_takes_back_a_run_names_it(ledger: Ledger) -> None:
    plan = {"job_id": JOB, "pair_id": 1, "run_id": "undo-1", "window": None, "reference": {}, "counts": {}, "now": NOW}
    ledger.save_plan("undo", **plan, kind=PlanKind.UNDO, undoes="run-1")  # type: ignore[arg-type]
    kept = ledger.plan("undo")
    assert kept is not None
    assert (kept.kind, kept.undoes_run_id) == (PlanKind.UNDO, "run-1")

from __future__ import annotations

import pytest

from cshub.core.errors import StateError, TransientError
from cshub.core.jobs import TargetEdit
from cshub.core.records import RunKind, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.ledger import PlanRow as KeptPlan
from cshub.ledger import is_interrupted
from cshub.pipeline.load import Loaded
from cshub.pipeline.plans import apply_plan, is_finished, keep_plan, run_id_for
from tests.pipeline.cast import (
    absent_account,
    case,
    edit,
    meet,
    policy,
    revise,
    touchpoint_of,
    touchpoints_of,
    writes_of,
)
from tests.pipeline.crashes import Crash
from tests.pipeline.lab import Lab
from tests.pipeline.oracle import assert_held, made_by_hub, recent


def rehearse(lab: Lab) -> KeptPlan:
    """A dry run; its kept plan."""
    course = lab.course(RunKind.DRY)
    planned = course.plan()
    assert course.run and course.mapped and course.extracted
    plan_id = keep_plan(
        course.run,
        planned,
        rejects=course.mapped.rejects,
        statistics=course.mapped.statistics,
        window=course.extracted.window,
    )
    plan = lab.ledger.plan(plan_id)
    assert plan is not None
    return plan


def apply(lab: Lab, plan: KeptPlan, *, run_id: str | None = None) -> Loaded:
    return apply_plan(lab.new_run(RunKind.APPLY, run_id=run_id), plan)


def test_a_dry_run_writes_nothing_and_its_plan_does_exactly_what_it_shows(lab: Lab) -> None:
    plan = rehearse(lab)
    assert lab.written() == []
    lab.wait(seconds=20)
    loaded = apply(lab, plan)
    assert loaded.statistics.created == plan.counts["create"] == len(made_by_hub(lab.sandbox))
    assert "moved_since_plan" not in loaded.statistics.skipped
    assert_held(lab.sandbox, recent(lab.sandbox))


def test_a_plan_is_applied_once(lab: Lab) -> None:
    plan = rehearse(lab)
    apply(lab, plan)
    before = len(lab.written())
    with pytest.raises(StateError):
        apply(lab, plan)
    assert writes_of(lab, before) == []


def test_two_dry_runs_of_one_moment_keep_two_plans(quiet: Lab) -> None:
    meet(quiet)
    first, second = rehearse(quiet), rehearse(quiet)
    assert first.plan_id != second.plan_id
    assert first.created_at == second.created_at
    assert apply(quiet, first).statistics.created == 1


def test_a_repeated_step_keeps_its_plan_under_the_same_id(quiet: Lab) -> None:
    meet(quiet)
    course = quiet.course(RunKind.DRY)
    planned = course.plan()
    assert course.run and course.mapped and course.extracted
    ids = set()
    for _ in range(2):
        ids.add(
            keep_plan(
                course.run,
                planned,
                rejects=course.mapped.rejects,
                statistics=course.mapped.statistics,
                window=course.extracted.window,
            )
        )
        quiet.wait(minutes=2)
    assert len(ids) == 1


def test_a_plan_of_a_job_that_was_changed_since_is_refused(quiet: Lab) -> None:
    meet(quiet)
    plan = rehearse(quiet)
    policy(quiet, TargetEdit.OVERWRITE)
    with pytest.raises(StateError, match="make a new plan"):
        apply(quiet, plan)
    assert quiet.written() == []


def test_rows_whose_source_moved_are_left_out(quiet: Lab) -> None:
    moved, standing = meet(quiet, ended_ago_s=900.0), meet(quiet)
    plan = rehearse(quiet)
    revise(quiet, moved, summary="Another summary.")
    loaded = apply(quiet, plan)
    assert (loaded.statistics.created, loaded.statistics.skipped) == (1, {"moved_since_plan": 1})
    assert (len(touchpoints_of(quiet, moved)), len(touchpoints_of(quiet, standing))) == (0, 1)


def test_rows_whose_target_moved_are_left_out(quiet: Lab) -> None:
    item = meet(quiet, summary=None)
    quiet.sync()
    quiet.wait(minutes=10)
    quiet.act("chorus", "finish_summary", id=item.id)
    plan = rehearse(quiet)
    edit(quiet, item, content="Words of a user.")
    assert apply(quiet, plan).statistics.skipped == {"moved_since_plan": 1}
    assert touchpoint_of(quiet, item)["content"] == "Words of a user."


def test_rows_whose_link_moved_are_left_out(quiet: Lab) -> None:
    item = meet(quiet)
    plan = rehearse(quiet)
    quiet.sync()
    assert apply(quiet, plan).statistics.skipped == {"moved_since_plan": 1}
    assert len(touchpoints_of(quiet, item)) == 1


def test_parked_rows_of_an_old_plan_do_not_unsettle_what_was_made_since(quiet: Lab) -> None:
    account = absent_account(quiet)
    item = meet(quiet, account=account.crm_id)
    plan = rehearse(quiet)
    quiet.act("totango", "create_account", crm_id=account.crm_id)
    quiet.wait(minutes=1)
    quiet.sync()
    assert apply(quiet, plan).statistics.skipped == {"moved_since_plan": 1}
    assert len(touchpoints_of(quiet, item)) == 1
    quiet.wait(days=3)
    assert quiet.sync().extracted.by_origin == {"window": 1}
    quiet.wait(days=3)
    assert quiet.sync().extracted.by_origin == {}


def test_rejects_of_an_old_plan_that_were_mended_since_stay_mended(lab: Lab) -> None:
    [poison] = case(lab, "poison")
    plan = rehearse(lab)
    revise(lab, poison, subject="Now it has a name")
    lab.sync()
    apply(lab, plan)
    assert lab.ledger.rejects(lab.job.id) == []


def test_an_adoption_with_changes_is_applied_as_shown(quiet: Lab) -> None:
    policy(quiet, TargetEdit.OVERWRITE)
    item = meet(quiet, summary="Summary.")
    switches = quiet.sandbox.service("totango").switches
    switches.external_id_on_write = "accept"
    assert item.account is not None
    date = int(item.starts_at.timestamp() * 1000)
    body = {"account_id": item.account.totango_id, "subject": "Old", "content": "x", "create_date": date}
    quiet.post_to_totango("/api/v3/touchpoints/", {**body, "external_id": item.id})
    quiet.wait(minutes=10)
    plan = rehearse(quiet)
    assert plan.counts["update"] == 1
    statistics = apply(quiet, plan).statistics
    assert (statistics.updated, statistics.skipped) == (1, {})
    assert [held["content"] for held in made_by_hub(quiet.sandbox)] == ["Summary."]


def test_an_application_that_was_killed_is_finished_by_its_retry(lab: Lab) -> None:
    plan = rehearse(lab)
    lab.fuse.renew(burns_at=60)
    with pytest.raises(Crash):
        apply(lab, plan, run_id="apply")
    lab.fuse.renew()
    lab.wait(seconds=30)
    apply(lab, plan, run_id="apply")
    assert_held(lab.sandbox, recent(lab.sandbox))


@pytest.mark.parametrize("burns_at", [8, 60])
def test_an_application_that_was_killed_goes_on_when_the_plan_is_applied_again(lab: Lab, burns_at: int) -> None:
    plan = rehearse(lab)
    lab.fuse.renew(burns_at=burns_at)
    with pytest.raises(Crash):
        apply(lab, plan, run_id="first")
    lab.fuse.renew()
    lab.wait(seconds=30)
    assert not is_finished(kept(lab, plan), lab.ledger)
    run_id = run_id_for(kept(lab, plan), lab.ledger, new="second")
    assert run_id == "first"
    loaded = apply(lab, kept(lab, plan), run_id=run_id)
    assert loaded.statistics.created == plan.counts["create"]
    assert_held(lab.sandbox, recent(lab.sandbox))
    assert [row.run_id for row in lab.ledger.runs(lab.job.id, limit=1)] == ["first"]
    assert is_finished(kept(lab, plan), lab.ledger)


def test_an_application_that_failed_goes_on_when_the_plan_is_applied_again(quiet: Lab) -> None:
    meet(quiet)
    plan = rehearse(quiet)
    quiet.fault("status", service="totango", status=503, only_writes=True)
    with pytest.raises(TransientError) as caught:
        apply(quiet, plan, run_id="first")
    quiet.ledger.close_run("first", RunOutcome.RED, RunStatistics(), error=str(caught.value), now=quiet.clock.now())
    quiet.sandbox.faults.clear()
    run_id = run_id_for(kept(quiet, plan), quiet.ledger, new="second")
    assert apply(quiet, kept(quiet, plan), run_id=run_id).statistics.created == 1


def test_a_plan_applied_to_its_end_is_refused_before_a_run_is_opened(lab: Lab) -> None:
    plan = rehearse(lab)
    apply(lab, plan, run_id="first")
    with pytest.raises(StateError, match="was applied by run 'first' at"):
        run_id_for(kept(lab, plan), lab.ledger, new="second")
    for known in (plan, kept(lab, plan)):
        with pytest.raises(StateError, match="was applied by run 'first' at"):
            apply(lab, known, run_id="second")
    assert lab.ledger.run("second") is None


def test_a_killed_application_is_interrupted_once_its_lock_has_expired(lab: Lab) -> None:
    plan = rehearse(lab)
    lab.fuse.renew(burns_at=60)
    with pytest.raises(Crash):
        apply(lab, plan, run_id="first")
    lab.fuse.renew()
    seen = []
    for minutes in (1, 3):
        lab.wait(minutes=minutes)
        row, now = lab.ledger.run("first"), lab.clock.now()
        assert row is not None
        seen.append(is_interrupted(row, now, at_work=lab.ledger.runs_at_work(now)))
    assert seen == [False, True]


def kept(lab: Lab, plan: KeptPlan) -> KeptPlan:
    """The plan as the ledger knows it now."""
    found = lab.ledger.plan(plan.plan_id)
    assert found is not None
    return found

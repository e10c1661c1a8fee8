from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from cshub.core.records import RunKind
from cshub.pipeline.diff import staged_plan
from cshub.pipeline.forecast import Forecast, forecast_of
from cshub.pipeline.settle import AFTER_TAKEOVER_S
from cshub.staging import FrameRef
from cshub.systems.quota import LocalQuota
from tests.pipeline.cast import absent_account, meet
from tests.pipeline.crashes import Crash
from tests.pipeline.lab import Lab
from tests.pipeline.test_kept_plans import apply, rehearse

Prepare = Callable[[Lab], None]


@dataclass(frozen=True)
class Compared:
    """A forecast, and the calls to the target and the seconds that were then counted."""

    forecast: Forecast
    calls: int
    seconds: float


def creates(lab: Lab) -> None:
    for _ in range(30):
        meet(lab)


def updates(lab: Lab) -> None:
    summaries_come(lab, 20)


def mixed(lab: Lab) -> None:
    updates(lab)
    creates(lab)


def released(lab: Lab) -> None:
    account = absent_account(lab)
    for number in range(12):
        meet(lab, account=account.crm_id, ended_ago_s=120.0 + 60 * number)
    lab.sync()
    lab.wait(days=3)
    lab.act("totango", "create_account", crm_id=account.crm_id)


def old_summaries(lab: Lab) -> None:
    summaries_come(lab, 20, days=4)


def summaries_come(lab: Lab, count: int, *, days: int = 0) -> None:
    """Touchpoints were made of meetings without a summary; now the summaries are there."""
    accounts = lab.sandbox.world.accounts[:4]
    items = [meet(lab, summary=None, account=accounts[number % 4].crm_id) for number in range(count)]
    lab.sync()
    lab.wait(days=days, minutes=10)
    for item in items:
        lab.act("chorus", "finish_summary", id=item.id)


def totango_calls(lab: Lab) -> int:
    return sum(entry.service == "totango" for entry in lab.sandbox.log.entries)


def loaded_at_once(lab: Lab) -> Compared:
    course = lab.course()
    planned = course.plan()
    assert course.run is not None
    forecast = forecast_of(course.run, list(staged_plan(course.run, planned.ref)))
    before, begun = totango_calls(lab), lab.clock.now()
    course.load()
    return Compared(forecast, totango_calls(lab) - before, (lab.clock.now() - begun).total_seconds())


def kept_and_applied(lab: Lab) -> Compared:
    plan = rehearse(lab)
    run = lab.new_run(RunKind.DRY)
    forecast = forecast_of(run, list(staged_plan(run, FrameRef.from_dict(plan.reference["plan"]))))
    before, begun = totango_calls(lab), lab.clock.now()
    apply(lab, plan)
    return Compared(forecast, totango_calls(lab) - before, (lab.clock.now() - begun).total_seconds())


@pytest.mark.parametrize("carried_out", [loaded_at_once, kept_and_applied])
@pytest.mark.parametrize("prepare", [creates, updates, mixed, released, old_summaries])
def test_the_calls_foretold_are_those_made(
    quiet: Lab, prepare: Prepare, carried_out: Callable[[Lab], Compared]
) -> None:
    prepare(quiet)
    found = carried_out(quiet)
    assert found.forecast.by_system.get("totango", 0) == pytest.approx(found.calls, rel=0.2)
    assert found.forecast.waits_s == 0
    assert found.forecast.seconds > 0


@pytest.mark.parametrize("carried_out", [loaded_at_once, kept_and_applied])
def test_the_demos_first_sync_is_foretold(lab: Lab, carried_out: Callable[[Lab], Compared]) -> None:
    found = carried_out(lab)
    assert found.forecast.by_system.get("totango", 0) == pytest.approx(found.calls, rel=0.2)


@pytest.mark.parametrize("prepare", [creates, mixed])
def test_what_is_more_than_the_budget_has_left_is_foretold_with_its_wait(quiet: Lab, prepare: Prepare) -> None:
    prepare(quiet)
    quiet.wait(minutes=2)
    quiet.quota = LocalQuota(20, clock=lambda: quiet.clock.now().timestamp(), sleep=quiet.clock.sleep)
    found = loaded_at_once(quiet)
    assert found.forecast.waits_s > 30
    assert found.forecast.by_system.get("totango", 0) == pytest.approx(found.calls, rel=0.2)
    assert found.forecast.seconds == pytest.approx(found.seconds, abs=61)  # one period of the budget


def test_a_plan_that_writes_nothing_calls_nobody(quiet: Lab) -> None:
    found = loaded_at_once(quiet)
    assert found.forecast == Forecast({}, 0.0, 0.0)


def test_a_write_without_an_answer_is_foretold_with_its_settling(quiet: Lab) -> None:
    meet(quiet)
    quiet.fuse.renew()
    quiet.fuse.only, quiet.fuse.burns_at = "after POST /api/v3/touchpoints/", 1
    with pytest.raises(Crash):
        quiet.sync()
    quiet.fuse.renew()
    quiet.wait(minutes=5)
    meet(quiet)
    course = quiet.course(RunKind.DRY)
    planned = course.plan()
    assert course.run is not None
    rows = list(staged_plan(course.run, planned.ref))
    assert forecast_of(course.run, rows).seconds > AFTER_TAKEOVER_S

"""Each operator on its own: what it returns, what it stores, and what it says when something is wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from cshub.core.errors import AuthenticationFailed, HubError, RowsFailed, StagingCorrupt, WindowError
from cshub.core.records import RunKind, RunOutcome
from cshub.ledger import Ledger
from cshub.operators.base import asked_of, run_kind
from cshub.settings import Settings
from cshub_sandbox.testing import RunningSandbox
from tests.operators.conftest import JOB, STEPS, HandMadeRun, ledger_run

XCOM_LIMIT = 4_000
BERLIN = ZoneInfo("Europe/Berlin")


def touchpoints(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    return [note for note in sandbox.control.state("totango")["touchpoints"] if note["by_api"]]


def test_every_step_returns_a_small_plain_dict_without_secrets(run: HandMadeRun, sandbox: RunningSandbox) -> None:
    for task_id, value in run.until("load").items():
        text = json.dumps(value)
        assert isinstance(value, dict), task_id
        assert len(text) < XCOM_LIMIT, task_id
        assert sandbox.chorus.token not in text and sandbox.totango.token not in text
        assert task_id == "approve" or value["version"] == 1


def test_the_steps_together_create_what_the_statistics_say(
    run: HandMadeRun, sandbox: RunningSandbox, settings: Settings
) -> None:
    report = run.until("load")["load"]
    assert report["outcome"] == "green"
    assert report["stats"]["created"] == len(touchpoints(sandbox)) > 5
    row = ledger_run(settings, run)
    assert row is not None and row.statistics is not None
    assert row.outcome is RunOutcome.GREEN
    assert row.statistics.as_dict() == report["stats"]
    (event,) = run.events.values()
    assert event.extra == {"outcome": "green", "stats": report["stats"]}
    assert run.progress["progress"]["step"] == "load"


def test_a_load_that_is_repeated_sends_nothing_and_reports_the_same(run: HandMadeRun, sandbox: RunningSandbox) -> None:
    first = run.until("load")["load"]["stats"]
    sandbox.control.clear_log()
    again = run.execute("load")["stats"]
    assert sandbox.control.log("totango", writes=True) == []
    assert {**again, "api_calls": None} == {**first, "api_calls": None}


def test_a_second_run_finds_everything_unchanged(
    run: HandMadeRun, operators: dict[str, Any], sandbox: RunningSandbox
) -> None:
    run.until("load")
    sandbox.control.clear_log()
    second = HandMadeRun(operators, run_id="manual__2").until("load")["load"]["stats"]
    assert sandbox.control.log("totango", writes=True) == []
    assert second["unchanged"] > 0
    assert (second["created"], second["updated"], second["deleted"]) == (0, 0, 0)


def test_a_dry_run_keeps_its_plan_and_skips_the_rest(
    operators: dict[str, Any], sandbox: RunningSandbox, settings: Settings
) -> None:
    run = HandMadeRun(operators, params={"dry_run": True})
    plan_id = run.until("diff")["diff"]["plan_id"]
    with pytest.raises(AirflowSkipException, match=plan_id):
        run.execute("approve")
    assert touchpoints(sandbox) == []
    row = ledger_run(settings, run)
    assert row is not None and row.outcome is RunOutcome.PLANNED


def test_a_plan_within_the_guard_is_approved_without_asking(run: HandMadeRun) -> None:
    assert run.until("approve")["approve"] == {"chosen_options": ["Approve"], "asked": False}


def test_the_diff_says_before_anything_is_sent_what_it_will_cost(run: HandMadeRun) -> None:
    planned = run.until("diff")["diff"]
    assert planned["forecast"]["calls"] > planned["counts"]["create"] > 0
    assert planned["excesses"] == []


def test_a_run_with_refused_records_is_red_and_still_reports_its_numbers(
    run: HandMadeRun, sandbox: RunningSandbox, settings: Settings
) -> None:
    run.until("approve")
    sandbox.control.add_fault("status", status=400, service="totango", only_writes=True, nth=2)
    with pytest.raises(RowsFailed, match=r"refused 1 of \d+ records.*cshub rejects chorus_touchpoints_inbound"):
        run.execute("load")
    report = json.loads(run.kept["load", "return_value"])
    assert (report["outcome"], report["stats"]["failed"]) == ("red", 1)
    row = ledger_run(settings, run)
    assert row is not None and row.outcome is RunOutcome.RED


def test_a_refused_token_leaves_a_red_run_that_names_the_connection(
    run: HandMadeRun, sandbox: RunningSandbox, settings: Settings
) -> None:
    run.until("extract")
    sandbox.control.add_fault("token_expired", service="totango")
    run.execute("map")
    with pytest.raises(AuthenticationFailed, match="connection totango_default"):
        run.execute("diff")
    row = ledger_run(settings, run)
    assert row is not None and row.outcome is RunOutcome.RED
    assert "connection totango_default" in (row.error or "")


def test_a_run_that_fails_before_it_read_anything_is_red_in_the_history(
    operators: dict[str, Any], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = HandMadeRun(operators, run_id="manual__1", params={"window_start": "yesterday"})
    lost = HandMadeRun(operators, run_id="manual__2")
    with pytest.raises(WindowError):
        wrong.execute("extract")
    monkeypatch.delenv("AIRFLOW_CONN_TOTANGO_DEFAULT")
    with pytest.raises(HubError):
        lost.execute("extract")
    for run, words in ((wrong, "'yesterday'"), (lost, "totango_default")):
        row = ledger_run(settings, run)
        assert row is not None
        assert (row.outcome, row.pair_id, row.window) == (RunOutcome.RED, None, None)
        assert words in (row.error or "")


def test_a_load_waits_for_its_turn_without_a_try_of_its_own_while_another_run_is_at_work(
    run: HandMadeRun, sandbox: RunningSandbox, settings: Settings
) -> None:
    run.until("approve")
    now = datetime.now(UTC)
    with Ledger.open(settings.ledger_url) as ledger:
        name = f"pair:{ledger.pair_id(JOB)}"
        other = ledger.acquire_lock(name, holder="elsewhere:1", run_id="other", now=now, ttl=timedelta(minutes=3))
        with pytest.raises(AirflowRescheduleException) as put_off:
            run.execute("load")
        ledger.release(other)
    assert timedelta(0) < put_off.value.reschedule_date - now < timedelta(minutes=1)
    assert touchpoints(sandbox) == []
    row = ledger_run(settings, run)
    assert row is not None and row.outcome is RunOutcome.RUNNING
    assert run.execute("load")["outcome"] == "green"


@pytest.mark.parametrize("task_id", STEPS[1:])
def test_a_task_whose_predecessor_left_nothing_says_what_to_clear_and_so_does_the_history(
    run: HandMadeRun, settings: Settings, task_id: str
) -> None:
    with pytest.raises(StagingCorrupt, match=r"clear .* and the tasks after it"):
        run.execute(task_id)
    row = ledger_run(settings, run)
    assert row is not None and row.outcome is RunOutcome.RED
    assert "and the tasks after it" in (row.error or "")


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"window_start": "yesterday", "window_end": "2026-11-02T00:00:00Z"}, "window_start is 'yesterday'"),
        ({"window_start": "2026-11-02T00:00:00Z"}, "give window_end too"),
        ({"window_start": "2026-11-02T00:00:00Z", "window_end": "2026-11-01T00:00:00Z"}, "not after its start"),
    ],
)
def test_a_window_that_cannot_be_read_is_told(operators: dict[str, Any], params: dict[str, Any], told: str) -> None:
    with pytest.raises(WindowError, match=told):
        HandMadeRun(operators, params=params).execute("extract")


def test_dates_without_a_zone_are_read_in_the_zone_of_the_hub(operators: dict[str, Any]) -> None:
    params = {"window_start": "2026-11-10T00:00:00", "window_end": "2026-11-11T00:00:00"}
    window = HandMadeRun(operators, params=params).execute("extract")["window"]
    assert window == {"start": "2026-11-09T23:00:00+00:00", "end": "2026-11-10T23:00:00+00:00"}


def test_a_backfill_reads_exactly_its_interval(operators: dict[str, Any]) -> None:
    interval = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC)
    run = HandMadeRun(operators, run_type="backfill", interval=interval)
    assert run.execute("extract")["window"] == {"start": interval[0].isoformat(), "end": interval[1].isoformat()}


def test_a_run_from_the_trigger_form_reads_up_to_now_although_airflow_gives_it_the_last_night(
    operators: dict[str, Any],
) -> None:
    asked_at = datetime(2026, 11, 20, 9, 30, 12, tzinfo=UTC)
    night = datetime(2026, 11, 18, 22, tzinfo=UTC), datetime(2026, 11, 19, 22, tzinfo=UTC)
    run = HandMadeRun(operators, interval=night, logical_date=asked_at)
    asked = asked_of(run.context("extract"), cron="0 23 * * *", timezone=BERLIN, system="chorus")
    assert (asked.interval, asked.window_start, asked.window_end) == (None, None, None)


def test_an_interval_that_a_person_chose_in_the_trigger_form_is_read_exactly(operators: dict[str, Any]) -> None:
    chosen = datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 5, tzinfo=UTC)
    run = HandMadeRun(operators, interval=chosen, logical_date=datetime(2026, 11, 20, tzinfo=UTC))
    assert run.execute("extract")["window"] == {"start": chosen[0].isoformat(), "end": chosen[1].isoformat()}


def test_a_window_in_the_params_wins_over_the_interval_of_the_form(operators: dict[str, Any]) -> None:
    chosen = datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 5, tzinfo=UTC)
    params = {"window_start": "2026-11-10T00:00:00Z", "window_end": "2026-11-11T00:00:00Z"}
    run = HandMadeRun(operators, interval=chosen, logical_date=datetime(2026, 11, 20, tzinfo=UTC), params=params)
    assert run.execute("extract")["window"]["start"] == "2026-11-10T00:00:00+00:00"


@pytest.mark.parametrize(
    ("run_type", "params", "kind"),
    [
        ("scheduled", {}, RunKind.SCHEDULED),
        ("backfill", {}, RunKind.BACKFILL),
        ("manual", {}, RunKind.MANUAL),
        ("asset_triggered", {}, RunKind.MANUAL),
        ("scheduled", {"dry_run": True}, RunKind.DRY),
        ("manual", {"only_waiting": True}, RunKind.RETRY),
        ("manual", {"records": ["A"]}, RunKind.RETRY),
        ("manual", {"records": []}, RunKind.MANUAL),
        ("manual", {"records": ["A"], "dry_run": True}, RunKind.DRY),
    ],
)
def test_the_kind_of_a_run_follows_from_how_it_was_started(
    operators: dict[str, Any], run_type: str, params: dict[str, Any], kind: RunKind
) -> None:
    assert run_kind(HandMadeRun(operators, run_type=run_type, params=params).context("extract")) is kind

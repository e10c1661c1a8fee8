"""A refused token ends a run at once; a service that is down is waited for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.notice_board import NoticeBoard
from tests.e2e.stage import CALLS, Stage, await_true

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(240)]

NOW = datetime.now(UTC)
WINDOW = {"window_start": NOW - timedelta(days=30), "window_end": NOW - timedelta(days=20)}
WRONG_TOKEN = "0123456789abcdef-not-the-token"


def test_a_wrong_token_turns_the_run_red_at_once_and_says_which_connection(stage: Stage) -> None:
    scene = stage.scene("wrong", seed=53)
    scene.connect(totango_token=WRONG_TOKEN)
    run_id = stage.start("wrong_token", **WINDOW)
    assert stage.rest.wait("wrong_token", run_id) == "failed"
    failed = [task for task in stage.tasks("wrong_token", run_id) if task["state"] == "failed"]
    assert [task["try_number"] for task in failed] == [1]
    log = stage.rest.task_log("wrong_token", run_id, failed[0]["task_id"])
    assert "connection totango_wrong" in log
    assert "AuthenticationFailed" in log
    assert WRONG_TOKEN not in log
    with stage.ledger() as ledger:
        runs = ledger.runs("wrong_token")
    assert [run.outcome.value for run in runs] in ([], ["red"])


def test_the_documented_notice_tells_of_the_failed_run(stage: Stage, notices: NoticeBoard) -> None:
    failed = [run["dag_run_id"] for run in stage.rest.runs("wrong_token") if run["state"] == "failed"]
    assert failed
    await_true("the notice", lambda: f"wrong_token has failed: {failed[0]}" in notices.told)


def test_a_service_that_is_down_is_tried_again_until_it_is_back(stage: Stage) -> None:
    scene = stage.prepared_scene("away", ["--seed=59", "--accounts=10", "--meetings=80"])
    scene.process.start()
    scene.connect(CALLS)
    scene.process.stop()
    run_id = stage.start("away", **WINDOW)
    await_true("a try failed", lambda: stage.task("away", run_id, "extract")["state"] == "up_for_retry", 90)
    scene.process.start()
    scene.unlimited()
    stage.finish("away", run_id)
    assert stage.task("away", run_id, "extract")["try_number"] > 1
    assert scene.held() == scene.expected(WINDOW["window_start"], WINDOW["window_end"])

"""Two jobs at once on one token, at the true limit of 100 calls a minute."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from functools import partial

import pytest

from tests.e2e.conftest import Rush
from tests.e2e.notice_board import NoticeBoard
from tests.e2e.stage import Stage, await_true

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(420)]

LIMIT = 100
PERIOD = timedelta(seconds=60)


def test_two_jobs_on_one_token_never_send_more_than_100_calls_in_any_60_seconds(stage: Stage, rush: Rush) -> None:
    for job_id, run_id in rush.runs.items():
        stage.finish(job_id, run_id, 360)
    calls = rush.scene.control.log("totango")
    assert [call for call in calls if call["status"] == 429] == []
    moments = sorted(datetime.fromisoformat(call["at"]) for call in calls)
    assert len(moments) > 2 * LIMIT, "too few calls to prove anything"
    busiest = max(bisect_left(moments, moment + PERIOD) - number for number, moment in enumerate(moments))
    assert busiest <= LIMIT
    assert busiest > 0.9 * LIMIT, "the budget is there to be used"


def test_both_jobs_did_their_part_under_the_limit(stage: Stage, rush: Rush) -> None:
    for (job_id, run_id), window in zip(rush.runs.items(), rush.windows, strict=True):
        stage.finish(job_id, run_id, 360)
        assert stage.statistics(job_id, run_id)["created"] == sum(rush.scene.expected(*window).values())


def test_the_documented_notice_tells_of_runs_that_take_long(stage: Stage, rush: Rush, notices: NoticeBoard) -> None:
    for job_id, run_id in rush.runs.items():
        await_true("the notice", partial(notices.told.__contains__, f"{job_id} is late: {run_id}"))

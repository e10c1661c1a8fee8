from __future__ import annotations

import pytest
from tests.systems.wire import FakeTime

from cshub.systems.quota import LocalQuota


def make(limit: int) -> tuple[LocalQuota, FakeTime]:
    time = FakeTime()
    return LocalQuota(limit, clock=time.clock, sleep=time.sleep), time


def test_no_minute_ever_holds_more_calls_than_the_limit() -> None:
    quota, time = make(10)
    sent: list[float] = []
    for number in range(60):
        quota.acquire()
        sent.append(time.now)
        time.now += 0.7 * (number % 5)
    for at in sent:
        assert sum(at <= other < at + 60 for other in sent) <= 10


def test_the_budget_is_used_fully_when_there_is_work() -> None:
    quota, time = make(100)
    start = time.now
    for _ in range(1000):
        quota.acquire()
    assert time.now - start < 9 * 60 / 0.97


def test_a_penalty_holds_up_everybody_and_is_forecast() -> None:
    quota, _ = make(10)
    quota.penalise(7)
    assert quota.forecast(1) == pytest.approx(7)
    assert quota.acquire() == pytest.approx(7)


def test_the_forecast_is_what_the_waits_turn_out_to_be() -> None:
    quota, time = make(10)
    quota.acquire(4)
    expected = quota.forecast(35)
    start = time.now
    for _ in range(35):
        quota.acquire()
    assert time.now - start == pytest.approx(expected, abs=0.1)
    assert quota.forecast(0) == 0


def test_more_calls_at_once_than_the_limit_are_refused() -> None:
    quota, _ = make(10)
    with pytest.raises(ValueError, match="ask for fewer"):
        quota.acquire(11)

from __future__ import annotations

import heapq
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cshub.core.quota import Quota
from cshub.ledger import Ledger, SharedQuota, quota_name

CALLS = """
import sys, time
from cshub.ledger import Ledger, SharedQuota
with Ledger.open(sys.argv[1]) as ledger:
    quota = SharedQuota(ledger, name="t", limit=50, period_s=2, margin_s=0.4)
    for _ in range(int(sys.argv[2])):
        quota.acquire()
        print(time.time(), flush=True)
"""


class Clock:
    """Seconds that only pass in sleep."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


def quota_of(ledger: Ledger, clock: Clock, **more: float) -> SharedQuota:
    values = {"limit": 5, "period_s": 10.0, "margin_s": 1.0} | more
    return SharedQuota(ledger, name="t", clock=clock, sleep=clock.sleep, **values)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """One SQLite ledger for all generated cases; each uses a name of its own."""
    with Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('quota')}/ledger.db") as ledger:
        yield ledger


def most_in(moments: list[float], period_s: float) -> int:
    """The largest number of moments in any half-open window of this length."""
    moments = sorted(moments)
    return max(sum(1 for other in moments[place:] if other < start + period_s) for place, start in enumerate(moments))


def test_a_shared_quota_is_a_quota(ledger: Ledger, clock: Clock) -> None:
    quota: Quota = quota_of(ledger, clock)
    assert quota.acquire() == 0.0


def test_the_budget_is_given_at_once_and_then_waits_for_the_period_and_its_margin(ledger: Ledger, clock: Clock) -> None:
    quota = quota_of(ledger, clock)
    assert [quota.acquire() for _ in range(6)] == [0, 0, 0, 0, 0, 11.0]
    assert clock.slept == [11.0]


def test_two_who_share_a_name_share_the_budget_and_others_do_not(ledger: Ledger, clock: Clock, url: str) -> None:
    with Ledger.open(url) as other:
        first, second = quota_of(ledger, clock), quota_of(other, clock)
        assert [first.acquire(3), second.acquire(2)] == [0, 0]
        assert second.forecast(1) == 11.0
        separate = SharedQuota(ledger, name="u", limit=5, period_s=10, clock=clock, sleep=clock.sleep)
        assert separate.acquire(5) == 0.0


def test_several_calls_at_once_wait_until_all_of_them_fit(ledger: Ledger, clock: Clock) -> None:
    quota = quota_of(ledger, clock)
    quota.acquire(2)
    clock.now += 4
    quota.acquire(2)
    assert quota.acquire(3) == 7.0
    assert quota.forecast(2) == 4.0


@pytest.mark.parametrize("count", [0, -1, 6])
def test_more_than_the_budget_cannot_be_asked_for_at_once(ledger: Ledger, clock: Clock, count: int) -> None:
    with pytest.raises(ValueError, match="ask for fewer"):
        quota_of(ledger, clock).acquire(count)


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"period_s": 0}, {"margin_s": -1}])
def test_a_budget_that_makes_no_sense_is_refused(ledger: Ledger, clock: Clock, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="limit of at least 1"):
        quota_of(ledger, clock, **wrong)


def test_after_a_refusal_nobody_calls_until_the_service_is_ready(ledger: Ledger, clock: Clock) -> None:
    quota = quota_of(ledger, clock)
    quota.penalise(30)
    quota.penalise(20)
    assert quota.forecast(1) == 30.0
    assert quota_of(ledger, clock).acquire() == 30.0


def test_a_refusal_holds_up_those_who_already_wait(ledger: Ledger, clock: Clock) -> None:
    quota = quota_of(ledger, clock)
    quota.acquire(5)

    def sleep_through_a_refusal(seconds: float) -> None:
        if not clock.slept:
            quota_of(ledger, clock).penalise(40)
        clock.sleep(seconds)

    sleeper = SharedQuota(
        ledger, name="t", limit=5, period_s=10, margin_s=1, clock=clock, sleep=sleep_through_a_refusal
    )
    assert sleeper.acquire() == 40.0


def test_a_caller_that_wakes_too_late_lets_its_grant_pass_and_asks_again(ledger: Ledger, clock: Clock) -> None:
    quota = quota_of(ledger, clock)
    quota.acquire(5)

    def oversleep(seconds: float) -> None:
        clock.sleep(seconds + (3 if not clock.slept else 0))

    late = SharedQuota(ledger, name="t", limit=5, period_s=10, margin_s=1, clock=clock, sleep=oversleep)
    assert late.acquire() >= 14.0


def test_a_sleep_that_ends_early_is_slept_to_its_end(ledger: Ledger, clock: Clock) -> None:
    quota = quota_of(ledger, clock)
    quota.acquire(5)
    nap = SharedQuota(
        ledger, name="t", limit=5, period_s=10, clock=clock, sleep=lambda seconds: clock.sleep(max(seconds / 2, 0.01))
    )
    assert nap.acquire() >= 11.0


def test_a_crashed_holder_costs_its_grant_and_nothing_else(ledger: Ledger, clock: Clock) -> None:
    class Killed(BaseException):
        pass

    def die(_: float) -> None:
        raise Killed

    quota = quota_of(ledger, clock)
    quota.acquire(5)
    with pytest.raises(Killed):
        SharedQuota(ledger, name="t", limit=5, period_s=10, clock=clock, sleep=die).acquire()
    assert [quota.acquire() for _ in range(5)] == [11.0, 0, 0, 0, 11.0]


def test_the_forecast_is_what_the_calls_then_take(ledger: Ledger, clock: Clock) -> None:
    quota = quota_of(ledger, clock)
    quota.acquire(3)
    clock.now += 2
    assert quota.forecast(0) == 0.0
    for calls in (1, 2, 3, 7, 23):
        foreseen, begun = quota.forecast(calls), clock.now
        for _ in range(calls):
            quota.acquire()
        assert clock.now - begun == pytest.approx(foreseen)


def test_a_forecast_before_the_first_call_knows_the_periods(ledger: Ledger, clock: Clock) -> None:
    quota = quota_of(ledger, clock, limit=100, period_s=60)
    assert quota.forecast(100) == 0.0
    assert quota.forecast(3_000) == pytest.approx(29 * 61)


def test_the_token_itself_is_not_in_the_name() -> None:
    assert quota_name("secret") == "2bb80d537b1da3e3"
    assert "secret" not in quota_name("secret")


def served(ledger: Ledger, name: str, work: list[tuple[float, int]], *, limit: int) -> list[tuple[float, float, int]]:
    """(asked at, granted at, count) of callers who ask in turn, each from the moment it is due or free again."""
    clock = Clock()
    begun = clock.now
    answers = []
    callers = [(begun + due, number, count) for number, (due, count) in enumerate(work)]
    heapq.heapify(callers)
    while callers:
        due, _, count = heapq.heappop(callers)
        mine = Clock()
        mine.now = clock.now = max(clock.now, due)
        quota = SharedQuota(ledger, name=name, limit=limit, period_s=10, margin_s=0.25, clock=mine, sleep=mine.sleep)
        quota.acquire(count)
        answers.append((clock.now, mine.now, count))
    return answers


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.floats(0, 60, allow_nan=False), st.integers(1, 3)), min_size=1, max_size=60),
    st.integers(3, 9),
    st.uuids(),
)
def test_no_window_ever_holds_more_than_the_limit_and_who_asks_first_is_served_first(
    kept: Ledger, work: list[tuple[float, int]], limit: int, name: object
) -> None:
    answers = served(kept, str(name), work, limit=limit)
    granted = [moment for _, moment, count in answers for _ in range(count)]
    assert most_in(granted, 10.25 - 1e-6) <= limit
    assert granted == sorted(granted)


def test_half_an_hour_of_work_uses_nearly_the_whole_budget(ledger: Ledger, clock: Clock) -> None:
    quota = SharedQuota(ledger, name="t", clock=clock, sleep=clock.sleep)
    begun, moments = clock.now, []
    while clock.now < begun + 30 * 60:
        quota.acquire(10)
        moments += [clock.now] * 10
        clock.now += 0.05
    assert len(moments) >= 0.97 * 30 * 100
    assert most_in(moments[::10], 60.0) <= 10


def test_four_processes_share_one_budget_and_use_it(ledger: Ledger, url: str) -> None:
    command = [sys.executable, "-c", CALLS, url, "50"]
    callers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [caller.communicate(timeout=120) for caller in callers]
    assert [(caller.returncode, error) for caller, (_, error) in zip(callers, answers, strict=True)] == [(0, "")] * 4
    moments = sorted(float(line) for output, _ in answers for line in output.split())
    assert len(moments) == 200
    assert most_in(moments, 2.0) <= 50
    assert moments[-1] - moments[0] < 3 * 2.4 + 3

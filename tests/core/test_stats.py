from __future__ import annotations

from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.errors import StatisticsMismatch
from cshub.core.stats import COUNTS, RunStatistics

from .core_cast import STEADY

TALLIES = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 9))
STATISTICS = st.builds(
    RunStatistics,
    **{name: st.integers(0, 99) for name in COUNTS},
    skipped=TALLIES,
    warnings=TALLIES,
    api_calls=TALLIES,
)
ADDS_UP: dict[str, Any] = {
    "read": 20,
    "mapped": 18,
    "rejected": 2,
    "created": 4,
    "updated": 3,
    "deleted": 1,
    "unchanged": 2,
    "parked": 2,
    "failed": 1,
    "conflicts_kept": 1,
    "skipped": {"no_show": 3, "email": 1},
}


def test_numbers_that_add_up_pass_the_check() -> None:
    finished = RunStatistics(**ADDS_UP)
    assert finished.check() is finished
    assert finished.writes == 8
    assert finished.skipped_total == 4
    assert not finished.is_green


@pytest.mark.parametrize("name", [*COUNTS, "skipped"])
def test_one_number_off_by_one_is_an_error_with_all_numbers(name: str) -> None:
    wrong = {"no_show": 3, "email": 2} if name == "skipped" else ADDS_UP[name] + 1
    with pytest.raises(StatisticsMismatch, match="do not add up") as caught:
        RunStatistics(**{**ADDS_UP, name: wrong}).check()
    assert "'unchanged'" in str(caught.value)


def test_after_the_map_step_only_its_own_law_is_demanded() -> None:
    RunStatistics(read=3, mapped=2, rejected=1).check_mapping()
    with pytest.raises(StatisticsMismatch, match="read is 3, mapped \\+ rejected is 2"):
        RunStatistics(read=3, mapped=2).check_mapping()


def test_a_run_is_green_only_when_nothing_failed() -> None:
    assert RunStatistics(read=1, mapped=1, created=1).is_green
    assert not RunStatistics(read=1, mapped=1, failed=1).is_green


@STEADY
@given(st.lists(STATISTICS, max_size=5), st.randoms(use_true_random=False))
def test_statistics_add_up_in_any_order(parts: list[RunStatistics], random: Any) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)
    nothing = RunStatistics()
    assert reduce(RunStatistics.__add__, parts, nothing) == reduce(RunStatistics.__add__, shuffled, nothing)


@STEADY
@given(STATISTICS, STATISTICS, STATISTICS)
def test_adding_is_associative(one: RunStatistics, two: RunStatistics, three: RunStatistics) -> None:
    assert (one + two) + three == one + (two + three)


@STEADY
@given(STATISTICS)
def test_statistics_survive_being_written_as_a_dict(numbers: RunStatistics) -> None:
    assert RunStatistics.from_dict(numbers.as_dict()) == numbers


def test_numbers_of_a_newer_version_are_read_as_far_as_they_are_known() -> None:
    assert RunStatistics.from_dict({"read": 2, "teleported": 1}) == RunStatistics(read=2)

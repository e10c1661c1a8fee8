from __future__ import annotations

from random import Random

import pytest

from tests.pipeline.histories import History
from tests.pipeline.lab import Maker

EVERY_DAY = range(20)
ONCE_WRONG = [(261, 40)]
CAMPAIGN = range(1000, 2000)


def live(make_lab: Maker, seed: int, *, steps: int) -> None:
    history = History(make_lab(seed=seed % 7, accounts=8, meetings=0, cases=False), Random(seed))
    try:
        history.live(steps)
        history.end()
    except Exception:
        print(seed, history.told)
        raise


@pytest.mark.parametrize("seed", EVERY_DAY)
def test_after_any_history_one_clean_run_makes_everything_right(make_lab: Maker, seed: int) -> None:
    live(make_lab, seed, steps=15)


@pytest.mark.parametrize(("seed", "steps"), ONCE_WRONG)
def test_a_history_that_once_ended_wrong_ends_right(make_lab: Maker, seed: int, steps: int) -> None:
    live(make_lab, seed, steps=steps)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", CAMPAIGN)
def test_after_any_long_history_one_clean_run_makes_everything_right(make_lab: Maker, seed: int) -> None:
    live(make_lab, seed, steps=40)

"""Death at boundaries of runs between Salesforce and Totango, both ways; also when the other way goes on."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.faults.two_way_stage import BOTH_WAYS, Stage, Way, a_busy_day, make_stage, rounds, run
from tests.pipeline.crashes import Crash
from tests.pipeline.two_way import KINDS

SHARE = 4
WAYS = pytest.mark.parametrize("way", BOTH_WAYS)


@pytest.fixture(scope="module", params=list(KINDS.values()), ids=list(KINDS))
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = make_stage(tmp_path_factory.mktemp("crashes"), request.param, a_busy_day)
    yield stage
    stage.sync.lab.ledger.close()


def survive(stage: Stage, way: Way, boundary: int, *, partner_first: bool = False) -> None:
    """Die at a boundary, go on as Airflow does, and hold both services against what people made of them."""
    sync = stage.fork()
    course = stage.course(sync, way, f"{way}-{boundary}")
    sync.lab.fuse.renew(burns_at=boundary)
    with pytest.raises(Crash):
        course.go_on()
    sync.lab.fuse.renew()
    sync.lab.wait(minutes=4 if partner_first else 1)
    if partner_first:
        assert run(sync, way.other).is_green
        sync.lab.wait(minutes=2)
    assert course.insist().statistics.is_green
    sync.lab.wait(minutes=10)
    rounds(sync, way.other)
    stage.check(sync, total=stage.total)
    sync.lab.ledger.close()


@WAYS
def test_killed_anywhere_a_run_is_finished_by_its_retry(stage: Stage, way: Way) -> None:
    boundaries = stage.boundaries(way)
    assert boundaries > 30
    for boundary in sorted(Random(3).sample(range(1, boundaries + 1), SHARE)):
        survive(stage, way, boundary)


@WAYS
def test_killed_anywhere_a_run_is_finished_after_the_other_direction_went_on(stage: Stage, way: Way) -> None:
    for boundary in sorted(Random(4).sample(range(1, stage.boundaries(way) + 1), SHARE // 2)):
        survive(stage, way, boundary, partner_first=True)

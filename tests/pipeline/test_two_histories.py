from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.pipeline.two_histories import TwoHistory
from tests.pipeline.two_way import KINDS, Kind, Sync, settled

EVERY_DAY = range(4)
ONCE_WRONG = [("touchpoints", 8, 30), ("touchpoints", 201, 30)]
CAMPAIGN = range(1000, 1500)
BOTH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sync]]:
    """Both kinds in step, once for all."""
    found = {name: settled(_folder(tmp_path_factory), kind, accounts=8) for name, kind in KINDS.items()}
    yield found
    for sync in found.values():
        sync.lab.ledger.close()


def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "origin"
    folder.mkdir()
    return folder


def live(world: Sync, folder: Path, seed: int, *, steps: int) -> None:
    history = TwoHistory(replace(world, lab=world.lab.fork(folder / "lab")), Random(seed))
    try:
        history.live(steps)
        history.end()
    except BaseException:
        print(seed, *history.told, sep="\n")
        raise
    finally:
        history.sync.lab.ledger.close()


@BOTH
@pytest.mark.parametrize("seed", EVERY_DAY)
def test_after_any_history_both_sides_agree(worlds: dict[str, Sync], tmp_path: Path, kind: Kind, seed: int) -> None:
    live(worlds[kind.name], tmp_path, seed, steps=20)


@pytest.mark.parametrize(("name", "seed", "steps"), ONCE_WRONG)
def test_a_history_that_once_ended_wrong_ends_right(
    worlds: dict[str, Sync], tmp_path: Path, name: str, seed: int, steps: int
) -> None:
    live(worlds[name], tmp_path, seed, steps=steps)


@pytest.mark.campaign
@BOTH
@pytest.mark.parametrize("seed", CAMPAIGN)
def test_after_any_long_history_both_sides_agree(
    worlds: dict[str, Sync], tmp_path: Path, kind: Kind, seed: int
) -> None:
    live(worlds[kind.name], tmp_path, seed, steps=40)

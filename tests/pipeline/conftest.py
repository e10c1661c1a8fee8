from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.lab import Lab, Maker


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Maker]:
    labs: list[Lab] = []

    def make(**size: Any) -> Lab:
        folder = tmp_path / f"lab{len(labs)}"
        folder.mkdir()
        labs.append(Lab.make(folder, **size))
        return labs[-1]

    yield make
    for lab in labs:
        lab.ledger.close()


@pytest.fixture
def lab(make_lab: Maker) -> Lab:
    return make_lab()


@pytest.fixture
def quiet(make_lab: Maker) -> Lab:
    """A lab whose world holds accounts and people, and no meeting yet."""
    return make_lab(meetings=0, cases=False)

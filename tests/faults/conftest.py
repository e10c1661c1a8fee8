from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.two_way_stage import Stage
from tests.pipeline.conftest import lab, make_lab, quiet
from tests.pipeline.two_way import Sync

__all__ = ["lab", "make_lab", "quiet"]


@pytest.fixture
def sync(stage: Stage) -> Iterator[Sync]:
    """A copy of the module's stage: each test spoils its own."""
    forked = stage.fork()
    yield forked
    forked.lab.ledger.close()

"""A full sync reads deletions too: what no window lists any more is asked for by id."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from cshub.core.records import RunKind
from cshub.core.stats import RunStatistics
from cshub.pipeline.run import Asked
from tests.pipeline.two_way import Sync, settled


def asked(sync: Sync, side: str, question: Asked) -> RunStatistics:
    """The numbers of a run of the job that reads this side."""
    run = sync.lab.sync if side == "salesforce" else sync.lab.sync_back
    return run(RunKind.MANUAL, asked=question).statistics


@pytest.mark.parametrize("side", ["salesforce", "totango"])
def test_a_full_sync_finds_a_deletion_outside_of_the_windows_that_were_read(tmp_path: Path, side: str) -> None:
    sync = settled(tmp_path, accounts=8)
    link = sync.links()[0]
    assert link.target_key is not None
    if side == "salesforce":
        sync.delete_salesforce(link.source_key)
    else:
        sync.delete_totango(link.target_key)
    sync.lab.wait(days=3)
    now = sync.lab.clock.now()
    later = Asked(window_start=now - timedelta(hours=1), window_end=now)
    assert asked(sync, side, later).deleted == 0
    assert asked(sync, side, Asked(full_sync=True)).deleted == 1
    assert sync.in_salesforce(link.source_key) is None and sync.in_totango(link.target_key) is None

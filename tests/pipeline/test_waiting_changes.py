"""A change of a synced record that the target does not take waits for as long as it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cshub.core.records import LinkState
from tests.pipeline.two_way import TASKS, TOUCHPOINTS, Kind, Sync, settled

LONGER_THAN_ANYTHING_WAITS = 120  # days; records without counterpart wait for 90


def refused(sync: Sync) -> None:
    sync.lab.fault("status", service="totango", only_writes=True, status=400, count=2)


@pytest.mark.parametrize("kind", [TOUCHPOINTS, TASKS], ids=["touchpoints", "tasks"])
def test_an_edit_of_an_old_record_that_was_refused_is_sent_again(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind, accounts=8, cases=False)
    sync.lab.wait(days=LONGER_THAN_ANYTHING_WAITS)
    sync.round()
    link = next(link for link in sync.links() if link.is_linked and sync.in_salesforce(link.source_key) is not None)
    sync.edit_salesforce(link.source_key, Subject="Said otherwise")
    sync.lab.wait(minutes=5)
    refused(sync)
    for _ in range(2):
        assert sync.inbound().statistics.failed == 1
        sync.lab.wait(days=2)  # the next window but one begins after the edit
    assert sync.inbound().statistics.updated == 1
    assert sync.round() == 0
    sync.assert_equal()
    assert {item.state for item in sync.links() if item.source_key == link.source_key} == {LinkState.IN_STEP}

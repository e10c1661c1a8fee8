"""An account that is gone in Totango: nobody has deleted its touchpoints and tasks themselves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cshub.cli.story import sightings
from cshub.cli.wording import explained
from cshub.core.records import Link
from tests.pipeline.two_way import KINDS, Kind, Sync, settled

BOTH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
FULL = pytest.mark.parametrize("full", [False, True], ids=["usual", "full"])


def calm(folder: Path, kind: Kind) -> Sync:
    """A small world, both sides in step."""
    return settled(folder, kind, accounts=8, cases=False)


def busiest(sync: Sync) -> tuple[str, list[Link]]:
    """The account of Totango with the most linked records, and their links."""
    links = [link for link in sync.links() if link.target.account_id in sync.common_accounts()]
    account, _ = Counter(link.target.account_id for link in links).most_common(1)[0]
    assert account is not None
    return account, [link for link in links if link.target.account_id == account]


@BOTH
@FULL
@pytest.mark.parametrize("minutes", [0, 10], ids=["at-once", "later"])
@pytest.mark.parametrize("first", ["inbound", "outbound"])
def test_records_of_an_account_that_vanished_are_left_alone_and_told(
    tmp_path: Path, kind: Kind, full: bool, minutes: int, first: str
) -> None:
    sync = calm(tmp_path, kind)
    account, links = busiest(sync)
    assert len(links) >= 2
    sync.lab.act("totango", "delete_account", account_id=account)
    sync.lab.wait(minutes=minutes)
    told: Counter[str] = Counter()
    for _ in range(2):
        for run in (sync.inbound, sync.outbound) if first == "inbound" else (sync.outbound, sync.inbound):
            statistics = run(full=full).statistics
            assert (statistics.deleted, statistics.created, statistics.is_green) == (0, 0, True)
            told.update(statistics.skipped)
            sync.lab.wait(minutes=10)
    assert all(sync.in_salesforce(link.source_key) is not None for link in links)
    assert told["account_gone"] >= len(links) or not full


@BOTH
def test_why_tells_that_the_account_is_gone(tmp_path: Path, kind: Kind) -> None:
    sync = calm(tmp_path, kind)
    account, links = busiest(sync)
    sync.lab.act("totango", "delete_account", account_id=account)
    sync.lab.wait(minutes=10)
    run = sync.outbound(full=True).run
    told = sightings(sync.lab.ledger, run.staging, run.bound.id, [str(links[0].target_key)])
    assert [item.rule for item in told if item.run_id == run.run_id] == ["account_gone"]
    assert explained("account_gone").startswith("not there, nor is its account")


@BOTH
def test_a_record_deleted_in_an_account_that_is_there_is_still_deleted_on_the_other_side(
    tmp_path: Path, kind: Kind
) -> None:
    sync = calm(tmp_path, kind)
    account, links = busiest(sync)
    gone = next(link for link in sync.links() if link.target.account_id not in (None, account))
    sync.lab.act("totango", "delete_account", account_id=account)
    sync.delete_totango(str(gone.target_key))
    sync.lab.wait(minutes=10)
    assert sync.outbound(full=True).statistics.deleted == 1
    assert sync.in_salesforce(gone.source_key) is None
    assert all(sync.in_salesforce(link.source_key) is not None for link in links)


@BOTH
def test_edited_records_of_an_account_that_vanished_are_looked_for_by_few_calls(tmp_path: Path, kind: Kind) -> None:
    sync = calm(tmp_path, kind)
    keys = [sync.event(Subject=f"Record {number}") for number in range(30)]
    sync.lab.wait(minutes=5)
    sync.round()
    sync.lab.act("totango", "delete_account", account_id=next(iter(sync.common_accounts())))
    sync.lab.wait(hours=2)
    for key in keys:
        sync.edit_salesforce(key, Description="Edited by all")
    sync.lab.wait(minutes=5)
    before = len(sync.lab.sandbox.log.entries)
    assert sync.inbound().statistics.skipped == {"target_not_readable": len(keys)}
    calls = [entry for entry in sync.lab.sandbox.log.entries[before:] if entry.service == "totango"]
    assert len([call for call in calls if call.path != "/api/v3/tasks"]) < 15  # tasks are read by id one by one

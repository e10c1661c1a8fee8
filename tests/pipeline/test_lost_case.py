"""Touchpoints and tasks that carry the id of a record of Salesforce in 15 characters, in lower case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cshub.core.records import Outcome
from cshub_sandbox.salesforce.ids import _STRIDE
from cshub_sandbox.totango.records import TaskAction, TaskChange
from cshub_sandbox.totango.tasks import Tasks
from tests.pipeline.lab import Done
from tests.pipeline.two_way import KINDS, TOUCHPOINTS, Kind, Sync, settled

BOTH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
FIRST = pytest.mark.parametrize("first", ["inbound", "outbound"])
NOON_OF_THE_EVENT_MS = 1_795_089_600_000  # 2026-11-19, the date of a new event
ALIKE = 26  # ids whose last letters are so far apart differ in case alone


def calm(folder: Path, kind: Kind) -> Sync:
    """A small world, both sides in step."""
    return settled(folder, kind, accounts=8, cases=False)


def brought(sync: Sync, external_id: str, *, account: str | None = None) -> str:
    """Totango's own connector has made a record that carries this id; its id in Totango."""
    account = account or next(iter(sync.common_accounts()))
    service = sync.lab.sandbox.service("totango")
    if sync.kind is TOUCHPOINTS:
        service.switches.external_id_on_write = "accept"
        body = {"account_id": account, "subject": "Review", "content": "Agreed.", "create_date": NOON_OF_THE_EVENT_MS}
        made = sync.lab.post_to_totango("/api/v3/touchpoints/", {**body, "external_id": external_id})
        service.switches.external_id_on_write = "ignore"
        key = str(made["note"]["id"])
    else:
        key = sync.note(account, "Send the deck", "Version 2")
        tenant = service._tenant
        old = tenant.tasks[int(key)]
        change = TaskChange(TaskAction.UPDATE, old, replace(old, external_id=external_id.lower()))
        Tasks(tenant).record(change, at_ms=tenant.now_ms())
    sync.lab.wait(minutes=1)
    return key


def two_alike(sync: Sync) -> tuple[str, str]:
    """Two records of one account in Salesforce whose ids of 15 characters differ in the case of one letter alone."""
    ids = sync.lab.sandbox.service("salesforce")._org.ids
    prefix = "00U" if sync.kind is TOUCHPOINTS else "00T"
    start = (ids._last[prefix] // 62 + 300) * 62 + 12
    found = []
    for number in (start, start + ALIKE):
        ids._last[prefix] = number - _STRIDE
        found.append(sync.event())
    assert found[0][:15].lower() == found[1][:15].lower()
    return found[0], found[1]


def runs(sync: Sync, first: str) -> tuple[Callable[[], Done], Callable[[], Done]]:
    return (sync.inbound, sync.outbound) if first == "inbound" else (sync.outbound, sync.inbound)


def writes(sync: Sync, first: str, rounds: int = 2) -> int:
    made = 0
    for _ in range(rounds):
        for run in runs(sync, first):
            made += run().statistics.writes
            sync.lab.wait(minutes=10)
    return made


@BOTH
@FIRST
@pytest.mark.parametrize("length", [15, 18])
def test_a_record_that_carries_the_id_in_lower_case_is_linked_and_nothing_is_made(
    tmp_path: Path, kind: Kind, first: str, length: int
) -> None:
    sync = calm(tmp_path, kind)
    key = sync.event()
    twin = brought(sync, key[:length].lower())
    for run in runs(sync, first):
        assert run().statistics.created == 0
        sync.lab.wait(minutes=10)
    assert sync.twin_of(key) == twin
    sync.assert_equal()
    assert writes(sync, first, rounds=1) == 0
    sync.edit_salesforce(key, Subject="Pilot")
    sync.lab.wait(minutes=5)
    assert writes(sync, first) == 1
    sync.assert_equal()


@BOTH
@FIRST
def test_of_two_records_whose_ids_fit_the_account_tells_which_is_meant(tmp_path: Path, kind: Kind, first: str) -> None:
    sync = calm(tmp_path, kind)
    (home, home_id), (_, other_id) = list(sync.common_accounts().items())[:2]
    here, there = two_alike(sync)
    sync.lab.act("salesforce", "edit_record", id=here, fields={"WhatId": home_id})
    sync.lab.act("salesforce", "edit_record", id=there, fields={"WhatId": other_id})
    twin = brought(sync, here[:15].lower(), account=home)
    writes(sync, first)
    assert sync.twin_of(here) == twin
    assert sync.twin_of(there) != twin
    sync.assert_equal()
    assert writes(sync, first) == 0


@BOTH
@FIRST
def test_where_two_records_of_one_account_fit_none_is_chosen_and_nothing_is_made(
    tmp_path: Path, kind: Kind, first: str
) -> None:
    sync = calm(tmp_path, kind)
    both = two_alike(sync)
    twin = brought(sync, both[0][:15].lower())
    before = sync.salesforce(), sync.totango()
    assert writes(sync, first) == 0
    assert (sync.salesforce(), sync.totango()) == before
    for key in (*both, twin):
        told = sync.lab.ledger.decisions(sync.lab.new_run().pair, key)
        assert {(row.outcome, row.rule) for row in told} == {(Outcome.PARKED, "id_fits_several")}, key
    sync.delete_totango(twin)
    sync.lab.wait(minutes=10)
    writes(sync, first)
    sync.assert_equal()
    assert writes(sync, first) == 0


@BOTH
def test_two_records_of_totango_that_carry_one_id_wait(tmp_path: Path, kind: Kind) -> None:
    sync = calm(tmp_path, kind)
    key = sync.event()
    twins = [brought(sync, key[:15].lower()) for _ in range(2)]
    assert writes(sync, "outbound") == 0
    assert all(sync.in_totango(twin) is not None for twin in twins)
    sync.delete_totango(twins[0])
    sync.lab.wait(minutes=10)
    assert writes(sync, "outbound") == 0
    assert sync.twin_of(key) == twins[1]


@BOTH
def test_a_record_whose_id_no_record_of_its_account_fits_is_made(tmp_path: Path, kind: Kind) -> None:
    sync = calm(tmp_path, kind)
    key = sync.event()
    sync.delete_salesforce(key)
    accounts = list(sync.common_accounts())
    twin = brought(sync, key[:15].lower(), account=accounts[0])
    assert sync.outbound().statistics.created == 1
    links = sync.lab.ledger.links_by_target(sync.lab.new_run().pair, [twin])
    assert links[twin].source_key != key
    assert writes(sync, "inbound") == 0


@BOTH
def test_where_salesforce_does_not_list_the_account_the_record_waits_and_is_linked_later(
    tmp_path: Path, kind: Kind
) -> None:
    sync = calm(tmp_path, kind)
    key = sync.event()
    twin = brought(sync, key[:15].lower())
    refusal = '[{"message": "too complicated", "errorCode": "QUERY_TOO_COMPLICATED"}]'
    sync.lab.fault("status", service="salesforce", path="*/queryAll*", status=400, body=refusal)
    assert sync.outbound().statistics.created == 0
    told = sync.lab.ledger.decisions(sync.lab.new_run().pair, twin)
    assert {(row.outcome, row.rule) for row in told} == {(Outcome.PARKED, "id_not_proven")}
    sync.lab.sandbox.faults.clear()
    sync.lab.wait(minutes=10)
    assert sync.outbound().statistics.created == 0
    assert sync.twin_of(key) == twin
    assert writes(sync, "inbound") == 0


def test_an_id_in_lower_case_of_another_object_is_no_doubt(tmp_path: Path) -> None:
    sync = calm(tmp_path, TOUCHPOINTS)
    brought(sync, "00t5g0000103zd6")
    assert sync.outbound().statistics.created == 1

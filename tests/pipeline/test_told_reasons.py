"""What plans and runs tell of records that wait, and of people who were not found."""

from __future__ import annotations

from pathlib import Path

import pytest

from cshub.cli.wording import explained_row
from cshub.core.jobs import FieldMap
from cshub.core.records import LinkState
from tests.pipeline.two_way import KINDS, Sync, make_sync, settled


def why_of(sync: Sync, key: str, *, back: bool) -> str:
    pair = sync.lab.new_run(job=sync.lab.back).pair if back else sync.lab.new_run().pair
    row = sync.lab.ledger.decisions(pair, key)[-1]
    return explained_row("", row.rule, row.reason)


def test_an_account_without_the_other_systems_id_is_told_with_the_attribute_that_was_looked_at(tmp_path: Path) -> None:
    sync = make_sync(tmp_path)
    sync.lab.act("totango", "create_account", id="NO-CRM-ID", name="Without", attributes={})
    key = sync.note("NO-CRM-ID", "Check-in", "They ask for the roadmap.")
    sync.lab.wait(minutes=10)
    assert sync.outbound().statistics.parked >= 1
    told = why_of(sync, key, back=True)
    assert "its account NO-CRM-ID carries no id of Salesforce" in told
    assert "attribute sfid" in told and "fill it in Totango" in told
    assert "names no account" not in told


def test_a_record_without_an_account_is_told_to_name_none(tmp_path: Path) -> None:
    sync = make_sync(tmp_path)
    key = sync.event(Subject="Alone", WhatId=None)
    sync.lab.wait(minutes=10)
    sync.inbound()
    assert why_of(sync, key, back=False).startswith("the source record names no account: give it one")


def test_people_who_are_not_found_are_told_of_records_that_are_written_alone(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    row = FieldMap(source="participant_emails", target="WhoId", personal=True)
    back = sync.lab.back
    assert back is not None
    template = back.template.model_copy(update={"fields": [*back.fields, row]})
    sync.lab.back = back.model_copy(update={"template": template})
    account = next(iter(sync.common_accounts()))
    users = sync.lab.sandbox.service("totango").state()["users"]
    member = next(user["email"] for user in users if user["status"] == "Active")
    given = {"subject": "Met", "content": "All.", "participantList": [{"userId": member}]}
    sync.lab.act("totango", "create_touchpoint", account_id=account, **given)
    sync.lab.wait(minutes=10)
    first = sync.outbound(full=True).statistics
    assert (first.created, first.warnings.get("participant_unmatched", 0)) == (1, 1)
    sync.lab.wait(minutes=10)
    second = sync.outbound(full=True).statistics
    assert second.writes == 0
    assert "participant_unmatched" not in second.warnings


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_without_content_is_not_awaited_where_content_does_not_come_late(tmp_path: Path, kind: str) -> None:
    sync = make_sync(tmp_path, KINDS[kind])
    sync.event(Subject="No words", Description=None)
    sync.round(full=True)
    sync.round()
    assert LinkState.EMPTY not in sync.lab.ledger.count_links(sync.lab.new_run().pair)
    assert "pending" not in sync.inbound().extracted.by_origin
    assert "pending" not in sync.outbound().extracted.by_origin

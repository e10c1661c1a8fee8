from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from cshub.core.records import LinkState, Outcome
from tests.pipeline.two_way import KINDS, TASKS, TOUCHPOINTS, Kind, Sync, make_sync, settled

BOTH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def words_of(sync: Sync, key: str) -> tuple[str, str, str, str]:
    """Subject and text of a pair: in Salesforce, in Totango."""
    event, twin = sync.in_salesforce(key), sync.in_totango(sync.twin_of(key))
    assert event is not None and twin is not None
    title, text = ("subject", "content") if sync.kind is TOUCHPOINTS else ("title", "description")
    return event["Subject"], event["Description"], twin[title], twin[text].strip()


def totango_text(kind: Kind, text: str) -> dict[str, str]:
    return {"content": text} if kind is TOUCHPOINTS else {"description": text}


def totango_title(kind: Kind, text: str) -> dict[str, str]:
    return {"subject": text} if kind is TOUCHPOINTS else {"title": text}


@BOTH
def test_the_first_round_makes_both_sides_equal_and_the_second_writes_nothing(tmp_path: Path, kind: Kind) -> None:
    sync = make_sync(tmp_path, kind)
    assert sync.round(full=True) > 20
    sync.assert_equal()
    assert sync.round(full=True) == 0
    assert sync.round() == 0


@BOTH
def test_what_one_direction_made_does_not_come_back_through_the_other(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event(Subject="Pilot")
    assert sync.inbound().statistics.created == 1
    sync.lab.wait(minutes=10)
    assert sync.outbound().statistics.writes == 0
    sync.edit_totango(sync.twin_of(key), **totango_text(kind, "They agreed."))
    sync.lab.wait(minutes=10)
    assert sync.outbound().statistics.updated == 1
    sync.lab.wait(minutes=10)
    assert (sync.inbound().statistics.writes, sync.outbound().statistics.writes) == (0, 0)
    assert words_of(sync, key) == ("Pilot", "They agreed.", "Pilot", "They agreed.")


@BOTH
def test_edits_of_different_fields_on_both_sides_are_merged(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event()
    sync.round()
    sync.edit_salesforce(key, Subject="Renewal")
    sync.lab.wait(minutes=3)
    sync.edit_totango(sync.twin_of(key), **totango_text(kind, "They want a quote."))
    sync.lab.wait(minutes=3)
    sync.round()
    assert words_of(sync, key) == ("Renewal", "They want a quote.", "Renewal", "They want a quote.")
    assert sync.round() == 0


@BOTH
@pytest.mark.parametrize("last", ["salesforce", "totango"])
@pytest.mark.parametrize("first_run", ["inbound", "outbound"])
def test_the_later_of_two_edits_of_one_field_wins_whichever_direction_runs_first(
    tmp_path: Path, kind: Kind, last: str, first_run: str
) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event()
    sync.round()
    twin = sync.twin_of(key)
    for side in ("totango", "salesforce") if last == "salesforce" else ("salesforce", "totango"):
        sync.lab.wait(minutes=3)
        if side == "salesforce":
            sync.edit_salesforce(key, Subject="By salesforce")
        else:
            sync.edit_totango(twin, **totango_title(kind, "By totango"))
    sync.lab.wait(minutes=3)
    runs = (sync.inbound, sync.outbound) if first_run == "inbound" else (sync.outbound, sync.inbound)
    for run in (*runs, *runs):
        run()
        sync.lab.wait(minutes=10)
    winner, loser = f"By {last}", "By totango" if last == "salesforce" else "By salesforce"
    assert words_of(sync, key)[::2] == (winner, winner)
    assert sync.round() == 0
    told = sync.lab.ledger.decisions(sync.lab.new_run().pair, key)
    assert any(loser in (change.before, change.after) for row in told for change in row.changes)


@BOTH
def test_a_record_deleted_on_one_side_is_deleted_on_the_other(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    first, second = sync.event(Subject="First"), sync.event(Subject="Second")
    sync.round()
    twins = sync.twin_of(first), sync.twin_of(second)
    sync.delete_salesforce(first)
    sync.delete_totango(twins[1])
    sync.lab.wait(minutes=10)
    assert sync.inbound().statistics.deleted == 1
    sync.lab.wait(minutes=10)
    assert sync.outbound().statistics.deleted == 1
    assert [sync.in_totango(twin) for twin in twins] == [None, None]
    assert [sync.in_salesforce(key) for key in (first, second)] == [None, None]
    sync.lab.wait(minutes=10)
    assert sync.round() == 0
    sync.assert_equal()


@BOTH
def test_an_edit_beats_a_deletion_and_the_record_is_made_again(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event()
    sync.round()
    old = sync.twin_of(key)
    sync.delete_totango(old)
    sync.edit_salesforce(key, Subject="Still alive")
    sync.lab.wait(minutes=10)
    outbound = sync.outbound().statistics
    assert outbound.deleted == 0
    sync.lab.wait(minutes=10)
    assert sync.inbound().statistics.created == 1
    assert sync.twin_of(key) != old
    assert words_of(sync, key)[::2] == ("Still alive", "Still alive")
    sync.lab.wait(minutes=10)
    assert sync.round() == 0
    sync.assert_equal()


@BOTH
def test_a_record_that_salesforce_brings_back_from_its_bin_is_made_again(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event()
    sync.round()
    sync.delete_salesforce(key)
    sync.lab.wait(minutes=10)
    sync.round()
    sync.lab.act("salesforce", "undelete_record", id=key)
    sync.lab.wait(minutes=10)
    assert sync.inbound().statistics.created == 1
    sync.assert_equal()
    assert sync.round() == 0


@BOTH
@pytest.mark.parametrize("first", ["inbound", "outbound"])
def test_a_record_that_comes_back_while_its_twin_lives_on_gets_no_second_twin(
    tmp_path: Path, kind: Kind, first: str
) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event(Subject="Back again")
    sync.round()
    twin = sync.twin_of(key)
    sync.delete_salesforce(key)
    sync.edit_totango(twin, **totango_text(kind, "Edited meanwhile."))
    sync.lab.wait(minutes=10)
    assert sync.inbound().statistics.conflicts_kept == 1
    sync.lab.act("salesforce", "undelete_record", id=key)
    sync.lab.wait(minutes=10)
    for run in (sync.inbound, sync.outbound) if first == "inbound" else (sync.outbound, sync.inbound):
        assert run().statistics.created == 0
        sync.lab.wait(minutes=10)
    assert words_of(sync, key) == ("Back again", "Edited meanwhile.") * 2
    assert sync.twin_of(key) == twin
    assert sync.round() == 0
    sync.assert_equal()


def test_a_status_that_totango_cannot_tell_apart_never_comes_back_poorer(tmp_path: Path) -> None:
    sync = settled(tmp_path, TASKS)
    key = sync.event(Status="In Progress")
    sync.round()
    sync.edit_totango(sync.twin_of(key), description="Totango's words.")
    sync.lab.wait(minutes=5)
    sync.round()
    sync.edit_salesforce(key, Status="Waiting on someone else")
    sync.lab.wait(minutes=5)
    sync.round()
    task = sync.in_salesforce(key)
    assert task is not None and (task["Status"], task["Description"]) == ("Waiting on someone else", "Totango's words.")
    sync.lab.act("totango", "complete_task", id=int(sync.twin_of(key)))
    sync.lab.wait(minutes=5)
    sync.round()
    task = sync.in_salesforce(key)
    assert task is not None and task["Status"] == "Completed"


def test_a_record_whose_account_is_not_there_yet_waits_and_comes_by_itself(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    held = {row["attributes"].get("sfid") for row in sync.lab.sandbox.service("totango").state()["accounts"]}
    accounts = sync.lab.sandbox.service("salesforce").state()["accounts"]
    late = next(row for row in accounts if row["Id"] not in held)
    key = sync.event(Subject="Early", WhatId=late["Id"])
    assert sync.inbound().statistics.parked >= 1
    sync.lab.act("totango", "create_account", id="LATE-1", name="Late", attributes={"sfid": late["Id"]})
    sync.lab.wait(minutes=10)
    assert sync.inbound().statistics.created >= 1
    assert sync.in_totango(sync.twin_of(key)) is not None


def test_a_field_may_name_the_system_that_wins(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    for name in ("job", "back"):
        bound = getattr(sync.lab, name)
        rows = [row.model_copy(update={"policy": "salesforce"}) for row in bound.template.fields]
        template = bound.template.model_copy(update={"fields": rows})
        setattr(sync.lab, name, bound.model_copy(update={"template": template}))
    key = sync.event()
    sync.round()
    sync.edit_salesforce(key, Subject="Earlier, but Salesforce's")
    sync.lab.wait(minutes=5)
    sync.edit_totango(sync.twin_of(key), subject="Later")
    sync.lab.wait(minutes=5)
    sync.round()
    sync.round()
    assert words_of(sync, key)[::2] == ("Earlier, but Salesforce's", "Earlier, but Salesforce's")


def test_a_touchpoint_moved_to_another_day_moves_its_event_and_keeps_its_hour(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    key = sync.event(
        IsAllDayEvent=False, StartDateTime="2026-11-19T09:30:00.000Z", DurationInMinutes=45, ActivityDate=None
    )
    sync.round()
    moved = sync.lab.clock.now() - timedelta(days=3)
    sync.lab.act("totango", "backdate", note_id=int(sync.twin_of(key)), to=moved.isoformat())
    sync.lab.wait(minutes=5)
    sync.round()
    event = sync.in_salesforce(key)
    assert event is not None
    assert (event["ActivityDate"], event["StartDateTime"][11:16], event["DurationInMinutes"]) == (
        moved.date().isoformat(),
        "09:30",
        45,
    )


def test_a_touchpoint_that_another_job_of_the_hub_made_is_not_carried_on(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    account = next(iter(sync.common_accounts()))
    made = sync.lab.act("totango", "create_touchpoint", account_id=account, subject="From a meeting", content="Text.")
    ledger, now = sync.lab.ledger, sync.lab.clock.now()
    from cshub.core.linking import new_link
    from cshub.core.records import DecisionEntry, RunKind

    pair = ledger.bind_pair(
        "meetings",
        source=("chorus", "engagement", "acme.example"),
        target=("totango", "touchpoint", sync.lab.new_run().target.identity()),
        now=now,
    )
    fence = ledger.acquire_lock("t", holder="t", run_id="r1", now=now, ttl=timedelta(minutes=1))
    ledger.open_run("r1", job_id="j", pair=pair, kind=RunKind.MANUAL, window=None, job_digest="", now=now)
    link = new_link(pair, "M1", now).having(
        source={"state": LinkState.IN_STEP}, target={"key": str(made["note_id"])}, created_at=now
    )
    entry = DecisionEntry("M1", Outcome.CREATED, "new", target_key=str(made["note_id"]))
    ledger.record(fence, "r1", links=[link], decisions=[entry], now=now)
    ledger.release(fence)
    sync.lab.wait(minutes=5)
    done = sync.outbound()
    assert done.statistics.skipped.get("made_by_other_job") == 1
    assert done.statistics.created == 0


def test_every_loser_of_a_conflict_is_told_with_the_side_that_won(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    key = sync.event()
    sync.round()
    sync.edit_totango(sync.twin_of(key), subject="Loser")
    sync.lab.wait(minutes=5)
    sync.edit_salesforce(key, Subject="Winner")
    sync.lab.wait(minutes=5)
    sync.round()
    rows = sync.lab.ledger.decisions(sync.lab.new_run().pair, key)
    assert any(
        row.outcome is Outcome.UPDATED
        and any((change.before, change.after, change.winner) == ("Loser", "Winner", "source") for change in row.changes)
        for row in rows
    )

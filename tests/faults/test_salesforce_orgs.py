"""Orgs that are not as one would like them: locks, limits, rights, missing fields, late answers, wrong clocks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cshub.core.errors import HubError, SpecError
from cshub.ledger import Ledger
from cshub.library import JobLibrary
from tests.faults.two_way_stage import BOTH_WAYS, Stage, Way, Work, a_busy_day, make_stage, rounds, run, sent_rows
from tests.pipeline.crashes import Fuse, FusedDatabase
from tests.pipeline.lab import Lab
from tests.pipeline.two_way import KINDS, TASKS, TOUCHPOINTS, Sync


def a_short_day(work: Work) -> None:
    a_busy_day(work, creates=6, edits=3, deletes=2)


@pytest.fixture(scope="module", params=list(KINDS.values()), ids=list(KINDS))
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = make_stage(tmp_path_factory.mktemp("orgs"), request.param, a_short_day, records=18)
    yield stage
    stage.sync.lab.ledger.close()


def switch(sync: Sync, service: str = "salesforce", **settings: Any) -> None:
    for name, value in settings.items():
        setattr(sync.lab.sandbox.service(service).switches, name, value)


@pytest.mark.parametrize("spoils", ["row", "call"])
def test_one_row_that_the_org_refuses_stays_alone(stage: Stage, sync: Sync, spoils: str) -> None:
    title = next(row[1] for row in stage.expected if row[1].startswith("Made outbound"))
    rule = {"object": sync.kind.object, "field": "Subject", "pattern": f"^{title}$", "message": "Not so."}
    switch(sync, validation_rules=(rule,), unreadable_record=spoils)
    done = sync.outbound().statistics
    assert (done.failed, done.is_green) == (1, False)
    [reject] = sync.lab.ledger.rejects(sync.lab.back.id if sync.lab.back else "")
    assert "Not so" in reject.reason
    switch(sync, validation_rules=())
    sync.lab.wait(minutes=10)
    rounds(sync, Way.INBOUND)
    stage.check(sync)


def test_accounts_that_another_program_keeps_locked_are_waited_for(stage: Stage, sync: Sync) -> None:
    switch(sync, dml_hold_s=10.0)
    for account in sync.common_accounts().values():
        sync.lab.act("salesforce", "edit_record", id=account, fields={"Description": "By hand."})
    assert run(sync, Way.OUTBOUND).is_green
    sync.lab.wait(minutes=10)
    rounds(sync, Way.INBOUND)
    stage.check(sync)


def test_jobs_of_touchpoints_and_tasks_at_once_do_not_lock_each_other_out(tmp_path: Path) -> None:
    first = make_stage(tmp_path, TOUCHPOINTS, a_short_day, records=18).sync
    switch(first, dml_hold_s=1.5)
    second = _beside(first.lab, tmp_path / "beside")
    work = Work(second)
    for _ in range(12):
        work.make(Way.OUTBOUND)
    second.lab.wait(minutes=2)
    troubles: list[BaseException] = []

    def drive(sync: Sync) -> None:
        try:
            for _ in range(2):
                assert sync.outbound().statistics.is_green
                assert sync.inbound().statistics.is_green
        except BaseException as error:
            troubles.append(error)

    threads = [threading.Thread(target=drive, args=(sync,)) for sync in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert troubles == []
    for sync in (first, second):
        sync.lab.wait(minutes=10)
        sync.round(full=True)
        sync.assert_equal()
        sync.lab.ledger.close()


def _beside(lab: Lab, folder: Path) -> Sync:
    """The jobs of tasks on the same world, with a ledger of their own."""
    folder.mkdir()
    fuse, library = Fuse(), JobLibrary.from_settings()
    ledger = Ledger(FusedDatabase(f"sqlite:///{folder / 'ledger.db'}", fuse))
    ledger.upgrade()
    job, back = (library.bound(f"salesforce_tasks_{way}") for way in BOTH_WAYS)
    return Sync(replace(lab, ledger=ledger, fuse=fuse, folder=folder, job=job, back=back), TASKS)


@pytest.mark.parametrize("way", BOTH_WAYS)
def test_a_session_that_ends_in_the_middle_is_renewed(stage: Stage, sync: Sync, way: Way) -> None:
    for nth in (4, 9):
        sync.lab.fault("token_expired", service="salesforce", nth=nth)
    assert run(sync, way).is_green
    sync.lab.sandbox.faults.clear()
    sync.lab.wait(minutes=10)
    rounds(sync, way.other)
    stage.check(sync, total=stage.total)


@pytest.mark.parametrize("left", [4, 8])
@pytest.mark.parametrize("way", BOTH_WAYS)
def test_a_day_s_calls_used_up_in_the_middle_end_the_run_and_the_next_day_goes_on(
    stage: Stage, sync: Sync, way: Way, left: int
) -> None:
    used = sync.lab.sandbox.service("salesforce").state()["calls_used"]
    switch(sync, api_limit=used + left)
    course = stage.course(sync, way)
    try:
        course.go_on()
    except HubError as error:
        assert "24 hours" in str(error)
        calls = len(sync.lab.sandbox.log.entries)
        with pytest.raises(HubError, match="24 hours"):
            course.go_on()
        assert len(sync.lab.sandbox.log.entries) - calls < 8
    sync.lab.wait(hours=24)
    switch(sync, api_limit=100_000)
    course.insist()
    sync.lab.wait(minutes=10)
    rounds(sync, way)
    stage.check(sync, total=stage.total)


@pytest.mark.parametrize("access", ["read_only", "hidden"])
def test_a_field_that_the_user_may_not_write_stops_the_run_before_anything_is_sent(
    stage: Stage, sync: Sync, access: str
) -> None:
    field = f"{sync.kind.object}.Description"
    sync.lab.act("salesforce", "set_field_permission", field=field, access=access)
    before = sent_rows(sync.lab)
    course = stage.course(sync, Way.OUTBOUND)
    with pytest.raises(SpecError, match="Description"):
        course.go_on()
    assert sent_rows(sync.lab)["salesforce POST"] == before["salesforce POST"]
    sync.lab.act("salesforce", "set_field_permission", field=field, access="edit")
    sync.lab.wait(minutes=10)
    rounds(sync, Way.INBOUND)
    stage.check(sync)


@pytest.mark.parametrize(
    "settings",
    [
        {"shared_activities": True},
        {"activity_type_field": False},
        {"child_events": False, "delete_moves_stamp": False},
        {"page_size": 7},
        {"subrequests_count": True, "unknown_record_code": "INVALID_CROSS_REFERENCE_KEY"},
        {"deleted_record_code": "NOT_FOUND", "junction_ids": "refused"},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_orgs_of_other_kinds_end_alike(stage: Stage, sync: Sync, settings: dict[str, Any]) -> None:
    switch(sync, **settings)
    rounds(sync, Way.INBOUND)
    stage.check(sync, total=stage.total)


def test_more_records_changed_at_one_moment_than_a_page_holds_are_all_read(stage: Stage, sync: Sync) -> None:
    switch(sync, page_size=5)
    keys = [link.source_key for link in sync.links()]
    sync.lab.act("salesforce", "touch", ids=[key for key in keys if sync.in_salesforce(key) is not None])
    sync.lab.wait(minutes=5)
    rounds(sync, Way.INBOUND)
    stage.check(sync, total=stage.total)


def test_account_ids_of_15_characters_in_totango_find_their_accounts(stage: Stage, sync: Sync) -> None:
    for account, crm_id in sync.common_accounts().items():
        sync.lab.act("totango", "set_attributes", account_id=account, attributes={"sfid": crm_id[:15]})
    rounds(sync, Way.INBOUND)
    for account, crm_id in _short_accounts(sync).items():
        sync.lab.act("totango", "set_attributes", account_id=account, attributes={"sfid": crm_id})
    stage.check(sync, total=stage.total)


def _short_accounts(sync: Sync) -> dict[str, str]:
    accounts = sync.lab.sandbox.service("salesforce").state()["accounts"]
    full = {row["Id"][:15]: row["Id"] for row in accounts}
    held = sync.lab.sandbox.service("totango").state()["accounts"]
    return {row["id"]: full[crm_id] for row in held if (crm_id := row["attributes"].get("sfid", "")) in full}


@pytest.mark.parametrize("seconds", [3_000])
def test_changes_that_show_late_are_read_by_a_later_run(stage: Stage, sync: Sync, seconds: float) -> None:
    switch(sync, visible_after_s=seconds)
    for _ in range(2):
        rounds(sync, Way.INBOUND, count=1)
    sync.lab.wait(seconds=seconds)
    rounds(sync, Way.INBOUND)
    switch(sync, visible_after_s=0.0)
    stage.check(sync)


@pytest.mark.parametrize(("service", "ahead_s"), [("salesforce", 600.0), ("totango", -600.0)])
def test_clocks_ten_minutes_apart_lose_and_double_nothing(tmp_path: Path, service: str, ahead_s: float) -> None:
    def skewed(work: Work) -> None:
        switch(work.sync, service, clock_skew_s=ahead_s)
        pairs = work.pairs()
        for way, place in zip(BOTH_WAYS, (0, 1), strict=True):
            for _ in range(3):
                work.make(way)
            work.edit(way, pairs[2 + place][place], title=f"Edited {way}")
            work.delete(way, pairs[4 + place][place])
        work.merge(pairs[0], title="Merged", text="Merged words")

    made = make_stage(tmp_path, TOUCHPOINTS, skewed, records=8)
    forked = made.fork()
    forked.lab.fault("drop_after_commit", only_writes=True, every=2)
    for way in BOTH_WAYS:
        course = made.course(forked, way)
        course.insist(tries=8)
        forked.lab.wait(minutes=10)
    forked.lab.sandbox.faults.clear()
    rounds(forked, Way.INBOUND)
    made.check(forked, total=made.total, may_repeat=True)
    made.sync.lab.ledger.close()

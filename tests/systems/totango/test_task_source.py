from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.systems.contract import keys_of, records_of
from tests.systems.totango.lab import NOW, account_ids, client_on, make_sandbox, service_of, switch

from cshub.core.errors import ProtocolFault, ShortRead, SpecError
from cshub.core.ids import to_18
from cshub.core.ports import Reading
from cshub.core.records import Presence, RecordKey, SourceRecord
from cshub.core.values import cast, fingerprint, iso_ms
from cshub.core.window import Window
from cshub.systems.totango.models import Event, EventType, from_ms
from cshub.systems.totango.task_catalog import TASK, TaskSourceOptions
from cshub.systems.totango.task_log import last_changes, read_task_change
from cshub.systems.totango.task_source import TotangoTaskSource
from cshub.systems.totango.task_target import TotangoTasks
from cshub.systems.totango.task_values import due_on, task_of
from cshub_sandbox.faults import FaultRule
from cshub_sandbox.sandbox import Sandbox

VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.integers(), max_size=2)
NAMES = st.sampled_from(["action", "description", "due_date", "priority", "status", "assignee", "create_date", "title"])
HOUR = timedelta(hours=1)


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sandbox()


def source_on(sandbox: Sandbox, *fields: str, **options: Any) -> TotangoTaskSource:
    return TotangoTaskSource(client_on(sandbox), TaskSourceOptions.model_validate(options), fields)


def settle(sandbox: Sandbox) -> None:
    sandbox.clock.advance(timedelta(seconds=5))


def add_task(sandbox: Sandbox, account_id: str = "", **fields: Any) -> str:
    given = {"title": "Call", "due_date": "2026-12-01", "activity_type_id": "adoption", **fields}
    task = service_of(sandbox).act("create_task", {"account_id": account_id or account_ids(sandbox)[0], **given})
    settle(sandbox)
    return str(task["id"])


def edit(sandbox: Sandbox, key: str, **fields: Any) -> None:
    service_of(sandbox).act("edit_task", {"id": int(key), **fields})
    settle(sandbox)


def since(sandbox: Sandbox, start: datetime) -> Window:
    return Window(start, sandbox.clock.now() + HOUR)


def task(sandbox: Sandbox, key: str) -> dict[str, Any]:
    """A task as the tenant stores it."""
    stored: list[dict[str, Any]] = service_of(sandbox).state()["tasks"]
    return next(item for item in stored if str(item["id"]) == key)


def deleted(records: list[SourceRecord]) -> dict[str, SourceRecord]:
    return {record.key: record for record in records if record.presence is Presence.DELETED}


def event_of(**more: Any) -> Event:
    content = {"task_id": 7, "action": "update", **more.pop("task_content", {})}
    raw = {"task_content": content, "properties": more.pop("properties", {})}
    return Event(more.pop("id", "e-1"), EventType.TASK, more.pop("at", 1000), "ACME-17", raw)


def test_it_is_read_by_change(sandbox: Sandbox) -> None:
    assert source_on(sandbox).reading is Reading.BY_CHANGE


def test_every_field_of_the_catalogue_is_in_the_body(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    users = service_of(sandbox).state()["users"]
    maker, worker = users[0]["email"], users[1]["email"]
    more = {"description": "v2", "priority": 1, "assignee": worker, "activity_type_id": "renewal", "user": maker}
    key = add_task(sandbox, account, **more)
    sandbox.clock.advance(HOUR)
    service_of(sandbox).act("complete_task", {"id": int(key), "user": worker})
    settle(sandbox)
    stored = task(sandbox, key)
    (record,) = records_of(source_on(sandbox), since(sandbox, NOW))
    completed = iso_ms(from_ms(stored["completed_date"]))
    assert record.body == {
        "account_id": to_18(account),
        "task_id": key,
        "totango_id": key,
        "external_id": None,
        "title": "Call",
        "description": "v2",
        "priority": "1",
        "status": "closed",
        "due_date": "2026-12-01",
        "assigned_to": worker,
        "assigner": maker,
        "create_date": iso_ms(from_ms(stored["create_date"])),
        "completed_date": completed,
        "last_update_date": completed,
        "last_updater": worker,
        "flow": "Renewal",
        "flow_id": "renewal",
        "last_action": "complete",
    }
    assert record.body.keys() | {"status_label_id"} == TASK.fields.keys()
    for name, value in record.body.items():
        cast(value, TASK.fields[name].kind)
    assert record.modified_at == from_ms(stored["completed_date"])
    assert (record.created_at, record.account_id) == (from_ms(stored["create_date"]), account)


def test_a_status_label_that_the_job_reads_is_read_by_id(sandbox: Sandbox) -> None:
    key = add_task(sandbox)
    (record,) = records_of(source_on(sandbox, "title", "status_label_id"), since(sandbox, NOW))
    assert (record.body or {})["status_label_id"] == task(sandbox, key)["status_label_id"]


def test_what_the_target_shows_and_what_the_source_shows_have_the_same_fingerprints(sandbox: Sandbox) -> None:
    key = add_task(sandbox, description="a < b &amp; c\n", priority=3)
    shown = TotangoTasks(client_on(sandbox)).read_keys([RecordKey(key, account_ids(sandbox)[0])])[key]
    assert shown is not None
    for source in (source_on(sandbox), source_on(sandbox, *TASK.fields)):
        (record,) = records_of(source, since(sandbox, NOW))
        body = record.body or {}
        for name in (shown.values.keys() & body.keys()) - {"account_id"}:
            kind = TASK.fields[name].kind
            assert fingerprint(body[name], kind) == fingerprint(shown.values[name], kind)


def test_a_task_lies_in_the_window_of_its_last_change_alone(sandbox: Sandbox) -> None:
    key = add_task(sandbox)
    created = Window(NOW, sandbox.clock.now())
    assert keys_of(source_on(sandbox), created) == [key]
    sandbox.clock.advance(HOUR)
    edit(sandbox, key, title="Call again")
    assert keys_of(source_on(sandbox), created) == []
    (record,) = records_of(source_on(sandbox), Window(created.end, sandbox.clock.now()))
    assert (record.body or {})["title"] == "Call again"


def test_many_changed_tasks_take_few_calls_and_few_take_one_each_without_export(sandbox: Sandbox) -> None:
    keys = {add_task(sandbox, title=f"Task {number}") for number in range(30)}
    fields = ("title", "description", "status")
    source = source_on(sandbox, *fields)
    assert set(keys_of(source, since(sandbox, NOW))) == keys
    assert source.calls == 2
    start = sandbox.clock.now()
    late = add_task(sandbox, title="Late")
    few = source_on(sandbox, *fields, check_deletions=False)
    assert keys_of(few, since(sandbox, start)) == [late]
    assert few.calls == 2
    switch(sandbox, task_export="refused")
    singly = source_on(sandbox, *fields)
    assert set(keys_of(singly, since(sandbox, NOW))) == {*keys, late}
    assert singly.calls == 1 + 1 + 31


@pytest.mark.parametrize("event", [True, False])
@pytest.mark.parametrize("unknown", ["empty", "not_found"])
def test_a_task_that_was_changed_and_deleted_is_told_deleted(sandbox: Sandbox, event: bool, unknown: str) -> None:
    switch(sandbox, task_delete_event=event, unknown_task=unknown)
    key = add_task(sandbox)
    kept = add_task(sandbox)
    sandbox.clock.advance(HOUR)
    service_of(sandbox).act("delete_task", {"id": int(key)})
    settle(sandbox)
    for options in ({}, {"check_deletions": False}):
        records = records_of(source_on(sandbox, **options), since(sandbox, NOW))
        record = deleted(records)[key]
        assert (record.body, record.account_id) == (None, account_ids(sandbox)[0])
        assert (record.modified_at is not None) is event
        assert kept in {record.key for record in records if record.presence is Presence.PRESENT}


@pytest.mark.parametrize("check", [True, False])
def test_tasks_that_vanish_with_their_account_are_not_told_deleted(sandbox: Sandbox, check: bool) -> None:
    account, other = account_ids(sandbox)[:2]
    lost, gone = add_task(sandbox, account), add_task(sandbox, other)
    service_of(sandbox).act("delete_task", {"id": int(gone)})
    service_of(sandbox).act("delete_account", {"account_id": account})
    for wait in (False, True):  # the search goes on to show the account's events for some seconds
        if wait:
            settle(sandbox)
        keys = [RecordKey(lost, account), RecordKey(gone, other), RecordKey(lost), RecordKey(gone)]
        for asked in (keys[:2], keys[2:]):
            pages = source_on(sandbox, "title").read_keys(asked)
            told = {record.key: record.presence for page in pages for record in page.records}
            assert told[lost] in (Presence.ACCOUNT_GONE, Presence.ABSENT)
            assert told[gone] is Presence.DELETED
        found = records_of(source_on(sandbox, "title", check_deletions=check), since(sandbox, NOW))
        assert {record.key: record.presence for record in found}.get(lost) in (None, Presence.ACCOUNT_GONE)
        assert deleted(found).keys() == {gone}
    pages = source_on(sandbox, "title").read_keys([RecordKey(lost, account)])
    assert [record.presence for page in pages for record in page.records] == [Presence.ACCOUNT_GONE]


def test_a_deletion_is_noticed_as_long_as_the_log_of_the_last_days_mentions_the_task(sandbox: Sandbox) -> None:
    key = add_task(sandbox)
    sandbox.clock.advance(timedelta(days=20))
    service_of(sandbox).act("delete_task", {"id": int(key)})
    settle(sandbox)
    window = Window(sandbox.clock.now() - HOUR, sandbox.clock.now())
    source = source_on(sandbox, "title")
    assert list(deleted(records_of(source, window))) == [key]
    assert source.calls == 4
    assert deleted(records_of(source_on(sandbox, deletions_within_days=10), window)) == {}
    assert deleted(records_of(source_on(sandbox, check_deletions=False), window)) == {}
    switch(sandbox, task_export="without_ids")
    assert deleted(records_of(source_on(sandbox), window)) == {}


def test_a_task_missing_from_the_export_that_still_is_there_is_no_deletion(sandbox: Sandbox) -> None:
    keys = {add_task(sandbox, title=f"Task {number}") for number in range(3)}
    reader = source_on(sandbox)
    exported = reader._reader.exported() or {}
    lacking = {task_id: row for task_id, row in exported.items() if task_id != min(keys)}
    reader._reader.exported = lambda: lacking  # type: ignore[method-assign]
    records = records_of(reader, since(sandbox, NOW))
    assert deleted(records) == {}
    assert {record.key for record in records} == keys


def test_a_log_that_tells_of_a_deletion_is_not_believed_alone(sandbox: Sandbox) -> None:
    key = add_task(sandbox)
    source = source_on(sandbox)
    rows = source._reader.rows([key], told_gone={key})
    assert rows[key] is not None


def test_reads_by_id_that_show_nothing_any_more_end_in_a_short_read(sandbox: Sandbox) -> None:
    add_task(sandbox)
    switch(sandbox, task_export="refused")
    sandbox.faults.add(FaultRule.parse({"kind": "empty_page", "path": "/api/v3/tasks"}))
    with pytest.raises(ShortRead, match="nothing proves them deleted"):
        records_of(source_on(sandbox), since(sandbox, NOW))


@pytest.mark.parametrize("option", ["flows", "assignees", "accounts"])
def test_a_filter_chooses_what_a_window_shows_and_never_proves_a_deletion(sandbox: Sandbox, option: str) -> None:
    first, second = account_ids(sandbox)[:2]
    users = service_of(sandbox).state()["users"]
    within = add_task(sandbox, first, activity_type_id="renewal", assignee=users[0]["email"])
    out = add_task(sandbox, second, activity_type_id="support", assignee=users[1]["email"])
    options = {"flows": ["Renewal"], "assignees": [users[0]["email"].upper()], "accounts": [first]}
    source = source_on(sandbox, **{option: options[option]})
    source.check_options()
    records = records_of(source, since(sandbox, NOW))
    assert [record.key for record in records] == [within]
    assert [record.key for record in source.sample(since(sandbox, NOW), 5)] == [within]
    (page,) = source.read_keys([RecordKey(out, second)])
    assert [(record.key, record.presence) for record in page.records] == [(out, Presence.PRESENT)]


@pytest.mark.parametrize("read", ["full", "sparse"])
def test_a_task_whose_account_is_not_known_is_found_by_its_id(sandbox: Sandbox, read: str) -> None:
    switch(sandbox, task_read=read)
    key = add_task(sandbox, description="v2")
    (page,) = source_on(sandbox).read_keys([RecordKey(key), RecordKey("1")])
    records = {record.key: record for record in page.records}
    assert records[key].account_id == account_ids(sandbox)[0]
    assert (records[key].body or {})["description"] == "v2"
    assert records["1"].presence is Presence.ABSENT


def test_a_filter_that_names_no_known_flow_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SpecError, match=r"no flow called 'Nope'.*Correct source.options"):
        records_of(source_on(sandbox, flows=["Nope"]), since(sandbox, NOW))


def test_unknown_verbs_and_odd_values_do_no_harm() -> None:
    odd = event_of(
        task_content={"action": None, "taskAction": "Snoozed", "priority": 2, "status": None, "due_date": []}
    )
    change = read_task_change(odd)
    assert change is not None
    assert (change.action, change.values["priority"]) == ("snoozed", 2)
    row = {"due_date": "soon", "priority": None, "create_date": "yesterday", "status": " OPEN "}
    task = task_of("7", row, change)
    assert (task.values["due_date"], task.values["priority"], task.values["status"]) == (None, None, "open")
    assert task.created_at is None


@given(content=st.dictionaries(NAMES, VALUES), row=st.dictionaries(NAMES, VALUES))
def test_no_value_of_a_task_is_an_error(content: dict[str, Any], row: dict[str, Any]) -> None:
    change = read_task_change(event_of(task_content={**content, "task_id": "007"}))
    assert change is not None
    task = task_of("7", row, change)
    assert change.task_id == "7"
    assert all(value is None or isinstance(value, str) for value in task.values.values())


@pytest.mark.parametrize("content", [{"task_id": None}, {"task_id": "x"}, {"task_id": True}])
def test_a_change_without_a_task_id_is_a_protocol_fault(content: dict[str, Any]) -> None:
    with pytest.raises(ProtocolFault, match="came without task_id"):
        read_task_change(event_of(task_content=content))


def test_the_log_fills_in_what_a_read_by_id_does_not_show() -> None:
    told = {"description": {"current": "v2"}, "due_date": {"current": "2026-3-4"}, "assignee": {"current": None}}
    change = read_task_change(event_of(task_content=told, properties={"external_id": "00T5G"}))
    task = task_of("7", {"id": 7, "title": "Call", "status": "open"}, change)
    assert task.values == {"title": "Call", "description": "v2", "status": "open", "due_date": "2026-03-04"}
    assert (task.account_id, task.external_id) == ("ACME-17", "00t5g")


def test_a_value_that_was_taken_away_is_told_apart_from_one_that_is_not_told() -> None:
    told = {"description": {"current": None, "is_modified": True}, "priority": {"current": None, "is_modified": False}}
    change = read_task_change(event_of(task_content=told))
    assert change is not None
    assert change.values == {"description": None}


def test_of_changes_at_one_moment_the_creation_comes_first_and_the_deletion_last() -> None:
    verbs = {"e-9": "create", "e-5": "update", "e-1": "delete"}
    events = [event_of(id=event_id, task_content={"action": verb}) for event_id, verb in verbs.items()]
    assert last_changes(events)["7"].action == "delete"
    assert last_changes(events[:2])["7"].action == "update"


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-12-01", "2026-12-01"),
        ("2026-2-3", "2026-02-03"),
        ("2026-12-01T10:00:00Z", "2026-12-01"),
        (1_796_083_200_000, "2026-12-01"),
        ("1796083200000", "2026-12-01"),
        ("2026-02-30", None),
        ("", None),
        (None, None),
    ],
)
def test_due_dates_are_read_in_every_form(value: Any, day: str | None) -> None:
    found = due_on(value)
    assert (found and found.isoformat()) == day

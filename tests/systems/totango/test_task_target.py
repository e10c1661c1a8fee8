from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.systems.totango.lab import NOW, account_ids, client_on, make_sandbox, service_of, switch

from cshub.core.errors import AmbiguousWrite, DataError, RequestRefused, SpecError
from cshub.core.ports import Verdict, Write
from cshub.core.records import Operation, RecordKey, TargetRecord
from cshub.core.window import Window
from cshub.systems.totango.models import from_ms
from cshub.systems.totango.task_catalog import TASK, TaskOptions
from cshub.systems.totango.task_target import TotangoTasks
from cshub_sandbox.faults import FaultRule
from cshub_sandbox.sandbox import Sandbox

QUARTER = Window(NOW - timedelta(days=45), NOW + timedelta(days=45))


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sandbox()


def target_on(sandbox: Sandbox, **options: Any) -> TotangoTasks:
    return TotangoTasks(client_on(sandbox), TaskOptions.model_validate(options))


def values_of(**more: Any) -> dict[str, Any]:
    return {"title": "Send deck", "description": "v2", "due_date": "2026-12-01", "priority": "2", **more}


def write(target: TotangoTasks, write: Write) -> Verdict:
    (verdict,) = target.write([write])
    return verdict


def create(target: TotangoTasks, account_id: str, values: Mapping[str, Any]) -> RecordKey:
    verdict = write(target, Write(Operation.CREATE, None, account_id, values, external_id="x"))
    assert verdict.error is None
    assert verdict.key is not None
    return verdict.key


def update(target: TotangoTasks, key: RecordKey, values: Mapping[str, Any], *changed: str) -> Verdict:
    return write(target, Write(Operation.UPDATE, key, key.account_id, values, frozenset(changed)))


def found(target: TotangoTasks, account_id: str, values: Mapping[str, Any]) -> Sequence[TargetRecord]:
    (items,) = target.find([target.hint(Write(Operation.CREATE, None, account_id, values))])
    return [item.record for item in items]


def task(sandbox: Sandbox, key: str) -> dict[str, Any]:
    """A task as the tenant stores it."""
    stored: list[dict[str, Any]] = service_of(sandbox).state()["tasks"]
    return next(item for item in stored if str(item["id"]) == key)


def written(sandbox: Sandbox) -> list[Any]:
    return [entry.body for entry in sandbox.log.entries if entry.write]


def test_a_task_is_made_in_the_tenants_default_flow(sandbox: Sandbox) -> None:
    service_of(sandbox).act("set_default_flow", {"id": "renewal"})
    member = service_of(sandbox).state()["users"][1]["email"]
    account = account_ids(sandbox)[0]
    key = create(target_on(sandbox), account, values_of(priority="1", status="closed", assigned_to=member))
    stored = task(sandbox, key.key)
    assert (stored["account_id"], stored["activity_type_id"], stored["status"]) == (account, "renewal", "closed")
    assert (stored["title"], stored["description"], stored["due_date"]) == ("Send deck", "v2", "2026-12-01")
    assert (stored["priority"], stored["assignee"]) == (1, member)


def test_a_flow_is_chosen_by_name(sandbox: Sandbox) -> None:
    target = target_on(sandbox, flow="SUPPORT")
    target.check_options()
    key = create(target, account_ids(sandbox)[0], values_of())
    assert task(sandbox, key.key)["activity_type_id"] == "support"


def test_an_unknown_flow_lists_what_there_is(sandbox: Sandbox) -> None:
    with pytest.raises(SpecError, match=r"called 'Nope'; there are: \w+.*Correct target.options"):
        target_on(sandbox, flow="Nope").check_options()


def test_only_what_differs_is_sent_and_the_rest_stays_as_a_person_set_it(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    key = create(target, account_ids(sandbox)[0], values_of())
    service_of(sandbox).act("edit_task", {"id": int(key.key), "priority": 3, "activity_type_id": "support"})
    assert update(target, key, values_of(title="New"), "title").error is None
    assert written(sandbox)[-1] == {"id": int(key.key), "title": "New"}
    stored = task(sandbox, key.key)
    assert (stored["title"], stored["priority"], stored["activity_type_id"]) == ("New", 3, "support")


def test_without_telling_what_differs_everything_is_sent(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    key = create(target, account_ids(sandbox)[0], values_of())
    update(target, key, values_of(title="New"))
    body = {"title": "New", "description": "v2", "due_date": "2026-12-01", "priority": 2}
    assert written(sandbox)[-1] == {"id": int(key.key), **body}


def test_null_empties_the_description_and_leaves_alone_what_totango_cannot_empty(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    member = service_of(sandbox).state()["users"][1]["email"]
    key = create(target, account_ids(sandbox)[0], values_of(assigned_to=member))
    nothing = dict.fromkeys(("title", "description", "due_date", "priority", "status", "assigned_to"))
    assert update(target, key, nothing, *nothing).error is None
    stored = task(sandbox, key.key)
    assert stored["description"] == ""
    assert (stored["title"], stored["due_date"], stored["assignee"]) == ("Send deck", "2026-12-01", member)
    before = len(written(sandbox))
    assert update(target, key, {"due_date": None}, "due_date").error is None
    assert len(written(sandbox)) == before


@pytest.mark.parametrize("wrong", [{"priority": "High"}, {"status": "Completed"}])
def test_a_value_that_totango_does_not_have_refuses_this_record_alone(sandbox: Sandbox, wrong: dict[str, str]) -> None:
    target = target_on(sandbox)
    verdict = write(target, Write(Operation.CREATE, None, account_ids(sandbox)[0], values_of(**wrong)))
    assert isinstance(verdict.error, DataError)
    assert "map it to" in str(verdict.error)
    assert written(sandbox) == []


def test_what_totango_sets_itself_is_not_sent(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    more = dict.fromkeys(("assigner", "create_date", "last_update_date", "last_updater", "task_id"), "x")
    create(target, account_ids(sandbox)[0], values_of(**more))
    (body,) = written(sandbox)
    assert not body.keys() & more.keys()
    assert not any(TASK.fields[name].updateable for name in more)


def test_a_refusal_carries_the_services_words(sandbox: Sandbox) -> None:
    verdict = write(target_on(sandbox), Write(Operation.CREATE, None, "no-such-account", values_of()))
    assert isinstance(verdict.error, RequestRefused)
    assert "Account not found" in verdict.error.verdict


def test_a_create_answered_by_a_message_alone_finds_its_id(sandbox: Sandbox) -> None:
    switch(sandbox, task_reply="text")
    account = account_ids(sandbox)[0]
    target = target_on(sandbox)
    keys = [create(target, account, values_of(description=text)) for text in ("one", "two")]
    assert [task(sandbox, key.key)["description"] for key in keys] == ["one", "two"]


def test_a_lost_create_is_told_from_tasks_that_differ_in_one_thing(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    target = target_on(sandbox)
    first, second = sorted(user["email"] for user in service_of(sandbox).state()["users"])[:2]
    wanted = values_of(assigned_to=first)
    for change in (
        {"title": "Another"},
        {"description": "v3"},
        {"due_date": "2026-12-02"},
        {"priority": "3"},
        {"assigned_to": second},
    ):
        create(target, account, {**wanted, **change})
        assert list(found(target, account, wanted)) == []
    key = create(target, account, wanted)
    assert [record.key for record in found(target, account, wanted)] == [key.key]


def test_a_lost_create_is_found_after_somebody_edited_or_renamed_it(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    target = target_on(sandbox)
    renamed = create(target, account, values_of())
    sandbox.clock.advance(timedelta(minutes=1))
    edited = create(target, account, values_of())
    sandbox.clock.advance(timedelta(minutes=1))
    service = service_of(sandbox)
    service.act("edit_task", {"id": int(renamed.key), "title": "Renamed"})
    service.act("edit_task", {"id": int(edited.key), "description": "Edited", "due_date": "2027-01-01"})
    records = found(target, account, values_of())
    assert [record.key for record in records] == [edited.key, renamed.key]
    assert records[0].created_at == from_ms(task(sandbox, edited.key)["create_date"])
    assert records[0].created_at is not None
    assert records[0].modified_at is not None
    assert records[0].modified_at > records[0].created_at


@pytest.mark.parametrize("description", ["<p>One</p><p>two &amp; three</p>", "a < b, then c > d", "", None, "line\n"])
def test_a_lost_create_is_found_whatever_its_text(sandbox: Sandbox, description: str | None) -> None:
    account = account_ids(sandbox)[0]
    target = target_on(sandbox)
    values = values_of(description=description, title="  Spaced   title ")
    sandbox.faults.add(FaultRule.parse({"kind": "drop_after_commit", "only_writes": True, "nth": 1}))
    verdict = write(target, Write(Operation.CREATE, None, account, values))
    assert isinstance(verdict.error, AmbiguousWrite)
    (record,) = found(target, account, values)
    assert task(sandbox, record.key)["title"].split() == ["Spaced", "title"]


def test_many_hints_of_one_account_need_one_timeline(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    target = target_on(sandbox)
    keys = [create(target, account, values_of(title=f"Task {number}")) for number in range(3)]
    hints = [
        target.hint(Write(Operation.CREATE, None, account, values_of(title=f"Task {number}"))) for number in range(3)
    ]
    before = target.calls
    found = target.find(hints)
    assert [[item.record.key for item in items] for items in found] == [[key.key] for key in keys]
    assert target.calls - before == 1 + 3


@pytest.mark.parametrize(("export", "calls"), [("with_ids", 3 + 1), ("refused", 3 + 1 + 12)])
def test_the_titles_of_many_lost_creates_come_from_one_export(sandbox: Sandbox, export: str, calls: int) -> None:
    switch(sandbox, task_export=export)
    target = target_on(sandbox)
    accounts = account_ids(sandbox)[:3]
    wanted = [(accounts[number % 3], values_of(title=f"Task {number}")) for number in range(12)]
    keys = [create(target, account, values) for account, values in wanted]
    hints = [target.hint(Write(Operation.CREATE, None, account, values)) for account, values in wanted]
    before = target.calls
    assert [[item.record.key for item in items] for items in target.find(hints)] == [[key.key] for key in keys]
    assert target.calls - before == calls


def test_a_record_tells_its_last_change_and_who_made_it(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    target = target_on(sandbox)
    key = create(target, account, values_of())
    sandbox.clock.advance(timedelta(hours=1))
    member = service_of(sandbox).state()["users"][1]["email"]
    service_of(sandbox).act("edit_task", {"id": int(key.key), "title": "New", "user": member})
    record = target.read_keys([key])[key.key]
    assert record is not None
    assert record.modified_by == member
    assert record.modified_at is not None
    assert timedelta(hours=1) <= record.modified_at - NOW < timedelta(hours=1, seconds=5)
    assert record.values == {
        "account_id": account,
        "title": "New",
        "description": "v2",
        "priority": "2",
        "status": "open",
        "status_label_id": task(sandbox, key.key)["status_label_id"],
        "due_date": "2026-12-01",
        "assigned_to": task(sandbox, key.key)["assignee"],
        "assigner": task(sandbox, key.key)["assigner"],
        "create_date": record.values["create_date"],
    }


@pytest.mark.parametrize("switches", [{}, {"task_export": "refused"}, {"task_export": "without_ids"}])
def test_a_window_holds_tasks_by_their_due_date(sandbox: Sandbox, switches: dict[str, Any]) -> None:
    switch(sandbox, **switches)
    account = account_ids(sandbox)[0]
    target = target_on(sandbox)
    keys = [create(target, account, values_of(due_date=f"2027-01-0{day}")).key for day in (1, 2, 3)]
    sandbox.clock.advance(timedelta(seconds=5))
    start = from_ms(1_798_761_600_000)  # 2027-01-01
    shown = [record.key for batch in target.read_window(Window(start, start + timedelta(days=2))) for record in batch]
    assert shown == keys[:2]


def test_a_window_takes_two_calls_whatever_it_holds(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    target = target_on(sandbox)
    for number in range(40):
        create(target, account, values_of(title=f"Task {number}"))
    sandbox.clock.advance(timedelta(seconds=5))
    before = target.calls
    records = [record for batch in target.read_window(QUARTER) for record in batch]
    assert len(records) >= 40
    assert target.calls - before == 2
    assert all(record.modified_at is not None for record in records)


def test_tasks_read_in_a_window_are_as_those_read_by_id(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    listed = [record for batch in target.read_window(QUARTER) for record in batch][:5]
    assert listed
    for record in listed:
        again = target.read_keys([RecordKey(record.key, record.account_id)])[record.key]
        assert again is not None
        assert again.values.items() >= record.values.items()
        assert (again.modified_at, again.modified_by) == (record.modified_at, record.modified_by)


@pytest.mark.parametrize("switches", [{}, {"unknown_task": "not_found"}])
def test_the_last_task_of_a_tenant_is_proven_gone_by_the_export(sandbox: Sandbox, switches: dict[str, Any]) -> None:
    switch(sandbox, **switches)
    target = target_on(sandbox)
    stored = service_of(sandbox).state()["tasks"]
    for item in stored:
        service_of(sandbox).act("delete_task", {"id": item["id"]})
    key = RecordKey(str(stored[0]["id"]), stored[0]["account_id"])
    assert dict(target.read_keys([key])) == {key.key: None}
    switch(sandbox, task_export="refused")
    assert dict(target_on(sandbox).read_keys([key])) == {}


def test_an_id_that_is_none_proves_nothing(sandbox: Sandbox) -> None:
    assert dict(target_on(sandbox).read_keys([RecordKey("no-number", account_ids(sandbox)[0])])) == {}


def test_a_task_whose_account_was_merged_is_still_there(sandbox: Sandbox) -> None:
    first, second = account_ids(sandbox)[:2]
    target = target_on(sandbox)
    key = create(target, first, values_of())
    service_of(sandbox).act("merge_account", {"account_id": first, "into": second})
    record = target.read_keys([key])[key.key]
    assert record is not None
    assert record.account_id == second


def test_a_description_brings_no_script_into_the_pages_of_totango(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    text = "Before <img src=x onerror=alert(1)> <b>after</b> <script>"
    key = create(target, account_ids(sandbox)[0], values_of(description=text))
    assert task(sandbox, key.key)["description"] == "Before  <b>after</b> &lt;script&gt;"
    plain = "if (a < b) ask Ada <ada@seller.example>"
    update(target, key, values_of(description=plain), "description")
    assert task(sandbox, key.key)["description"] == plain

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from tests.systems.totango.lab import account_ids, client_on, make_sandbox, service_of, switch, touchpoint
from tests.systems.wire import FakeTime, Say, Script

from cshub.core.errors import AmbiguousWrite, NotFound, RequestRefused
from cshub.systems.totango.client import BASE_URLS, Region, TotangoClient
from cshub.systems.totango.models import TaskFields, TaskStatus, TouchpointFields
from cshub_sandbox.sandbox import Sandbox

TASK = TaskFields(title="Send deck", description="v2", due_date="2026-12-01", priority=2, activity_type_id="adoption")


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sandbox()


def scripted(*steps: Say | Exception) -> tuple[TotangoClient, Script]:
    script = Script(*steps)
    return TotangoClient("a-token", wire=FakeTime().wire(script)), script


@pytest.mark.parametrize("region", list(Region))
def test_each_region_has_its_host(region: Region) -> None:
    script = Script(Say(body={"response": {"accounts": {"total_hits": 3, "hits": []}}}))
    client = TotangoClient("a-token", region=region, wire=FakeTime().wire(script))
    assert client.count_accounts() == 3
    assert str(script.requests[0].url).startswith(BASE_URLS[region])
    assert script.requests[0].headers["app-token"] == "a-token"


def test_every_documented_field_of_a_touchpoint_is_sent_under_its_own_name() -> None:
    client, script = scripted(Say(body={"note": {"id": 7}}))
    fields = TouchpointFields(
        content="c",
        subject="s",
        create_date_ms=1,
        created_by="a@x.example",
        activity_type_id="renewal",
        touchpoint_type="t",
        touchpoint_tags=["g"],
        participants=["b@x.example"],
        disable_sync=True,
        parent_id=5,
        follow_up=6,
        more={"unknown_yet": 1},
    )
    assert client.create_touchpoint("ACME-17", fields) == 7
    assert orjson.loads(script.requests[0].body or b"") == {
        "account_id": "ACME-17",
        "content": "c",
        "subject": "s",
        "create_date": 1,
        "created_by": "a@x.example",
        "activity_type_id": "renewal",
        "touchpointType": "t",
        "touchpoint_tags": ["g"],
        "participantList": [{"userId": "b@x.example"}],
        "disable_sync": True,
        "parentId": 5,
        "followUp": 6,
        "unknown_yet": 1,
    }


@pytest.mark.parametrize("body", [{}, {"note": {}}, {"note": {"id": None}}, {"note": {"id": True}}, [], {"note": 7}])
def test_a_create_whose_answer_tells_no_id_is_ambiguous(body: object) -> None:
    client, script = scripted(Say(body=body))
    with pytest.raises(AmbiguousWrite):
        client.create_touchpoint("A", TouchpointFields(content="c"))
    assert len(script.requests) == 1


def test_an_id_that_comes_as_text_is_understood() -> None:
    client, _ = scripted(Say(body={"note": {"id": "900123"}}))
    assert client.create_touchpoint("A", TouchpointFields(content="c")) == 900123


def test_a_task_goes_through_its_whole_life(sandbox: Sandbox) -> None:
    client = client_on(sandbox)
    task_id = client.create_task(account_ids(sandbox)[0], TASK)
    task = client.task(task_id)
    assert task is not None
    assert (task["title"], task["status"]) == ("Send deck", "open")
    client.update_task(task_id, TaskFields(title="Send final deck"))
    client.close_task(task_id)
    task = client.task(task_id)
    assert task is not None
    assert (task["title"], task["status"]) == ("Send final deck", "closed")
    client.reopen_task(task_id)
    client.delete_task(task_id)
    assert client.task(task_id) is None
    with pytest.raises(NotFound):
        client.delete_task(task_id)


def test_a_task_whose_answer_is_plain_text_is_found_in_the_timeline(sandbox: Sandbox) -> None:
    switch(sandbox, task_reply="text")
    client = client_on(sandbox)
    first = client.create_task(account_ids(sandbox)[0], TASK)
    second = client.create_task(account_ids(sandbox)[0], replace(TASK, description="v3"))
    assert first != second
    task = client.task(second)
    assert task is not None
    assert task["description"] == "v3"


def test_a_task_for_an_unknown_account_is_refused_in_the_services_words(sandbox: Sandbox) -> None:
    with pytest.raises(RequestRefused, match="Account not found"):
        client_on(sandbox).create_task("nope", TASK)


def test_a_status_is_sent_as_the_service_writes_it() -> None:
    client, script = scripted(Say(body={}))
    client.update_task(5, TaskFields(status=TaskStatus.CLOSED))
    assert orjson.loads(script.requests[0].body or b"") == {"id": 5, "status": "closed"}


def test_one_account_and_the_attribute_list_are_read(sandbox: Sandbox) -> None:
    client = client_on(sandbox)
    account = client.account(account_ids(sandbox)[0])
    assert "sfid" in {item["key_name"] for item in client.attributes()} | set(account["attributes"])
    with pytest.raises(NotFound):
        client.account("no such / account")


def test_the_region_of_a_service_can_be_looked_up(sandbox: Sandbox) -> None:
    client, service_id = client_on(sandbox), str(service_of(sandbox).service_id)
    assert client.region(service_id) is Region.US
    switch(sandbox, region="eu")
    assert client.region(service_id) is Region.EU


def test_team_members_carry_status_and_licence(sandbox: Sandbox) -> None:
    members = client_on(sandbox).internal_users()
    assert {member.id for member in members} == {user["email"] for user in service_of(sandbox).state()["users"]}
    assert all(member.status and member.license for member in members)


def test_a_timeline_of_an_unknown_account_is_empty(sandbox: Sandbox) -> None:
    for form in ("empty", "not_found"):
        switch(sandbox, unknown_account_timeline=form)
        assert client_on(sandbox).account_events("nope") == []


def test_a_touchpoint_reply_points_at_its_parent(sandbox: Sandbox) -> None:
    client = client_on(sandbox)
    account = account_ids(sandbox)[0]
    parent = client.create_touchpoint(account, TouchpointFields(subject="p", content="c"))
    child = client.create_touchpoint(account, TouchpointFields(subject="r", content="c", parent_id=parent))
    assert touchpoint(sandbox, child)["parent_id"] == parent


def test_the_limit_of_the_service_is_waited_for() -> None:
    sandbox = make_sandbox(rate_limit=5)
    client = client_on(sandbox)
    for _ in range(12):
        client.count_accounts()
    refused = [entry for entry in sandbox.log.entries if entry.status == 429]
    assert 1 <= len(refused) <= 3

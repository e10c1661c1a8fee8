from __future__ import annotations

from typing import Any

import pytest

NOTES = {"type": "event_property", "name": "event_type", "eq": "note"}


def test_a_user_writes_edits_back_dates_and_deletes_a_touchpoint(totango: Any) -> None:
    made = totango.act("create_touchpoint", account_id="ACME-17", user="bo@vendor.example", subject="S", content="One")
    assert (made["created_by"], made["origin"], made["deleted"]) == ("bo@vendor.example", "user", False)
    totango.wait(60)
    edited = totango.act("edit_touchpoint", note_id=made["note_id"], user="cleo@vendor.example", content="Two")
    assert (edited["content"], edited["last_edit_user"]) == ("Two", "cleo@vendor.example")
    assert (edited["event_id"], edited["timestamp_ms"]) == (made["event_id"], made["timestamp_ms"])
    moved = totango.act("backdate", note_id=made["note_id"], to="2026-09-01T10:00:00Z")
    assert moved["timestamp_ms"] == totango.event(made["note_id"])["timestamp"] == 1_788_256_800_000
    assert totango.act("delete_touchpoint", note_id=made["note_id"])["deleted"] is True
    with pytest.raises(KeyError, match="Touchpoint not found"):
        totango.act("edit_touchpoint", note_id=made["note_id"], content="x")


def test_a_users_edit_keeps_the_other_fields_even_where_the_api_clears_them(totango: Any) -> None:
    totango.switches.put_omitted = "clear"
    made = totango.act("create_touchpoint", account_id="ACME-17", subject="S", content="One")
    assert totango.act("edit_touchpoint", note_id=made["note_id"], content="Two")["subject"] == "S"


def test_a_users_edit_reaches_search_after_the_lag_like_any_other(totango: Any) -> None:
    note_id = totango.act("create_touchpoint", account_id="ACME-17", content="One")["note_id"]
    totango.wait(2)
    assert (
        totango.events(NOTES, {"type": "date", "term": "date", "gte": 1_795_161_600_000})[0]["note_content"]["note_id"]
        == note_id
    )


def test_a_user_works_on_a_task(totango: Any) -> None:
    task = totango.act(
        "create_task",
        account_id="ACME-17",
        title="T",
        due_date="2026-12-01",
        activity_type_id="support",
        user="bo@vendor.example",
    )
    assert task["assigner"] == "bo@vendor.example"
    assert totango.act("edit_task", id=task["id"], title="U")["title"] == "U"
    assert totango.act("complete_task", id=task["id"])["status"] == "closed"
    totango.act("delete_task", id=task["id"])
    assert task["id"] not in [held["id"] for held in totango.service.state()["tasks"]]


def test_an_account_of_the_world_can_join_with_its_contacts(totango: Any) -> None:
    account = totango.act("create_account", crm_id="0015000000KlMnOAAX")
    assert (account["id"], account["attributes"]["sfid"]) == ("LATER-1", "0015000000KlMnOAAX")
    people = [{"userId": "lee@acme.example"}]
    assert totango.held(totango.create("LATER-1", participantList=people))["participants"] == ["lee@acme.example"]
    with pytest.raises(ValueError, match="exists already"):
        totango.act("create_account", crm_id="0015000000KlMnOAAX")
    with pytest.raises(KeyError, match="no account with crm_id"):
        totango.act("create_account", crm_id="x")


def test_an_account_can_be_made_renamed_and_given_attributes(totango: Any) -> None:
    totango.act("create_account", id="NEW-1", name="New", attributes={"salesforce_key": "ABC"})
    totango.act("rename_account", account_id="NEW-1", name="Newer")
    account = totango.act("set_attributes", account_id="NEW-1", attributes={"Tier": "Growth"})
    assert (account["name"], account["foreign_keys"]["salesforce_key"]) == ("Newer", "abc")
    assert account["attributes"]["Tier"] == "Growth"
    for wrong in (
        {"id": "NEW-1", "name": "x"},
        {"id": "a b", "name": "x"},
        {"id": "NEW-2"},
        {"id": "NEW-2", "colour": "x"},
    ):
        with pytest.raises(ValueError):
            totango.act("create_account", **wrong)


def test_a_merged_account_hands_its_timeline_tasks_and_contacts_over(totango: Any) -> None:
    note_id, task_id = totango.create(), totango.task()
    events = {event["id"] for event in totango.timeline()} | {
        event["id"] for event in totango.timeline("0015000000FgHiJAAX")
    }
    totango.act("merge_account", account_id="ACME-17", into="0015000000FgHiJAAX")
    assert totango.timeline() == []
    assert {event["id"] for event in totango.timeline("0015000000FgHiJAAX")} == events
    assert totango.event(note_id, "0015000000FgHiJAAX")["account"]["id"] == "0015000000FgHiJAAX"
    state = totango.service.state()
    assert {record["account_id"] for record in (*state["touchpoints"], *state["tasks"], *state["contacts"])} == {
        "0015000000FgHiJAAX"
    }
    assert task_id in [task["id"] for task in state["tasks"]]
    totango.wait(2)
    assert totango.events(account_id="ACME-17") == []
    with pytest.raises(ValueError, match="itself"):
        totango.act("merge_account", account_id="0015000000FgHiJAAX", into="0015000000FgHiJAAX")


def test_the_events_of_a_deleted_account_vanish(totango: Any) -> None:
    note_id = totango.create()
    totango.act("delete_account", account_id="ACME-17")
    totango.wait(2)
    assert totango.timeline() == []
    assert {event["account"]["id"] for event in totango.events()} <= {"0015000000FgHiJAAX"}
    assert note_id in [note["note_id"] for note in totango.service.state()["deleted_touchpoints"]]


def test_a_campaign_leaves_one_touch_per_account(totango: Any) -> None:
    sent = totango.act(
        "send_campaign", name="Hello", account_ids=["ACME-17"], user="bo@vendor.example", at=1_795_161_600_000
    )
    touch = totango.timeline()[0]["campaign_touch_content"]
    assert sent == {"campaign_id": touch["campaign_id"], "accounts": 1}
    assert (touch["from"], touch["users_count"], touch["campaign_type"]) == ("bo@vendor.example", 5, "one_time")
    assert totango.act("send_campaign", name="All", ongoing=True)["accounts"] == 2


def test_people_and_catalogues_can_grow(totango: Any) -> None:
    totango.act("add_contact", account_id="ACME-17", email="New@acme.example", user_id="u-1", first_name="Ann")
    assert totango.held(totango.create(participantList=[{"userId": "u-1"}]))["participants"] == ["u-1"]
    totango.act("add_flow", id="winback", name="Win back")
    assert totango.held(totango.create(activity_type_id="winback"))["activity_type_id"] == "winback"
    type_id = totango.act("add_touchpoint_type", name="Webinar")["id"]
    assert totango.held(totango.create(touchpointType=type_id))["touchpoint_type"] == type_id
    with pytest.raises(ValueError, match="exists already"):
        totango.act("add_user", email="BO@vendor.example")


@pytest.mark.parametrize(
    ("action", "arguments", "error", "text"),
    [
        ("fly", {}, KeyError, "known: create_touchpoint"),
        ("create_touchpoint", {"account_id": "NOBODY", "content": "x"}, KeyError, "No account"),
        ("create_touchpoint", {"account_id": "ACME-17"}, ValueError, "content is required"),
        ("create_touchpoint", {"account_id": "ACME-17", "content": "x", "user": "x"}, KeyError, "No team member"),
        ("create_touchpoint", {"account_id": "ACME-17", "colour": "x"}, ValueError, "does not take colour"),
        ("edit_touchpoint", {"note_id": "x"}, ValueError, "needs note_id, a whole number"),
        ("edit_touchpoint", {"note_id": 1, "content": "x"}, KeyError, "Touchpoint not found"),
        ("backdate", {"note_id": 900001, "to": "2026-09-01T10:00:00"}, ValueError, "time zone"),
        ("delete_touchpoint", {"note_id": 1}, KeyError, "Touchpoint not found"),
        ("complete_task", {"id": 1}, KeyError, "Task not found"),
        ("send_campaign", {}, ValueError, "needs name"),
        ("revoke_token", {"token": "x"}, KeyError, "No token"),
        ("issue_token", {"user": "x", "name": "x"}, KeyError, "No team member"),
        ("set_attributes", {"account_id": "ACME-17", "attributes": 1}, ValueError, "must be an object"),
        ("rename_account", {"account_id": 1, "name": "x"}, ValueError, "must be text"),
    ],
)
def test_a_wrong_action_says_what_is_wrong(
    totango: Any, action: str, arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        totango.act(action, **arguments)

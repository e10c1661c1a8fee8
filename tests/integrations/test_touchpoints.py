"""Events and touchpoints: rows C1, C2, C5 to C9, by the jobs of docs/integrations/touchpoints.md."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integrations.stage import NOW, Record, Stage, prepare_visits

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("integrations")]

BANKING = "include/jobs/banking_meetings.yaml"
CALLS = "include/jobs/calls_as_tasks.yaml"
VISITS = "include/jobs/visits.yaml"
TIMED_IN, TIMED_OUT = "include/jobs/timed_touchpoints_inbound.yaml", "include/jobs/timed_touchpoints_outbound.yaml"
PEOPLE_IN, PEOPLE_OUT = "include/jobs/meetings_with_people.yaml", "include/jobs/touchpoints_with_people.yaml"


def made(stage: Stage) -> list[Record]:
    """Touchpoints that the hub has made."""
    return [note for note in stage.records("totango", "touchpoints") if note["by_api"]]


def test_a_condition_and_fields_of_parents_choose_what_comes_and_an_empty_one_brings_all(stage: Stage) -> None:
    accounts = {row["Id"]: row for row in stage.records("salesforce", "accounts")}
    emails = {row["Id"]: row["Email"] for row in stage.records("salesforce", "users")}
    bank = next(
        row["attributes"]["sfid"]
        for row in stage.records("totango", "accounts")
        if accounts[row["attributes"]["sfid"]]["Industry"] == "Banking"
    )
    stage.new("Event", WhatId=bank, Subject="Lunch", Type="Other", Location="Canteen")
    stage.new("Event", WhatId=bank, Subject="Board meeting", Type="Meeting", Location="Room 7")
    stage.install(BANKING)
    stage.run("banking_meetings")
    notes = made(stage)
    held = {row["id"]: row["attributes"]["sfid"] for row in stage.records("totango", "accounts")}
    assert {accounts[held[note["account_id"]]]["Industry"] for note in notes} == {"Banking"}
    subjects = [note["subject"] for note in notes]
    assert "Board meeting" in subjects and "Lunch" not in subjects
    board = next(note for note in notes if note["subject"] == "Board meeting")
    assert board["content"].strip() == "Room 7"
    assert board["created_by"] == emails[accounts[bank]["OwnerId"]]

    stage.edit_job("banking_meetings", "Type = 'Meeting' AND Account.Industry = 'Banking'", '""')
    everything = stage.run("banking_meetings", full_sync=True)
    subjects = [note["subject"] for note in made(stage)]
    assert "Lunch" in subjects and subjects.count("Board meeting") == 1
    assert everything.statistics["unchanged"] == len(notes)


def test_touchpoints_that_pass_the_filters_become_tasks_from_as_far_back_as_the_window_says(stage: Stage) -> None:
    author = "sherri.walters@brightwater.example"
    call: dict[str, Any] = {"subject": "Renewal call", "content": "They will sign.", "user": author}
    kinds = {row["name"]: row["id"] for row in stage.records("totango", "touchpoint_types")}
    old = stage.note(**call, touchpointType=kinds["Telephone call"], at=NOW - timedelta(days=60))
    stage.note(**{**call, "subject": "Web"}, touchpointType=kinds["Web meeting"])
    stage.note(
        **{**call, "subject": "By another", "user": "tiffany.lucero@brightwater.example"},
        touchpointType=kinds["Telephone call"],
    )
    stage.install(CALLS, put={"dana@vendor.example": author})
    stage.run("calls_as_tasks")
    task = stage.one("salesforce", "tasks", Subject="Renewal call")
    users = {row["Id"]: row["Email"] for row in stage.records("salesforce", "users")}
    assert (task["WhatId"], task["AccountId"]) == (stage.account["sfid"], stage.account["sfid"])
    assert (task["Description"], task["Status"], task["Type"]) == ("They will sign.", "Completed", "Call")
    assert task["ActivityDate"] == (NOW - timedelta(days=60)).date().isoformat()
    assert users[task["OwnerId"]] == author
    assert stage.all("salesforce", "tasks", Subject="Web") == []

    stage.edit_note(old, subject="Renewal call, won")
    assert stage.run("calls_as_tasks").counts()["updated"] == 1
    assert stage.one("salesforce", "tasks", Subject="Renewal call, won")["Id"] == task["Id"]


def test_a_touchpoint_becomes_a_record_of_a_custom_object_below_its_account(stage: Stage) -> None:
    prepare_visits(stage)
    kinds = {row["name"]: row["id"] for row in stage.records("totango", "touchpoint_types")}
    note = stage.note(subject="Tour", content="Shown the plant.", touchpointType=kinds["In-person meeting"])
    stage.install(VISITS)
    stage.run("visits")
    visits = {
        row["Totango_Key__c"]: row for row in stage.sandbox.control.state("salesforce")["custom_objects"]["Visit__c"]
    }
    visit = visits[str(note)]
    assert (visit["Account__c"], visit["Name"], visit["Notes__c"]) == (
        stage.account["sfid"],
        "Tour",
        "Shown the plant.",
    )
    assert visit["Visited_On__c"] == stage.now.date().isoformat()
    stage.edit_note(note, content="Shown the new plant.")
    assert stage.run("visits").counts()["updated"] == 1
    rows = stage.sandbox.control.state("salesforce")["custom_objects"]["Visit__c"]
    assert [row["Notes__c"] for row in rows if row["Totango_Key__c"] == str(note)] == ["Shown the new plant."]


def test_the_date_is_mapped_twice_the_event_keeps_its_hour_and_comes_back_by_its_start(stage: Stage) -> None:
    note = stage.note(subject="At ten past three", content="Timed.", at=datetime(2026, 11, 18, 15, 10, tzinfo=UTC))
    stage.install(TIMED_IN, TIMED_OUT)
    stage.run("timed_touchpoints_outbound")
    event = stage.one("salesforce", "events", Subject="At ten past three")
    assert (event["IsAllDayEvent"], event["DurationInMinutes"]) == (False, 45)
    assert (event["StartDateTime"][:16], event["ActivityDate"]) == ("2026-11-18T15:10", "2026-11-18")
    stage.wait(minutes=5)
    assert stage.run("timed_touchpoints_inbound", records=[event["Id"]]).writes == 0

    stage.edit(event["Id"], StartDateTime="2026-11-19T09:30:00.000Z")
    stage.run("timed_touchpoints_inbound")
    moved = stage.one("totango", "touchpoints", note_id=note)
    assert moved["timestamp_ms"] == 1795080600000
    assert stage.run("timed_touchpoints_outbound").counts().get("updated", 0) == 0
    assert stage.one("salesforce", "events", Id=event["Id"])["DurationInMinutes"] == 45


def test_a_new_event_belongs_to_the_account_and_an_update_never_touches_account_or_author(stage: Stage) -> None:
    note = stage.note(subject="First words", content="Text.", user="sherri.walters@brightwater.example")
    stage.install(TIMED_OUT)
    stage.run("timed_touchpoints_outbound")
    event = stage.one("salesforce", "events", Subject="First words")
    assert (event["WhatId"], event["AccountId"]) == (stage.account["sfid"], stage.account["sfid"])
    deal = next(row for row in stage.records("salesforce", "opportunities"))
    stage.edit(event["Id"], WhatId=deal["Id"])
    stage.edit_note(note, content="More text.")
    stage.sandbox.control.clear_log()
    assert stage.run("timed_touchpoints_outbound").counts()["updated"] >= 1
    after = stage.one("salesforce", "events", Id=event["Id"])
    assert (after["WhatId"], after["Description"]) == (deal["Id"], "More text.")
    sent = [row for call in stage.sandbox.control.log("salesforce", writes=True) for row in call["body"]["records"]]
    names = {name for row in sent if row.get("id") or row.get("Id") for name in row}
    assert names and not names & {"WhatId", "AccountId", "CreatedById"}


def test_the_account_of_a_touchpoint_stays_when_its_event_moves_to_another(stage: Stage) -> None:
    key = stage.new("Event", Subject="Moves", Description="With us.")
    stage.install(TIMED_IN)
    stage.run("timed_touchpoints_inbound")
    other = next(
        row for row in stage.records("totango", "accounts") if row["attributes"]["sfid"] != stage.account["sfid"]
    )
    stage.edit(key, WhatId=other["attributes"]["sfid"], Description="With them.")
    stage.run("timed_touchpoints_inbound")
    note = stage.one("totango", "touchpoints", subject="Moves")
    assert note["account_id"] == stage.account["id"]


def test_an_event_whose_account_is_missing_waits_and_comes_once_it_is_there(stage: Stage) -> None:
    known = {row["attributes"]["sfid"] for row in stage.records("totango", "accounts")}
    missing = next(row["Id"] for row in stage.records("salesforce", "accounts") if row["Id"] not in known)
    stage.new("Event", WhatId=missing, Subject="Too early")
    stage.install(TIMED_IN)
    assert stage.run("timed_touchpoints_inbound").counts()["parked"] >= 1
    assert stage.all("totango", "touchpoints", subject="Too early") == []
    stage.act("totango", "create_account", id="LATE-1", name="Late", attributes={"sfid": missing})
    stage.wait(minutes=60 * 24 * 3)
    stage.run("timed_touchpoints_inbound")
    assert stage.one("totango", "touchpoints", subject="Too early")["account_id"] == "LATE-1"


def test_an_event_without_subject_and_text_is_rejected_with_the_reason_and_the_others_come(stage: Stage) -> None:
    stage.new("Event", Subject=None, Description=None)
    stage.new("Event", Subject=None, Description="Text alone is enough.")
    stage.install(TIMED_IN)
    ran = stage.run("timed_touchpoints_inbound")
    assert ran.counts()["rejected"] == 1
    (rejected,) = stage.cshub_json("rejects", "timed_touchpoints_inbound")["rejects"]
    assert "neither subject nor content has a value" in rejected["reason"]
    texts = [note["content"].strip() for note in made(stage)]
    assert "Text alone is enough." in texts


def contacts(stage: Stage) -> list[Record]:
    """Contacts of the account, who are its users in Totango too."""
    known = {row["email"] for row in stage.records("totango", "contacts") if row["account_id"] == stage.account["id"]}
    rows = stage.all("salesforce", "contacts", AccountId=stage.account["sfid"])
    return [row for row in rows if row["Email"] in known]


@pytest.mark.parametrize("rule", ["create_only", "keep_in_step"])
def test_participants_are_written_with_the_touchpoint_and_later_only_if_they_are_kept_in_step(
    stage: Stage, rule: str
) -> None:
    stage.sandbox.control.switch("salesforce", shared_activities=True)
    first, second, *_ = contacts(stage)
    key = stage.new("Event", Subject="With people", WhoId=first["Id"])
    stage.install(PEOPLE_IN)
    stage.edit_job("meetings_with_people", "participants: create_only", f"participants: {rule}")
    stage.run("meetings_with_people")
    assert stage.one("totango", "touchpoints", subject="With people")["participants"] == [first["Email"]]
    stage.edit(key, WhoId=second["Id"], Subject="With other people")
    stage.run("meetings_with_people")
    note = stage.one("totango", "touchpoints", subject="With other people")
    assert (
        second["Email"] in note["participants"] if rule == "keep_in_step" else note["participants"] == [first["Email"]]
    )


def test_everybody_related_to_an_event_is_read_and_invited_users_too(stage: Stage) -> None:
    first, *_ = contacts(stage)
    invited = "sherri.walters@brightwater.example"
    owner = next(user["Id"] for user in stage.records("salesforce", "users") if user["Email"] != invited)
    key = stage.new("Event", Subject="Invited", WhoId=first["Id"], OwnerId=owner)
    stage.act("salesforce", "invite", event=key, user=invited)
    stage.wait(minutes=1)
    stage.install(PEOPLE_IN)
    stage.run("meetings_with_people")
    assert set(stage.one("totango", "touchpoints", subject="Invited")["participants"]) == {first["Email"], invited}


@pytest.mark.parametrize("rule", ["create_only", "keep_in_step"])
def test_the_first_contact_among_the_participants_becomes_the_name_of_a_new_event_and_stays_unless_kept_in_step(
    stage: Stage, rule: str
) -> None:
    first, second, *_ = contacts(stage)
    people = ["sherri.walters@brightwater.example", first["Email"]]
    note = stage.note(subject="Called", content="Text.", participantList=[{"userId": user_id} for user_id in people])
    stage.install(PEOPLE_OUT)
    stage.edit_job("touchpoints_with_people", "participants: create_only", f"participants: {rule}")
    stage.run("touchpoints_with_people")
    assert stage.one("salesforce", "events", Subject="Called")["WhoId"] == first["Id"]
    stage.edit_note(note, subject="Called back", participantList=[{"userId": second["Email"]}])
    stage.run("touchpoints_with_people")
    named = stage.one("salesforce", "events", Subject="Called back")["WhoId"]
    assert named == (second["Id"] if rule == "keep_in_step" else first["Id"])

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import STAMP, Caller

MakeOrg = Callable[..., Caller]


def times(record: Any) -> tuple[Any, ...]:
    names = ("IsAllDayEvent", "ActivityDate", "StartDateTime", "EndDateTime", "DurationInMinutes")
    return tuple(record[name] and str(record[name]).removesuffix(":00.000+0000") for name in names)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (False, "2026-11-20", "2026-11-20T10:00", "2026-11-20T10:30", "30")),
        (
            {"StartDateTime": None, "ActivityDateTime": "2026-11-20T23:30:00Z"},
            (False, "2026-11-20", "2026-11-20T23:30", "2026-11-21T00:00", "30"),
        ),
        (
            {"DurationInMinutes": None, "EndDateTime": "2026-11-20T11:00:00Z"},
            (False, "2026-11-20", "2026-11-20T10:00", "2026-11-20T11:00", "60"),
        ),
        (
            {"DurationInMinutes": 60, "EndDateTime": "2026-11-20T11:00:00Z", "ActivityDate": "2026-11-20"},
            (False, "2026-11-20", "2026-11-20T10:00", "2026-11-20T11:00", "60"),
        ),
        ({"DurationInMinutes": 0}, (False, "2026-11-20", "2026-11-20T10:00", "2026-11-20T10:00", 0)),
        (
            {"IsAllDayEvent": True, "ActivityDate": "2026-11-21", "StartDateTime": None, "DurationInMinutes": None},
            ("True", "2026-11-21", "2026-11-21T00:00", "2026-11-21T00:00", "1440"),
        ),
        (
            {"IsAllDayEvent": True, "StartDateTime": "2026-11-21T00:00:00Z", "DurationInMinutes": None},
            ("True", "2026-11-21", "2026-11-21T00:00", "2026-11-21T00:00", "1440"),
        ),
    ],
)
def test_the_times_of_an_event_follow_from_those_that_were_sent(
    org: Caller, fields: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    assert times(org.get("Event", org.event(**fields))) == expected


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({"StartDateTime": None}, "REQUIRED_FIELD_MISSING", "ActivityDateTime"),
        ({"StartDateTime": None, "ActivityDate": "2026-11-20"}, "REQUIRED_FIELD_MISSING", "ActivityDateTime"),
        ({"DurationInMinutes": None}, "REQUIRED_FIELD_MISSING", "EndDateTime"),
        ({"IsAllDayEvent": True, "StartDateTime": None}, "REQUIRED_FIELD_MISSING", "ActivityDate"),
        ({"ActivityDateTime": "2026-11-20T09:00:00Z"}, "FIELD_INTEGRITY_EXCEPTION", "ActivityDateTime"),
        ({"ActivityDate": "2026-11-19"}, "FIELD_INTEGRITY_EXCEPTION", "ActivityDate"),
        ({"EndDateTime": "2026-11-20T11:00:00Z"}, "FIELD_INTEGRITY_EXCEPTION", "DurationInMinutes"),
        (
            {"DurationInMinutes": None, "EndDateTime": "2026-11-20T09:00:00Z"},
            "FIELD_INTEGRITY_EXCEPTION",
            "EndDateTime",
        ),
        ({"DurationInMinutes": -1}, "FIELD_INTEGRITY_EXCEPTION", "EndDateTime"),
        ({"DurationInMinutes": 1_441}, "FIELD_INTEGRITY_EXCEPTION", "DurationInMinutes"),
        (
            {"IsAllDayEvent": True, "ActivityDate": "2026-11-19", "DurationInMinutes": None},
            "FIELD_INTEGRITY_EXCEPTION",
            "ActivityDate",
        ),
    ],
)
def test_contradicting_or_missing_times_are_refused(org: Caller, fields: dict[str, Any], code: str, named: str) -> None:
    answer = org.send("POST", "sobjects/Event", org.event_fields(**fields))
    assert answer.refusal == (400, code)
    assert answer.json[0]["fields"] == [named]


def test_old_versions_name_the_duration_as_missing(org: Caller) -> None:
    answer = org.send("POST", "sobjects/Event", org.event_fields(DurationInMinutes=None), version="38.0")
    assert answer.json[0]["fields"] == ["DurationInMinutes"]


def test_events_over_several_days_need_a_setting_of_the_org(make_org: MakeOrg) -> None:
    org = make_org(multi_day_events=True)
    record = org.get("Event", org.event(DurationInMinutes=2_880))
    assert record["EndDateTime"] == "2026-11-22T10:00:00.000+0000"
    days = org.event(
        IsAllDayEvent=True, StartDateTime=None, DurationInMinutes=None, ActivityDate="2026-11-20",
        EndDateTime="2026-11-22T00:00:00Z",
    )  # fmt: skip
    assert (org.get("Event", days)["DurationInMinutes"], org.get("Event", days)["EndDate"]) == (4_320, "2026-11-22")


def test_an_event_that_is_moved_keeps_its_duration_or_its_end(make_org: MakeOrg) -> None:
    org = make_org()
    event_id = org.event()
    org.edit("Event", event_id, StartDateTime="2026-11-21T08:00:00Z")
    assert times(org.get("Event", event_id))[1:] == ("2026-11-21", "2026-11-21T08:00", "2026-11-21T08:30", "30")
    strict = make_org(moved_event="keep_end")
    event_id = strict.event()
    moved = strict.edit("Event", event_id, StartDateTime="2026-11-21T08:00:00Z")
    assert moved.refusal == (400, "FIELD_INTEGRITY_EXCEPTION")
    strict.edit("Event", event_id, StartDateTime="2026-11-20T10:10:00Z")
    assert strict.get("Event", event_id)["DurationInMinutes"] == 20


def test_a_timed_event_can_become_one_of_a_whole_day_and_back_with_times(org: Caller) -> None:
    event_id = org.event()
    org.edit("Event", event_id, IsAllDayEvent=True, ActivityDate="2026-11-24")
    assert times(org.get("Event", event_id))[0:2] == ("True", "2026-11-24")
    assert org.edit("Event", event_id, IsAllDayEvent=False).refusal == (400, "REQUIRED_FIELD_MISSING")
    answer = org.edit(
        "Event", event_id, IsAllDayEvent=False, StartDateTime="2026-11-24T09:00:00Z", DurationInMinutes=15
    )
    assert answer.status == 204


def test_the_account_of_an_activity_follows_from_what_it_is_about(org: Caller) -> None:
    opportunity = org.rows("Opportunity")[0]
    case = org.rows("Case")[0]
    org.act("add_custom_object", name="Visit__c")
    visit = org.create("Visit__c", Account__c=org.account_id)
    contact = org.service.store.table("Contact").get(org.contact_id)
    assert contact is not None
    expected = [
        ({"WhatId": org.account_id}, org.account_id),
        ({"WhatId": opportunity["Id"]}, opportunity["AccountId"]),
        ({"WhatId": visit}, org.account_id),
        ({"WhatId": case["Id"]}, None),
        ({"WhatId": None, "WhoId": contact["Id"]}, contact["AccountId"]),
        ({"WhatId": case["Id"], "WhoId": contact["Id"]}, contact["AccountId"]),
        ({"WhatId": None, "WhoId": org.lead_id}, None),
        ({"WhatId": None}, None),
    ]
    for fields, account_id in expected:
        assert org.get("Event", org.event(**fields))["AccountId"] == account_id, fields


def test_activities_follow_a_contact_that_changes_its_account(org: Caller) -> None:
    task_id = org.task(WhatId=None, WhoId=org.contact_id)
    org.wait(60)
    other = org.world.accounts[1].crm_id
    org.edit("Contact", org.contact_id, AccountId=other)
    record = org.get("Task", task_id)
    assert (record["AccountId"], record["LastModifiedDate"]) == (other, STAMP)
    assert record["SystemModstamp"] == "2026-11-20T12:01:00.000+0000"


def test_a_lead_cannot_be_combined_with_a_related_record(org: Caller) -> None:
    answer = org.send("POST", "sobjects/Task", {"WhoId": org.lead_id, "WhatId": org.account_id})
    assert answer.refusal == (400, "FIELD_INTEGRITY_EXCEPTION")


def test_a_task_is_closed_and_urgent_by_its_status_and_priority(org: Caller) -> None:
    task_id = org.task(Priority="High")
    record = org.get("Task", task_id)
    assert (record["Status"], record["IsClosed"], record["IsHighPriority"]) == ("Not Started", False, True)
    org.edit("Task", task_id, Status="Completed", Priority="Low")
    org.wait(60)
    org.edit("Task", task_id, Subject="later")
    record = org.get("Task", task_id)
    assert (record["IsClosed"], record["IsHighPriority"], record["CompletedDateTime"]) == (True, False, STAMP)
    org.edit("Task", task_id, Status="In Progress")
    assert org.get("Task", task_id)["CompletedDateTime"] is None
    assert org.edit("Task", task_id, Status=None).refusal == (400, "REQUIRED_FIELD_MISSING")


def test_cases_and_opportunities_are_closed_by_their_status(org: Caller) -> None:
    case, opportunity = org.rows("Case")[0]["Id"], org.rows("Opportunity")[0]["Id"]
    org.edit("Case", case, Status="Closed")
    org.edit("Opportunity", opportunity, StageName="Closed Won")
    assert org.get("Case", case)["IsClosed"] and org.get("Case", case)["ClosedDate"] == STAMP
    assert (org.get("Opportunity", opportunity)["IsClosed"], org.get("Opportunity", opportunity)["IsWon"]) == (
        True,
        True,
    )


def test_an_org_may_lack_the_field_type(make_org: MakeOrg) -> None:
    org = make_org(activity_type_field=False)
    assert org.send("POST", "sobjects/Event", org.event_fields(Type="Email")).refusal == (400, "INVALID_FIELD")
    org.set(activity_type_field=True)
    org.event(Type="Email")


def test_an_invited_user_gets_a_copy_that_follows_the_event(org: Caller) -> None:
    event_id = org.event(Totango_Id__c="only-one")
    member = org.world.members[0].person.email
    relation = org.act("invite", event=event_id, user=member)
    assert relation["IsInvitee"] and relation["Status"] == "New"
    (child,) = org.query("SELECT Id, OwnerId, Owner.Email, Subject, Totango_Id__c FROM Event WHERE IsChild = true")
    assert (child["Owner"]["Email"], child["Subject"], child["Totango_Id__c"]) == (member, "Review", None)
    assert org.get("Event", event_id)["IsGroupEvent"] is True
    org.edit("Event", event_id, Subject="Moved", StartDateTime="2026-11-23T10:00:00Z")
    assert org.get("Event", child["Id"])["Subject"] == "Moved"
    org.delete("Event", event_id)
    assert org.query("SELECT Id FROM Event WHERE IsChild = true") == []


def test_an_invited_contact_or_an_org_without_copies_makes_only_a_relation(org: Caller) -> None:
    event_id = org.event()
    org.create("EventRelation", EventId=event_id, RelationId=org.contact_id)
    org.set(child_events=False)
    member = org.service.store.table("User").find("Email", org.world.members[0].person.email)[0]
    org.create("EventRelation", EventId=event_id, RelationId=member)
    assert len(org.query(f"SELECT Id FROM EventRelation WHERE EventId = '{event_id}'")) == 2
    assert org.query("SELECT Id FROM Event WHERE IsChild = true") == []


def test_shared_activities_relate_several_contacts_and_count_them(make_org: MakeOrg) -> None:
    org = make_org(shared_activities=True)
    contacts = [row["Id"] for row in org.rows("Contact") if row["AccountId"] == org.account_id][:2]
    event_id = org.event(EventWhoIds=contacts)
    record = org.get("Event", event_id)
    assert (record["WhoId"], record["WhoCount"], record["WhatCount"]) == (contacts[0], 2, 1)
    related = org.query(f"SELECT RelationId FROM EventWhoRelation WHERE EventId = '{event_id}'")
    assert sorted(row["RelationId"] for row in related) == sorted(contacts)
    org.edit("Event", event_id, EventWhoIds=[])
    assert org.get("Event", event_id)["WhoId"] is None
    assert org.query(f"SELECT RelationId FROM EventWhoRelation WHERE EventId = '{event_id}'") == []
    refused = org.edit("Event", event_id, WhatId=None, EventWhoIds=[org.lead_id, contacts[0]])
    assert refused.refusal == (400, "FIELD_INTEGRITY_EXCEPTION")
    org.set(junction_ids="refused")
    assert org.edit("Event", event_id, EventWhoIds=contacts).refusal == (400, "JSON_PARSER_ERROR")


def test_with_shared_activities_a_deletion_blanks_the_relations_and_undelete_restores_them(make_org: MakeOrg) -> None:
    org = make_org(shared_activities=True)
    event_id = org.event(WhoId=org.contact_id)
    org.delete("Event", event_id)
    query = f"SELECT WhoId, WhatId, AccountId, IsDeleted FROM Event WHERE Id = '{event_id}'"
    (gone,) = org.query(query, everything=True)
    assert (gone["WhoId"], gone["WhatId"], gone["AccountId"], gone["IsDeleted"]) == (None, None, None, True)
    org.act("undelete_record", id=event_id)
    (back,) = org.query(query)
    assert (back["WhoId"], back["WhatId"], back["AccountId"]) == (org.contact_id, org.account_id, org.account_id)
    assert len(org.query(f"SELECT Id FROM EventRelation WHERE EventId = '{event_id}'")) == 2


def test_without_shared_activities_there_are_no_counts_and_a_deletion_blanks_nothing(org: Caller) -> None:
    event_id = org.event()
    assert "WhoCount" not in org.get("Event", event_id)
    org.delete("Event", event_id)
    assert org.held(event_id)["WhatId"] == org.account_id


def test_archived_activities_leave_queries_but_can_still_be_written(org: Caller) -> None:
    old = org.event(StartDateTime="2025-11-20T10:00:00Z", Totango_Id__c="old")
    recent = org.event(StartDateTime="2025-11-21T10:00:00Z")
    done = org.task(Status="Completed", ActivityDate="2025-11-01")
    undone = org.task(ActivityDate="2025-11-01")
    assert org.act("archive") == 2
    assert [org.held(each).get("IsArchived", False) for each in (old, recent, done, undone)] == [
        True,
        False,
        True,
        False,
    ]
    query = f"SELECT Subject, IsArchived FROM Event WHERE Id = '{old}'"
    assert org.query(query) == []
    assert org.edit("Event", old, Subject="still here").status == 204
    (found,) = org.query(query, everything=True)
    assert (found["Subject"], found["IsArchived"]) == ("still here", True)
    org.delete("Event", old)
    assert org.act("archive", ids=[recent]) == 1 and org.held(recent)["IsArchived"]


@pytest.mark.parametrize("shared", [False, True])
def test_an_account_takes_its_people_and_activities_with_it_and_brings_them_back(
    make_org: MakeOrg, shared: bool
) -> None:
    org = make_org(shared_activities=shared)
    event_id, contact, gone = org.event(), org.contact_id, org.task()
    org.delete("Task", gone)
    org.delete("Account", org.account_id)
    assert org.held(event_id)["IsDeleted"] and org.held(contact)["IsDeleted"]
    org.act("undelete_record", id=org.account_id)
    assert org.get("Event", event_id)["AccountId"] == org.get("Contact", contact)["AccountId"] == org.account_id
    assert org.held(gone)["IsDeleted"]


def test_a_participant_who_is_uninvited_loses_the_copy(org: Caller) -> None:
    event_id = org.event()
    relation = org.act("invite", event=event_id, user=org.world.members[0].person.email)
    org.delete("EventRelation", relation["Id"])
    assert org.query("SELECT Id FROM Event WHERE IsChild = true") == []
    assert org.get("Event", event_id)["Subject"] == "Review"


def test_a_further_contact_can_be_added_as_a_relation(make_org: MakeOrg) -> None:
    org = make_org(shared_activities=True)
    contacts = [row["Id"] for row in org.rows("Contact")][:2]
    event_id = org.event(WhoId=contacts[0])
    org.create("EventRelation", EventId=event_id, RelationId=contacts[1], IsParent=True)
    org.edit("Event", event_id, Subject="Both stay")
    assert org.get("Event", event_id)["EventWhoIds"] == contacts


def test_shared_activities_switched_on_later_reach_the_activities_that_are_there(org: Caller) -> None:
    event_id = org.event(WhoId=org.contact_id)
    org.set(shared_activities=True)
    assert org.get("Event", event_id)["WhoCount"] == 1
    assert len(org.query(f"SELECT Id FROM EventRelation WHERE EventId = '{event_id}'")) == 2
    assert org.get("Event", event_id)["SystemModstamp"] == STAMP


def test_a_merged_account_leaves_everything_to_the_other(org: Caller) -> None:
    winner = org.world.accounts[1].crm_id
    event_id, contact = org.event(), org.contact_id
    org.act("merge_accounts", account=org.account_id, into=winner)
    assert org.held(org.account_id)["IsDeleted"]
    assert org.get("Event", event_id)["WhatId"] == org.get("Event", event_id)["AccountId"] == winner
    assert org.get("Contact", contact)["AccountId"] == winner


def test_a_converted_lead_hands_its_activities_to_a_contact(org: Caller) -> None:
    lead = org.lead_id
    task_id = org.task(WhatId=None, WhoId=lead)
    result = org.act("convert_lead", lead=lead)
    record = org.get("Task", task_id)
    assert (record["WhoId"], record["AccountId"]) == (result["contact_id"], result["account_id"])
    assert org.get("Lead", lead)["IsConverted"] is True


@pytest.mark.parametrize("shared", [False, True])
def test_activities_go_with_the_record_they_are_related_to_and_come_back_with_it(
    make_org: MakeOrg, shared: bool
) -> None:
    org = make_org(shared_activities=shared)
    deal = org.create("Opportunity", Name="Deal", AccountId=org.account_id, StageName="Qualify", CloseDate="2026-12-01")
    case = org.create("Case", AccountId=org.account_id, Subject="Broken")
    theirs = [org.event(WhatId=deal), org.task(WhatId=deal, WhoId=org.contact_id)]
    own = org.task(WhatId=case)
    org.delete("Account", org.account_id)
    org.delete("Case", case)
    assert all(org.held(each)["IsDeleted"] for each in (deal, *theirs, own))
    org.act("undelete_record", id=org.account_id)
    org.act("undelete_record", id=case)
    for each, what in ((theirs[0], deal), (theirs[1], deal), (own, case)):
        assert (org.held(each)["IsDeleted"], org.held(each)["WhatId"]) == (False, what)
    assert org.get("Task", theirs[1])["WhoId"] == org.contact_id
    assert org.get("Task", theirs[1])["AccountId"] == org.account_id


@pytest.mark.parametrize("shared", [False, True])
def test_a_deleted_person_is_taken_off_the_activities_which_get_it_back(make_org: MakeOrg, shared: bool) -> None:
    org = make_org(shared_activities=shared)
    alone, beside, by_lead = (
        org.task(WhatId=None, WhoId=org.contact_id),
        org.event(WhoId=org.contact_id),
        org.task(WhatId=None, WhoId=org.lead_id),
    )
    org.wait(60)
    org.delete("Contact", org.contact_id)
    org.delete("Lead", org.lead_id)
    record = org.get("Task", alone)
    assert (record["WhoId"], record["AccountId"]) == (None, None)
    assert record["LastModifiedDate"] == STAMP < record["SystemModstamp"]
    assert (org.get("Event", beside)["WhoId"], org.get("Event", beside)["AccountId"]) == (None, org.account_id)
    assert org.get("Task", by_lead)["WhoId"] is None
    org.act("undelete_record", id=org.contact_id)
    org.act("undelete_record", id=org.lead_id)
    assert (org.get("Task", alone)["WhoId"], org.get("Task", alone)["AccountId"]) == (org.contact_id, org.account_id)
    assert org.get("Event", beside)["WhoId"] == org.contact_id
    assert org.get("Task", by_lead)["WhoId"] == org.lead_id


def test_a_deleted_contact_leaves_the_others_of_a_shared_activity_and_comes_back_to_its_place(
    make_org: MakeOrg,
) -> None:
    org = make_org(shared_activities=True)
    first, second, third = (row["Id"] for row in org.rows("Contact")[:3])
    event_id = org.event(EventWhoIds=[first, second])
    for gone, left in ((second, first), (first, second)):
        org.delete("Contact", gone)
        record = org.get("Event", event_id)
        assert (record["WhoId"], record["EventWhoIds"], record["WhoCount"]) == (left, [left], 1)
        related = org.query(f"SELECT RelationId FROM EventWhoRelation WHERE EventId = '{event_id}'")
        assert [row["RelationId"] for row in related] == [left]
        org.act("undelete_record", id=gone)
        assert org.get("Event", event_id)["EventWhoIds"] == [first, second]
    org.delete("Contact", first)
    org.edit("Event", event_id, EventWhoIds=[third])
    org.act("undelete_record", id=first)
    assert org.get("Event", event_id)["EventWhoIds"] == [first, third]


def test_a_person_who_was_replaced_meanwhile_does_not_come_back(org: Caller) -> None:
    contacts = [row["Id"] for row in org.rows("Contact")][:2]
    task_id = org.task(WhatId=None, WhoId=contacts[0])
    org.delete("Contact", contacts[0])
    org.edit("Task", task_id, WhoId=contacts[1])
    org.act("undelete_record", id=contacts[0])
    assert org.get("Task", task_id)["WhoId"] == contacts[1]


@pytest.mark.parametrize("shared", [False, True])
def test_an_activity_that_comes_back_after_its_person_is_gone_does_not_point_to_it(
    make_org: MakeOrg, shared: bool
) -> None:
    org = make_org(shared_activities=shared)
    contact = org.contact_id
    task_id = org.task(WhatId=None, WhoId=contact)
    org.delete("Task", task_id)
    org.delete("Contact", contact)
    org.act("undelete_record", id=task_id)
    assert (org.get("Task", task_id)["WhoId"], org.get("Task", task_id)["AccountId"]) == (None, None)


def test_no_activity_keeps_the_account_that_was_deleted(org: Caller) -> None:
    org.act("add_custom_object", name="Visit__c")
    visit = org.create("Visit__c", Name="Tour", Account__c=org.account_id)
    task_id = org.task(WhatId=visit)
    assert org.get("Task", task_id)["AccountId"] == org.account_id
    org.delete("Account", org.account_id)
    for name in ("Event", "Task"):
        assert org.query(f"SELECT Id FROM {name} WHERE AccountId = '{org.account_id}'") == []
    assert org.get("Task", task_id)["AccountId"] is None
    org.act("undelete_record", id=org.account_id)
    assert org.get("Task", task_id)["AccountId"] == org.account_id


@pytest.mark.parametrize("shared", [False, True])
def test_who_cannot_be_a_participant_is_refused(make_org: MakeOrg, shared: bool) -> None:
    org = make_org(shared_activities=shared)
    member = org.service.store.table("User").find("Email", org.world.members[0].person.email)[0]
    event_id = org.event()
    org.create("EventRelation", EventId=event_id, RelationId=member)

    def refusal(**fields: Any) -> tuple[int, str, list[str]]:
        answer = org.send("POST", "sobjects/EventRelation", {"EventId": event_id, **fields})
        return (*answer.refusal, answer.json[0]["fields"])

    wrong = (400, "FIELD_INTEGRITY_EXCEPTION", ["RelationId"])
    assert refusal(RelationId=member) == (400, "DUPLICATE_VALUE", ["RelationId"])
    assert refusal(RelationId=org.service.user_id) == wrong
    assert refusal(RelationId=org.lead_id, IsParent=True) == wrong
    assert refusal(RelationId=org.world.accounts[1].crm_id) == wrong
    assert refusal(RelationId=org.account_id, IsParent=True)[1] in ("FIELD_INTEGRITY_EXCEPTION", "DUPLICATE_VALUE")
    other = org.service.store.table("User").find("Email", org.world.members[1].person.email)[0]
    assert refusal(RelationId=other, IsParent=True) == (400, "FIELD_INTEGRITY_EXCEPTION", ["IsParent"])
    assert len(org.query("SELECT Id FROM Event WHERE IsChild = true")) == 1
    org.create("EventRelation", EventId=event_id, RelationId=org.lead_id)


def test_a_lead_beside_contacts_is_no_parent_of_an_event(make_org: MakeOrg) -> None:
    org = make_org(shared_activities=True)
    event_id = org.event(WhatId=None, WhoId=org.contact_id)
    body = {"EventId": event_id, "RelationId": org.lead_id, "IsParent": True}
    assert org.send("POST", "sobjects/EventRelation", body).refusal == (400, "FIELD_INTEGRITY_EXCEPTION")


def test_somebody_who_was_uninvited_can_be_invited_again(org: Caller) -> None:
    event_id, member = org.event(), org.world.members[0].person.email
    org.delete("EventRelation", org.act("invite", event=event_id, user=member)["Id"])
    org.act("invite", event=event_id, user=member)
    assert len(org.query("SELECT Id FROM Event WHERE IsChild = true")) == 1


def test_an_activity_is_of_the_ordinary_subtype_unless_another_is_given(org: Caller) -> None:
    assert org.get("Event", org.event())["EventSubtype"] == "Event"
    assert org.get("Task", org.task())["TaskSubtype"] == "Task"
    assert org.get("Task", org.task(TaskSubtype="Call"))["TaskSubtype"] == "Call"
    assert {row["TaskSubtype"] for row in org.rows("Task")} == {"Task", "Call"}

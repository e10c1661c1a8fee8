"""The part of the demo's story that is about Salesforce and Totango, which are kept in step in both directions."""

import time
from datetime import UTC, datetime, timedelta

from cshub_runtime.acts import Act, NotCarriedOver, Record, Services, expect

COMMITTEE, COMMITTEE_RENAMED = "Steering committee", "Steering committee: roadmap"
REVIEW = "Contract review"
WORKSHOP = "Workshop on data quality"
LUNCH = "Lunch with the new sponsor"
QUESTIONNAIRE = "Answer the security questionnaire"
CAMPAIGN = "Autumn release"
MINUTES = "They want the roadmap in writing."
EARLIER, LATER = "They accept the price.", "They accept the price, but not the term."
BETWEEN_EDITS_S = 2.0
"""Salesforce tells the time of an edit in whole seconds."""


def _events_are_planned(services: Services) -> None:
    account = _account(services)["attributes"]["sfid"]
    for subject in (COMMITTEE, REVIEW, WORKSHOP):
        fields = {
            "Subject": subject,
            "Description": "Agenda to follow.",
            "WhatId": account,
            "IsAllDayEvent": True,
            "ActivityDate": (datetime.now(UTC) + timedelta(days=3)).date().isoformat(),
        }
        services.act("salesforce", "create_record", object="Event", fields=fields)


def _totango_is_used(services: Services) -> None:
    account = _account(services)["id"]
    services.act("totango", "create_touchpoint", account_id=account, subject=LUNCH, content="The sponsor has changed.")
    services.act(
        "totango",
        "create_task",
        account_id=account,
        title=QUESTIONNAIRE,
        due_date=_in_a_week(),
        priority=1,
        activity_type_id=services.held("totango", "flows")[0]["id"],
    )


def _touchpoints_tell_of_them(services: Services) -> str:
    for subject in (COMMITTEE, REVIEW, WORKSHOP):
        services.touchpoint(subject)
    return "a touchpoint of each is in Totango"


def _salesforce_has_both(services: Services) -> str:
    services.event(LUNCH)
    services.salesforce_task(QUESTIONNAIRE)
    return "an event and a task of them are in Salesforce"


def _an_event_and_its_touchpoint_are_edited(services: Services) -> None:
    note = services.touchpoint(COMMITTEE)
    event = services.event(COMMITTEE)
    services.act("salesforce", "edit_record", id=event["Id"], fields={"Subject": COMMITTEE_RENAMED})
    services.act("totango", "edit_touchpoint", note_id=note["note_id"], content=MINUTES)


def _both_edits_are_on_both_sides(services: Services) -> str:
    note, event = services.touchpoint(COMMITTEE_RENAMED), services.event(COMMITTEE_RENAMED)
    sentence = "merged: title and text are on both sides"
    return expect(sentence, in_Totango=(note["content"], MINUTES), in_Salesforce=(event["Description"], MINUTES))


def _one_text_is_edited_on_both_sides(services: Services) -> None:
    note, event = services.touchpoint(REVIEW), services.event(REVIEW)
    services.act("salesforce", "edit_record", id=event["Id"], fields={"Description": EARLIER})
    time.sleep(BETWEEN_EDITS_S)
    services.act("totango", "edit_touchpoint", note_id=note["note_id"], content=LATER)


def _the_later_text_is_on_both_sides(services: Services) -> str:
    note, event = services.touchpoint(REVIEW), services.event(REVIEW)
    sentence = "the later edit, Totango's, is on both sides; the other is kept in the audit"
    return expect(sentence, in_Totango=(note["content"], LATER), in_Salesforce=(event["Description"], LATER))


def _an_event_is_deleted(services: Services) -> None:
    services.touchpoint(WORKSHOP)
    services.act("salesforce", "delete_record", id=services.event(WORKSHOP)["Id"])


def _its_touchpoint_is_gone(services: Services) -> str:
    if any(note["subject"] == WORKSHOP for note in services.held("totango", "touchpoints")):
        raise NotCarriedOver(f"the touchpoint {WORKSHOP!r} is still there")
    return "its touchpoint is deleted"


def _a_task_is_closed(services: Services) -> None:
    services.salesforce_task(QUESTIONNAIRE)
    services.act("totango", "complete_task", id=services.task(QUESTIONNAIRE)["id"])


def _the_other_task_is_completed(services: Services) -> str:
    status = services.salesforce_task(QUESTIONNAIRE)["Status"]
    return expect("the task is Completed in Salesforce", status=(status, "Completed"))


def _a_campaign_is_sent(services: Services) -> None:
    services.act("totango", "send_campaign", name=CAMPAIGN, account_ids=[_account(services)["id"]])


def _one_event_tells_of_it(services: Services) -> str:
    events = [event for event in services.held("salesforce", "events") if CAMPAIGN in (event["Subject"] or "")]
    found = [(event["Type"], event["AccountId"]) for event in events]
    wanted = [("Email", _account(services)["attributes"]["sfid"])]
    return expect("one event of type Email tells of it", events=(found, wanted))


def _account(services: Services) -> Record:
    """An account that both services know."""
    known = {account["Id"] for account in services.held("salesforce", "accounts")}
    return next(item for item in services.held("totango", "accounts") if item["attributes"].get("sfid") in known)


def _in_a_week() -> str:
    return (datetime.now(UTC) + timedelta(days=7)).date().isoformat()


PROLOGUE = (
    Act("three events are planned in Salesforce", _events_are_planned, _touchpoints_tell_of_them),
    Act("a touchpoint and a task are written in Totango", _totango_is_used, _salesforce_has_both),
)
ACTS = (
    Act(
        "an event is retitled in Salesforce; the text of its touchpoint is edited in Totango",
        _an_event_and_its_touchpoint_are_edited,
        _both_edits_are_on_both_sides,
    ),
    Act(
        "one text is edited in Salesforce, and two seconds later in Totango",
        _one_text_is_edited_on_both_sides,
        _the_later_text_is_on_both_sides,
    ),
    Act("an event is deleted in Salesforce", _an_event_is_deleted, _its_touchpoint_is_gone),
    Act("a task is closed in Totango", _a_task_is_closed, _the_other_task_is_completed),
    Act("a campaign is sent from Totango", _a_campaign_is_sent, _one_event_tells_of_it),
)

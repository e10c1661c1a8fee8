"""What a job reads of an org: its filter, its deletions with proof, its people, and what happens on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest
from pydantic import ValidationError
from tests.systems.salesforce.lab import (
    NOW,
    VISIT,
    accounts,
    act,
    calls_of,
    client_on,
    make_sandbox,
    record,
    stored,
    switch,
)

from cshub.core.errors import GatewayTimeout, QuotaSpent, SpecError
from cshub.core.records import Presence, RecordKey, SourceRecord
from cshub.core.window import Window
from cshub.systems.salesforce.catalog import SOURCES
from cshub.systems.salesforce.options import EventSourceOptions, RecordSourceOptions, TaskSourceOptions
from cshub.systems.salesforce.source import SalesforceRecords
from cshub_sandbox.faults import FaultRule
from cshub_sandbox.sandbox import Sandbox

WINDOW = Window(NOW - timedelta(days=60), NOW + timedelta(days=60))
SHORT = Window(NOW - timedelta(days=10), NOW + timedelta(days=10))


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sandbox()


def events(sandbox: Sandbox, *fields: str, **options: Any) -> SalesforceRecords:
    return SalesforceRecords(client_on(sandbox), EventSourceOptions.model_validate(options), fields)


def tasks(sandbox: Sandbox, *fields: str, **options: Any) -> SalesforceRecords:
    return SalesforceRecords(client_on(sandbox), TaskSourceOptions.model_validate(options), fields)


def read(source: SalesforceRecords, window: Window = WINDOW) -> dict[str, SourceRecord]:
    return {item.key: item for page in source.read_window(window) for item in page.records}


def present(source: SalesforceRecords, window: Window = WINDOW) -> set[str]:
    return {key for key, item in read(source, window).items() if item.presence is Presence.PRESENT}


def deleted(source: SalesforceRecords, window: Window = WINDOW) -> set[str]:
    return {key for key, item in read(source, window).items() if item.presence is Presence.DELETED}


def by_key(source: SalesforceRecords, *keys: str) -> dict[str, SourceRecord]:
    pages = source.read_keys([RecordKey(key) for key in keys])
    return {item.key: item for page in pages for item in page.records}


def event(sandbox: Sandbox, **fields: Any) -> str:
    values = {"Subject": "Planning", "StartDateTime": "2026-11-19T08:00:00Z", "DurationInMinutes": 30, **fields}
    return str(act(sandbox, "create_record", object="Event", fields=values)["Id"])


def test_a_filter_is_checked_before_anything_is_called() -> None:
    with pytest.raises(ValidationError, match="column 15: LIMIT"):
        EventSourceOptions.model_validate({"filter": "Type = 'Call' LIMIT 5"})
    with pytest.raises(ValidationError, match="parentheses"):
        RecordSourceOptions.model_validate({"object": "Case", "filter": "A = 1 AND B = 2 OR C = 3"})
    assert EventSourceOptions.model_validate({"filter": "Type = 'Call' OR (NOT IsPrivate = true)"}).filter


def test_a_filter_whose_fields_the_org_does_not_have_is_told_online(sandbox: Sandbox) -> None:
    events(sandbox, filter="Type = 'Meeting' AND Owner.Email != null").check_options()
    with pytest.raises(SpecError, match="no field Colour__c"):
        events(sandbox, filter="Colour__c = 'red'").check_options()


def test_a_filter_cannot_swallow_the_window(sandbox: Sandbox) -> None:
    later = Window(WINDOW.end, WINDOW.end + timedelta(days=1))
    assert present(events(sandbox, filter="Type = 'Meeting' OR Type = 'Call'"), later) == set()


def test_a_record_that_no_longer_passes_the_filter_is_still_there_by_id(sandbox: Sandbox) -> None:
    source = events(sandbox, filter="Subject = 'Planning'")
    key = event(sandbox)
    assert present(source) == {key}
    act(sandbox, "edit_record", id=key, fields={"Subject": "Something else"})
    assert present(source) == set()
    assert by_key(source, key)[key].presence is Presence.PRESENT


def test_copies_of_invited_users_and_patterns_of_series_are_left_out_unless_asked_for(sandbox: Sandbox) -> None:
    key = event(sandbox)
    user = next(row["Id"] for row in stored(sandbox, "User") if row["IsActive"])
    act(sandbox, "invite", event=key, user=user)
    copy = next(row["Id"] for row in stored(sandbox, "Event") if row.get("IsChild"))
    assert present(events(sandbox, filter="Subject = 'Planning'")) == {key}
    assert present(events(sandbox, filter="Subject = 'Planning'", include_child_events=True)) == {key, copy}
    pattern = tasks(sandbox)._conditions
    assert "IsRecurrence = false" in pattern
    assert "IsChild = false" not in pattern
    assert not any("Recurrence" in text for text in events(sandbox, include_recurrence_patterns=True)._conditions)


def test_archived_events_are_read_only_when_asked_for_and_are_never_taken_for_deleted(sandbox: Sandbox) -> None:
    key = event(sandbox)
    act(sandbox, "archive", ids=[key])
    assert key not in present(events(sandbox))
    assert key in present(events(sandbox, include_archived=True))
    assert by_key(events(sandbox), key)[key].presence is Presence.PRESENT


def test_an_edit_counts_by_when_a_user_made_it_though_background_work_shows_the_record_again(sandbox: Sandbox) -> None:
    key = event(sandbox)
    sandbox.clock.advance(timedelta(days=3))
    act(sandbox, "touch", ids=[key])
    recent = Window(NOW + timedelta(days=2), NOW + timedelta(days=4))
    found = read(events(sandbox), recent)
    assert found[key].modified_at == NOW == found[key].created_at


def test_the_body_is_the_record_with_its_parents_and_moments_in_utc(sandbox: Sandbox) -> None:
    source = events(sandbox, "Subject", "StartDateTime", "CreatedBy.Email", "What.Name", "WhoId", "AccountId")
    contact = stored(sandbox, "Contact")[0]
    key = event(sandbox, WhatId=accounts(sandbox)[0], WhoId=contact["Id"])
    body = read(source)[key].body
    assert body is not None
    assert body["StartDateTime"] == "2026-11-19T08:00:00.000Z"
    maker = next(row for row in stored(sandbox, "User") if row["Id"] == record(sandbox, key)["CreatedById"])
    assert body["CreatedBy"] == {"Email": maker["Email"]}
    assert body["What"]["Name"]
    assert (body["WhoId"], body["AccountId"]) == ([contact["Id"]], accounts(sandbox)[0])
    assert "attributes" not in orjson.dumps(body).decode()
    assert by_key(source, key)[key].body == body


def test_parents_of_parents_are_read_alike_by_query_and_by_id(sandbox: Sandbox) -> None:
    source = events(sandbox, "Account.Owner.Email", "Who.Name", "Owner.Name")
    key = event(sandbox, WhatId=accounts(sandbox)[0])
    body = read(source)[key].body
    assert body is not None
    assert "@" in body["Account"]["Owner"]["Email"]
    assert body["Who"] is None
    assert by_key(source, key)[key].body == body


def test_many_records_of_one_second_are_read_over_a_lost_cursor(sandbox: Sandbox) -> None:
    switch(sandbox, page_size=200)
    act(sandbox, "seed_history", events=900, tasks=0, days=5)
    everything = {row["Id"] for row in stored(sandbox, "Event")}
    act(sandbox, "touch", ids=sorted(everything))
    source = events(sandbox, "Subject")
    found: list[str] = []
    for number, page in enumerate(source.read_window(SHORT)):
        found += [item.key for item in page.records]
        if number in (1, 2):
            act(sandbox, "expire_cursors")
    assert set(found) == everything
    assert len(found) == len(set(found))
    pages = sum("query" in call for call in calls_of(sandbox))
    assert pages <= 5 + 2 * 3 + 1  # every page once; for each lost cursor a try, a count and a new query; deletions


def test_a_window_that_is_too_much_for_the_org_is_read_in_halves(sandbox: Sandbox) -> None:
    body = orjson.dumps([{"errorCode": "QUERY_TIMEOUT", "message": "Your query request was running for too long."}])
    too_much = {"kind": "status", "status": 400, "body": body.decode(), "path": "*/query/", "count": 2}
    sandbox.faults.add(FaultRule.parse({**too_much, "headers": {"Content-Type": "application/json"}}))
    assert present(events(sandbox, "Subject")) == {row["Id"] for row in stored(sandbox, "Event")}
    sandbox.faults.add(FaultRule.parse({**too_much, "count": None}))
    with pytest.raises(GatewayTimeout):
        present(events(sandbox, "Subject"), Window(NOW, NOW + timedelta(minutes=8)))


@pytest.mark.parametrize("shared", [False, True])
def test_a_deletion_is_told_whatever_the_filter_and_whatever_it_leaves_of_the_record(
    sandbox: Sandbox, shared: bool
) -> None:
    switch(sandbox, shared_activities=shared)
    account = accounts(sandbox)[0]
    key = event(sandbox, WhatId=account)
    source = events(sandbox, filter=f"AccountId = '{account}'")
    assert key in present(source, SHORT)
    act(sandbox, "delete_record", id=key)
    assert deleted(source, SHORT) == {key}
    assert source.warnings == Counter()


def test_what_was_purged_from_the_recycle_bin_is_told_by_the_log_of_deletions(sandbox: Sandbox) -> None:
    key = event(sandbox)
    act(sandbox, "delete_record", id=key)
    sandbox.clock.advance(timedelta(minutes=2))
    act(sandbox, "purge")
    assert deleted(events(sandbox), SHORT) == {key}
    assert by_key(events(sandbox), key)[key].presence is Presence.DELETED


def test_what_neither_bin_nor_log_tells_of_is_not_taken_for_deleted(sandbox: Sandbox) -> None:
    key = event(sandbox)
    act(sandbox, "delete_record", id=key)
    sandbox.clock.advance(timedelta(days=20))
    act(sandbox, "purge")
    source = events(sandbox)
    assert deleted(source) == set()
    assert source.warnings["deletions_gap"] == 1
    assert by_key(source, key)[key].presence is Presence.ABSENT


def test_a_log_that_was_cut_is_counted(sandbox: Sandbox) -> None:
    switch(sandbox, delete_log_s=7_200)
    source = events(sandbox)
    read(source, SHORT)
    assert source.warnings["deletions_gap"] == 1


def test_a_record_taken_out_of_the_bin_again_is_no_deletion(sandbox: Sandbox) -> None:
    key = event(sandbox)
    act(sandbox, "delete_record", id=key)
    sandbox.clock.advance(timedelta(minutes=5))
    act(sandbox, "undelete_record", id=key)
    found = read(events(sandbox), SHORT)
    assert found[key].presence is Presence.PRESENT
    assert by_key(events(sandbox), key)[key].presence is Presence.PRESENT


def test_ids_are_understood_in_every_form_that_still_tells_which_record_it_is(sandbox: Sandbox) -> None:
    key = next(row["Id"] for row in stored(sandbox, "Event") if row["Id"][:15] != row["Id"][:15].lower())
    source = events(sandbox, "Subject")
    assert by_key(source, key[:15])[key].presence is Presence.PRESENT
    assert by_key(source, key.lower())[key].presence is Presence.PRESENT
    lost = by_key(source, key[:15].lower())
    assert {item.presence for item in lost.values()} == {Presence.ABSENT}
    foreign = by_key(source, accounts(sandbox)[0], "no-id-at-all")
    assert {item.presence for item in foreign.values()} == {Presence.ABSENT}


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("Location", "Event has no field Location, or it is hidden from the signed-in user 005"),
        ("Locaton", "did you mean Location"),
        ("subject", "did you mean Subject"),
        ("Creator.Email", "no relationship Creator"),
        ("CreatedBy.Colour", "User has no field Colour"),
        ("What.Industry", "no field that all of"),
    ],
)
def test_a_field_that_cannot_be_read_is_told_before_anything_is_read(sandbox: Sandbox, field: str, reason: str) -> None:
    if field == "Location":
        act(sandbox, "set_field_permission", field="Event.Location", access="hidden")
    with pytest.raises(SpecError, match=reason) as caught:
        read(events(sandbox, "Subject", field))
    assert "field-level security" in str(caught.value)
    assert not any("query" in call for call in calls_of(sandbox))


def test_an_object_that_the_user_does_not_see_is_told(sandbox: Sandbox) -> None:
    source = SalesforceRecords(client_on(sandbox), RecordSourceOptions(object="Visit__c"), ["Name"])
    with pytest.raises(SpecError, match="no object Visit__c"):
        read(source)


def test_people_are_read_by_their_e_mails(sandbox: Sandbox) -> None:
    contact = next(row for row in stored(sandbox, "Contact") if row["Email"])
    key = event(sandbox, WhoId=contact["Id"])
    user = next(
        row for row in stored(sandbox, "User") if row["IsActive"] and row["Id"] != record(sandbox, key)["OwnerId"]
    )
    act(sandbox, "invite", event=key, user=user["Id"])
    lone = event(sandbox)
    source = events(sandbox, "participant_emails")
    found = read(source)
    assert _emails(found[key]) == sorted([contact["Email"].lower(), user["Email"].lower()])
    assert _emails(found[lone]) == []
    assert _emails(by_key(source, key)[key]) == _emails(found[key])
    assert "participant_emails" not in (read(events(sandbox, "Subject"))[key].body or {})
    assert "participant_emails" in (read(events(sandbox, "Subject", participants=True))[key].body or {})


def test_all_people_of_a_shared_activity_are_read_and_those_without_e_mail_are_counted(sandbox: Sandbox) -> None:
    switch(sandbox, shared_activities=True)
    first, second, third = stored(sandbox, "Contact")[:3]
    act(sandbox, "edit_record", id=third["Id"], fields={"Email": None})
    who = [first["Id"], second["Id"], third["Id"]]
    fields = {"Subject": "Call them", "WhoId": first["Id"], "TaskWhoIds": who}
    key = act(sandbox, "create_record", object="Task", fields=fields)["Id"]
    source = tasks(sandbox, "participant_emails")
    found = read(source)
    assert _emails(found[key]) == sorted({first["Email"].lower(), second["Email"].lower()})
    assert source.warnings["person_without_email"] >= 1


def test_a_preview_takes_one_query_and_shows_the_newest(sandbox: Sandbox) -> None:
    source = tasks(sandbox, "Subject", filter="Priority = 'High'")
    newest = sorted(
        (row for row in stored(sandbox, "Task") if row["Priority"] == "High"), key=lambda row: row["SystemModstamp"]
    )
    assert [item.key for item in source.sample(WINDOW, 2)] == [row["Id"] for row in newest[::-1][:2]]
    assert sum("query" in call for call in calls_of(sandbox)) == 1


def test_a_quiet_window_costs_three_calls(sandbox: Sandbox) -> None:
    source = events(sandbox, "Subject", "Owner.Email")
    read(source)
    before = source.calls
    quiet = Window(NOW - timedelta(minutes=10), NOW - timedelta(minutes=5))
    assert read(source, quiet) == {}
    assert source.calls - before == 3


def test_a_day_whose_calls_are_used_up_ends_the_read(sandbox: Sandbox) -> None:
    switch(sandbox, page_size=10, api_limit=4)
    with pytest.raises(QuotaSpent, match="next scheduled run"):
        read(events(sandbox, "Subject"))


def test_a_session_that_expires_between_pages_is_renewed(sandbox: Sandbox) -> None:
    switch(sandbox, page_size=10)
    found: set[str] = set()
    for page in events(sandbox, "Subject").read_window(WINDOW):
        found |= {item.key for item in page.records}
        act(sandbox, "expire_tokens")
    assert found == {row["Id"] for row in stored(sandbox, "Event")}


def test_records_of_any_object_have_their_own_fields_and_those_of_parents() -> None:
    sandbox = make_sandbox(visits=3)
    source = SalesforceRecords(client_on(sandbox), RecordSourceOptions(object=VISIT, filter="Name = 'Visit 1'"))
    (found,) = read(source).values()
    assert found.body is not None
    assert {"Name", "Notes__c", "Account__c", "Owner"} <= found.body.keys()


def test_every_field_that_the_catalogue_names_is_one_that_an_org_can_have(sandbox: Sandbox) -> None:
    for options in (EventSourceOptions(), TaskSourceOptions()):
        source = SalesforceRecords(client_on(sandbox), options)
        named = [name for name in SOURCES[type(options)].fields if name != "participant_emails"]
        source._fields.check_readable(named)


def test_the_lengths_and_rights_of_the_catalogue_are_those_of_the_org(sandbox: Sandbox) -> None:
    for options in (EventSourceOptions(), TaskSourceOptions()):
        described = client_on(sandbox).describe(options.object_name).fields
        for name, spec in SOURCES[type(options)].fields.items():
            if name not in described or name in ("AccountId", "WhatId"):
                continue
            found = described[name]
            assert (spec.createable, spec.updateable) == (found.createable, found.updateable), name
            assert spec.max_length in (None, found.length), name


def _emails(found: SourceRecord) -> Sequence[str]:
    body: Mapping[str, Any] = found.body or {}
    return list(body["participant_emails"])

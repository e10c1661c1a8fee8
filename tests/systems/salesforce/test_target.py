"""Writing to an org: what is sent, what is not, what each refusal becomes, and how many calls it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from tests.systems.salesforce.lab import (
    VISIT,
    accounts,
    act,
    calls_of,
    client_on,
    make_sandbox,
    record,
    service_of,
    stored,
    switch,
)

from cshub.core.errors import (
    AmbiguousWrite,
    DataError,
    NotFound,
    QuotaSpent,
    RequestRefused,
    ServiceUnavailable,
    SpecError,
)
from cshub.core.ports import Verdict, Write
from cshub.core.records import Operation, RecordKey
from cshub.systems.salesforce.options import EventOptions, RecordOptions, TaskOptions
from cshub.systems.salesforce.target import SalesforceTarget
from cshub_sandbox.faults import FaultRule
from cshub_sandbox.sandbox import Sandbox

EXTERNAL = "Totango_Id__c"
VALUES: Mapping[str, Any] = {
    "Subject": "Review",
    "Description": "What was said.",
    "StartDateTime": "2026-11-18T14:00:00.000Z",
}


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sandbox()


def events(sandbox: Sandbox, *attributes: str, **options: Any) -> SalesforceTarget:
    return SalesforceTarget(client_on(sandbox), EventOptions.model_validate(options), attributes)


def tasks(sandbox: Sandbox, *attributes: str, **options: Any) -> SalesforceTarget:
    return SalesforceTarget(client_on(sandbox), TaskOptions.model_validate(options), attributes)


def creation(sandbox: Sandbox, external_id: str = "note-1", **values: Any) -> Write:
    return Write(Operation.CREATE, None, accounts(sandbox)[0], {**VALUES, **values}, external_id=external_id)


def update(key: RecordKey, **values: Any) -> Write:
    return Write(Operation.UPDATE, key, key.account_id, {**VALUES, **values}, frozenset(values))


def delete(key: RecordKey) -> Write:
    return Write(Operation.DELETE, key, key.account_id)


def made(target: SalesforceTarget, write: Write) -> RecordKey:
    (verdict,) = target.write([write])
    assert verdict.error is None
    assert verdict.key is not None
    return verdict.key


def only(target: SalesforceTarget, write: Write) -> Verdict:
    (verdict,) = target.write([write])
    return verdict


def sent(sandbox: Sandbox) -> Sequence[Mapping[str, Any]]:
    """Rows of the last write call."""
    body = next(entry.body for entry in reversed(sandbox.log.entries) if entry.write)
    rows: Sequence[Mapping[str, Any]] = body["records"]
    return rows


def test_a_new_event_belongs_to_its_account_and_an_update_never_says_so_again(sandbox: Sandbox) -> None:
    target = events(sandbox)
    key = made(target, creation(sandbox))
    assert record(sandbox, key.key)["AccountId"] == accounts(sandbox)[0]
    assert {"WhatId"} == sent(sandbox)[0].keys() & {"WhatId", "AccountId"}
    only(target, update(key, Subject="Review, again"))
    assert sent(sandbox)[0].keys() == {"attributes", "Id", "Subject"}


def test_only_what_differs_is_sent_and_nothing_where_nothing_does(sandbox: Sandbox) -> None:
    target = events(sandbox)
    key = made(target, creation(sandbox, Location="On site"))
    only(target, update(key, Location=None))
    assert (sent(sandbox)[0]["Location"], record(sandbox, key.key)["Location"]) == (None, None)
    calls = target.calls
    assert only(target, Write(Operation.UPDATE, key, key.account_id, VALUES)).error is None
    assert target.calls == calls


def test_a_thousand_updates_take_six_calls(sandbox: Sandbox) -> None:
    act(sandbox, "seed_history", events=1_000, tasks=0, days=60)
    target = events(sandbox, "Subject", "ActivityDate", "StartDateTime", "OwnerId", "CreatedBy.Email", "Owner.Email")
    keys = [RecordKey(row["Id"], row["AccountId"]) for row in stored(sandbox, "Event")][:1_000]
    found = target.read_keys(keys)
    assert len(found) == 1_000
    sandbox.log.clear()
    writes = [update(replace(key, extra=found[key.key].extra), Subject=f"{number}") for number, key in enumerate(keys)]  # type: ignore[union-attr]
    for at in range(0, len(writes), target.batch_size):
        assert all(verdict.error is None for verdict in target.write(writes[at : at + target.batch_size]))
    shown = target.read_keys(keys)
    assert {item.values["Subject"] for item in shown.values() if item} == {str(number) for number in range(1_000)}
    assert len(calls_of(sandbox)) == 6


@pytest.mark.parametrize(
    ("switches", "wanted", "written"),
    [({}, "email", "Email"), ({}, "Carrier pigeon", None), ({"activity_type_field": False}, "Email", None)],
)
def test_a_type_is_written_only_where_the_org_has_field_and_value(
    sandbox: Sandbox, switches: Mapping[str, Any], wanted: str, written: str | None
) -> None:
    switch(sandbox, **switches)
    key = made(events(sandbox, type=wanted), creation(sandbox))
    assert record(sandbox, key.key).get("Type") == written


def test_a_type_that_is_mapped_or_that_the_user_may_not_set_is_left_alone(sandbox: Sandbox) -> None:
    assert record(sandbox, made(events(sandbox, type="Email"), creation(sandbox, Type="Call")).key)["Type"] == "Call"
    act(sandbox, "set_field_permission", field="Event.Type", access="hidden")
    made(events(sandbox, type="Email"), creation(sandbox))
    assert "Type" not in sent(sandbox)[0]


@pytest.mark.parametrize(
    ("access", "on_create", "on_update"),
    [("hidden", "hidden from", "hidden from"), ("read_only", "may not set", "may not change")],
)
def test_a_field_that_the_user_may_not_write_stops_the_run_before_anything_is_sent(
    sandbox: Sandbox, access: str, on_create: str, on_update: str
) -> None:
    key = made(events(sandbox), creation(sandbox))
    act(sandbox, "set_field_permission", field="Event.Location", access=access)
    before = stored(sandbox, "Event")
    target = events(sandbox, "Subject", "Location")
    for reason, writes in (
        (on_create, [creation(sandbox), creation(sandbox, Location="x")]),
        (on_update, [update(key, Subject="x"), update(key, Location="x")]),
    ):
        with pytest.raises(SpecError, match=f"{reason}.*Location|Location.*{reason}") as caught:
            target.write(writes)
        assert "field-level security" in str(caught.value)
    assert stored(sandbox, "Event") == before
    assert target.read_keys([key])[key.key] is not None


def test_owners_are_active_users_by_e_mail_in_any_case(sandbox: Sandbox) -> None:
    active = next(row for row in stored(sandbox, "User") if row["IsActive"])
    gone = next(row for row in stored(sandbox, "User") if row["IsActive"] and row["Id"] != active["Id"])
    act(sandbox, "deactivate_user", user=gone["Email"])
    target = events(sandbox)
    asked = active["Email"].upper()
    assert target.resolve_people({"": {asked, gone["Email"], "x@y.example", ""}}) == {("", asked): active["Id"]}
    calls = target.calls
    assert target.resolve_people({"": {asked}}) == {("", asked): active["Id"]}
    assert target.calls == calls


def test_people_of_an_account_are_its_contacts(sandbox: Sandbox) -> None:
    first, second = accounts(sandbox)[:2]
    contact = next(row for row in stored(sandbox, "Contact") if row["AccountId"] == first and row["Email"])
    email = contact["Email"].lower()
    found = events(sandbox).resolve_people({first: {email, "x@y.example"}, second: {email}})
    assert found == {(first, email): contact["Id"]}


def test_a_record_without_a_known_owner_gets_the_default_one(sandbox: Sandbox) -> None:
    users = [row for row in stored(sandbox, "User") if row["IsActive"]]
    ours = service_of(sandbox).user_id
    other, third = (row for row in users[:3] if row["Id"] != ours)
    assert record(sandbox, made(events(sandbox), creation(sandbox)).key)["OwnerId"] == ours
    target = events(sandbox, default_owner=other["Email"])
    assert record(sandbox, made(target, creation(sandbox)).key)["OwnerId"] == other["Id"]
    assert record(sandbox, made(target, creation(sandbox, OwnerId=third["Id"])).key)["OwnerId"] == third["Id"]
    before = stored(sandbox, "Event")
    with pytest.raises(SpecError, match=r"nobody@nowhere\.example, and no active user"):
        events(sandbox, default_owner="nobody@nowhere.example").write([creation(sandbox, OwnerId=third["Id"])])
    assert stored(sandbox, "Event") == before


def test_a_record_whose_owner_is_inactive_goes_to_the_default_owner_and_is_counted(sandbox: Sandbox) -> None:
    users = [row for row in stored(sandbox, "User") if row["IsActive"] and row["Id"] != service_of(sandbox).user_id]
    act(sandbox, "deactivate_user", user=users[0]["Email"])
    writes = [creation(sandbox), creation(sandbox, OwnerId=users[0]["Id"])]
    refused = events(sandbox).write(writes)
    assert [verdict.error is None for verdict in refused] == [True, False]
    assert "default owner" in str(refused[1].error)
    target = events(sandbox, default_owner=users[1]["Id"])
    verdicts = target.write(writes)
    assert [record(sandbox, item.key.key)["OwnerId"] for item in verdicts if item.key] == [users[1]["Id"]] * 2
    assert target.warnings["owner_inactive"] == 1


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 403}, {"kind": "status", "status": 503}])
def test_what_was_made_counts_though_the_call_for_the_default_owner_fails(
    sandbox: Sandbox, fault: Mapping[str, Any]
) -> None:
    users = [row for row in stored(sandbox, "User") if row["IsActive"] and row["Id"] != service_of(sandbox).user_id]
    act(sandbox, "deactivate_user", user=users[0]["Email"])
    before = len(stored(sandbox, "Event"))
    sandbox.faults.add(FaultRule.parse({**fault, "only_writes": True, "nth": 2}))
    target = events(sandbox, default_owner=users[1]["Id"])
    verdicts = target.write([creation(sandbox), creation(sandbox, OwnerId=users[0]["Id"])])
    assert verdicts[0].key is not None
    assert isinstance(verdicts[1].error, (RequestRefused, AmbiguousWrite))
    assert len(stored(sandbox, "Event")) == before + 1


def test_what_was_made_counts_though_the_holder_of_an_external_id_cannot_be_looked_up(sandbox: Sandbox) -> None:
    switch(sandbox, unique_scope="activity")
    act(sandbox, "create_record", object="Task", fields={"Subject": "Call", EXTERNAL: "note-1"})
    sandbox.faults.add(FaultRule.parse({"kind": "status", "status": 500, "path": "*/query/"}))
    target = events(sandbox, external_id_field=EXTERNAL)
    verdicts = target.write([creation(sandbox), creation(sandbox, "note-2")])
    assert [type(verdict.error) for verdict in verdicts] == [RequestRefused, type(None)]


def test_the_first_of_several_contacts_is_written_and_nobody_clears_it(sandbox: Sandbox) -> None:
    who = [row["Id"] for row in stored(sandbox, "Contact")[:2]]
    target = events(sandbox, "WhoId")
    key = made(target, creation(sandbox, WhoId=who))
    held = target.read_keys([key])[key.key]
    assert held is not None
    assert held.values == {"WhoId": who[:1]}
    only(target, update(key, WhoId=[]))
    assert record(sandbox, key.key)["WhoId"] is None


def test_participants_are_written_once_unless_they_are_to_be_kept_in_step() -> None:
    assert EventOptions().create_only() == {"WhoId"}
    assert TaskOptions.model_validate({"participants": "keep_in_step"}).create_only() == frozenset()


def test_numbers_are_whole_where_salesforce_wants_them_so(sandbox: Sandbox) -> None:
    target = events(sandbox)
    key = made(target, creation(sandbox, DurationInMinutes=45.0))
    assert record(sandbox, key.key)["DurationInMinutes"] == 45
    act(sandbox, "add_custom_field", object="Event", name="Seats__c", type="int")
    target = events(sandbox)
    assert record(sandbox, made(target, creation(sandbox, Seats__c=3.0)).key)["Seats__c"] == 3
    assert isinstance(only(target, creation(sandbox, Seats__c=3.5)).error, DataError)
    assert isinstance(only(target, creation(sandbox, Location=["a", "b"])).error, DataError)


def test_a_refused_row_says_why_and_the_others_are_written(sandbox: Sandbox) -> None:
    rule = {"object": "Event", "field": "Subject", "pattern": "^No", "message": "Say yes."}
    switch(sandbox, validation_rules=[rule])
    target = events(sandbox)
    verdicts = target.write([creation(sandbox), creation(sandbox, Subject="No"), creation(sandbox, Subject="x" * 300)])
    assert [type(verdict.error) for verdict in verdicts] == [type(None), RequestRefused, RequestRefused]
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION: Say yes [Subject]" in str(verdicts[1].error)
    assert "STRING_TOO_LONG" in str(verdicts[2].error)


def test_what_duplicate_rules_warn_of_passes_only_when_the_job_says_so(sandbox: Sandbox) -> None:
    switch(sandbox, duplicate_rules=[{"object": "Event", "fields": ["Subject"]}])
    made(events(sandbox), creation(sandbox))
    assert isinstance(only(events(sandbox), creation(sandbox)).error, RequestRefused)
    made(events(sandbox, duplicate_rule_allow_save=True), creation(sandbox))


def test_accounts_are_known_by_ids_in_every_form_that_still_tells_which_they_are(sandbox: Sandbox) -> None:
    first, second, third = [key for key in accounts(sandbox) if not key[:15].islower()][:3]
    act(sandbox, "delete_record", id=third)
    target = events(sandbox)
    wanted = {first, first[:15], second.upper(), second.lower(), third, second[:15].lower(), "", "Acme"}
    found = target.resolve_accounts(wanted)
    assert found == {first: first, first[:15]: first, second.upper(): second, second.lower(): second}
    assert target.warnings["account_id_case_lost"] == 1
    assert target.calls <= 3  # sign-in, description, one retrieve for all


def test_accounts_are_known_by_a_field_without_regard_to_case(sandbox: Sandbox) -> None:
    act(sandbox, "add_custom_field", object="Account", name="Number__c")
    first, second, third = accounts(sandbox)[:3]
    for key, number in ((first, "A-1"), (second, "B-2"), (third, "b-2")):
        act(sandbox, "edit_record", id=key, fields={"Number__c": number})
    target = events(sandbox, account_match={"by": "field", "field": "Number__c"})
    assert target.resolve_accounts({"a-1", "B-2", "C-3"}) == {"a-1": first}
    assert target.warnings["ambiguous_account"] == 1


def test_a_source_record_is_found_by_the_id_that_its_counterpart_carries_or_by_that_of_salesforce(
    sandbox: Sandbox,
) -> None:
    target = events(sandbox, "Subject", external_id_field=EXTERNAL)
    key = made(target, creation(sandbox, "Note-17"))
    found = target.read_external({"NOTE-17", key.key.lower(), "note-18", accounts(sandbox)[0]})
    assert {name: item.key for name, item in found.items()} == {"NOTE-17": key.key, key.key.lower(): key.key}
    assert found["NOTE-17"].external_id == "note-17"
    assert events(sandbox, "Subject").read_external({"note-17"}) == {}


def test_an_id_that_lost_its_case_is_looked_for_among_the_records_of_its_account(sandbox: Sandbox) -> None:
    here, there = accounts(sandbox)[:2]
    target = events(sandbox, "Subject")
    key = made(target, creation(sandbox, "Note-17")).key
    lost, task = key[:15].lower(), "00t5g0000103zd6"
    found = target.read_alike({here: {lost, task, "00u5g0000103zd6"}, there: {lost}, "ACME-17": {lost}})
    names = {place: [item.key for item in records] for place, records in found.items()}
    assert names == {(here, lost): [key], (here, task): [], (here, "00u5g0000103zd6"): [], (there, lost): []}
    assert target.read_external({lost}) == {}
    act(sandbox, "delete_record", id=key)
    assert target.read_alike({here: {lost}}) == {(here, lost): []}


def test_where_the_account_of_records_is_hidden_nothing_is_proven_of_an_id_that_lost_its_case(sandbox: Sandbox) -> None:
    here = accounts(sandbox)[0]
    act(sandbox, "set_field_permission", field="Event.AccountId", access="hidden")
    assert events(sandbox, "Subject").read_alike({here: {"00u5g0000103zd6"}}) == {}


def test_a_create_that_was_made_before_is_adopted_by_its_external_id(sandbox: Sandbox) -> None:
    target = events(sandbox, external_id_field=EXTERNAL)
    first = made(target, creation(sandbox, "Note-17"))
    assert made(target, creation(sandbox, "note-17", Subject="Again")) == first
    assert record(sandbox, first.key)["Subject"] == "Again"


def test_an_external_id_that_another_object_holds_is_a_refusal_of_that_row(sandbox: Sandbox) -> None:
    switch(sandbox, unique_scope="activity")
    fields = {"Subject": "Call", EXTERNAL: "note-1"}
    act(sandbox, "create_record", object="Task", fields=fields)
    verdicts = events(sandbox, external_id_field=EXTERNAL).write([creation(sandbox), creation(sandbox, "note-2")])
    assert [type(verdict.error) for verdict in verdicts] == [RequestRefused, type(None)]
    assert "DUPLICATE_VALUE" in str(verdicts[0].error)


def test_a_unique_field_without_upserts_refuses_the_row(sandbox: Sandbox) -> None:
    target = events(sandbox)
    made(target, creation(sandbox, **{EXTERNAL: "note-1"}))
    assert isinstance(only(target, creation(sandbox, **{EXTERNAL: "note-1"})).error, RequestRefused)


@pytest.mark.parametrize("code", ["NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"])
def test_a_record_that_is_gone_for_good_is_not_found_by_an_update_and_done_for_a_deletion(
    sandbox: Sandbox, code: str
) -> None:
    switch(sandbox, unknown_record_code=code)
    target = events(sandbox)
    keys = [made(target, creation(sandbox)) for _ in range(2)]
    act(sandbox, "delete_record", id=keys[0].key)
    act(sandbox, "purge")
    assert isinstance(only(target, update(keys[0], Subject="x")).error, NotFound)
    assert [verdict.error for verdict in target.write([delete(keys[0]), delete(keys[1])])] == [None, None]
    assert target.read_keys(keys) == {key.key: None for key in keys}


def test_nothing_is_proven_of_an_id_that_the_org_never_told_of(sandbox: Sandbox) -> None:
    keys = [RecordKey("00U5g00000ZZZZZEAA"), RecordKey("no-id"), RecordKey(accounts(sandbox)[0])]
    assert events(sandbox).read_keys(keys) == {}


def test_a_lost_create_is_found_though_somebody_has_edited_it_since(sandbox: Sandbox) -> None:
    target = events(sandbox, "Subject")
    sandbox.faults.add(FaultRule.parse({"kind": "drop_after_commit", "only_writes": True, "nth": 1}))
    write = creation(sandbox, WhoId=[row["Id"] for row in stored(sandbox, "Contact")[:2]])
    hint = orjson.loads(orjson.dumps(target.hint(write)))
    assert isinstance(only(target, write).error, AmbiguousWrite)
    (found,) = target.find([hint])
    (key,) = (item.record.key for item in found)
    sandbox.clock.advance(timedelta(minutes=1))
    act(sandbox, "edit_record", id=key, fields={"Subject": "Renamed"})
    assert [item.record.key for item in target.find([hint])[0]] == [key]
    act(sandbox, "edit_record", id=key, fields={"Description": "Anew", "StartDateTime": "2026-01-01T08:00:00Z"})
    assert target.find([hint]) == [[]]


def test_what_somebody_else_made_alike_is_not_taken_for_ours(sandbox: Sandbox) -> None:
    target = events(sandbox, "Subject")
    fields = {**VALUES, "DurationInMinutes": 30, "WhatId": accounts(sandbox)[0]}
    other = next(row for row in stored(sandbox, "User") if row["IsActive"] and row["Id"] != service_of(sandbox).user_id)
    act(sandbox, "create_record", object="Event", fields=fields, user=other["Email"])
    assert target.find([target.hint(creation(sandbox))]) == [[]]


def test_a_write_that_cannot_be_sent_has_a_hint_all_the_same(sandbox: Sandbox) -> None:
    write = replace(creation(sandbox), values={"Subject": "No date"})
    target = events(sandbox)
    assert target.hint(write)["account_id"] == accounts(sandbox)[0]
    assert isinstance(only(target, write).error, DataError)


def test_two_hundred_lost_creates_are_looked_for_in_few_calls(sandbox: Sandbox) -> None:
    target = events(sandbox, "Subject")
    writes = [
        replace(creation(sandbox, Subject=f"Review {number}"), account_id=accounts(sandbox)[number % 5])
        for number in range(200)
    ]
    sandbox.faults.add(FaultRule.parse({"kind": "drop_after_commit", "only_writes": True, "nth": 1}))
    assert {type(verdict.error) for verdict in target.write(writes)} == {AmbiguousWrite}
    calls = target.calls
    found = target.find([target.hint(write) for write in writes])
    assert [items[0].record.values["Subject"] for items in found] == [write.values["Subject"] for write in writes]
    assert target.calls - calls <= 2


def test_a_session_that_expires_in_the_middle_is_renewed(sandbox: Sandbox) -> None:
    target = events(sandbox)
    key = made(target, creation(sandbox))
    act(sandbox, "expire_tokens")
    assert only(target, update(key, Subject="After")).error is None
    act(sandbox, "expire_tokens")
    assert target.read_keys([key])[key.key] is not None


def test_a_day_whose_calls_are_used_up_ends_the_writes(sandbox: Sandbox) -> None:
    target = events(sandbox)
    key = made(target, creation(sandbox))
    act(sandbox, "use_calls", count=100_000)
    with pytest.raises(QuotaSpent, match="within 24 hours"):
        target.write([update(key, Subject="x")])


def test_rows_that_stay_locked_may_succeed_later_and_hold_no_other_row_up(sandbox: Sandbox) -> None:
    target, rival = events(sandbox), client_on(sandbox)
    keys = [made(target, replace(creation(sandbox), account_id=account)) for account in accounts(sandbox)[:2]]
    sandbox.clock.advance(timedelta(hours=1))
    switch(sandbox, dml_hold_s=3_600.0)
    rival.update("Event", [{"Id": keys[0].key, "Subject": "Theirs"}])
    verdicts = target.write([update(key, Subject="Ours") for key in keys])
    assert [type(verdict.error) for verdict in verdicts] == [ServiceUnavailable, type(None)]
    assert record(sandbox, keys[1].key)["Subject"] == "Ours"


def test_fields_that_only_the_other_direction_reads_are_shown_as_it_reads_them(sandbox: Sandbox) -> None:
    contact = next(row for row in stored(sandbox, "Contact") if row["Email"])
    target = events(sandbox, "Subject", "CreatedBy.Email", "Owner.Email", "participant_emails", "No_Such__c")
    key = made(target, creation(sandbox, WhoId=[contact["Id"]]))
    held = target.read_keys([key])[key.key]
    assert held is not None
    email = service_of(sandbox).login["username"]
    assert held.values == {
        "Subject": "Review",
        "CreatedBy.Email": email,
        "Owner.Email": email,
        "participant_emails": [contact["Email"].lower()],
    }
    assert held.modified_by == service_of(sandbox).user_id
    assert held.created_at == held.modified_at == datetime.fromisoformat(record(sandbox, key.key)["CreatedDate"])


def test_tasks_without_shared_activities_and_without_type_are_written_and_read(sandbox: Sandbox) -> None:
    switch(sandbox, activity_type_field=False, shared_activities=False)
    target = tasks(sandbox, "Subject", "Status", "ActivityDate")
    values = {"Subject": "Call", "Status": "Completed", "ActivityDate": "2026-12-01"}
    key = made(target, replace(creation(sandbox), values=values))
    held = target.read_keys([key])[key.key]
    assert held is not None
    assert held.values == values


def test_the_options_are_checked_against_the_org(sandbox: Sandbox) -> None:
    events(sandbox, external_id_field=EXTERNAL, type="Email", default_owner=service_of(sandbox).user_id).check_options()
    wrong = events(sandbox, external_id_field="Subject", type="Pigeon", account_match={"by": "field", "field": "No__c"})
    with pytest.raises(SpecError) as caught:
        wrong.check_options()
    for word in ("Subject must be marked as External ID", "no value Pigeon", "no field No__c"):
        assert word in str(caught.value)
    act(sandbox, "add_custom_object", name=VISIT)
    options = RecordOptions(object=VISIT, account_field="OwnerId")
    with pytest.raises(SpecError, match="OwnerId leads to Group, User, not to Account"):
        SalesforceTarget(client_on(sandbox), options).check_options()
    with pytest.raises(SpecError, match="no object Nothing__c"):
        SalesforceTarget(client_on(sandbox), RecordOptions(object="Nothing__c")).check_options()


def test_records_of_a_custom_object_belong_to_their_account_by_its_lookup() -> None:
    sandbox = make_sandbox(visits=1)
    act(sandbox, "add_custom_field", object=VISIT, name="Source__c", external_id=True, unique=True)
    options = RecordOptions(object=VISIT, account_field="Account__c", external_id_field="Source__c")
    target = SalesforceTarget(client_on(sandbox), options, ["Name", "Held_At__c"])
    values = {"Name": "A visit", "Held_At__c": "2026-11-18T14:00:00.000Z"}
    key = made(target, replace(creation(sandbox, "visit-1"), values=values))
    held = target.read_external({"VISIT-1"})["VISIT-1"]
    assert (held.key, held.account_id, held.values) == (key.key, accounts(sandbox)[0], values)
    assert {role.value for role in options.keys().values()} == {"account_key", "record_key"}


def test_many_records_are_written_in_bulk_jobs_where_the_job_wants_it(sandbox: Sandbox) -> None:
    rule = {"object": "Event", "field": "Subject", "pattern": "^No", "message": "Say yes."}
    switch(sandbox, validation_rules=[rule], bulk_delay_s=30.0)
    target = events(sandbox, external_id_field=EXTERNAL, bulk_threshold=200)
    assert target.batch_size == 10_000
    writes = [creation(sandbox, f"note-{number}", Subject=f"Review {number}") for number in range(300)]
    writes[7] = replace(writes[7], values={**VALUES, "Subject": "No"})
    sandbox.log.clear()
    verdicts = target.write(writes)
    assert {place for place, verdict in enumerate(verdicts) if verdict.error} == {7}
    assert isinstance(verdicts[7].error, RequestRefused)
    keys = [verdict.key for verdict in verdicts if verdict.key]
    assert [record(sandbox, key.key)["Subject"] for key in keys[:3]] == ["Review 0", "Review 1", "Review 2"]
    assert all(verdict.error is None for verdict in target.write([update(key, Location=None) for key in keys]))
    assert all(verdict.error is None for verdict in target.write([delete(key) for key in keys]))
    assert all(row["IsDeleted"] for row in stored(sandbox, "Event") if row.get(EXTERNAL))
    assert not any("composite/sobjects" in call for call in calls_of(sandbox))


def test_few_records_and_new_ones_without_an_external_id_are_never_written_in_bulk(sandbox: Sandbox) -> None:
    target = events(sandbox, bulk_threshold=200)
    verdicts = target.write([creation(sandbox, Subject=f"Review {number}") for number in range(250)])
    assert all(verdict.error is None for verdict in verdicts)
    same = events(sandbox, external_id_field=EXTERNAL, bulk_threshold=200)
    doubled = same.write([creation(sandbox, f"note-{number % 249}") for number in range(250)])
    assert sum(verdict.error is None for verdict in doubled) >= 248
    assert not any("jobs" in call for call in calls_of(sandbox))
    assert events(sandbox).batch_size == 200

"""Names in a query: fields, parents, what can be read through Who, What and Owner (docs/vendors/salesforce.md §2.3)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sandbox.salesforce.soql_org import (
    ACME,
    ANN,
    CALL,
    CARL,
    DEMO,
    GLOBEX,
    LUNCH,
    TICKET,
    VISIT,
    Org,
    record_id,
    small_org,
)

from cshub_sandbox.salesforce.objects import FieldKind
from cshub_sandbox.salesforce.objects_standard import add_custom_object, custom_field, standard_schema


@pytest.fixture(scope="module")
def org() -> Org:
    return small_org()


def only(org: Org, text: str) -> dict[str, Any]:
    (record,) = org.records(text)
    return record


def test_an_unknown_field_is_an_invalid_field_with_the_vendors_words(org: Org) -> None:
    error = org.refusal("SELECT Id, Foo FROM Event")
    assert (error.status, error.code) == (400, "INVALID_FIELD")
    assert "ERROR at Row:1:Column:12\nNo such column 'Foo' on entity 'Event'. If you are attempting" in error.message
    for text in ("SELECT Id FROM Event WHERE Foo = 1", "SELECT Id FROM Event ORDER BY Foo"):
        assert org.refusal(text).code == "INVALID_FIELD"


def test_a_hidden_field_is_refused_with_the_same_words_as_an_unknown_one(org: Org) -> None:
    seen = org.schema.for_user(hidden=["Event.Location"])
    text = "SELECT Location FROM Event"
    assert org.records(text)
    hidden = org.refusal(text, schema=seen)
    assert hidden.code == "INVALID_FIELD"
    assert "No such column 'Location' on entity 'Event'." in hidden.message
    assert org.refusal("SELECT Id FROM Event WHERE Location = null", schema=seen).code == "INVALID_FIELD"


def test_an_unknown_object_is_an_invalid_type(org: Org) -> None:
    error = org.refusal("SELECT Id FROM Meeting")
    assert (error.status, error.code) == (400, "INVALID_TYPE")
    assert "sObject type 'Meeting' is not supported." in error.message
    assert org.refusal("SELECT Id FROM Name").code == "INVALID_TYPE"


def test_an_unknown_relationship_is_an_invalid_field(org: Org) -> None:
    error = org.refusal("SELECT Foo.Name FROM Event")
    assert error.code == "INVALID_FIELD"
    assert "Didn't understand relationship 'Foo' in field path." in error.message


def test_names_are_answered_in_the_apis_letter_case(org: Org) -> None:
    record = only(org, f"select ID, subject, what.NAME from EVENT where id = '{CALL}'")
    assert list(record) == ["attributes", "Id", "Subject", "What"]
    assert record["attributes"]["type"] == "Event"
    assert list(record["What"]) == ["attributes", "Name"]


def test_parents_are_nested_with_their_own_attributes(org: Org) -> None:
    record = only(org, f"SELECT Account.Name, Account.Owner.Email FROM Event WHERE Id = '{CALL}'")
    assert record == {
        "attributes": {"type": "Event", "url": f"/services/data/v67.0/sobjects/Event/{CALL}"},
        "Account": {
            "attributes": {"type": "Account", "url": f"/services/data/v67.0/sobjects/Account/{ACME}"},
            "Name": "Acme",
            "Owner": {
                "attributes": {"type": "User", "url": f"/services/data/v67.0/sobjects/User/{ANN}"},
                "Email": "ann@vendor.example",
            },
        },
    }


def test_an_empty_lookup_is_null(org: Org) -> None:
    assert (
        only(org, f"SELECT Who.Name, Account.Name FROM Event WHERE Id = '{DEMO}'").items()
        >= {
            "Who": None,
            "Account": None,
        }.items()
    )


def test_a_path_may_climb_five_relationships_and_no_more(org: Org) -> None:
    climb = "Account.Parent.Parent.Parent.Parent"
    assert only(org, f"SELECT {climb}.Name FROM Contact")["Account"]["Parent"] is None
    error = org.refusal(f"SELECT {climb}.Parent.Name FROM Contact")
    assert error.code == "MALFORMED_QUERY"


def test_a_query_may_use_55_relationships_and_no_more() -> None:
    schema = standard_schema()
    lookups = [custom_field(f"L{n}__c", FieldKind.REFERENCE, reference_to=("Account",)) for n in range(56)]
    add_custom_object(schema, "Wide__c", lookups, parent=None)
    org = Org(schema)
    paths = [f"L{n}__r.Name" for n in range(56)]
    assert org.records(f"SELECT {', '.join(paths[:55])} FROM Wide__c") == []
    assert org.refusal(f"SELECT {', '.join(paths)} FROM Wide__c").code == "MALFORMED_QUERY"


def test_an_alias_or_the_objects_own_name_may_stand_before_a_field(org: Org) -> None:
    assert only(org, f"SELECT e.Id, Event.Subject FROM Event e WHERE e.Id = '{CALL}'")["Subject"] == "Kick-off call"


def test_polymorphic_parents_show_as_name_with_the_address_of_the_real_record(org: Org) -> None:
    what = only(org, f"SELECT What.Name, What.Type FROM Event WHERE Id = '{DEMO}'")["What"]
    assert what == {
        "attributes": {"type": "Name", "url": f"/services/data/v67.0/sobjects/Visit__c/{VISIT}"},
        "Name": "V-1",
        "Type": "Visit__c",
    }


def test_through_who_email_and_phone_are_null_for_contacts_and_leads(org: Org) -> None:
    record = only(org, f"SELECT Who.Name, Who.Email, Who.Phone, Who.Title FROM Event WHERE Id = '{CALL}'")
    assert record["Who"].items() >= {"Name": "Carl Poe", "Email": None, "Phone": None, "Title": "CTO"}.items()
    assert org.ids("Who.Email != null") == []


def test_through_owner_email_is_filled_for_users_and_null_for_queues_and_calendars(org: Org) -> None:
    emails = {r["Id"]: r["Owner"]["Email"] for r in org.records("SELECT Id, Owner.Email FROM Event")}
    assert emails == {CALL: "ann@vendor.example", LUNCH: None, DEMO: "ann@vendor.example"}
    queue = only(org, "SELECT Owner.Email, Owner.Name, Owner.Type FROM Task")["Owner"]
    assert queue.items() >= {"Email": None, "Name": "Onboarding", "Type": "Queue"}.items()


def test_through_a_plain_lookup_to_users_email_is_filled(org: Org) -> None:
    assert only(org, "SELECT CreatedBy.Email FROM Task")["CreatedBy"]["Email"] == "ann@vendor.example"


def test_fields_that_name_lacks_cannot_be_read_through_a_polymorphic_path(org: Org) -> None:
    for text in ("SELECT What.Industry FROM Event", "SELECT Who.AccountId FROM Event"):
        error = org.refusal(text)
        assert error.code == "INVALID_FIELD"
        assert "on entity 'Name'" in error.message
    assert "Didn't understand relationship" in org.refusal("SELECT Who.Account.Name FROM Event").message


def test_the_type_of_a_polymorphic_parent_can_be_filtered(org: Org) -> None:
    assert org.ids("What.Type IN ('Account', 'Opportunity')") == [CALL, LUNCH]
    assert org.ids("Who.Type = 'Contact'") == [CALL]
    assert org.ids("What.Type = 'Visit__c'") == [DEMO]
    assert org.ids("Who.Type != 'Contact'") == [LUNCH, DEMO]


def test_the_name_of_a_case_is_its_number() -> None:
    own = small_org()
    own.put("Task", record_id("00T", 7), WhatId=TICKET)
    assert only(own, "SELECT What.Name FROM Task WHERE What.Type = 'Case'")["What"]["Name"] == "00001001"


def test_typeof_chooses_fields_by_the_parents_object(org: Org) -> None:
    records = org.records(
        "SELECT Id, TYPEOF Who WHEN Contact THEN Email, AccountId WHEN Lead THEN Email, Company END FROM Event"
    )
    who = {record["Id"]: record["Who"] for record in records}
    assert who[CALL] == {
        "attributes": {"type": "Contact", "url": f"/services/data/v67.0/sobjects/Contact/{CARL}"},
        "Email": "carl@acme.example",
        "AccountId": ACME,
    }
    assert who[LUNCH].items() >= {"Email": "lena@initech.example", "Company": "Initech"}.items()
    assert who[DEMO] is None


def test_typeof_falls_back_on_else_with_the_fields_of_name_and_on_null_without(org: Org) -> None:
    text = "SELECT Id, TYPEOF What WHEN Opportunity THEN StageName {} END FROM Event"
    bare = {r["Id"]: r["What"] for r in org.records(text.format(""))}
    assert (bare[CALL], bare[DEMO]) == (None, None)
    filled = {r["Id"]: r["What"] for r in org.records(text.format("ELSE Name, Type"))}
    assert filled[CALL].items() >= {"Name": "Acme", "Type": "Account"}.items()
    assert org.refusal(text.format("ELSE Industry")).code == "INVALID_FIELD"


def test_typeof_is_refused_where_it_makes_no_sense(org: Org) -> None:
    assert org.refusal("SELECT TYPEOF Account WHEN Account THEN Name END FROM Event").code == "INVALID_FIELD"
    assert org.refusal("SELECT TYPEOF Who WHEN Account THEN Name END FROM Event").code == "INVALID_FIELD"
    assert org.refusal("SELECT TYPEOF Who WHEN Foo THEN Name END FROM Event").code == "INVALID_TYPE"
    assert org.refusal("SELECT TYPEOF Who WHEN Lead THEN Foo END FROM Event").code == "INVALID_FIELD"


def test_custom_lookups_are_followed_by_their_r_name(org: Org) -> None:
    record = only(org, "SELECT Place__c, Account__r.Name, Account__r.Parent.Name FROM Visit__c")
    assert record["Place__c"] == "Berlin"
    assert record["Account__r"]["Name"] == "Globex"
    assert record["Account__r"]["Parent"]["Name"] == "Acme"
    assert org.ids("Account__r.Parent.Name = 'acme'", source="Visit__c") == [VISIT]
    assert org.ids(f"Account__c = '{GLOBEX}'", source="Visit__c") == [VISIT]


def test_child_queries_show_the_participants_of_an_event(org: Org) -> None:
    records = org.records("SELECT Id, (SELECT RelationId, IsWhat FROM EventRelations) FROM Event")
    shown = {record["Id"]: record["EventRelations"] for record in records}
    assert (shown[CALL]["totalSize"], shown[CALL]["done"]) == (3, True)
    assert [row["RelationId"] for row in shown[CALL]["records"]] == [CARL, ANN, ACME]
    assert shown[LUNCH] is None


def test_the_who_relations_are_the_contacts_and_leads_among_the_participants(org: Org) -> None:
    record = only(
        org, f"SELECT (SELECT RelationId, Relation.Name FROM EventWhoRelations) FROM Event WHERE Id = '{CALL}'"
    )
    (relation,) = record["EventWhoRelations"]["records"]
    assert relation["Relation"]["Name"] == "Carl Poe"
    assert [r["RelationId"] for r in org.records("SELECT RelationId FROM EventWhoRelation")] == [CARL]
    assert len(org.records("SELECT Id FROM EventRelation")) == 3


def test_child_queries_may_filter_sort_and_limit(org: Org) -> None:
    text = "SELECT (SELECT Id FROM EventRelations WHERE IsWhat = false ORDER BY RelationId DESC LIMIT 1) FROM Event"
    found = [r["EventRelations"] for r in org.records(text) if r["EventRelations"]]
    assert [c["totalSize"] for c in found] == [1]


def test_an_unknown_child_relationship_is_an_invalid_field(org: Org) -> None:
    error = org.refusal("SELECT (SELECT Id FROM RelationshipsFromWho) FROM Event")
    assert error.code == "INVALID_FIELD"
    assert "Didn't understand relationship 'RelationshipsFromWho'" in error.message

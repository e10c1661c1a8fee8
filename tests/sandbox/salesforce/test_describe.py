"""Objects and fields: what describe tells, and how an org's schema changes (docs/vendors/salesforce.md §4)."""

from __future__ import annotations

from typing import Any

import pytest

from cshub_sandbox.salesforce.describe import describe, global_describe
from cshub_sandbox.salesforce.objects import FieldKind, Schema
from cshub_sandbox.salesforce.objects_activities import OrgFeatures, apply_features
from cshub_sandbox.salesforce.objects_fields import flag, picklist
from cshub_sandbox.salesforce.objects_standard import add_custom_object, custom_field, custom_text, standard_schema

OBJECT_KEYS = (
    "name label keyPrefix custom createable updateable deletable queryable retrieveable searchable triggerable "
    "undeletable replicateable fields childRelationships recordTypeInfos urls"
)
FIELD_KEYS = (
    "name label type soapType length byteLength digits precision scale nillable createable updateable "
    "defaultedOnCreate defaultValue custom calculated externalId idLookup unique caseSensitive filterable sortable "
    "groupable permissionable nameField namePointing polymorphicForeignKey referenceTo relationshipName picklistValues "
    "restrictedPicklist dependentPicklist controllerName compoundFieldName autoNumber encrypted htmlFormatted "
    "inlineHelpText deprecatedAndHidden"
)


@pytest.fixture
def schema() -> Schema:
    return standard_schema()


def fields(schema: Schema, name: str) -> dict[str, dict[str, Any]]:
    return {f["name"]: f for f in describe(schema.object(name), schema)["fields"]}


def test_describe_has_every_key_of_an_object_and_of_its_fields(schema: Schema) -> None:
    for kind in schema.objects:
        answer = describe(kind, schema)
        assert set(OBJECT_KEYS.split()) <= set(answer)
        for each in answer["fields"]:
            assert set(FIELD_KEYS.split()) <= set(each)


@pytest.mark.parametrize(
    ("name", "prefix"), [("Event", "00U"), ("Task", "00T"), ("Account", "001"), ("Contact", "003"), ("User", "005")]
)
def test_objects_have_their_key_prefix(schema: Schema, name: str, prefix: str) -> None:
    assert describe(schema.object(name.upper()), schema)["keyPrefix"] == prefix
    assert schema.object_of(f"{prefix}5g0000000001") == schema.object(name)


def test_object_and_field_names_are_found_without_regard_to_case(schema: Schema) -> None:
    event = schema.object("eVENT")
    assert event.field("whatid") == event.field("WhatId")
    assert event.relationship("WHAT") == event.field("WhatId")
    with pytest.raises(KeyError, match="no object 'Meeting'"):
        schema.object("Meeting")


EVENT_ROWS = {
    # type, length, createable, updateable, nillable
    "Id": ("id", 18, False, False, False),
    "Subject": ("combobox", 255, True, True, True),
    "Description": ("textarea", 32_000, True, True, True),
    "Location": ("string", 255, True, True, True),
    "IsAllDayEvent": ("boolean", 0, True, True, False),
    "ActivityDate": ("date", 0, True, True, True),
    "ActivityDateTime": ("datetime", 0, True, True, True),
    "StartDateTime": ("datetime", 0, True, True, True),
    "EndDateTime": ("datetime", 0, True, True, True),
    "EndDate": ("date", 0, False, False, True),
    "DurationInMinutes": ("int", 0, True, True, True),
    "OwnerId": ("reference", 18, True, True, False),
    "WhoId": ("reference", 18, True, True, True),
    "WhatId": ("reference", 18, True, True, True),
    "AccountId": ("reference", 18, False, False, True),
    "Type": ("picklist", 40, True, True, True),
    "EventSubtype": ("picklist", 40, True, False, True),
    "ShowAs": ("picklist", 40, True, True, True),
    "IsChild": ("boolean", 0, False, False, False),
    "IsArchived": ("boolean", 0, False, False, False),
    "IsRecurrence": ("boolean", 0, True, False, False),
    "CreatedDate": ("datetime", 0, False, False, False),
    "CreatedById": ("reference", 18, False, False, False),
    "SystemModstamp": ("datetime", 0, False, False, False),
}
TASK_ROWS = {
    "Subject": ("combobox", 255, True, True, True),
    "Description": ("textarea", 32_000, True, True, True),
    "ActivityDate": ("date", 0, True, True, True),
    "Status": ("picklist", 40, True, True, False),
    "Priority": ("picklist", 40, True, True, False),
    "IsClosed": ("boolean", 0, False, False, False),
    "IsHighPriority": ("boolean", 0, False, False, False),
    "CompletedDateTime": ("datetime", 0, False, False, True),
    "Type": ("picklist", 40, True, True, True),
    "TaskSubtype": ("picklist", 40, True, False, True),
    "CallType": ("picklist", 40, True, True, True),
    "CallDisposition": ("string", 255, True, True, True),
    "CallDurationInSeconds": ("int", 0, True, True, True),
    "IsRecurrence": ("boolean", 0, True, False, False),
}


@pytest.mark.parametrize(
    ("object_name", "name", "row"),
    [("Event", name, row) for name, row in EVENT_ROWS.items()]
    + [("Task", name, row) for name, row in TASK_ROWS.items()],
)
def test_fields_of_activities_are_as_documented(
    schema: Schema, object_name: str, name: str, row: tuple[str, int, bool, bool, bool]
) -> None:
    each = fields(schema, object_name)[name]
    shown = (each["type"], each["length"], each["createable"], each["updateable"], each["nillable"])
    assert shown == row


def test_nothing_is_required_to_create_an_event_or_a_task_but_names_are_elsewhere(schema: Schema) -> None:
    required = {
        kind.name: {f.name for f in kind.fields.values() if f.required}
        for kind in schema.objects
        if kind.name in ("Event", "Task", "Account", "Contact", "Lead", "Opportunity")
    }
    assert required == {
        "Event": set(),
        "Task": set(),
        "Account": {"Name"},
        "Contact": {"LastName"},
        "Lead": {"LastName", "Company"},
        "Opportunity": {"Name", "StageName", "CloseDate"},
    }


def test_owner_status_and_priority_are_defaulted_on_create(schema: Schema) -> None:
    task = fields(schema, "Task")
    for name in ("OwnerId", "Status", "Priority"):
        assert (task[name]["nillable"], task[name]["defaultedOnCreate"]) == (False, True)
    assert [v["value"] for v in task["Status"]["picklistValues"] if v["defaultValue"]] == ["Not Started"]


def test_the_references_of_activities_are_polymorphic(schema: Schema) -> None:
    event, task = fields(schema, "Event"), fields(schema, "Task")
    assert event["OwnerId"]["referenceTo"] == ["Calendar", "User"]
    assert task["OwnerId"]["referenceTo"] == ["Group", "User"]
    assert event["WhoId"]["referenceTo"] == ["Contact", "Lead"]
    for name in ("OwnerId", "WhoId", "WhatId"):
        assert event[name]["namePointing"] and event[name]["polymorphicForeignKey"]
    assert not event["AccountId"]["polymorphicForeignKey"]
    assert (event["WhatId"]["relationshipName"], event["CreatedById"]["relationshipName"]) == ("What", "CreatedBy")


def test_long_text_is_neither_filterable_nor_sortable(schema: Schema) -> None:
    event, account = fields(schema, "Event"), fields(schema, "Account")
    assert not event["Description"]["filterable"] and not event["Description"]["sortable"]
    assert event["Subject"]["filterable"] and account["BillingStreet"]["filterable"]


def test_restricted_picklists_are_told_from_open_ones(schema: Schema) -> None:
    event = fields(schema, "Event")
    assert event["ShowAs"]["restrictedPicklist"] and not event["Type"]["restrictedPicklist"]
    schema.change_field("Task", "Status", restricted=True)
    assert fields(schema, "Task")["Status"]["restrictedPicklist"]


def test_an_org_may_lack_type(schema: Schema) -> None:
    apply_features(schema, OrgFeatures(activity_type=False))
    assert "Type" not in fields(schema, "Event") and "Type" not in fields(schema, "Task")
    assert "Type" in fields(schema, "Account")
    apply_features(schema, OrgFeatures())
    assert "Type" in fields(schema, "Event")


def test_shared_activities_bring_counts_and_lists_of_people(schema: Schema) -> None:
    shared = {"WhoCount", "WhatCount", "EventWhoIds"}
    assert not shared & set(fields(schema, "Event"))
    apply_features(schema, OrgFeatures(shared_activities=True))
    event = fields(schema, "Event")
    assert shared <= set(event)
    assert (event["WhoCount"]["createable"], event["EventWhoIds"]["createable"]) == (False, True)
    assert "TaskWhoIds" in fields(schema, "Task")


def test_a_custom_field_of_activity_appears_on_event_and_task(schema: Schema) -> None:
    new = custom_text("Totango_Id__c", 40, external_id=True, unique=True)
    for target in ("Activity", "Event"):
        schema.add_field(target, new)
        for name in ("Event", "Task"):
            shown = fields(schema, name)["Totango_Id__c"]
            assert (shown["externalId"], shown["unique"], shown["caseSensitive"]) == (True, True, False)
            assert (shown["custom"], shown["idLookup"], shown["length"]) == (True, True, 40)


def test_a_custom_object_has_a_prefix_a_parent_and_may_be_a_whatid(schema: Schema) -> None:
    visit = add_custom_object(schema, "Visit__c", [custom_field("Score__c", FieldKind.DOUBLE, precision=18, scale=2)])
    plan = add_custom_object(schema, "Plan__c", parent="Visit__c", has_activities=False)
    assert (visit.key_prefix, plan.key_prefix) == ("a00", "a01")
    shown = fields(schema, "Visit__c")
    assert shown["Account__c"]["relationshipName"] == "Account__r"
    assert (shown["Score__c"]["precision"], shown["Score__c"]["scale"]) == (18, 2)
    targets = fields(schema, "Task")["WhatId"]["referenceTo"]
    assert "Visit__c" in targets and "Plan__c" not in targets
    children = describe(schema.object("Account"), schema)["childRelationships"]
    assert {"Visits__r", "Events", "Tasks", "Contacts"} <= {child["relationshipName"] for child in children}
    assert describe(visit, schema)["custom"]


def test_custom_names_must_end_in_c_and_be_new(schema: Schema) -> None:
    for name in ("Visit", "1Visit__c", "Vi-sit__c"):
        with pytest.raises(ValueError, match="__c"):
            add_custom_object(schema, name)
        with pytest.raises(ValueError, match="__c"):
            custom_text(name)
    add_custom_object(schema, "Visit__c")
    with pytest.raises(ValueError, match="name of its own"):
        add_custom_object(schema, "visit__c")


def test_a_hidden_field_is_absent_and_a_read_only_one_cannot_be_written(schema: Schema) -> None:
    schema.add_field("Activity", custom_text("Code__c"))
    seen = schema.for_user(hidden=["event.description", "Activity.Code__c", "Event.Id"], read_only=["Task.Subject"])
    event, task = fields(seen, "Event"), fields(seen, "Task")
    assert "Description" not in event and "Description" in task
    assert "Code__c" not in event and "Code__c" not in task
    assert "Id" in event
    assert (task["Subject"]["createable"], task["Subject"]["updateable"]) == (False, False)
    assert fields(schema, "Task")["Subject"]["createable"]


def test_what_a_user_sees_follows_changes_of_the_org(schema: Schema) -> None:
    hidden = ["Event.Type"]
    assert schema.for_user(hidden=hidden) is schema.for_user(hidden=hidden)
    schema.add_field("Event", custom_text("Code__c"))
    schema.for_user(hidden=hidden).object("Event").fields["code__c"]
    schema.remove_field("Event", "Code__c")
    assert schema.for_user(hidden=hidden).object("Event").field("Code__c") is None


def test_the_read_only_relations_can_only_be_read(schema: Schema) -> None:
    relation = describe(schema.object("EventWhoRelation"), schema)
    assert relation["queryable"] and not relation["createable"] and not relation["deletable"]
    assert describe(schema.object("EventRelation"), schema)["createable"]


def test_global_describe_lists_every_object_in_short(schema: Schema) -> None:
    answer = global_describe(schema, api_version="59.0")
    entries = {entry["name"]: entry for entry in answer["sobjects"]}
    assert set(entries) == {kind.name for kind in schema.objects}
    assert "fields" not in entries["Event"]
    assert entries["Event"]["urls"]["describe"] == "/services/data/v59.0/sobjects/Event/describe"
    assert answer["maxBatchSize"] == 200


def test_a_picklist_with_a_default_and_a_flag_are_defaulted_unless_read_only() -> None:
    assert picklist("Status", "New", default="New").defaulted
    assert not picklist("Status", "New").defaulted
    assert flag("IsOpen").default is False


def test_changing_a_field_that_does_not_exist_is_refused(schema: Schema) -> None:
    with pytest.raises(KeyError, match="Event has no field 'Foo'"):
        schema.change_field("Event", "Foo", length=1)

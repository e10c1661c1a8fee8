from __future__ import annotations

from dataclasses import replace

import pytest

from cshub.core.errors import NotFound
from cshub.systems.salesforce.condition_fields import check_fields, unknown_values
from cshub.systems.salesforce.conditions import Literal, check_filter
from cshub.systems.salesforce.models import FieldDescription, ObjectDescription, PicklistValue


@pytest.mark.parametrize(
    "text",
    [
        "Subject = 'x'",
        "subject like 'it\\'s 50\\%%' AND IsChild = FALSE",
        "(Type = 'Call' OR Type = 'Email') AND (NOT Owner.Name LIKE 'z%')",
        "NOT (Type IN ('a', 'b') AND Type != null)",
        "Type NOT IN ('a')",
        "CreatedDate >= 2026-11-20T08:00:00Z AND CreatedDate < 2026-11-20T08:00:00.000+01:00",
        "CreatedDate > 2026-11-20T08:00:00+0100",
        "ActivityDate = LAST_N_DAYS:30 OR ActivityDate = today",
        "WhatId IN (SELECT Id FROM Account WHERE Industry = 'Media' AND (Type = 'a' OR Type = 'b'))",
        "Amount__c > -1.5e3",
        "Tags__c INCLUDES ('a;b', 'c')",
        "Order.Name = 'Limit 5 ORDER BY'",
        "Account.Owner.Manager.Name = 'A'",
        "Code__c = '2026-01-01'",
        "\n  Type =\n  'Call'\n",
    ],
)
def test_a_good_condition_has_no_fault(text: str) -> None:
    assert check_filter(text).faults == ()


@pytest.mark.parametrize(
    ("text", "column", "reason", "remedy"),
    [
        ("", 1, "is empty", "Leave the setting out"),
        ("WHERE Type = 'a'", 1, "begins with WHERE", "what follows WHERE"),
        ("SELECT Id FROM Event", 1, "begins with SELECT", "what follows WHERE"),
        ("Type = 'a' ORDER BY Id", 12, "ORDER BY is no part", "orders the records itself"),
        ("Type = 'a' limit 10", 12, "LIMIT is no part", "reads every record"),
        ("Type = 'a' OFFSET 10", 12, "OFFSET is no part", "leave it out"),
        ("Type = 'a' GROUP  BY Id", 12, "GROUP BY is no part", "single records"),
        ("Type = 'a' FOR UPDATE", 12, "FOR is no part", "leave it out"),
        ("a = 1 AND b = 2 OR c = 3", 17, "AND and OR stand side by side", "parentheses"),
        ("(a = 1 OR b = 2 AND c = 3)", 17, "AND and OR stand side by side", "parentheses"),
        ("a = 1 AND NOT b = 2", 11, "NOT follows AND or OR", "(NOT b)"),
        ("NOT a = 1 OR b = 2", 1, "NOT stands before AND or OR", "(NOT b)"),
        ("NOT NOT a = 1", 5, "NOT follows NOT", "Leave both out"),
        ("Type = 'a", 8, "has no end", "Close it"),
        ("Type = 'it's'", 13, "has no end", "for a quote within it"),
        ("(Type = 'a'", 1, "never closed", "Add the one"),
        ("Type = 'a')", 11, "closes nothing", "Take it out"),
        ('Type = "a"', 8, "does not quote", "single quotes"),
        ("Type = ‘a’", 8, "does not quote", "single quotes"),
        ("Type IN ()", 9, "list is empty", "Name at least one"),
        ("CreatedDate > '2026-01-01'", 15, "date '2026-01-01' is quoted", "without quotes: 2026-01-01"),
        ("LastModifiedDate = '2026-01-01T00:00:00Z'", 20, "is quoted", "without quotes"),
        ("CreatedDate > 2026-01-01T00:00:00", 15, "has no time zone", "2026-11-20T08:00:00Z"),
        ("ActivityDate = 2026-02-30", 16, "is no date", "year, month and day"),
        ("CreatedDate = 2026-01-01T25:00:00Z", 15, "is no date and time", "2026-11-20T08:00:00Z"),
        ("CreatedDate = LAST_N_DAYS", 15, "lacks its number", "LAST_N_DAYS:30"),
        ("CreatedDate = TODAY:2", 15, "takes no number", "Write TODAY"),
        ("Type = Call", 8, "Call is no value", "'Call'"),
        ("Type == 'a'", 7, "'=' does not fit", "one `=`"),
        ("Type IS NULL", 6, "'IS' does not fit", "= null"),
        ("a BETWEEN 1 AND 2", 3, "does not fit", ">="),
        ("a = 1 && b = 2", 7, "does not fit", "Write AND"),
        ("a = 1 || b = 2", 7, "does not fit", "Write OR"),
        ("Type = :kind", 8, "does not fit", "variables are of Apex"),
        ("CALENDAR_YEAR(CreatedDate) = 2026", 14, "does not fit", "Functions"),
        ("Type LIKE 5", 11, "LIKE compares with a text", "Quote it"),
        ("Type < null", 8, "cannot compare", "`=`"),
        ("IsChild > true", 11, "cannot compare", "`=`"),
        ("Type = 'a\\q'", 10, "cannot escape", "Write \\\\"),
        ("a.b.c.d.e.f.g = 1", 1, "more than 5 levels", "formula field"),
        ("Type = 'a' AND", 15, "ends too early", "joined by AND or OR"),
        ("Type = 'a'; DELETE", 11, "does not fit", "joined by AND or OR"),
        (f"Type = '{'x' * 4001}'", 8, "4,000 fit", "Shorten"),
        (f"Type = '{'x' * 9000}'", 1, "bytes in a web address", "Shorten"),
        ("Id IN (SELECT Id FROM Account WHERE a = 1 LIMIT 3)", 43, "LIMIT", "leave it out"),
        ("Id IN (SELECT Id FROM Account WHERE a = 1 AND b = 1 OR c = 1)", 53, "side by side", "parentheses"),
    ],
)
def test_a_fault_is_told_with_its_column_and_a_remedy(text: str, column: int, reason: str, remedy: str) -> None:
    fault = check_filter(text).faults[0]
    assert fault.column == column
    assert reason in fault.reason
    assert remedy in fault.remedy
    assert str(fault).startswith(f"column {column}: ")


def test_all_faults_are_told_at_once_in_order() -> None:
    found = check_filter("a IN () AND NOT b = TODAY:1 OR c = x").faults
    assert [fault.column for fault in found] == [6, 13, 21, 29, 36]


def test_the_fields_of_the_object_and_of_its_parents_are_told() -> None:
    report = check_filter(
        "Type = 'a' AND Owner.Email = 'b' AND type != null AND Id IN (SELECT WhatId FROM Task WHERE x = 1)"
    )
    assert report.paths == ("Type", "Owner.Email", "type", "Id")
    assert [(use.path, use.object) for use in report.uses if use.object] == [("WhatId", "Task"), ("x", "Task")]
    assert report.uses[2].literals == {Literal.NULL}


def described(name: str, *fields: FieldDescription) -> ObjectDescription:
    return ObjectDescription(name, name, None, False, True, True, True, True, {item.name: item for item in fields})


def of_type(name: str, kind: str, *, filterable: bool = True) -> FieldDescription:
    return FieldDescription(name, name, kind, filterable=filterable)


def listed(name: str, kind: str, *values: str) -> FieldDescription:
    return replace(of_type(name, kind), picklist=tuple(PicklistValue(value, value, True, False) for value in values))


def reference(name: str, relationship: str, *targets: str) -> FieldDescription:
    return FieldDescription(
        name, name, "reference", filterable=True, reference_to=targets, relationship_name=relationship,
        polymorphic=len(targets) > 1,
    )  # fmt: skip


ORG = {
    "Event": described(
        "Event",
        of_type("Id", "id"),
        listed("Type", "picklist", "Call", "Meeting"),
        listed("Tags__c", "multipicklist", "New", "Old"),
        of_type("Description", "textarea", filterable=False),
        of_type("ActivityDate", "date"),
        of_type("CreatedDate", "datetime"),
        of_type("IsChild", "boolean"),
        of_type("DurationInMinutes", "int"),
        reference("OwnerId", "Owner", "Calendar", "User"),
        reference("WhoId", "Who", "Contact", "Lead"),
        reference("AccountId", "Account", "Account"),
        reference("SecretId", "Secret", "Hidden__c"),
    ),
    "Account": described("Account", of_type("Id", "id"), of_type("Industry", "picklist")),
}


def describe(name: str) -> ObjectDescription:
    if name not in ORG:
        raise NotFound("no such object", status=404)
    return ORG[name]


@pytest.mark.parametrize(
    "text",
    [
        "type = 'Call' AND Owner.Email = 'a@b' AND What = null OR Id = null",
        "Account.Industry = 'Media' AND CreatedDate > LAST_N_DAYS:3 AND ActivityDate = 2026-11-20",
        "Who.Name LIKE 'A%' AND IsChild = false AND DurationInMinutes > 5",
        "Secret.Anything = 'x'",
        "AccountId IN (SELECT Id FROM Account WHERE Industry = 'Media')",
    ],
)
def test_fields_that_are_there_and_fit_have_no_fault(text: str) -> None:
    report = check_filter(text.replace(" AND What = null OR Id = null", ""))
    assert (report.faults, check_fields(report, "Event", describe)) == ((), [])


@pytest.mark.parametrize(
    ("text", "reason", "remedy"),
    [
        ("Tpye = 'a'", "Event has no field Tpye", "Did you mean Type?"),
        ("Description LIKE '%a%'", "Description cannot be used in a condition (textarea)", "another field"),
        ("Acount.Industry = 'a'", "no relationship Acount", "Did you mean Account?"),
        ("Account.Industy = 'a'", "Account has no field Industy", "Did you mean Industry?"),
        ("Owner.Department = 'a'", "may be of several objects (Calendar, User)", "Use one of"),
        ("Who.Email = 'a@b'", "Who.Email is empty unless it is a user", "SELECT Id FROM Contact WHERE Email"),
        ("ActivityDate > 2026-11-20T00:00:00Z", "of type date", "2026-11-20."),
        ("CreatedDate > 2026-11-20", "of type datetime", "2026-11-20T08:00:00Z"),
        ("IsChild = 'true'", "of type boolean", "true or false"),
        ("DurationInMinutes = '5'", "of type int", "Write a number"),
        ("Type = 5", "of type picklist", "Quote it"),
        (
            "Account.Industry INCLUDES ('x')",
            "Industry holds one value (picklist)",
            "Write `Account.Industry IN ('value')`.",
        ),
        ("Type EXCLUDES ('Call')", "EXCLUDES is for fields that hold several", "NOT IN"),
        ("AccountId IN (SELECT Id FROM Acount)", "no object Acount", "API name"),
        ("AccountId IN (SELECT Id FROM Account WHERE Industy = 'a')", "no field Industy", "Industry"),
    ],
)
def test_fields_that_are_not_there_or_do_not_fit_are_told(text: str, reason: str, remedy: str) -> None:
    report = check_filter(text)
    assert report.faults == ()
    [fault] = check_fields(report, "Event", describe)
    assert reason in fault.reason
    assert remedy in fault.remedy


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Type = 'Meting'", [("Type has no value 'Meting', so no record has it", "Did you mean Meeting?")]),
        ("Type NOT IN ('call', 'Coll')", [("Type has no value 'Coll', so no record has it", "Did you mean Call?")]),
        ("Tags__c INCLUDES ('New;Odl')", [("Tags__c has no value 'Odl', so no record has it", "Did you mean Old?")]),
        ("Type = 'MEETING' AND Type != '' AND Type LIKE 'Me%' AND Type != null", []),
        ("Tags__c INCLUDES ('new;OLD', 'Old')", []),
        ("Account.Industry = 'Anything'", []),
        ("AccountId IN (SELECT AccountId FROM Event WHERE Tags__c INCLUDES ('New'))", []),
    ],
)
def test_values_that_a_list_does_not_have_are_told_with_the_nearest(text: str, told: list[tuple[str, str]]) -> None:
    report = check_filter(text)
    assert report.faults == () and check_fields(report, "Event", describe) == []
    assert [(item.reason, item.remedy) for item in unknown_values(report, "Event", describe)] == told

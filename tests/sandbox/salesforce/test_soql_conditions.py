"""WHERE: docs/vendors/salesforce.md §2.2."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.sandbox.salesforce.soql_org import (
    ACME,
    CALL,
    DEMO,
    GLOBEX,
    GONE,
    LUNCH,
    OLD,
    Org,
    record_id,
    small_org,
)


@pytest.fixture(scope="module")
def org() -> Org:
    return small_org()


def refused(org: Org, condition: str, *, source: str = "Event") -> tuple[str, str]:
    error = org.refusal(f"SELECT Id FROM {source} WHERE {condition}")
    assert error.status == 400
    return error.code, error.message


def test_text_is_compared_without_regard_to_case(org: Org) -> None:
    assert org.ids("Subject = 'KICK-OFF CALL'") == [CALL]
    assert org.ids("Totango_Id__c = 'T-1'") == [CALL]


def test_a_unique_case_sensitive_field_is_compared_with_regard_to_case(org: Org) -> None:
    assert org.ids("Code__c = 'AbC'") == [CALL]
    assert org.ids("Code__c = 'aBc'") == [LUNCH]
    assert org.ids("Code__c = 'abc'") == []


def test_unequal_also_returns_rows_where_the_field_is_null(org: Org) -> None:
    assert org.ids("Subject != 'Kick-off call'") == [LUNCH, DEMO]
    assert org.ids("Subject <> 'Kick-off call'") == [LUNCH, DEMO]


def test_null_is_asked_for_by_equal_and_unequal(org: Org) -> None:
    assert org.ids("Subject = null") == [DEMO]
    assert org.ids("Subject != NULL") == [CALL, LUNCH]


def test_an_empty_string_means_null(org: Org) -> None:
    assert org.ids("Subject = ''") == [DEMO]


def test_a_comparison_of_order_with_null_is_refused(org: Org) -> None:
    assert refused(org, "ActivityDate > null")[0] == "INVALID_QUERY_FILTER_OPERATOR"


def test_a_row_with_a_null_parent_stays_in_an_or(org: Org) -> None:
    assert org.ids("Account.Name = 'Nobody' OR Subject = null") == [DEMO]
    assert org.ids("Account.Name = null") == [LUNCH, DEMO]
    assert org.ids("Account.Name != 'Acme'") == [LUNCH, DEMO]


def test_not_is_the_contrary_nulls_included(org: Org) -> None:
    assert org.ids("NOT Subject LIKE '%call'") == [LUNCH, DEMO]
    assert org.ids("(NOT (Type = 'Call' OR Type = 'Meeting')) AND Id != null") == [DEMO]


def test_in_and_not_in_take_lists(org: Org) -> None:
    assert org.ids("Type IN ('call', 'meeting', 'other')") == [CALL, LUNCH]
    assert org.ids("Type NOT IN ('Call')") == [LUNCH, DEMO]
    assert org.ids("Subject IN (null)") == [DEMO]


def test_like_knows_wildcards_and_their_escapes(org: Org) -> None:
    assert org.ids("Subject LIKE 'KICK%'") == [CALL]
    assert org.ids("Subject LIKE '100_ lunch%'") == [LUNCH]
    assert org.ids(r"Subject LIKE '100\% lunch\_time'") == [LUNCH]
    assert org.ids(r"Subject LIKE 'Kick\_off%'") == []


def test_like_is_refused_on_anything_but_text(org: Org) -> None:
    for condition in ("Id LIKE '00U%'", "ActivityDate LIKE '2026%'", "WhatId LIKE '001%'"):
        assert refused(org, condition)[0] == "INVALID_QUERY_FILTER_OPERATOR"


def test_an_escape_that_does_not_exist_is_malformed(org: Org) -> None:
    code, message = refused(org, r"Subject = 'a\d'")
    assert code == "MALFORMED_QUERY"
    assert r"Illegal character sequence '\d' in string literal" in message
    assert refused(org, r"Subject = 'a\%'")[0] == "MALFORMED_QUERY"


def test_a_string_may_have_4000_characters_and_no_more(org: Org) -> None:
    assert org.ids(f"Subject = '{'x' * 4_000}'") == []
    assert refused(org, f"Subject = '{'x' * 4_001}'")[0] == "MALFORMED_QUERY"
    assert refused(org, f"Subject LIKE '{'x' * 4_001}'")[0] == "MALFORMED_QUERY"


def test_numbers_are_compared_as_numbers(org: Org) -> None:
    assert org.ids("DurationInMinutes = 30.0") == [CALL]
    assert org.ids("Score__c >= 1.5 AND Score__c < 2") == [CALL]
    assert org.ids("Score__c < 100") == [CALL]


def test_an_absent_boolean_is_false(org: Org) -> None:
    assert org.ids("IsAllDayEvent = TRUE") == [LUNCH]
    assert org.ids("IsAllDayEvent = false") == [CALL, DEMO]


def test_a_boolean_has_no_order(org: Org) -> None:
    assert refused(org, "IsAllDayEvent > FALSE")[0] == "INVALID_QUERY_FILTER_OPERATOR"


def test_long_text_can_not_be_filtered(org: Org) -> None:
    code, message = refused(org, "Description = 'x'")
    assert code == "INVALID_FIELD"
    assert "field 'Description' can not be filtered in a query call" in message
    assert refused(org, "EventWhoIds = 'x'")[0] == "INVALID_FIELD"


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("ActivityDate = '2026-01-01'", "'ActivityDate' must be of type date and should not be enclosed in quotes"),
        ("ActivityDate = 2026-01-01T00:00:00Z", "must be of type date and"),
        ("StartDateTime > 2026-01-01", "'StartDateTime' must be of type dateTime and should not be enclosed"),
        ("StartDateTime > '2026-01-01T00:00:00Z'", "must be of type dateTime"),
        ("Subject = 5", "'Subject' must be of type string and should be enclosed in quotes"),
        ("Subject = TODAY", "must be of type string"),
        ("Type = TRUE", "must be of type picklist"),
        ("DurationInMinutes = '30'", "must be of type int and should not be enclosed in quotes"),
        ("IsAllDayEvent = 'true'", "must be of type boolean and should not be enclosed in quotes"),
        ("WhatId = 5", "must be of type reference and should be enclosed in quotes"),
    ],
)
def test_a_literal_of_the_wrong_type_is_an_invalid_field(org: Org, condition: str, wanted: str) -> None:
    code, message = refused(org, condition)
    assert code == "INVALID_FIELD"
    assert wanted in message


def test_a_datetime_is_read_with_any_zone_and_fraction(org: Org) -> None:
    for literal in ("2026-11-19T23:30:00Z", "2026-11-19T23:30:00.000Z", "2026-11-20T00:30:00+01:00"):
        assert org.ids(f"StartDateTime = {literal}") == [CALL]


def test_dates_are_compared_as_dates(org: Org) -> None:
    assert org.ids("ActivityDate >= 2026-11-20") == [LUNCH]
    assert org.ids("ActivityDate IN (2026-11-19, 2026-11-20)") == [CALL, LUNCH]


def test_fifteen_and_eighteen_characters_are_the_same_id(org: Org) -> None:
    assert org.ids(f"Id = '{CALL[:15]}'") == [CALL]
    assert org.ids(f"WhatId IN ('{ACME[:15]}', '{GLOBEX}')") == [CALL]


def test_an_id_in_the_wrong_case_is_not_found(org: Org) -> None:
    assert org.ids(f"Id = '{CALL}'") == [CALL]
    assert org.ids(f"Id = '{CALL.lower()}'") == []
    assert org.ids(f"Id = '{CALL.upper()}'") == []


def test_something_that_is_no_id_is_refused(org: Org) -> None:
    code, message = refused(org, "WhatId = 'acme'")
    assert code == "INVALID_QUERY_FILTER_OPERATOR"
    assert "invalid ID field: acme" in message


def test_a_semi_join_filters_by_the_ids_of_another_query(org: Org) -> None:
    assert org.ids("WhatId IN (SELECT Id FROM Account WHERE Name = 'Acme')") == [CALL]
    assert org.ids("WhatId NOT IN (SELECT Id FROM Account)") == [LUNCH, DEMO]
    assert org.ids("Id IN (SELECT EventId FROM EventRelation)") == [CALL]


def test_a_semi_join_on_text_is_refused(org: Org) -> None:
    assert refused(org, "Subject IN (SELECT Id FROM Account)")[0] == "INVALID_QUERY_FILTER_OPERATOR"
    assert refused(org, "WhatId IN (SELECT Name FROM Account)")[0] == "INVALID_QUERY_FILTER_OPERATOR"


DAYS = {
    "YESTERDAY": (date(2026, 11, 19), date(2026, 11, 20)),
    "TODAY": (date(2026, 11, 20), date(2026, 11, 21)),
    "TOMORROW": (date(2026, 11, 21), date(2026, 11, 22)),
    "LAST_WEEK": (date(2026, 11, 8), date(2026, 11, 15)),
    "THIS_WEEK": (date(2026, 11, 15), date(2026, 11, 22)),
    "NEXT_WEEK": (date(2026, 11, 22), date(2026, 11, 29)),
    "LAST_MONTH": (date(2026, 10, 1), date(2026, 11, 1)),
    "THIS_MONTH": (date(2026, 11, 1), date(2026, 12, 1)),
    "NEXT_MONTH": (date(2026, 12, 1), date(2027, 1, 1)),
    "THIS_QUARTER": (date(2026, 10, 1), date(2027, 1, 1)),
    "LAST_QUARTER": (date(2026, 7, 1), date(2026, 10, 1)),
    "NEXT_QUARTER": (date(2027, 1, 1), date(2027, 4, 1)),
    "THIS_YEAR": (date(2026, 1, 1), date(2027, 1, 1)),
    "LAST_FISCAL_YEAR": (date(2025, 1, 1), date(2026, 1, 1)),
    "NEXT_YEAR": (date(2027, 1, 1), date(2028, 1, 1)),
    "LAST_90_DAYS": (date(2026, 8, 22), date(2026, 11, 21)),
    "NEXT_90_DAYS": (date(2026, 11, 21), date(2027, 2, 19)),
    "LAST_N_DAYS:1": (date(2026, 11, 19), date(2026, 11, 21)),
    "NEXT_N_DAYS:2": (date(2026, 11, 21), date(2026, 11, 23)),
    "N_DAYS_AGO:3": (date(2026, 11, 17), date(2026, 11, 18)),
    "LAST_N_WEEKS:2": (date(2026, 11, 1), date(2026, 11, 15)),
    "NEXT_N_WEEKS:1": (date(2026, 11, 22), date(2026, 11, 29)),
    "LAST_N_MONTHS:2": (date(2026, 9, 1), date(2026, 11, 1)),
    "N_MONTHS_AGO:11": (date(2025, 12, 1), date(2026, 1, 1)),
    "NEXT_N_QUARTERS:1": (date(2027, 1, 1), date(2027, 4, 1)),
    "LAST_N_YEARS:1": (date(2025, 1, 1), date(2026, 1, 1)),
}


@pytest.mark.parametrize("literal", DAYS)
def test_a_relative_date_means_its_days(literal: str) -> None:
    org = small_org()
    start, end = DAYS[literal]
    around = {record_id("00T", 90 + n): day for n, day in enumerate((start, end - timedelta(days=1)))}
    outside = {record_id("00T", 80 + n): day for n, day in enumerate((start - timedelta(days=1), end))}
    for task, day in (around | outside).items():
        org.put("Task", task, ActivityDate=day)
    before, after = outside
    first, last = sorted(around)
    known = {"source": "Task"}
    assert org.ids(f"ActivityDate = {literal.lower()}", **known) == [first, last]
    assert org.ids(f"ActivityDate != {literal} AND ActivityDate != null", **known) == [before, after]
    assert org.ids(f"ActivityDate < {literal}", **known) == [before]
    assert org.ids(f"ActivityDate <= {literal}", **known) == [before, first, last]
    assert org.ids(f"ActivityDate > {literal}", **known) == [after]
    assert org.ids(f"ActivityDate >= {literal}", **known) == [after, first, last]
    assert org.ids(f"ActivityDate IN ({literal})", **known) == [first, last]


def test_the_days_of_a_relative_date_are_those_of_the_users_zone() -> None:
    org = small_org()
    assert org.ids("StartDateTime = TODAY") == []
    org.zone = ZoneInfo("Europe/Berlin")
    assert org.ids("StartDateTime = TODAY") == [CALL]
    org.now = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
    org.zone = ZoneInfo("America/New_York")
    assert org.ids("ActivityDate = TODAY") == [CALL]


@pytest.mark.parametrize("literal", ["SOMEDAY", "LAST_N_DAYS", "TODAY:3", "N_DAYS:3", "LAST_N_YEARS:9999"])
def test_a_relative_date_that_does_not_exist_is_malformed(org: Org, literal: str) -> None:
    code, message = refused(org, f"ActivityDate = {literal}")
    assert code == "MALFORMED_QUERY"
    assert f"unexpected token: {literal}" in message


def test_a_query_hides_deleted_and_archived_rows_and_query_all_shows_them(org: Org) -> None:
    assert org.ids("Type = 'Call'") == [CALL]
    assert org.ids("Type = 'Call'", include_deleted=True) == [CALL, GONE, OLD]
    assert org.ids("IsDeleted = true") == []
    assert org.ids("IsDeleted = true", include_deleted=True) == [GONE]


def test_a_relative_date_whose_midnight_lies_beyond_the_calendar_is_malformed() -> None:
    org = small_org()
    org.zone = ZoneInfo("Asia/Tokyo")
    first = org.now.astimezone(org.zone).date().toordinal() - 1
    for days in (first, first + 1):
        assert refused(org, f"CreatedDate > LAST_N_DAYS:{days}")[0] == "MALFORMED_QUERY"

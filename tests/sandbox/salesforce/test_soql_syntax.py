"""What is a query and what is not: docs/vendors/salesforce.md §6.2."""

from __future__ import annotations

import pytest

from cshub_sandbox.salesforce import soql
from cshub_sandbox.salesforce.errors import SalesforceError


def refusal(text: str) -> SalesforceError:
    with pytest.raises(SalesforceError) as caught:
        soql.parse(text)
    return caught.value


def assert_malformed(text: str, message: str) -> None:
    error = refusal(text)
    assert (error.status, error.code) == (400, "MALFORMED_QUERY")
    assert message in error.message


def test_keywords_are_read_without_regard_to_case() -> None:
    query = soql.parse("select Id from Event where Type = 'x' order by Id desc nulls last limit 5 offset 2")
    assert (query.limit, query.offset) == (5, 2)
    assert (query.order[0].descending, query.order[0].nulls_last) == (True, True)


def test_a_field_may_be_called_like_a_function_or_a_clause() -> None:
    query = soql.parse("SELECT Count, Order, Limit__c FROM Group WHERE First = 'x'")
    assert [str(item) for item in query.items] == ["Count", "Order", "Limit__c"]


def test_and_beside_or_without_parentheses_is_malformed() -> None:
    assert_malformed("SELECT Id FROM Event WHERE Type = 'a' AND Type = 'b' OR Type = 'c'", "unexpected token: OR")
    assert_malformed("SELECT Id FROM Event WHERE Type = 'a' OR Type = 'b' AND Type = 'c'", "unexpected token: AND")


def test_and_beside_or_with_parentheses_is_read() -> None:
    soql.parse("SELECT Id FROM Event WHERE (Type = 'a' AND Type = 'b') OR Type = 'c'")


def test_not_behind_and_needs_parentheses_around_it() -> None:
    assert_malformed("SELECT Id FROM Event WHERE Type = 'a' AND NOT (Type = 'b')", "unexpected token: NOT")
    soql.parse("SELECT Id FROM Event WHERE Type = 'a' AND (NOT Type = 'b')")


def test_not_may_stand_alone_before_one_term() -> None:
    soql.parse("SELECT Id FROM Event WHERE NOT (Type = 'a' OR Type = 'b')")
    assert_malformed("SELECT Id FROM Event WHERE NOT Type = 'a' AND Type = 'b'", "unexpected token: AND")


def test_an_empty_list_is_malformed() -> None:
    assert_malformed("SELECT Id FROM Event WHERE Id IN ()", "unexpected token: )")


def test_a_query_that_breaks_off_names_the_end() -> None:
    assert_malformed("SELECT Id FROM Event WHERE", "unexpected token: <EOF>")


def test_something_behind_the_query_is_malformed() -> None:
    assert_malformed("SELECT Id FROM Event LIMIT 5 Type", "unexpected token: Type")
    assert_malformed("SELECT Id FROM Event;", "no viable alternative at character ';'")


def test_a_quote_that_is_not_closed_is_malformed() -> None:
    assert_malformed("SELECT Id FROM Event WHERE Type = 'abc", "no viable alternative at character '''")


def test_double_quotes_are_malformed() -> None:
    assert_malformed('SELECT Id FROM Event WHERE Type = "a"', "no viable alternative at character '\"'")


def test_a_datetime_without_a_zone_is_malformed() -> None:
    assert_malformed("SELECT Id FROM Event WHERE StartDateTime > 2026-01-02T03:04:05", "unexpected token: T03")


def test_a_date_that_is_in_no_calendar_is_malformed() -> None:
    assert_malformed("SELECT Id FROM Event WHERE ActivityDate = 2026-02-30", "unexpected token: 2026-02-30")


def test_a_negative_or_broken_limit_is_malformed() -> None:
    assert_malformed("SELECT Id FROM Event LIMIT -1", "unexpected token: -1")
    assert_malformed("SELECT Id FROM Event LIMIT 1.5", "unexpected token: 1.5")


def test_a_star_is_no_list_of_fields() -> None:
    assert_malformed("SELECT * FROM Event", "no viable alternative at character '*'")


def test_a_refusal_shows_the_line_with_a_caret_and_row_and_column() -> None:
    message = refusal("SELECT Id\nFROM Event WHERE = 1").message
    assert message == "\nFROM Event WHERE = 1\n                 ^\nERROR at Row:2:Column:18\nunexpected token: ="


def test_an_empty_query_is_malformed() -> None:
    assert_malformed("  ", "cannot be empty")


def test_more_than_100000_characters_are_malformed() -> None:
    text = "SELECT Id FROM Event WHERE Subject = ''"
    soql.parse(text.ljust(100_000))
    assert_malformed(text.ljust(100_001), "cannot be longer than 100000 characters")


def test_conditions_nested_too_deep_are_malformed_not_a_crash() -> None:
    deep = "(NOT " * 2_000 + "Type = 'a'" + ")" * 2_000
    assert_malformed(f"SELECT Id FROM Event WHERE {deep}", "nested more than")


def test_a_semi_join_within_a_semi_join_is_malformed() -> None:
    inner = "SELECT AccountId FROM Contact WHERE OwnerId IN (SELECT Id FROM User)"
    assert_malformed(f"SELECT Id FROM Event WHERE WhatId IN ({inner})", "Nesting of semi join")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT Type FROM Event GROUP BY Type",
        "SELECT MAX(SystemModstamp) FROM Event",
        "SELECT toLabel(Type) FROM Event",
        "SELECT Id FROM Event USING SCOPE mine",
        "SELECT Id FROM Event WITH SECURITY_ENFORCED",
        "SELECT Id FROM Event FOR UPDATE",
        "SELECT Id FROM Event WHERE Skills__c INCLUDES ('a')",
    ],
)
def test_soql_that_the_sandbox_leaves_out_is_said_to_be_left_out(text: str) -> None:
    error = refusal(text)
    assert (error.status, error.code) == (501, "NOT_SIMULATED")


def test_words_of_left_out_soql_inside_a_string_do_no_harm() -> None:
    assert_malformed("SELECT Id FROM Event WHERE Subject = 'with max(x)' oops", "unexpected token: oops")


@pytest.mark.parametrize(
    ("text", "obstacle"),
    [
        ("SELECT Id FROM Event", None),
        ("SELECT COUNT() FROM Event", "aggregate functions"),
        ("SELECT TYPEOF Who WHEN Contact THEN Id END FROM Event", "TYPEOF"),
        ("SELECT Id, (SELECT Id FROM EventRelations) FROM Event", "nested queries"),
        ("SELECT Id FROM Event LIMIT 1 OFFSET 1", "OFFSET"),
    ],
)
def test_a_query_knows_what_keeps_it_from_a_bulk_job(text: str, obstacle: str | None) -> None:
    assert soql.parse(text).unfit_for_bulk == obstacle


@pytest.mark.parametrize("clause", ["LIMIT 99999999999999999999", "OFFSET 2147483648", "LIMIT " + "9" * 5_000])
def test_a_limit_or_offset_that_is_no_32_bit_number_is_malformed(clause: str) -> None:
    assert_malformed(f"SELECT Id FROM Event {clause}", "unexpected token: ")


@pytest.mark.parametrize("term", ["> 9999-12-31T23:59:59-12:00", "< 0001-01-01T00:00:00+12:00"])
def test_a_moment_beyond_the_calendar_is_malformed(term: str) -> None:
    assert_malformed(f"SELECT Id FROM Event WHERE CreatedDate {term}", "unexpected token: ")

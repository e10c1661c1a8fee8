from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.errors import DataError, SpecError
from cshub.systems.salesforce.conditions import check_filter
from cshub.systems.salesforce.soql import (
    LONGEST_QUERY,
    TypeOf,
    any_of,
    compare,
    encoded_length,
    is_relative_date,
    like,
    literals_of,
    quote,
    quote_id,
    select,
    unquote,
    where,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MOMENT = st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(4000, 1, 1), timezones=st.just(UTC))
SCALAR = st.one_of(
    TEXT, st.booleans(), st.none(), st.integers(), st.dates(), st.floats(allow_nan=False, allow_infinity=False)
)


@given(SCALAR)
def test_quoting_then_parsing_returns_the_value(value: str | bool | int | float | date | None) -> None:
    assert unquote(quote(value)) == value
    assert type(unquote(quote(value))) is type(value)


@given(MOMENT)
def test_a_moment_is_rounded_up_to_the_second(moment: datetime) -> None:
    back = unquote(quote(moment))
    assert isinstance(back, datetime)
    assert timedelta(0) <= back - moment < timedelta(seconds=1)
    assert quote(moment.astimezone(timezone(timedelta(hours=5, minutes=30)))) == quote(moment)


@given(TEXT)
def test_a_quoted_text_is_one_literal_of_a_condition_whatever_it_holds(text: str) -> None:
    condition = f"Subject = {quote(text)}"
    assert literals_of(condition) == [text]
    if encoded_length(condition) < 4_000:
        assert check_filter(condition).faults == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('O\'Hara \\ "x"\n', "'O\\'Hara \\\\ \\\"x\\\"\\n'"),
        (datetime(2026, 11, 20, 8, tzinfo=UTC), "2026-11-20T08:00:00Z"),
        (date(2026, 11, 20), "2026-11-20"),
        (None, "null"),
        (True, "true"),
        (Decimal("1.50"), "1.50"),
    ],
)
def test_values_are_written_as_salesforce_reads_them(value: str, text: str) -> None:
    assert quote(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), datetime(2026, 1, 1), "\ud800"])
def test_a_value_that_no_query_can_hold_is_refused(value: float) -> None:
    with pytest.raises(DataError):
        quote(value)


def test_a_unicode_escape_is_understood() -> None:
    assert unquote("'\\u00e9'") == "é"
    with pytest.raises(DataError):
        unquote("2026-99-99")


def test_a_pattern_finds_its_signs_literally() -> None:
    assert like("50%_o'f") == "'%50\\%\\_o\\'f%'"


def test_ids_are_written_with_eighteen_characters() -> None:
    assert quote_id("0015g00000XyZ12") == "'0015g00000XyZ12AAF'"


@given(st.lists(TEXT.filter(lambda text: len(text) < 900), max_size=400), st.integers(1, 300))
def test_a_list_in_parts_names_every_value_once_in_order(values: list[str], most: int) -> None:
    parts = list(any_of("Totango__c", values, most=most))
    assert [value for part in parts for value in literals_of(part)] == values
    assert all(len(literals_of(part)) <= most and encoded_length(part) <= LONGEST_QUERY for part in parts)


def test_three_hundred_ids_stand_in_one_query_and_room_is_left_for_the_rest() -> None:
    ids = [f"0015g00000Xy{number:03}AAA" for number in range(301)]
    rest = "SELECT Id FROM Event WHERE " + "x" * 2_000
    assert [len(literals_of(part)) for part in any_of("WhatId", ids)] == [300, 1]
    assert all(encoded_length(f"{rest} {part}") <= LONGEST_QUERY for part in any_of("WhatId", ids, beside=rest))


def test_a_value_too_long_to_be_looked_up_is_refused() -> None:
    with pytest.raises(DataError, match="too long"):
        list(any_of("Subject", ["x" * 4_001]))


def test_a_persons_condition_cannot_swallow_the_window() -> None:
    window = compare("SystemModstamp", ">=", datetime(2026, 11, 20, tzinfo=UTC))
    assert where("Type = 'Call' OR Type = 'Email'", "", window) == (
        "WHERE (Type = 'Call' OR Type = 'Email') AND (SystemModstamp >= 2026-11-20T00:00:00Z)"
    )
    assert where("", "  ") == ""


def test_a_whole_query_names_every_field_once() -> None:
    who = TypeOf("Who", {"Contact": ["Email", "Name"], "Lead": ["Email"]})
    fields: list[str | TypeOf] = ["Id", "Owner.Email", "Id", who]
    assert select("Event", fields, "a = 1", order_by=["SystemModstamp DESC", "Id"], limit=10) == (
        "SELECT Id, Owner.Email, TYPEOF Who WHEN Contact THEN Email, Name WHEN Lead THEN Email END FROM Event "
        "WHERE (a = 1) ORDER BY SystemModstamp DESC, Id LIMIT 10"
    )


@pytest.mark.parametrize(
    ("object_name", "field", "order"),
    [
        ("Event; DROP", "Id", "Id"),
        ("Event", "Id, (SELECT Id FROM X)", "Id"),
        ("Event", "a.b.c.d.e.f.g", "Id"),
        ("Event", "Id", "Id SIDEWAYS"),
        ("Event", "", "Id"),
    ],
)
def test_names_that_cannot_be_are_refused(object_name: str, field: str, order: str) -> None:
    with pytest.raises(SpecError):
        select(object_name, [field], order_by=[order])


def test_a_comparison_that_is_none_is_refused() -> None:
    with pytest.raises(SpecError):
        compare("Subject", "= 'x' OR Subject =", "y")


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("today", True),
        ("LAST_N_DAYS:30", True),
        ("LAST_N_DAYS", False),
        ("TODAY:1", False),
        ("THIS_YEAR", True),
        ("x", False),
    ],
)
def test_relative_dates_are_known(word: str, known: bool) -> None:
    assert is_relative_date(word) is known

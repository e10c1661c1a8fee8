from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.errors import DataError
from cshub.core.text import length
from cshub.core.transforms import CUT_MARKER, TRANSFORMS, Warned, parse_step, usage

from .core_cast import STEADY

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def applied(entry: Any, value: Any) -> Any:
    step = parse_step(entry)
    return step.transform.apply(value, step.argument)


@pytest.mark.parametrize(
    ("entry", "value", "expected"),
    [
        ("strip", "  a b\n", "a b"),
        ("strip", 12, "12"),
        ("lower", "ÄB", "äb"),
        ("upper", "äb", "ÄB"),
        ("html_to_text", "one<br>two &amp; three", "one\ntwo & three"),
        ("wrap_html", "a < b\nc", '<div class="html-parser-container">a &lt; b<br>c</div>'),
        ({"truncate": 12000}, "short", "short"),
        ({"prefix": "Call: "}, "Ada", "Call: Ada"),
        ({"suffix": " (Chorus)"}, "Ada", "Ada (Chorus)"),
        ("epoch_s_to_datetime", 1795104000.5, "2026-11-19T16:00:00.500Z"),
        ("epoch_s_to_datetime", "1795104000", "2026-11-19T16:00:00.000Z"),
        ("epoch_s_to_datetime", -1, "1969-12-31T23:59:59.000Z"),
        ("epoch_ms_to_datetime", 1795104000123, "2026-11-19T16:00:00.123Z"),
        ({"date_in_zone": "Europe/Berlin"}, "2026-11-19T23:30:00Z", "2026-11-20"),
        ({"date_in_zone": "America/New_York"}, "2026-11-20T04:30:00Z", "2026-11-19"),
        ({"date_in_zone": "Europe/Berlin"}, "2026-10-24T22:30:00Z", "2026-10-25"),
        ({"date_in_zone": "Pacific/Auckland"}, "2026-11-19", "2026-11-19"),
        ({"noon_in_zone": "Europe/Berlin"}, "2026-07-01", "2026-07-01T10:00:00.000Z"),
        ({"noon_in_zone": "Europe/Berlin"}, "2026-11-20", "2026-11-20T11:00:00.000Z"),
        ({"pluck": "email"}, [{"email": "a@x.example"}, {"email": None}, {"email": ""}, {}, 3], ["a@x.example"]),
        ({"join": ", "}, ["a", None, 2], "a, 2"),
        ("salesforce_id_18", "0015g00000XyZ12", "0015g00000XyZ12AAF"),
        ("salesforce_id_18", "0015g00000XyZ12AAF", "0015g00000XyZ12AAF"),
        ("salesforce_id_18", "acme-17", "acme-17"),
    ],
)
def test_each_transform_does_what_its_help_says(entry: Any, value: Any, expected: Any) -> None:
    assert applied(entry, value) == expected


def test_every_transform_has_a_row_in_the_table_above() -> None:
    marks = test_each_transform_does_what_its_help_says.pytestmark
    entries = [row[0] for row in marks[0].args[1]]
    assert {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries} == set(TRANSFORMS)


def test_a_cut_is_marked_counted_and_fits() -> None:
    cut = applied({"truncate": 100}, "word " * 50)
    assert isinstance(cut, Warned)
    assert cut.warning == "content_cut"
    assert cut.value.endswith(CUT_MARKER)
    assert length(cut.value) <= 100


@pytest.mark.parametrize(
    ("entry", "value", "says"),
    [
        ("strip", {"a": 1}, "expected text, got an object"),
        ("html_to_text", ["a"], "expected text, got a list"),
        ({"truncate": 100}, {"a": 1}, "expected text, got an object"),
        ({"prefix": "x"}, math.nan, "expected a finite number"),
        ("epoch_s_to_datetime", "soon", "expected seconds since 1970, got 'soon'"),
        ("epoch_s_to_datetime", 1795104000123, "expected seconds since 1970"),
        ("epoch_s_to_datetime", math.nan, "expected seconds since 1970"),
        ("epoch_ms_to_datetime", [], "expected milliseconds since 1970"),
        ({"date_in_zone": "Europe/Berlin"}, "2026-11-19T10:00", "has no time zone"),
        ({"date_in_zone": "Asia/Tokyo"}, "9999-12-31T23:00:00Z", "outside the years 1 to 9999"),
        ({"pluck": "email"}, {"email": "a"}, "expected a list of objects, got dict"),
        ({"join": ", "}, "abc", "expected a list, got str"),
        ({"join": ", "}, [{}], "expected text, got an object"),
        ("salesforce_id_18", "not a valid id!", "is not a Salesforce id"),
    ],
)
def test_a_value_that_a_transform_cannot_take_is_a_reason_to_reject_the_record(
    entry: Any, value: Any, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        applied(entry, value)


@STEADY
@given(st.sampled_from(sorted(TRANSFORMS)), JSON.filter(lambda value: value is not None))
def test_whatever_a_service_sends_is_transformed_or_refused(name: str, value: Any) -> None:
    transform = TRANSFORMS[name]
    try:
        transform.apply(value, transform.example)
    except DataError:
        return


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("stripp", "there is no transform 'stripp'"),
        ({"strip": True}, "strip takes no argument"),
        ("truncate", "truncate needs a whole number, its limit"),
        ({"truncate": "12"}, "needs a whole number"),
        ({"truncate": True}, "needs a whole number"),
        ({"truncate": 3}, "the limit must be at least 9"),
        ({"truncate": -1}, "the limit must be at least 9"),
        ({"join": 5}, "join needs a text, its separator"),
        ({"date_in_zone": "Berlin"}, "there is no time zone 'Berlin'"),
        ({"date_in_zone": "../etc/passwd"}, "there is no time zone"),
        ({"strip": None, "lower": None}, "write one transform per list entry"),
        ({}, "write one transform per list entry"),
    ],
)
def test_a_transform_that_is_named_wrongly_is_explained(entry: Any, says: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_step(entry)
    assert says in str(caught.value)


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_the_example_of_each_transform_is_right(transform: Any) -> None:
    argument = {transform.name: transform.example}
    assert parse_step(argument if transform.argument else transform.name).argument == transform.example
    assert usage(transform).startswith(transform.name)

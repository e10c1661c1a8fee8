from __future__ import annotations

import math
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.errors import DataError
from cshub.core.objects import Kind
from cshub.core.values import cast, fingerprint, fingerprints, is_blank, iso_ms, normalise, parse_moment

from .core_cast import STEADY

ANY_TEXT = st.text(st.characters(), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("a\x00b\ud800c", Kind.TEXT, "abc"),
        (7, Kind.TEXT, "7"),
        (7.0, Kind.TEXT, "7"),
        (7.5, Kind.TEXT, "7.5"),
        (10**30, Kind.TEXT, "1" + "0" * 30),
        (True, Kind.TEXT, "true"),
        (" x1 ", Kind.ID, "x1"),
        (12345, Kind.ID, "12345"),
        (" Ada+cs@Seller.example ", Kind.EMAIL, "Ada+cs@Seller.example"),
        ("2026-11-20T10:00:00Z", Kind.DATETIME, "2026-11-20T10:00:00.000Z"),
        ("2026-11-20T10:00:00.000+0000", Kind.DATETIME, "2026-11-20T10:00:00.000Z"),
        ("2026-11-20T10:00:00.5+02:00", Kind.DATETIME, "2026-11-20T08:00:00.500Z"),
        (datetime(2026, 11, 20, 10, tzinfo=timezone(timedelta(hours=-5))), Kind.DATETIME, "2026-11-20T15:00:00.000Z"),
        (date(2026, 11, 20), Kind.DATE, "2026-11-20"),
        ("2026-11-20", Kind.DATE, "2026-11-20"),
        ("4.7", Kind.NUMBER, 4.7),
        ("12", Kind.NUMBER, 12),
        ("1e3", Kind.NUMBER, 1000.0),
        (2**80, Kind.NUMBER, float(2**80)),
        ("TRUE", Kind.BOOLEAN, True),
        (False, Kind.BOOLEAN, False),
        (["a@b.example", None], Kind.EMAILS, ["a@b.example"]),
        ((1, "x"), Kind.IDS, ["1", "x"]),
        ({"a\x00": ["\ud800b", 1.5, None, True]}, Kind.ANY, {"a": ["b", 1.5, None, True]}),
    ],
)
def test_values_are_cast_to_the_form_that_frames_and_plans_carry(value: Any, kind: Kind, expected: Any) -> None:
    result = cast(value, kind)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize("kind", list(Kind))
def test_null_stays_null_whatever_the_kind(kind: Kind) -> None:
    assert cast(None, kind) is None
    assert normalise(None, kind) is None
    assert is_blank(None, kind)


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        ({"a": 1}, Kind.TEXT, "expected text, got an object"),
        ([1], Kind.TEXT, "expected text, got a list"),
        (math.nan, Kind.TEXT, "expected a finite number"),
        (math.inf, Kind.TEXT, "expected a finite number"),
        ("  ", Kind.ID, "expected an id, got blank text"),
        ("ada", Kind.EMAIL, "expected an e-mail address, got 'ada'"),
        ("a b@c.example", Kind.EMAIL, "expected an e-mail address"),
        ("@c.example", Kind.EMAIL, "expected an e-mail address"),
        ("2026-11-20T10:00:00", Kind.DATETIME, "has no time zone"),
        ("soon", Kind.DATETIME, "not a date and time"),
        ("x" * 10**6, Kind.DATETIME, "not a date and time"),
        (1795104000, Kind.DATETIME, "use a transform such as epoch_s_to_datetime"),
        ("0001-01-01T00:00:00+05:00", Kind.DATETIME, "outside the years 1 to 9999"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), Kind.DATETIME, "outside the years"),
        (datetime(2026, 1, 1), Kind.DATETIME, "with a zone"),
        (datetime(2026, 1, 1, tzinfo=UTC), Kind.DATE, "use the transform date_in_zone"),
        ("2026-02-30", Kind.DATE, "expected a date such as"),
        ("many", Kind.NUMBER, "expected a number, got 'many'"),
        (True, Kind.NUMBER, "got true or false"),
        (math.nan, Kind.NUMBER, "expected a finite number"),
        ("1e999", Kind.NUMBER, "expected a finite number"),
        ("9" * 400, Kind.NUMBER, "too large"),
        ([], Kind.NUMBER, "expected a finite number, got a list"),
        ("yes", Kind.BOOLEAN, "expected true or false, got 'yes'"),
        ("a@b.example", Kind.EMAILS, "expected a list"),
        (["nobody"], Kind.EMAILS, "expected an e-mail address"),
        ([{}], Kind.IDS, "expected text, got an object"),
        ({"a": [math.nan]}, Kind.ANY, "expected a finite number"),
        ({"a": {1, 2}}, Kind.ANY, "expected a JSON value"),
    ],
)
def test_a_value_of_another_kind_is_refused_in_a_short_sentence(value: Any, kind: Kind, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        cast(value, kind)
    assert len(str(caught.value)) < 200


def test_a_value_nested_without_end_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(400):
        deep = [deep]
    with pytest.raises(DataError, match="at most 50 levels"):
        cast(deep, Kind.ANY)


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ("a  b\n", "a b", Kind.TEXT),
        ("<p>a &amp; b</p>", "a & b", Kind.RICH_TEXT),
        ("Cafe\u0301", "Caf\u00e9", Kind.TEXT),
        ("Ada@X.example", "ada@x.EXAMPLE", Kind.EMAIL),
        (["B@x.example", "a@x.example"], ["A@x.example", "b@x.example", "b@x.example"], Kind.EMAILS),
        (["2", "1"], ["1", "2", "2"], Kind.IDS),
        (1, 1.0, Kind.NUMBER),
        (0.0, -0.0, Kind.NUMBER),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1.0}, Kind.ANY),
        ("2026-11-20T10:00:00.000Z", "2026-11-20T11:00:00.000+01:00", Kind.DATETIME),
        ("", None, Kind.TEXT),
        (" \n", None, Kind.RICH_TEXT),
        ([], None, Kind.EMAILS),
        ({}, None, Kind.ANY),
    ],
)
def test_what_does_not_count_does_not_change_the_fingerprint(left: Any, right: Any, kind: Kind) -> None:
    assert fingerprint(left, kind) == fingerprint(right, kind)


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ("a b", "ab", Kind.TEXT),
        ("0015g00000XyZ12", "0015g00000xyz12", Kind.ID),
        (0, None, Kind.NUMBER),
        (False, None, Kind.BOOLEAN),
        (False, None, Kind.ANY),
        (0, None, Kind.ANY),
        (True, 1, Kind.ANY),
        ([1, 2], [2, 1], Kind.ANY),
        ("1970-01-01T00:00:00.000Z", None, Kind.DATETIME),
        ("2026-11-20T10:00:00.000Z", "2026-11-20T10:00:00.001Z", Kind.DATETIME),
    ],
)
def test_what_counts_changes_the_fingerprint(left: Any, right: Any, kind: Kind) -> None:
    assert fingerprint(left, kind) != fingerprint(right, kind)


GOLDEN_VALUES: list[tuple[Any, Kind]] = [
    (None, Kind.TEXT),
    ("Quarterly review", Kind.TEXT),
    ("Agreed.<br>Next: pilot 👩🏽‍💻 – שלום", Kind.RICH_TEXT),
    ("0015g00000XyZ12AAB", Kind.ID),
    ("Ada@Seller.example", Kind.EMAIL),
    ("2026-11-19T16:00:00.000Z", Kind.DATETIME),
    ("2026-11-19", Kind.DATE),
    (4.7, Kind.NUMBER),
    (5, Kind.NUMBER),
    (True, Kind.BOOLEAN),
    (["bo@x.example", "ada@x.example"], Kind.EMAILS),
    (["u2", "u1"], Kind.IDS),
    ({"b": [1, "x", None], "a": {"c": False}}, Kind.ANY),
    ('See <a href="https://buyer.example/plan?v=2">the plan</a>', Kind.RICH_TEXT),
    ("See the plan", Kind.RICH_TEXT),
]
GOLDEN_MARKS = [
    "b785b6ec423c44e1",
    "d219d0cb34a84d47",
    "3c97d66009c279f4",
    "6fc72ca8f9ea089c",
    "667f0a3bfb540ad0",
    "63cd37c7de0e6727",
    "ad295a87821b84d5",
    "7497c430b6b2c4cf",
    "f4620d36e2b58929",
    "40bbd512750b7629",
    "47b84645320cf50c",
    "9c1e98814ee0d81e",
    "3ddddacbb46bdffa",
    "d546df8d9d199dea",
    "5065c923923c8007",
]


def test_fingerprints_are_those_that_ledgers_hold_already() -> None:
    """A change here makes every ledger see every record as changed: raise FINGERPRINT_VERSION and plan for it."""
    assert [fingerprint(value, kind) for value, kind in GOLDEN_VALUES] == GOLDEN_MARKS


@pytest.mark.parametrize("seed", ["0", "4242"])
def test_another_process_with_another_hash_seed_computes_the_same_fingerprints(seed: str) -> None:
    program = (
        "import sys, orjson; from cshub.core.values import fingerprint; from cshub.core.objects import Kind\n"
        "pairs = orjson.loads(sys.stdin.buffer.read())\n"
        "print(orjson.dumps([fingerprint(value, Kind(kind)) for value, kind in pairs]).decode())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        input=orjson.dumps(GOLDEN_VALUES),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert orjson.loads(answer.stdout) == GOLDEN_MARKS


@STEADY
@given(JSON, st.sampled_from(list(Kind)))
def test_any_value_is_cast_or_refused_and_what_is_cast_can_be_stored(value: Any, kind: Kind) -> None:
    try:
        result = cast(value, kind)
    except DataError as error:
        str(error).encode("utf-8")
        return
    orjson.dumps(result)
    assert len(fingerprint(result, kind)) == 16


@STEADY
@given(JSON, st.sampled_from(list(Kind)))
def test_casting_and_fingerprinting_twice_changes_nothing(value: Any, kind: Kind) -> None:
    try:
        once = cast(value, kind)
    except DataError:
        return
    twice = cast(once, kind)
    assert twice == once
    assert fingerprint(twice, kind) == fingerprint(once, kind)


@STEADY
@given(st.permutations(["a@x.example", "B@x.example", "c@x.example", "a@X.example"]))
def test_the_order_of_addresses_never_matters(addresses: list[str]) -> None:
    assert normalise(addresses, Kind.EMAILS) == ["a@x.example", "b@x.example", "c@x.example"]


@STEADY
@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))
def test_moments_survive_being_written_to_the_millisecond(moment: datetime) -> None:
    assert parse_moment(iso_ms(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def test_attributes_without_a_kind_have_no_fingerprint() -> None:
    marks = fingerprints({"subject": "a", "unknown": 1}, {"subject": Kind.TEXT, "content": Kind.TEXT})
    assert marks == {"subject": fingerprint("a", Kind.TEXT)}

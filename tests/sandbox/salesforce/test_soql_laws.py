"""Laws of the query engine over generated values and rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sandbox.salesforce.soql_org import ACME, GLOBEX, NOW, Org, record_id

from cshub_sandbox.salesforce import soql
from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.objects_standard import standard_schema
from cshub_sandbox.salesforce.rows import Row, Table
from cshub_sandbox.salesforce.soql.literals import matcher, plain
from cshub_sandbox.salesforce.soql.syntax import Comparison, Literal, Text

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
SCHEMA = standard_schema()


def text_of(literal: Literal) -> Text:
    assert isinstance(literal.value, Text)
    return literal.value


@given(TEXT)
def test_quoting_then_parsing_returns_the_value(value: str) -> None:
    condition = soql.parse(f"SELECT Id FROM Event WHERE Subject = {soql.quote(value)}").condition
    assert isinstance(condition, Comparison)
    assert plain(text_of(condition.literal)) == value


@given(TEXT, TEXT)
def test_a_pattern_with_escaped_wildcards_matches_the_text_itself(before: str, after: str) -> None:
    escaped = soql.quote(before).replace("%", r"\%").replace("_", r"\_")[1:-1]
    matches = matcher(Text(escaped + "%"))
    assert matches(before + after)
    assert matches(before)


@given(st.text("SELECT FROM WHERE AND OR NOT IN LIKE Id,.()='\\%:<>!-0123456789TZ\n", max_size=80))
def test_any_text_is_a_query_or_is_refused(text: str) -> None:
    try:
        soql.parse(text)
    except SalesforceError as error:
        assert error.status in (400, 501)


SUBJECTS = st.sampled_from(["Call", "call", "Lunch", "100%", None])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "Subject": SUBJECTS,
            "DurationInMinutes": st.sampled_from([0, 15, 30, None]),
            "IsAllDayEvent": st.booleans(),
            "ActivityDate": st.sampled_from([date(2026, 11, day) for day in (18, 19, 20, 21)] + [None]),
            "WhatId": st.sampled_from([ACME, GLOBEX, None]),
            "SystemModstamp": st.integers(0, 5).map(lambda n: NOW - timedelta(minutes=n)),
            "IsDeleted": st.booleans(),
        }
    ),
    max_size=12,
)


def folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def compared(name: str, sign: str, value: Any) -> Callable[[Row], bool]:
    holds: dict[str, Callable[[Any], bool]] = {
        "=": lambda found: folded(found) == folded(value),
        "!=": lambda found: folded(found) != folded(value),
        "<": lambda found: found is not None and folded(found) < folded(value),
        ">=": lambda found: found is not None and folded(found) >= folded(value),
    }
    return lambda row: holds[sign](row.get(name))


def written(value: Any) -> str:
    if isinstance(value, str):
        return soql.quote(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


Test = tuple[str, Callable[[Row], bool]]


def comparison(choice: tuple[str, Any], sign: str) -> Test:
    name, value = choice
    return f"{name} {sign} {written(value)}", compared(name, sign, value)


TERMS: st.SearchStrategy[Test] = st.one_of(
    st.builds(
        comparison,
        st.sampled_from(
            [
                ("Subject", "CALL"),
                ("Subject", "lunch"),
                ("DurationInMinutes", 15),
                ("ActivityDate", date(2026, 11, 20)),
                ("WhatId", ACME),
                ("SystemModstamp", NOW - timedelta(minutes=2)),
            ]
        ),
        st.sampled_from(["=", "!=", "<", ">="]),
    ),
    st.just(("Subject = null", lambda row: row["Subject"] is None)),
    st.just((f"WhatId IN ('{ACME}', '{GLOBEX}')", lambda row: row["WhatId"] is not None)),
    st.just(("Subject LIKE '%l%'", lambda row: "l" in (row["Subject"] or "").lower())),
    st.just(("IsAllDayEvent = true", lambda row: row["IsAllDayEvent"])),
    st.just(("ActivityDate = LAST_N_DAYS:1", lambda row: str(row["ActivityDate"]) in ("2026-11-19", "2026-11-20"))),
)


def joined(word: str, parts: list[Test]) -> Test:
    holds = all if word == "AND" else any
    tests = [test for _, test in parts]
    return f" {word} ".join(f"({text})" for text, _ in parts), lambda row: holds(test(row) for test in tests)


CONDITIONS = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.builds(joined, st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3)),
        inner.map(lambda part: (f"NOT ({part[0]})", lambda row: not part[1](row))),
    ),
    max_leaves=5,
)


@given(ROWS, CONDITIONS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_query_finds_what_a_plain_filter_finds(rows: list[dict[str, Any]], condition: Test, deleted: bool) -> None:
    org = Org(SCHEMA)
    text, holds = condition
    expected = []
    for number, row in enumerate(rows):
        full = {"Id": record_id("00U", number), **row}
        org.store.table("Event").put(full)
        if holds(full) and (deleted or not full["IsDeleted"]):
            expected.append(full["Id"])
    assert org.ids(text, include_deleted=deleted) == expected


@given(ROWS, st.lists(st.sampled_from(["Subject", "DurationInMinutes", "SystemModstamp"]), unique=True, max_size=3))
@settings(deadline=None)
def test_an_order_loses_no_row_and_makes_neighbours_ascend(rows: list[dict[str, Any]], names: list[str]) -> None:
    org = Org(SCHEMA)
    for number, row in enumerate(rows):
        org.store.table("Event").put({"Id": record_id("00U", number), **row})
    order = f" ORDER BY {', '.join(names)}" if names else ""
    found = org.run(f"SELECT Id FROM Event{order}", include_deleted=True).ids

    def key(record: str) -> list[Any]:
        row = org.store.get(record) or {}
        return [
            (row[name] is not None, folded(row[name] or ""))
            if name == "Subject"
            else (row[name] is not None, row[name] if row[name] is not None else 0)
            for name in names
        ] + [record]

    assert list(found) == sorted((record_id("00U", n) for n in range(len(rows))), key=key)


CHANGES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.sampled_from(["a", "A", "b", None])), max_size=40)


@given(CHANGES, st.integers(0, 7))
def test_the_indexes_of_a_table_follow_every_change(changes: list[tuple[int, int, str | None]], since: int) -> None:
    table = Table("Event")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number, minute, subject in changes:
        record = record_id("00U", number)
        if record in table and minute == 6:
            table.remove(record)
            continue
        table.put({"Id": record, "SystemModstamp": start + timedelta(minutes=minute), "Subject": subject})
        list(table.changed_since(start + timedelta(minutes=minute)))
        table.find("Subject", "a")
    rows = list(table)
    bound = start + timedelta(minutes=since)
    late = sorted((row["SystemModstamp"], row["Id"]) for row in rows if row["SystemModstamp"] >= bound)
    assert list(table.changed_since(bound)) == [record for _, record in late]
    for wanted in ("a", "B", None):
        expected = sorted(row["Id"] for row in rows if folded(row["Subject"]) == folded(wanted))
        assert table.find("Subject", wanted) == expected

"""Answers of a query: order, windows, counts, field groups, formats, pages (docs/vendors/salesforce.md §2.1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from tests.sandbox.salesforce.soql_org import ACME, CALL, DEMO, GONE, LUNCH, NOW, OLD, Org, record_id, small_org, values

from cshub_sandbox.salesforce import soql


@pytest.fixture(scope="module")
def org() -> Org:
    return small_org()


def ordered(org: Org, order: str) -> list[str]:
    return list(org.run(f"SELECT Id FROM Event ORDER BY {order}").ids)


def test_datetimes_are_utc_with_whole_seconds_and_an_offset_without_a_colon(org: Org) -> None:
    (record,) = org.records(f"SELECT StartDateTime, ActivityDate FROM Event WHERE Id = '{CALL}'")
    assert record["StartDateTime"] == "2026-11-19T23:30:00.000+0000"
    assert record["ActivityDate"] == "2026-11-19"


def test_datetimes_of_another_zone_are_shown_in_utc() -> None:
    org = small_org()
    org.store.table("Event").update(CALL, {"StartDateTime": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))})
    (record,) = org.records(f"SELECT StartDateTime FROM Event WHERE Id = '{CALL}'")
    assert record["StartDateTime"] == "2025-12-31T22:00:00.000+0000"


def test_nulls_come_first_unless_asked_otherwise(org: Org) -> None:
    assert ordered(org, "Subject") == [DEMO, LUNCH, CALL]
    assert ordered(org, "Subject DESC") == [DEMO, CALL, LUNCH]
    assert ordered(org, "Subject NULLS LAST") == [LUNCH, CALL, DEMO]
    assert ordered(org, "Subject DESC NULLS LAST") == [CALL, LUNCH, DEMO]


def test_rows_are_sorted_by_many_columns_and_equal_rows_by_id(org: Org) -> None:
    assert ordered(org, "OwnerId, SystemModstamp") == [DEMO, CALL, LUNCH]
    assert ordered(org, "OwnerId DESC, SystemModstamp DESC") == [LUNCH, CALL, DEMO]
    assert ordered(org, "CreatedDate DESC") == [CALL, LUNCH, DEMO]
    assert ordered(org, "Account.Name NULLS LAST") == [CALL, LUNCH, DEMO]


def test_a_long_text_can_not_be_sorted(org: Org) -> None:
    error = org.refusal("SELECT Id FROM Event ORDER BY Description")
    assert error.code == "INVALID_FIELD"
    assert "can not be sorted in a query call" in error.message


def test_the_watermark_query_comes_in_the_order_of_changes(org: Org) -> None:
    text = "SELECT Id FROM Event WHERE SystemModstamp {} 2026-11-20T07:58:00Z ORDER BY SystemModstamp, Id"
    assert list(org.run(text.format(">=")).ids) == [LUNCH, CALL]
    assert list(org.run(text.format(">")).ids) == [CALL]
    assert list(org.run(text.format("<=")).ids) == [DEMO, LUNCH]
    assert list(org.run(text.format("=")).ids) == [LUNCH]
    limited = org.run(text.format(">=") + " LIMIT 1")
    assert (list(limited.ids), limited.total) == ([LUNCH], 1)


def test_limit_and_offset_cut_the_answer(org: Org) -> None:
    result = org.run("SELECT Id FROM Event ORDER BY Id LIMIT 1 OFFSET 1")
    assert (list(result.ids), result.total, result.first_batch_only) == ([LUNCH], 1, True)
    assert org.run("SELECT Id FROM Event LIMIT 0").total == 0
    assert not org.run("SELECT Id FROM Event LIMIT 2").first_batch_only


def test_an_offset_above_2000_is_outside_the_valid_range(org: Org) -> None:
    assert org.run("SELECT Id FROM Event OFFSET 2000").total == 0
    error = org.refusal("SELECT Id FROM Event OFFSET 2001")
    assert (error.status, error.code) == (400, "NUMBER_OUTSIDE_VALID_RANGE")


def test_count_alone_gives_a_total_and_no_records(org: Org) -> None:
    result = org.run("SELECT COUNT() FROM Event WHERE Type = 'Call'")
    assert (result.total, result.page()) == (1, [])
    assert org.run("SELECT COUNT() FROM Event", include_deleted=True).total == 5


def test_count_of_a_field_is_one_aggregate_result_that_skips_nulls(org: Org) -> None:
    result = org.run("SELECT COUNT(Id), COUNT(Subject) named, COUNT(Account.Name) FROM Event")
    assert result.total == 1
    assert result.page() == [{"attributes": {"type": "AggregateResult"}, "expr0": 3, "named": 2, "expr1": 1}]


def test_count_beside_a_plain_field_is_malformed(org: Org) -> None:
    error = org.refusal("SELECT Id, COUNT(Subject) FROM Event")
    assert error.code == "MALFORMED_QUERY"
    assert "Field must be grouped or aggregated: Id" in error.message
    assert org.refusal("SELECT COUNT(), COUNT(Id) FROM Event").code == "MALFORMED_QUERY"


def test_field_groups_show_all_standard_or_custom_fields(org: Org) -> None:
    fields = {f.name: f.custom for f in org.schema.object("Event").fields.values()}
    for group, names in {
        "ALL": list(fields),
        "STANDARD": [name for name, custom in fields.items() if not custom],
        "CUSTOM": [name for name, custom in fields.items() if custom],
    }.items():
        record = org.records(f"SELECT FIELDS({group}) FROM Event LIMIT 200")[0]
        assert list(record) == ["attributes", *names]
    assert "FIELDS" in org.refusal("SELECT FIELDS(ODD) FROM Event LIMIT 1").message


def test_field_groups_need_a_limit_of_at_most_200(org: Org) -> None:
    for text in ("SELECT FIELDS(ALL) FROM Event", "SELECT FIELDS(ALL) FROM Event LIMIT 201"):
        error = org.refusal(text)
        assert error.code == "MALFORMED_QUERY"
        assert "must have a LIMIT of at most 200" in error.message


def test_a_field_may_be_selected_only_once(org: Org) -> None:
    error = org.refusal("SELECT Id, Subject, id FROM Event")
    assert error.code == "INVALID_FIELD"
    assert "duplicate field selected: Id" in error.message


def test_an_absent_boolean_is_shown_as_false(org: Org) -> None:
    assert values(org.records("SELECT IsAllDayEvent FROM Event ORDER BY Id"), "IsAllDayEvent") == [False, True, False]


def test_the_name_of_a_person_is_made_of_its_parts(org: Org) -> None:
    assert values(org.records("SELECT Name FROM Contact WHERE Name = 'carl poe'"), "Name") == ["Carl Poe"]
    org.put("Lead", record_id("00Q", 2), LastName="Solo", Company="One")
    assert values(org.records("SELECT Name FROM Lead ORDER BY Name"), "Name") == ["Lena Roy", "Solo"]


def test_pages_are_parts_of_the_answer_and_keep_to_the_rows_found() -> None:
    org = small_org()
    result = org.run("SELECT Id, Subject FROM Event ORDER BY Id")
    assert result.total == 3
    assert values(result.page(0, 2), "Id") == [CALL, LUNCH]
    org.put("Event", record_id("00U", 0), Subject="New")
    org.store.table("Event").update(DEMO, {"Subject": "Changed"})
    assert [(r["Id"], r["Subject"]) for r in result.page(2, 2)] == [(DEMO, "Changed")]
    org.store.table("Event").remove(DEMO)
    assert result.page(2, 2) == []


def test_cells_are_the_stored_values_in_the_order_of_the_columns(org: Org) -> None:
    result = org.run(f"SELECT Id, ActivityDate, account.name FROM Event WHERE Id = '{CALL}'")
    assert list(result.columns) == ["Id", "ActivityDate", "Account.Name"]
    assert result.cells() == [[CALL, date(2026, 11, 19), "Acme"]]


def test_the_address_of_a_record_carries_the_version_of_the_call(org: Org) -> None:
    setting = soql.Setting(now=NOW, api_version="59.0")
    query = soql.parse("SELECT Id, What.Name FROM Event LIMIT 1")
    (record,) = soql.run(query, org.store, org.schema, setting).page()
    assert record["attributes"]["url"].startswith("/services/data/v59.0/")
    assert record["What"]["attributes"]["url"].startswith("/services/data/v59.0/")


def test_rows_that_the_caller_keeps_back_are_not_seen(org: Org) -> None:
    setting = soql.Setting(now=NOW, visible=lambda row: row["Id"] != CALL)
    query = soql.parse("SELECT Id FROM Event")
    assert list(soql.run(query, org.store, org.schema, setting).ids) == [LUNCH, DEMO]
    everything = replace(setting, include_deleted=True)
    assert list(soql.run(query, org.store, org.schema, everything).ids) == [LUNCH, DEMO, GONE, OLD]


def test_a_query_can_be_checked_without_reading_rows(org: Org) -> None:
    setting = soql.Setting(now=NOW)
    soql.check(
        soql.parse(f"SELECT Id FROM Event WHERE WhatId IN (SELECT Id FROM Account) AND WhatId != '{ACME}'"),
        org.schema,
        setting,
    )
    with pytest.raises(Exception, match="No such column 'Foo'"):
        soql.check(soql.parse("SELECT Foo FROM Event"), org.schema, setting)


def test_a_moment_is_the_same_in_every_zone(org: Org) -> None:
    assert (
        datetime(2026, 11, 19, 23, 30, tzinfo=UTC)
        == org.run("SELECT StartDateTime FROM Event WHERE StartDateTime = 2026-11-20T09:30:00+10:00").cells()[0][0]
    )

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cshub.core.mapping import MappedRecord, compile_mapping, map_record
from cshub.core.objects import FieldSpec, Kind
from cshub.core.records import Origin, RejectEntry, SourceRecord

from .core_cast import MEETING, NOTE, WIDE_ROWS, bound_job, mapping_of, meeting

PLAIN = mapping_of()
WIDE = mapping_of(WIDE_ROWS)


def mapped(record: SourceRecord, mapping: Any = WIDE) -> MappedRecord:
    result = map_record(record, Origin.WINDOW, mapping)
    assert isinstance(result, MappedRecord), result
    return result


def rejected(record: SourceRecord, mapping: Any = WIDE) -> list[RejectEntry]:
    result = map_record(record, Origin.WINDOW, mapping)
    assert isinstance(result, list), result
    return result


def test_a_record_becomes_target_attributes_without_its_keys() -> None:
    result = mapped(meeting(stage=1, minutes=30, recorded=True, facts={"a": [1]}))
    assert result.source_key == "m1"
    assert result.account_reference == "acme"
    assert result.values == {
        "subject": "Review",
        "content": "Agreed.",
        "held_at": "2026-11-19T16:00:00.000Z",
        "author": "ada@seller.example",
        "people": ["bo@buyer.example"],
        "stage": "Pilot",
        "minutes": 30,
        "done": True,
        "facts": {"a": [1]},
    }


def test_absent_null_and_empty_are_three_things() -> None:
    absent = mapped(meeting(subject=...)).values
    null = mapped(meeting(subject=None)).values
    empty = mapped(meeting(subject="")).values
    assert "subject" not in absent
    assert null["subject"] is None
    assert empty["subject"] == ""


@pytest.mark.parametrize(
    ("owner", "expected"),
    [(..., "absent"), ({}, "absent"), ("ada", "absent"), (None, "null"), ({"email": None}, "null")],
)
def test_a_parent_that_is_missing_is_absent_and_one_that_is_null_is_null(owner: Any, expected: str) -> None:
    values = mapped(meeting(owner=owner)).values
    assert ("absent" if "author" not in values else "null" if values["author"] is None else "value") == expected


@pytest.mark.parametrize("field", ["owner", "minutes", "recorded", "started"])
def test_blank_text_is_no_value_where_only_other_things_than_text_fit(field: str) -> None:
    target = {"owner": "author", "minutes": "minutes", "recorded": "done", "started": "held_at"}[field]
    rows = WIDE_ROWS.replace(", transforms: [epoch_s_to_datetime]", "")
    blank: Any = {"email": " "} if field == "owner" else ""
    assert mapped(meeting(**{"started": None, field: blank}), mapping_of(rows)).values[target] is None


@pytest.mark.parametrize("account", [None, "", "  ", ...])
def test_a_record_without_account_is_mapped_so_that_it_can_be_parked(account: Any) -> None:
    assert mapped(meeting(account=account)).account_reference is None


def test_every_reason_of_a_rejected_record_is_named_with_the_value() -> None:
    entries = rejected(meeting(owner={"email": "ada"}, started="soon", minutes="many", stage="Later"))
    assert {(entry.field, entry.value) for entry in entries} == {
        ("author", "ada"),
        ("held_at", "soon"),
        ("minutes", "many"),
        ("stage", "Later"),
    }
    assert all(entry.reason and entry.remedy and entry.source_key == "m1" and entry.step == "map" for entry in entries)
    assert next(entry.reason for entry in entries if entry.field == "stage") == (
        "'Later' has no row in the translation table; known: 1, 2, true"
    )


@pytest.mark.parametrize(("stage", "expected"), [(1, "Pilot"), ("1", "Pilot"), (2.0, "Rollout"), (True, "Rollout")])
def test_translation_compares_values_as_text(stage: Any, expected: str) -> None:
    assert mapped(meeting(stage=stage)).values["stage"] == expected


@pytest.mark.parametrize(("otherwise", "expected"), [("keep", "Later"), ("null", None)])
def test_a_value_without_a_row_is_kept_or_emptied_when_the_job_says_so(otherwise: str, expected: Any) -> None:
    rows = WIDE_ROWS.replace("translate: {table", f"translate: {{otherwise: {otherwise}, table")
    assert mapped(meeting(stage="Later"), mapping_of(rows)).values["stage"] == expected


def test_a_constant_needs_no_source_field() -> None:
    rows = WIDE_ROWS.replace("{source: minutes, target: minutes}", "{constant: 15, target: minutes}")
    assert mapped(meeting(minutes=99), mapping_of(rows)).values["minutes"] == 15


@pytest.mark.parametrize("odd", ["0\ud800", "\x00", math.nan, math.inf, [[math.nan]], {"\ud800": "\x00"}, 10**400])
def test_the_sources_own_values_leave_a_mark_however_odd_they_are(odd: Any) -> None:
    source = replace(MEETING, fields={**MEETING.fields, "owner": FieldSpec("owner", Kind.EMAIL, "Owner")})
    mapping = compile_mapping(bound_job(WIDE_ROWS), source, NOTE, version="m1", marks_source=True)
    result = mapped(meeting(owner=odd, stage=None, facts=None, minutes=None), mapping)
    assert all(len(mark) == 16 for mark in result.marks.values())


def test_addresses_that_cannot_be_read_are_left_out_and_counted() -> None:
    addresses = [{"email": text} for text in ("bo@buyer.example", "nobody", "a b@c.example", "@", "\ud800@x.example")]
    result = mapped(meeting(guests=addresses))
    assert result.values["people"] == ["bo@buyer.example"]
    assert result.warnings == ("address_unreadable",) * 4


def test_a_record_that_a_skip_rule_matches_carries_the_reason_and_no_values() -> None:
    result = mapped(meeting(recorded=False, started="soon"), PLAIN)
    assert result.skip_reason == "unrecorded"
    assert result.values == {}


@pytest.mark.parametrize(
    ("condition", "record", "holds"),
    [
        ("equals: false", {"recorded": False}, True),
        ("equals: false", {"recorded": 0}, False),
        ("equals: 1", {"recorded": 1.0}, True),
        ("equals: 1", {"recorded": True}, False),
        ("equals: null", {"recorded": ...}, True),
        ("in: [a, 1]", {"recorded": "a"}, True),
        ("in: [a, 1]", {"recorded": True}, False),
        ("in: []", {"recorded": "a"}, False),
        ("less_than: 0.5", {"recorded": 0}, True),
        ("less_than: 0.5", {"recorded": False}, False),
        ("less_than: 0.5", {"recorded": None}, False),
        ("less_than: 0.5", {"recorded": math.nan}, False),
        ("less_than: 0.5", {"recorded": "0"}, False),
        ("is_empty: true", {"recorded": ...}, True),
        ("is_empty: true", {"recorded": []}, True),
        ("is_empty: true", {"recorded": 0}, False),
        ("is_empty: false", {"recorded": ""}, False),
        ("is_empty: false", {"recorded": "x"}, True),
    ],
)
def test_each_test_of_a_skip_rule(condition: str, record: dict[str, Any], holds: bool) -> None:
    rule = f"mapping: {{skip_when: [{{reason: left_out, when: [{{field: recorded, {condition}}}]}}]}}\n"
    assert (mapped(meeting(**record), mapping_of(rule)).skip_reason == "left_out") is holds


def test_all_conditions_of_a_skip_rule_must_hold_and_dotted_fields_are_followed() -> None:
    rule = (
        "mapping: {skip_when: [{reason: left_out, when: "
        "[{field: owner.email, equals: ada@seller.example}, {field: recorded, equals: true}]}]}\n"
    )
    mapping = mapping_of(rule)
    assert mapped(meeting(recorded=True), mapping).skip_reason == "left_out"
    assert mapped(meeting(recorded=False), mapping).skip_reason is None


POISON: dict[str, Any] = {
    "NUL": "a\x00b",
    "lone surrogates": "a\ud83db\udc00",
    "right to left": "\u202eשלום\u202c عربى",
    "emoji sequences": "👩🏽‍💻🏳️‍🌈👨‍👩‍👧‍👦" * 10,
    "formula": '=HYPERLINK("http://x.example","pay")',
    "script": "<script>alert(1)</script>kept<img src=x onerror=alert(1)>",
    "13,000 characters": "ä" * 13_000,
    "a million characters": "word " * 200_000,
}


@pytest.mark.parametrize("text", POISON.values(), ids=POISON)
def test_poisonous_text_is_mapped_to_something_every_service_can_store(text: str) -> None:
    result = mapped(meeting(subject=text, summary=text, facts={text[:50]: text}))
    for value in (result.values["subject"], result.values["content"], *result.values["facts"]):
        value.encode("utf-8")
        assert "\x00" not in value
        assert len(value) <= 12_000
    assert "alert" not in result.values["content"]


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": 1}, [[]], "9" * 400], ids=repr)
def test_a_value_of_the_wrong_type_rejects_only_its_record(value: Any) -> None:
    entries = rejected(meeting(minutes=value))
    assert [entry.field for entry in entries] == ["minutes"]
    assert isinstance(mapped(meeting("m2")), MappedRecord)


def test_the_value_of_a_reject_can_be_stored_and_is_cut() -> None:
    (entry,) = rejected(meeting(minutes="\ud800\x00" + "x" * 10**6))
    assert entry.value == "x" * 500
    assert len(entry.reason) < 200
    entry.reason.encode("utf-8")


def test_a_record_whose_id_cannot_be_stored_is_rejected() -> None:
    (entry,) = rejected(SourceRecord("m\x001\ud800", meeting().body, None))
    assert entry.source_key == "m1"
    assert "cannot be stored" in entry.reason


def test_personal_attributes_are_known_by_row_or_by_the_target() -> None:
    rows = WIDE_ROWS.replace("transforms: [pluck: email]", "transforms: [pluck: email], personal: true")
    assert mapping_of(rows).personal == {"author", "people"}
    assert PLAIN.personal == {"author"}


def test_a_text_made_of_a_personal_field_is_personal_and_not_told_in_the_reason_of_a_reject() -> None:
    source = replace(MEETING, fields={**MEETING.fields, "stage": replace(MEETING.fields["stage"], personal=True)})
    bound = bound_job(WIDE_ROWS)
    mapping = compile_mapping(bound, source, NOTE, version="v1")
    assert "stage" in mapping.personal
    (entry,) = rejected(meeting(stage="dana@seller.example"), mapping)
    assert "dana" not in entry.reason and "has no row in the translation table" in entry.reason
    assert entry.value == "dana@seller.example"


def test_the_modified_time_travels_along() -> None:
    moment = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert mapped(SourceRecord("m1", meeting().body, moment)).seen.modified_at == "2026-11-20T12:00:00.000Z"
    assert mapped(SourceRecord("m1", meeting().body, None)).seen.modified_at is None

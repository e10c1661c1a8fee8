"""Which of an account's records is the one that a create with a lost answer made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cshub.core.records import TargetRecord
from cshub.systems.salesforce.catalog import EVENT, TASK
from cshub.systems.salesforce.recognition import marks_of, recognised

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SENT: Mapping[str, Any] = {
    "Subject": "Review",
    "Description": "What was said",
    "ActivityDate": "2026-11-20",
    "OwnerId": "0055g00000AbCd1AAF",
    "Priority": "High",
}


def shown(key: str, *, edited: bool = False, age_s: int = 0, **values: Any) -> TargetRecord:
    made = NOW - timedelta(seconds=age_s)
    changed = made + timedelta(minutes=5) if edited else made
    return TargetRecord(key, "001", {**SENT, **values}, created_at=made, modified_at=changed)


def found(*records: TargetRecord) -> list[str]:
    return [item.record.key for item in recognised(records, marks_of(SENT, TASK), TASK)]


def test_what_holds_all_that_was_sent_comes_first_the_oldest_before_others() -> None:
    other = shown("other-owner", OwnerId="0055g00000ZZZZ1AAF", age_s=60)
    edited = shown("edited", Subject="Renewal", edited=True, age_s=90)
    assert found(edited, other, shown("young"), shown("old", age_s=30)) == ["old", "young", "other-owner", "edited"]


def test_what_the_service_does_to_a_text_does_not_count() -> None:
    assert found(shown("a", Description="What was said \n", Subject="Review ")) == ["a"]


def test_automation_that_sets_owner_and_priority_at_once_does_not_hide_a_record() -> None:
    assert found(shown("a", OwnerId="0055g00000ZZZZ1AAF", Priority="Normal")) == ["a"]


def test_a_record_that_differs_without_an_edit_or_in_nearly_everything_is_another_one() -> None:
    assert found(shown("a", Subject="Renewal")) == []
    assert found(shown("a", Subject="Renewal", Description=None, edited=True)) == []
    assert found(shown("a", Subject="Renewal", edited=True)) == ["a"]


def test_what_a_record_does_not_show_does_not_count_and_what_says_nothing_fits_no_record() -> None:
    hidden = TargetRecord("a", "001", {"Subject": "Review"}, created_at=NOW, modified_at=NOW)
    assert found(hidden) == ["a"]
    assert recognised([hidden], {}, TASK) == []


def test_moments_are_the_same_in_every_notation_and_nulls_say_nothing() -> None:
    marks = marks_of({"StartDateTime": "2026-11-20T10:00:00.000Z", "Location": None}, EVENT)
    assert marks.keys() == {"StartDateTime"}
    record = TargetRecord("a", "001", {"StartDateTime": "2026-11-20T11:00:00.000+01:00"}, created_at=NOW)
    assert [item.record for item in recognised([record], marks, EVENT)] == [record]


def test_an_event_whose_texts_were_all_rewritten_is_known_by_its_moment() -> None:
    sent = {"Subject": "Review", "Description": "What was said", "StartDateTime": "2026-11-20T10:00:00.000Z"}
    made, later = NOW, NOW + timedelta(hours=1)

    def event(key: str, start: str, modified_at: datetime = later) -> TargetRecord:
        values = {"Subject": "Renewal", "Description": "Other words", "StartDateTime": start}
        return TargetRecord(key, "001", values, created_at=made, modified_at=modified_at)

    edited, untouched = event("a", sent["StartDateTime"]), event("b", sent["StartDateTime"], modified_at=made)
    moved = event("c", "2026-11-20T11:00:00.000Z")
    marks = marks_of(sent, EVENT)
    (only,) = recognised([moved, untouched, edited], marks, EVENT)
    assert (only.record, only.is_vague) == (edited, True)
    assert not any(item.is_vague for item in recognised([replace(edited, values=sent)], marks, EVENT))

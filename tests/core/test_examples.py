from __future__ import annotations

from typing import Any

from cshub.core.examples import Difference, run_examples
from cshub.core.jobs import BoundJob, Example
from cshub.core.mapping import ABSENT
from cshub.library import JobLibrary
from cshub.systems import registry

JOB = "chorus_touchpoints_inbound"
GIVEN: dict[str, Any] = {
    "engagement_id": "7F3D90C1A2B34C5D8E6F708192A3B4C5",
    "engagement_type": "meeting",
    "account_id": "0015g00000XyZ12AAF",
    "subject": " Review ",
    "date_time": 1795104000,
    "duration": 600,
    "meeting_summary": "Pilot agreed.",
    "user_email": "ada@seller.example",
    "participants": [{"email": "bo@northwind.example"}, {"email": "ada@seller.example"}],
}


def bound_with(*examples: Example) -> BoundJob:
    bound = JobLibrary.from_settings().bound(JOB)
    return bound.model_copy(update={"job": bound.job.model_copy(update={"examples": list(examples)})})


def differences(**expectation: Any) -> list[Difference]:
    bound = bound_with(Example(name="it", given=GIVEN, **expectation))
    (result,) = run_examples(bound, registry.object_spec(bound.source), registry.object_spec(bound.target))
    assert result.passed == (not result.differences)
    return list(result.differences)


def test_only_the_named_attributes_are_compared() -> None:
    assert differences(becomes={"subject": "Review"}) == []


def test_the_account_key_is_the_reference_and_the_record_key_the_source_key() -> None:
    assert differences(becomes={"account_id": GIVEN["account_id"], "touchpoint_id": GIVEN["engagement_id"]}) == []


def test_the_order_of_people_does_not_count() -> None:
    assert differences(becomes={"participants": ["ada@seller.example", "bo@northwind.example"]}) == []


def test_a_date_may_be_written_in_any_zone() -> None:
    assert differences(becomes={"touchpoint_date": "2026-11-19T17:00:00+01:00"}) == []


def test_a_difference_tells_what_was_expected_and_what_came() -> None:
    assert differences(becomes={"subject": "Revue"}) == [Difference("subject", "Revue", "Review")]


def test_an_attribute_that_is_not_mapped_is_absent() -> None:
    assert differences(becomes={"flavour": "vanilla"}) == [Difference("flavour", "vanilla", ABSENT)]


def test_a_record_that_was_to_be_skipped_but_is_mapped_differs_as_a_whole() -> None:
    assert differences(skipped="no_show") == [Difference("(record)", "skipped: no_show", "mapped")]


def test_a_record_that_was_to_be_rejected_but_is_mapped_differs_as_a_whole() -> None:
    assert differences(rejected="too long") == [Difference("(record)", "rejected: too long", "mapped")]


def test_a_record_that_was_to_be_mapped_but_is_skipped_tells_the_reason() -> None:
    bound = bound_with(Example(name="it", given={**GIVEN, "no_show": True}, becomes={"subject": "Review"}))
    (result,) = run_examples(bound, registry.object_spec(bound.source), registry.object_spec(bound.target))
    assert result.differences == [Difference("(record)", "mapped", "skipped: no_show")]

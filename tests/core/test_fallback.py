from __future__ import annotations

from typing import Any

import pytest

from cshub.core.errors import JobFileError
from cshub.core.jobfile import parse_job
from cshub.core.mapping import MappedRecord, map_record
from cshub.core.records import Origin

from .core_cast import JOB_YAML, mapping_of, meeting

ROWS = """\
mapping:
  fields:
    - {source: account, target: account_id, key: true}
    - {source: id, target: note_id, key: true}
    - {source: subject, fallback: owner.email, target: subject}
    - {source: summary, target: content}
"""


def subject_of(**changes: Any) -> Any:
    mapped = map_record(meeting(**changes), Origin.WINDOW, mapping_of(ROWS))
    assert isinstance(mapped, MappedRecord)
    return mapped.values.get("subject", "absent")


@pytest.mark.parametrize(
    ("subject", "expected"),
    [("Review", "Review"), (None, "ada@seller.example"), ("", "ada@seller.example"), (..., "ada@seller.example")],
)
def test_where_the_first_field_holds_nothing_the_second_is_read(subject: Any, expected: str) -> None:
    assert subject_of(subject=subject) == expected


def test_where_neither_is_there_the_attribute_stays_absent() -> None:
    assert subject_of(subject=..., owner=...) == "absent"


def test_both_fields_are_read_from_the_source() -> None:
    assert "owner.email" in mapping_of(ROWS).source_fields


def test_a_fallback_without_a_source_is_a_fault() -> None:
    rows = ROWS.replace("source: subject, fallback", "constant: x, fallback")
    with pytest.raises(JobFileError, match="a fallback, but no source"):
        parse_job(JOB_YAML + rows, "job.yaml")

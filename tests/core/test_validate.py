from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cshub.core.errors import Fault
from cshub.core.jobfile import bind, parse_job, parse_template, read_job
from cshub.core.objects import FieldSpec, Kind
from cshub.core.validate import CheckedFile, all_faults, check_job

from .core_cast import JOB_YAML, MEETING, NOTE, TEMPLATE_YAML, WIDE_ROWS

FOLDER = Path(__file__).parent / "broken_jobs"
BROKEN = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def faults_in(text: str, file: str = "job.yaml", **objects: Any) -> list[Fault]:
    """Every fault of a job file, as a person who validates it is told."""
    reading = read_job(text, file)
    if reading.job is None:
        return list(reading.faults)
    template, template_lines = parse_template(TEMPLATE_YAML, "mapping.yaml")
    own = reading.job.mapping is not None and reading.job.mapping.fields is not None
    at = CheckedFile(file, reading.lines, "mapping.yaml", template_lines, own)
    source, target = objects.get("source", MEETING), objects.get("target", NOTE)
    return all_faults(reading.faults, check_job(bind(reading.job, template), source, target, at))


def told(faults: Sequence[Fault]) -> str:
    return "".join(f"{fault}\n" for fault in faults)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_job_file_is_told_every_fault_with_line_field_reason_and_remedy(name: str) -> None:
    """The expected text stands in the .txt file beside each job: read it as the person who wrote the job would."""
    text = (FOLDER / f"{name}.yaml").read_text("utf-8")
    faults = faults_in(text, f"{name}.yaml")
    assert told(faults) == (FOLDER / f"{name}.txt").read_text("utf-8")
    for fault in faults:
        assert fault.line is not None
        assert 1 <= fault.line <= text.count("\n") + 1
        assert fault.field
        assert fault.reason
        assert fault.remedy[0].isupper()


def test_more_than_twelve_broken_job_files_are_told() -> None:
    assert len(BROKEN) > 12


@pytest.mark.parametrize("rows", ["", WIDE_ROWS])
def test_a_right_job_has_no_fault(rows: str) -> None:
    assert told(faults_in(JOB_YAML + rows)) == ""


def test_a_fault_of_the_template_is_told_where_it_stands() -> None:
    template, lines = parse_template(TEMPLATE_YAML.replace("source: subject", "source: sbject"), "mapping.yaml")
    job, job_lines = parse_job(JOB_YAML, "job.yaml")
    at = CheckedFile("job.yaml", job_lines, "mapping.yaml", lines, False)
    (fault,) = check_job(bind(job, template), MEETING, NOTE, at)
    assert str(fault) == "mapping.yaml:9: fields[2].source: Meeting has no field 'sbject'. Did you mean subject?"


def test_an_object_that_may_have_more_fields_takes_names_that_are_not_listed() -> None:
    rows = WIDE_ROWS.replace("source: minutes", "source: Custom_Minutes__c")
    assert faults_in(JOB_YAML + rows, source=replace(MEETING, open_ended=True)) == []
    assert len(faults_in(JOB_YAML + rows)) == 1


def test_a_job_that_never_creates_may_map_what_can_only_be_updated() -> None:
    row = WIDE_ROWS + '    - {constant: "2026-11-20T10:00:00Z", target: closed_at}\n'
    assert faults_in(JOB_YAML.replace("allow_new_records: true", "allow_new_records: false") + row) == []
    assert len(faults_in(JOB_YAML + row)) == 1


@pytest.mark.parametrize("kind", list(Kind))
def test_a_field_fits_an_attribute_of_its_own_kind(kind: Kind) -> None:
    same = FieldSpec("same", kind, "Same")
    source = replace(MEETING, fields={**MEETING.fields, "same": same})
    target = replace(NOTE, fields={**NOTE.fields, "same": same})
    assert faults_in(JOB_YAML + WIDE_ROWS + "    - {source: same, target: same}\n", source=source, target=target) == []


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ("{kind: minutes, every: 30}", "once a day at most"),
        ("{kind: hourly}", "once a day at most"),
        ('{kind: cron, cron: "0 */6 * * *"}', "once a day at most"),
        ('{kind: cron, cron: "0 9,18 1 1 *"}', "once a day at most"),
        ('{kind: cron, cron: "0 23 * * 1-5"}', None),
        ('{kind: cron, cron: "@daily"}', "not a cron expression"),
        ('{kind: cron, cron: "0 23 * * * *"}', "not a cron expression"),
        ('{kind: cron, cron: "0 0 30 2 *"}', "no day fits it"),
        ("{kind: manual}", None),
        ("{kind: daily}", None),
        ("{kind: weekly, on: fri}", None),
        ("{kind: monthly, day: 28}", None),
    ],
)
def test_a_source_that_serves_whole_days_is_read_once_a_day_at_most(schedule: str, reason: str | None) -> None:
    faults = faults_in(f"{JOB_YAML}schedule: {schedule}\n")
    assert [reason in fault.reason for fault in faults if reason] == ([True] if reason else [])
    assert len(faults) == (1 if reason else 0)


def test_a_row_whose_form_is_wrong_is_not_judged_twice() -> None:
    rows = WIDE_ROWS.replace("{source: id, target: note_id, key: true}", "{source: id, target: note_id, key: perhaps}")
    (fault,) = faults_in(JOB_YAML + rows)
    assert (fault.field, fault.reason) == ("mapping.fields[1].key", "must be true or false")


def test_a_row_without_target_does_not_make_its_attribute_missing() -> None:
    rows = WIDE_ROWS.replace("{source: id, target: note_id, key: true}", "{source: id, key: true}")
    assert [fault.field for fault in faults_in(JOB_YAML + rows)] == ["mapping.fields[1].target"]

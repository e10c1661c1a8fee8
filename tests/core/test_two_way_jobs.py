"""What a job file may say about two-way syncs and objects of its choice: checked, compiled and mapped."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cshub.core.jobfile import bind, parse_template, read_job
from cshub.core.mapping import CompiledMapping, MappedRecord, compile_mapping, map_record
from cshub.core.objects import FieldSpec, Kind, ObjectSpec, Options, Role
from cshub.core.records import Origin, SourceRecord
from cshub.core.schema import frame_rows, map_chunk
from cshub.core.validate import CheckedFile, all_faults, check_job
from cshub.core.values import fingerprint
from cshub.library import JobLibrary
from cshub.settings import PROJECT

from .core_cast import JOB_YAML, MEETING, NOTE, TEMPLATE_YAML, WIDE_ROWS, bound_job, from_window, meeting


class KeyOptions(Options):
    """The target's own name of the field that holds the source's id."""

    id_field: str | None = None

    def keys(self) -> Mapping[str, Role]:
        return {} if self.id_field is None else {self.id_field: Role.RECORD_KEY}


class ReadOptions(Options):
    only_mine: bool = False


WITHOUT_ID = replace(
    NOTE, fields={name: spec for name, spec in NOTE.fields.items() if spec.role is not Role.RECORD_KEY}
)
CUSTOM = replace(WITHOUT_ID, options=KeyOptions, open_ended=True)
CUSTOM_ROWS = WIDE_ROWS.replace("target: note_id, key: true", "target: Hub_Id__c, key: true")
NAMED = "target: {connection: notes_default, options: {id_field: Hub_Id__c}}"
CUSTOM_JOB = JOB_YAML.replace("target: {connection: notes_default}", NAMED)
TIMED = replace(
    NOTE,
    fields={
        **NOTE.fields,
        "edited_at": FieldSpec(
            "edited_at", Kind.DATETIME, "Edited at", role=Role.MODIFIED_AT, createable=False, updateable=False
        ),
        "edited_by": FieldSpec(
            "edited_by", Kind.EMAIL, "Edited by", role=Role.MODIFIED_BY, createable=False, updateable=False
        ),
    },
)
TIMED_ROWS = (
    WIDE_ROWS
    + "    - {source: facts.edited, target: edited_at}\n"
    + "    - {source: facts.editor, target: edited_by}\n"
)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def told(text: str, source: ObjectSpec = MEETING, target: ObjectSpec = NOTE) -> list[str]:
    """Every fault of a job file, as a person who validates it is told."""
    reading = read_job(text, "job.yaml")
    assert reading.job is not None
    template, template_lines = parse_template(TEMPLATE_YAML, "mapping.yaml")
    at = CheckedFile("job.yaml", reading.lines, "mapping.yaml", template_lines, reading.job.mapping is not None)
    faults = all_faults(reading.faults, check_job(bind(reading.job, template), source, target, at))
    return [str(fault) for fault in faults]


def compiled(extra: str = "", target: ObjectSpec = NOTE, **more: Any) -> CompiledMapping:
    return compile_mapping(bound_job(extra), MEETING, target, version="m1", **more)


def mapped(record: SourceRecord, mapping: CompiledMapping) -> MappedRecord:
    result = map_record(record, Origin.WINDOW, mapping)
    assert isinstance(result, MappedRecord), result
    return result


@pytest.mark.parametrize("policy", ["newest", "meetings", "notes"])
def test_a_field_may_name_who_wins_a_conflict(policy: str) -> None:
    rows = WIDE_ROWS.replace(
        "{source: minutes, target: minutes}", f"{{source: minutes, target: minutes, policy: {policy}}}"
    )
    assert told(JOB_YAML + rows) == []
    assert [row.policy for row in bound_job(rows).fields if row.target == "minutes"] == [policy]


def test_a_policy_that_names_no_side_is_told_with_the_ones_there_are() -> None:
    rows = WIDE_ROWS.replace(
        "{source: minutes, target: minutes}", "{source: minutes, target: minutes, policy: salesforc}"
    )
    (fault,) = told(JOB_YAML + rows)
    assert "mapping.fields[8].policy: 'salesforc' is no policy of a job between meetings and notes." in fault
    assert fault.endswith("Write one of newest, meetings, notes.")


def test_a_side_may_name_another_object_of_the_same_system() -> None:
    job = JOB_YAML.replace("{connection: notes_default}", "{connection: notes_default, object: Visit__c}")
    reading = read_job(job, "job.yaml")
    assert reading.job is not None
    bound = bind(reading.job, parse_template(TEMPLATE_YAML, "mapping.yaml")[0])
    assert (bound.target.system, bound.target.object, bound.source.object) == ("notes", "Visit__c", "meeting")
    assert (bound_job().target.object, bound_job().target.system) == ("note", "notes")


def test_a_field_that_the_options_name_is_a_key() -> None:
    assert told(CUSTOM_JOB + CUSTOM_ROWS, target=CUSTOM) == []
    mapping = compile_mapping(_bound(CUSTOM_JOB + CUSTOM_ROWS), MEETING, CUSTOM, version="m1")
    assert mapping.attribute_with(Role.RECORD_KEY) == "Hub_Id__c"
    assert mapped(meeting("M7"), mapping).external_id == "M7"
    assert "Hub_Id__c" not in mapped(meeting("M7"), mapping).values


def test_a_named_key_must_be_mapped_and_marked_as_key() -> None:
    (unmarked,) = told(
        CUSTOM_JOB + CUSTOM_ROWS.replace("target: Hub_Id__c, key: true", "target: Hub_Id__c"), target=CUSTOM
    )
    assert "Hub_Id__c identifies the record and must be marked as key. Add `key: true` to this row." in unmarked
    missing = told(CUSTOM_JOB + CUSTOM_ROWS.replace("target: Hub_Id__c, key: true", "target: Other__c"), target=CUSTOM)
    assert any("the required key Hub_Id__c is not mapped" in fault for fault in missing)


def test_without_the_option_the_same_field_is_no_key() -> None:
    (fault,) = told(JOB_YAML + CUSTOM_ROWS, target=CUSTOM)
    assert "Hub_Id__c identifies nothing. Remove `key: true` from this row." in fault


def test_a_wrong_option_is_told_and_spoils_nothing_else() -> None:
    faults = told(
        JOB_YAML.replace("{connection: notes_default}", "{connection: n, options: {id_feld: X}}"), target=CUSTOM
    )
    assert any("target.options.id_feld: there is no such setting. Did you mean id_field?" in fault for fault in faults)


def test_fields_of_ones_own_may_be_mapped_to_and_hold_anything() -> None:
    rows = WIDE_ROWS.replace("target: facts}", "target: Facts__c}")
    target = replace(NOTE, open_ended=True)
    assert told(JOB_YAML + rows, target=target) == []
    assert any("Note has no attribute 'Facts__c'" in fault for fault in told(JOB_YAML + rows))
    mapping = compile_mapping(_bound(JOB_YAML + rows), MEETING, target, version="m1")
    chunk = map_chunk(from_window(meeting(facts={"a": [1, None]})), mapping)
    (row,) = frame_rows(chunk.frame)
    assert row.values["Facts__c"] == {"a": [1, None]}


def test_options_of_the_source_may_have_a_model_of_their_own() -> None:
    reading = replace(MEETING, source_options=ReadOptions)
    job = JOB_YAML.replace("{connection: meetings_default}", "{connection: m, options: {only_mine: true}}")
    assert told(job, source=reading) == []
    (fault,) = told(job)
    assert "source.options.only_mine: there is no such setting" in fault
    (fault,) = told(
        JOB_YAML.replace("{connection: meetings_default}", "{connection: m, options: {kinds: [a]}}"), reading
    )
    assert "source.options.kinds: there is no such setting" in fault


def test_who_changed_a_record_and_when_is_mapped_without_being_sent() -> None:
    assert told(JOB_YAML + TIMED_ROWS, target=TIMED) == []
    mapping = compiled(TIMED_ROWS, TIMED)
    record = meeting(facts={"edited": "2026-11-20T10:30:00+01:00", "editor": "Ada@Seller.example"})
    result = mapped(record, mapping)
    assert result.seen.modified_at == "2026-11-20T09:30:00.000Z"
    assert not {"edited_at", "edited_by"} & result.values.keys()
    assert not {"edited_at", "edited_by"} & set(map_chunk(from_window(record), mapping).frame.columns)


def test_the_services_own_time_counts_where_the_mapped_one_is_blank() -> None:
    record = replace(meeting(facts={"edited": None, "editor": None}), modified_at=NOON)
    assert mapped(record, compiled(TIMED_ROWS, TIMED)).seen.modified_at == "2026-11-20T12:00:00.000Z"


def test_marks_fingerprint_the_sources_own_values_of_every_mapped_field() -> None:
    marks = mapped(meeting(summary="<b>Agreed</b>.", minutes=30), compiled(WIDE_ROWS, marks_source=True)).marks
    assert marks["summary"] == fingerprint("Agreed.", Kind.RICH_TEXT)
    assert marks["minutes"] == fingerprint(30, Kind.NUMBER)
    assert marks["owner.email"] == fingerprint("ada@seller.example", Kind.ANY)
    assert marks["guests"] == fingerprint([{"email": "bo@buyer.example"}], Kind.ANY)
    assert not {"id", "account"} & marks.keys()


def test_marks_tell_absent_from_null_and_are_left_out_where_nobody_writes_the_source() -> None:
    marking = compiled(WIDE_ROWS, marks_source=True)
    assert "subject" not in mapped(meeting(subject=...), marking).marks
    assert mapped(meeting(subject=None), marking).marks["subject"] == fingerprint(None, Kind.TEXT)
    assert mapped(meeting(), compiled(WIDE_ROWS)).marks == {}


def test_a_value_that_is_not_of_its_kind_has_a_mark_all_the_same() -> None:
    marking = compiled(
        WIDE_ROWS.replace("{source: minutes, target: minutes}", "{source: minutes, target: facts}").replace(
            "    - {source: facts, target: facts}\n", ""
        ),
        marks_source=True,
    )
    assert mapped(meeting(minutes="many"), marking).marks["minutes"] == fingerprint("many", Kind.ANY)


def test_marks_and_external_id_survive_the_frame() -> None:
    marking = compiled(WIDE_ROWS, marks_source=True)
    record = meeting("M7", minutes=30)
    (row,) = frame_rows(map_chunk(from_window(record), marking).frame)
    assert (row.marks, row.external_id) == (mapped(record, marking).marks, "M7")


PAIRED = ("salesforce_touchpoints_inbound", "salesforce_touchpoints_outbound")


@pytest.fixture
def paired(tmp_path: Path) -> JobLibrary:
    """The demo's two jobs of touchpoints in a folder of their own."""
    for job_id in PAIRED:
        shutil.copy(PROJECT / "include" / "jobs" / f"{job_id}.yaml", tmp_path)
    return JobLibrary(tmp_path, PROJECT / "include" / "mappings")


def test_two_jobs_of_one_pair_in_opposite_directions_are_partners(paired: JobLibrary) -> None:
    inbound, outbound = (paired.load(paired.path_of(job_id)).bound for job_id in PAIRED)
    found = [paired.partner(bound) for bound in (inbound, outbound)]
    assert [bound.id if bound else None for bound in found] == [outbound.id, inbound.id]
    assert paired.rivals(inbound) == paired.rivals(outbound) == []
    assert paired.check() == {job_id: [] for job_id in PAIRED}


def test_opposite_jobs_without_a_common_pair_are_rivals_and_no_partners(paired: JobLibrary) -> None:
    path = paired.path_of(PAIRED[1])
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("pair:")), "utf-8")
    inbound, outbound = (paired.load(paired.path_of(job_id)).bound for job_id in PAIRED)
    assert paired.partner(inbound) is None
    assert [rival.id for rival in paired.rivals(inbound)] == [outbound.id]
    assert {job_id: [fault.field for fault in faults] for job_id, faults in paired.check().items()} == {
        job_id: ["pair"] for job_id in PAIRED
    }


def test_opposite_jobs_of_other_objects_have_nothing_to_do_with_each_other(paired: JobLibrary) -> None:
    path = paired.path_of(PAIRED[1])
    text = path.read_text("utf-8").replace(
        "connection: salesforce_default", "connection: salesforce_default\n  object: task"
    )
    path.write_text(text, "utf-8")
    inbound = paired.load(paired.path_of(PAIRED[0])).bound
    assert (paired.partner(inbound), paired.rivals(inbound)) == (None, [])


def _bound(text: str) -> Any:
    reading = read_job(text, "job.yaml")
    assert reading.job is not None
    return bind(reading.job, parse_template(TEMPLATE_YAML, "mapping.yaml")[0])

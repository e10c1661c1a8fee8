from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.errors import JobFileError
from cshub.core.jobfile import bind, parse_job, parse_template, parse_yaml, read_job
from cshub.core.jobs import OnNull, Otherwise

from .core_cast import JOB_YAML, STEADY, TEMPLATE_YAML, WIDE_ROWS, bound_job

LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
INCLUDE = Path(__file__).parents[2] / "include"


def faults_of_text(text: str) -> list[str]:
    with pytest.raises(JobFileError) as caught:
        parse_job(text, "job.yaml")
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize("path", sorted(INCLUDE.glob("jobs/*.yaml")), ids=lambda path: path.stem)
def test_the_jobs_that_come_along_can_be_read(path: Path) -> None:
    assert parse_job(path.read_text("utf-8"), path.name)[0].id == path.stem


@pytest.mark.parametrize("path", sorted(INCLUDE.glob("mappings/*.yaml")), ids=lambda path: path.stem)
def test_the_templates_that_come_along_can_be_read(path: Path) -> None:
    assert parse_template(path.read_text("utf-8"), path.name)[0].type == path.stem


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "job.yaml:1: (file): the file is empty. Write one setting per line"),
        ("# only a remark\n", "job.yaml:1: (file): the file is empty"),
        ("- a\n- b\n", "job.yaml:1: (file): the file holds a list, not settings"),
        ("hello\n", "job.yaml:1: (file): the file holds one value, not settings"),
        ("a: 1\nb: 2\na: 3\n", 'job.yaml:3: (file): not valid YAML: found duplicate key "a"'),
        ("a:\n\tb: 1\n", "job.yaml:2: (file): not valid YAML: found character '\\t'"),
        ("a: b: c\n", "Put the value in quotes, or correct the indentation."),
        ("a: [1\n", "look for a missing quote, bracket or colon."),
        ("a: 1\n---\nb: 2\n", "job.yaml:2: (file): not valid YAML: but found another document"),
        ("a: \x00\n", "Save the file as UTF-8 text without control characters."),
        ("a: *all\n", "Put the value in quotes if it begins with *."),
        ("a: !!int abc\n", "job.yaml:1: (file): not valid YAML: invalid literal"),
        ("a: 1\n%YAML 9.9\n---\n", "job.yaml:1: (file): not valid YAML: not readable"),
        (
            "version: 1\nwindow:\n  first_run_days: 123456789012345678901234567890\n",
            "job.yaml:3: window.first_run_days: a number that large fits no field and no file. Write a smaller one",
        ),
        (LAUGHS, "job.yaml:1: (file): the file refers to itself, is nested too deeply or has too many values"),
    ],
)
def test_a_file_that_is_no_yaml_of_settings_says_where_and_what_to_do(text: str, says: str) -> None:
    (fault,) = faults_of_text(text)
    assert says in fault
    reading = read_job(text, "job.yaml")
    assert reading.job is None
    assert [str(item) for item in reading.faults] == [fault]


def test_dates_times_and_yes_stay_the_text_that_was_written() -> None:
    text = "on: 2026-11-19\nat: 23:00\nbecomes: 2026-11-19T16:00:00.000Z\nyes: no\nwrong: 2026-13-45\n"
    assert parse_yaml(text, "x.yaml")[0] == {
        "on": "2026-11-19",
        "at": "23:00",
        "becomes": "2026-11-19T16:00:00.000Z",
        "yes": "no",
        "wrong": "2026-13-45",
    }


def test_keys_are_text_as_records_write_it() -> None:
    assert parse_yaml("{1: a, 2.5: b, null: c, x: d}", "x.yaml")[0] == {"1": "a", "2.5": "b", "null": "c", "x": "d"}
    assert parse_yaml("{true: a}", "x.yaml")[0] == {"true": "a"}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("version",), 1),
        (("source", "connection"), 5),
        (("mapping",), 8),
        (("mapping", "fields", 0), 10),
        (("mapping", "fields", 7, "translate", "table"), 17),
        (("mapping", "fields", 99), 9),
        (("schedule", "at"), 1),
        ((), 1),
    ],
)
def test_each_setting_knows_its_line_and_a_missing_one_that_of_its_parent(path: Any, line: int) -> None:
    assert parse_job(JOB_YAML + WIDE_ROWS, "job.yaml")[1].at(path) == line


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = JOB_YAML.replace("demo_notes", "Demo-Notes").replace("name: Demo", "nam: Demo") + "retries: many\n"
    assert faults_of_text(text) == [
        "job.yaml:1: name: is missing. Add `name: …`: what people call the job.",
        "job.yaml:2: id: 'Demo-Notes' must be 3 to 80 lower-case letters, digits and underscores, the first one a "
        "letter. Write it such as `demo_notes`.",
        "job.yaml:4: nam: there is no such setting. Did you mean name?",
        "job.yaml:8: retries: must be a whole number. Write digits only, without quotes.",
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("allow_new_recrods: true", "allow_new_recrods: there is no such setting. Did you mean allow_new_records?"),
        ("zzz: true", "zzz: there is no such setting. Remove it, or use one of version, id, type"),
        ("schedule: {knd: daily}", "schedule.knd: there is no such setting. Did you mean kind?"),
        ("guard: {delete: {shre: 1}}", "guard.delete.shre: there is no such setting. Did you mean share?"),
        ("mapping: {skip_wen: []}", "mapping.skip_wen: there is no such setting. Did you mean skip_when?"),
        ("on_target_edit: kep", "on_target_edit: 'kep' is not one of the values. Did you mean keep?"),
        ("schedule: {kind: never}", "schedule.kind: 'never' is not one of the values. Use one of cron, daily,"),
        ("schedule: nightly", "schedule: must be a block of settings."),
        ("schedule: {kind: cron}", "schedule: kind is cron, but there is no cron expression. Add `cron:"),
        ("schedule: {cron: 0 1 * * *}", "there is a cron expression, but kind is daily. Write `kind: cron`"),
        ("schedule: {at: 7:30}", "schedule.at: '7:30' must be a time of day, HH:MM. Write two digits each"),
        ("schedule: {every: 0}", "schedule.every: 0 must be at least 1. Correct the number."),
        ("tags: demo", "tags: must be a list. Write one entry per line, each after `- `."),
        ("description: 5", 'description: must be text. Put it in quotes: "5".'),
        ("name2:", "name2: there is no such setting. Did you mean name?"),
        ("mapping: {fields: [{target: a}]}", "mapping.fields[0]: the row has neither source nor constant."),
        ("mapping: {fields: [{source: a, target: b, transforms: [[]]}]}", "Write it such as `- strip` or `- truncate"),
    ],
)
def test_each_fault_of_form_is_told_in_words_with_the_next_step(line: str, says: str) -> None:
    (fault,) = faults_of_text(f"{JOB_YAML}{line}\n")
    assert f"job.yaml:8: {says}" in fault or (fault.startswith("job.yaml:8: ") and says in fault)


def test_a_job_that_is_read_without_fault_is_the_job_that_is_parsed() -> None:
    reading = read_job(JOB_YAML + WIDE_ROWS, "job.yaml")
    assert reading.faults == ()
    assert reading.job == parse_job(JOB_YAML + WIDE_ROWS, "job.yaml")[0]


def test_a_faulty_setting_does_not_hide_the_rest_of_the_job() -> None:
    rows = WIDE_ROWS.replace("{source: minutes, target: minutes}", "{source: minutes, on_null: wipe, target: minutes}")
    reading = read_job(JOB_YAML.replace("version: 1", "version: 7") + "schedule: {at: noon}\n" + rows, "job.yaml")
    assert [fault.field for fault in reading.faults] == ["version", "schedule.at", "mapping.fields[8].on_null"]
    assert reading.job is not None
    assert reading.job.mapping is not None
    assert reading.job.mapping.fields is not None
    assert reading.job.mapping.fields[8].on_null is OnNull.KEEP
    assert reading.job.mapping.fields[8].source == "minutes"


SETTINGS = st.sampled_from(
    ["version", "id", "type", "name", "source", "target", "schedule", "window", "guard", "mapping", "tags", "examples"]
)
WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="ascii"), max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SETTINGS, inner, max_size=2),
    max_leaves=6,
)


@STEADY
@given(st.dictionaries(SETTINGS, WRONG, max_size=6))
def test_whatever_stands_in_a_file_is_read_or_told(settings: dict[str, Any]) -> None:
    text = json.dumps({**parse_yaml(JOB_YAML, "x")[0], **settings})
    reading = read_job(text, "job.yaml")
    assert reading.job is not None or reading.faults
    try:
        parse_job(text, "job.yaml")
    except JobFileError as error:
        assert error.faults == reading.faults
    else:
        assert reading.faults == ()


def test_the_digest_changes_with_any_setting_of_job_or_template_and_with_nothing_else() -> None:
    same = bind(*(parse(text + "# a remark\n", "x")[0] for parse, text in _files()))
    assert same.digest == bound_job().digest
    assert bound_job("retries: 7\n").digest != bound_job().digest
    assert bound_job(template=TEMPLATE_YAML.replace("Meetings to notes", "Other")).digest != bound_job().digest


def _files() -> Any:
    return ((parse_job, JOB_YAML), (parse_template, TEMPLATE_YAML))


def test_a_job_takes_from_its_template_what_it_does_not_say() -> None:
    plain, own = bound_job(), bound_job(WIDE_ROWS + "  skip_when: []\nschedule: {kind: manual}\nretries: 0\n")
    assert plain.fields == plain.template.fields
    assert [rule.reason for rule in plain.skip_when] == ["unrecorded"]
    assert len(own.fields) == 11
    assert own.skip_when == []
    assert own.schedule.as_cron() is None
    assert plain.schedule.as_cron() == "0 23 * * *"


@pytest.mark.parametrize(
    ("schedule", "cron"),
    [
        ("{kind: minutes, every: 20}", "*/20 * * * *"),
        ('{kind: hourly, at: "00:07"}', "7 * * * *"),
        ('{kind: daily, at: "09:05"}', "5 9 * * *"),
        ('{kind: workdays, at: "06:00"}', "0 6 * * 1-5"),
        ("{kind: weekly, on: fri}", "0 23 * * fri"),
        ("{kind: monthly, day: 28}", "0 23 28 * *"),
        ('{kind: cron, cron: "1 2 * * *"}', "1 2 * * *"),
    ],
)
def test_each_kind_of_schedule_is_a_cron_expression(schedule: str, cron: str) -> None:
    assert bound_job(f"schedule: {schedule}\n").schedule.as_cron() == cron


@pytest.mark.parametrize("written", ["null", '"null"', "~"])
def test_yamls_own_null_is_a_word_of_translation_tables(written: str) -> None:
    rows = WIDE_ROWS.replace("translate: {table", f"translate: {{otherwise: {written}, table")
    translate = bound_job(rows).fields[7].translate
    assert translate is not None
    assert translate.otherwise is Otherwise.NULL


@pytest.mark.parametrize("name", ["a[0]", "[x]", "str", "dict", "? [a, b]\n"])
def test_a_setting_that_does_not_exist_is_named_whatever_it_is_called(name: str) -> None:
    (fault,) = faults_of_text(f"{JOB_YAML}{name}: 1\n")
    assert "there is no such setting" in fault
    assert read_job(f"{JOB_YAML}{name}: 1\n", "job.yaml").job is not None

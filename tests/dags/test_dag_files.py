"""The project's own DAG files: complete, light to read, and without secrets."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator

from cshub.settings import PROJECT
from tests.dags.conftest import DAGS

pytestmark = [pytest.mark.xdist_group("dag-files")]

STEPS = ["extract", "map", "diff", "approve", "load"]
JOB_IDS = sorted(path.stem for path in (PROJECT / "include" / "jobs").glob("*.yaml"))
SWITCHES = ("dry_run", "full_sync", "only_waiting")
BOUNDS = ("window_start", "window_end")


def test_every_dag_file_is_one_that_airflow_considers_at_all() -> None:
    """Airflow silently skips a file whose text lacks one of these words."""
    for path in DAGS.glob("*.py"):
        text = path.read_text("utf-8").lower()
        assert "airflow" in text and "dag" in text, path.name


def test_every_mapping_template_has_a_dag_file_of_its_name() -> None:
    types = {path.stem for path in (PROJECT / "include" / "mappings").glob("*.yaml")}
    assert types <= {path.stem for path in DAGS.glob("*.py")}


def test_every_job_becomes_a_dag_of_its_id_without_error_and_without_a_database(read: dict[str, Any]) -> None:
    assert read["errors"] == {}
    assert sorted(read["dags"]) == JOB_IDS


def test_reading_the_dag_files_imports_nothing_heavy(read: dict[str, Any]) -> None:
    assert read["heavy"] == []


def test_reading_the_dag_files_costs_less_than_half_of_importing_airflow(read: dict[str, Any]) -> None:
    assert read["hub_s"] < read["airflow_s"] / 2


def test_no_module_of_the_hub_is_loaded_under_its_bare_name(read: dict[str, Any]) -> None:
    assert read["bare"] == []
    assert (PROJECT / "plugins" / ".airflowignore").read_text("utf-8").split() == ["cshub/"]


@pytest.mark.parametrize("job_id", JOB_IDS)
def test_a_dag_is_named_tagged_and_explained(read: dict[str, Any], job_id: str) -> None:
    dag = read["dags"][job_id]
    assert dag["display_name"] != job_id
    assert "cshub" in dag["tags"] and len(dag["tags"]) >= 3
    for told in ("connection `", "| source field | target attribute |", "**Backfill:**", "**Statistics:**"):
        assert told in dag["doc_md"]
    assert not dag["catchup"]


@pytest.mark.parametrize("job_id", JOB_IDS)
def test_a_dag_is_extract_map_diff_approve_load_each_explained(read: dict[str, Any], job_id: str) -> None:
    tasks = read["dags"][job_id]["tasks"]
    order = ["extract"]
    while tasks[order[-1]]["downstream"]:
        (following,) = tasks[order[-1]]["downstream"]
        order.append(following)
    assert order == STEPS
    assert all(task["doc_md"] and task["display_name"] != task_id for task_id, task in tasks.items())
    assert {task["retries"] for task in tasks.values()} == {5}
    assert {task["retry_delay_s"] for task in tasks.values()} == {10.0}


@pytest.mark.parametrize("job_id", JOB_IDS)
def test_the_trigger_form_has_switches_and_dates_that_may_be_empty(read: dict[str, Any], job_id: str) -> None:
    form = read["dags"][job_id]["form"]
    assert sorted(form) == sorted((*SWITCHES, *BOUNDS, "records"))
    for name in SWITCHES:
        assert (form[name]["schema"]["type"], form[name]["value"]) == ("boolean", False)
    for name in BOUNDS:
        assert form[name]["schema"]["format"] == "date-time"
        assert form[name]["value"] is None
    folded = {name for name, param in form.items() if "section" in param["schema"]}
    assert folded == {"full_sync", "only_waiting", "records"}
    assert all(param["schema"]["title"] and param["description"] for param in form.values())


@pytest.mark.parametrize("job_id", JOB_IDS)
def test_the_trigger_forms_json_schema_takes_what_people_fill_in_and_refuses_the_rest(
    read: dict[str, Any], job_id: str
) -> None:
    form = read["dags"][job_id]["form"]
    schema = {"type": "object", "properties": {name: param["schema"] for name, param in form.items()}}
    Draft202012Validator.check_schema(schema)
    accepts = Draft202012Validator(schema).is_valid
    assert accepts({name: param["value"] for name, param in form.items()})
    assert accepts({"window_start": "2026-11-01T00:00:00Z", "window_end": "2026-11-02T00:00:00+01:00"})
    assert accepts({"records": ["00U5g00000XyZ12EAF", "900123"]}) and accepts({"records": None})
    assert not accepts({"records": "00U5g00000XyZ12EAF"}) and not accepts({"records": [900123]})
    assert not accepts({"dry_run": "yes"})
    assert not accepts({"window_start": 20261101})


@pytest.mark.parametrize("job_id", JOB_IDS)
def test_a_serialized_dag_holds_no_secret_and_no_setting_of_a_connection(read: dict[str, Any], job_id: str) -> None:
    text = json.dumps(read["serialized"][job_id]).lower()
    assert [word for word in ("password", "api_token", "app-token", "authorization") if word in text] == []


@pytest.mark.parametrize("job_id", JOB_IDS)
def test_the_nights_of_a_hub_in_berlin_touch_one_another_over_both_changes_of_the_clock(
    read: dict[str, Any], job_id: str
) -> None:
    assert read["dags"][job_id]["timetable"] == "CronDataIntervalTimetable"
    assert_contiguous(read["nights"][job_id], "Europe/Berlin", longest="2026-10-24", shortest="2027-03-27")


def assert_contiguous(nights: list[tuple[str, str]], zone: str, *, longest: str, shortest: str) -> None:
    """Intervals from 23:00 to 23:00 local time without gap; ``longest`` and ``shortest`` begin 25 and 23 hours."""
    intervals = [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in nights]
    assert all(end == start for (_, end), (start, _) in pairwise(intervals))
    local = [start.astimezone(ZoneInfo(zone)) for start, _ in intervals]
    assert {moment.hour for moment in local} == {23}
    hours = {
        str(start.date()): (end - began) / timedelta(hours=1)
        for start, (began, end) in zip(local, intervals, strict=True)
    }
    assert {night: length for night, length in hours.items() if length != 24} == {longest: 25.0, shortest: 23.0}

"""A jobs folder of one's own: broken files are told, good ones go on, and each schedule becomes its timetable."""

from __future__ import annotations

from typing import Any

import pytest

from cshub.settings import PROJECT
from tests.dags.conftest import Probe
from tests.dags.test_dag_files import assert_contiguous

pytestmark = [pytest.mark.xdist_group("dag-files")]

GOOD = """\
version: 1
id: {job_id}
type: chorus_touchpoints_inbound
name: A good job
enabled: false
source: {{connection: chorus_default}}
target: {{connection: totango_default}}
retries: 2
"""
BROKEN = GOOD + "allow_new_records: perhaps\nscheduel: {{kind: daily}}\n"


@pytest.fixture(scope="module")
def mixed(probe: Probe, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    jobs = tmp_path_factory.mktemp("jobs")
    files = {
        "nightly": GOOD,
        "by_hand": GOOD + "schedule: {{kind: manual}}\n",
        "broken": BROKEN,
        "stranger": GOOD.replace("chorus_touchpoints_inbound", "chorus_touchpoint_inbound"),
    }
    for job_id, text in files.items():
        (jobs / f"{job_id}.yaml").write_text(text.format(job_id=job_id), encoding="utf-8")
    environment = {"CSHUB_JOBS_DIR": str(jobs), "CSHUB_TIMEZONE": "America/New_York", "CSHUB_RETRY_DELAY_S": "2.5"}
    return probe(CSHUB_MAPPINGS_DIR=str(PROJECT / "include" / "mappings"), **environment)


def test_a_broken_job_file_leaves_the_good_jobs_alone(mixed: dict[str, Any]) -> None:
    assert sorted(mixed["dags"]) == ["by_hand", "nightly"]


def test_a_broken_job_file_is_an_import_error_with_file_line_field_and_remedy(mixed: dict[str, Any]) -> None:
    ((place, told),) = mixed["errors"].items()
    assert place.endswith("job_files.py")
    assert "broken.yaml:9: allow_new_records:" in told
    assert "broken.yaml:10: scheduel:" in told
    assert "Did you mean schedule?" in told


def test_a_job_of_an_unknown_type_is_told_too_although_no_dag_file_is_its(mixed: dict[str, Any]) -> None:
    (told,) = mixed["errors"].values()
    assert "stranger.yaml:3: type:" in told
    assert "Did you mean chorus_touchpoints_inbound?" in told


def test_the_error_does_not_share_a_file_with_any_dag(mixed: dict[str, Any]) -> None:
    """Airflow suspends every DAG of a file that has an import error."""
    (place,) = mixed["errors"]
    assert all(not plain["dag"]["fileloc"].endswith(place) for plain in mixed["serialized"].values())


def test_a_job_that_runs_by_hand_has_no_schedule(mixed: dict[str, Any]) -> None:
    assert mixed["dags"]["by_hand"]["timetable"] == "NullTimetable"
    assert mixed["nights"]["by_hand"] == []


def test_the_nights_of_a_hub_in_new_york_touch_one_another_over_both_changes_of_the_clock(
    mixed: dict[str, Any],
) -> None:
    assert_contiguous(mixed["nights"]["nightly"], "America/New_York", longest="2026-10-31", shortest="2027-03-13")


def test_retries_come_from_the_job_file_and_their_delay_from_the_environment(mixed: dict[str, Any]) -> None:
    for task in mixed["dags"]["nightly"]["tasks"].values():
        assert (task["retries"], task["retry_delay_s"]) == (2, 2.5)


def test_a_job_that_is_not_enabled_comes_paused(mixed: dict[str, Any]) -> None:
    assert mixed["dags"]["nightly"]["paused"] is True

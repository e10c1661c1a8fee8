"""All six integration types in one Airflow: the first syncs bring everything over, the second ones write nothing."""

from __future__ import annotations

import pytest

from cshub_runtime.acts import told_of
from cshub_runtime.story import ACTS, PROLOGUE
from tests.e2e.hub import CAMPAIGNS, INBOUND, JOBS, MEETINGS, OUTBOUND, TASKS_IN, TOUCHPOINTS_IN, Hub
from tests.e2e.stage import settled_counts

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(420)]


def test_every_integration_type_has_its_dag(hub: Hub) -> None:
    assert set(JOBS) <= set(hub.stage.rest.dag_ids())
    assert set(JOBS) == {*INBOUND, *OUTBOUND}


def test_the_first_syncs_are_green_and_their_numbers_add_up(hub: Hub) -> None:
    for job_id, statistics in hub.statistics(hub.first).items():
        assert statistics["read"] == settled_counts(statistics), job_id
        assert statistics["failed"] == 0, job_id
    created = {job_id: numbers["created"] for job_id, numbers in hub.statistics(hub.first).items()}
    assert all(created[job_id] > 0 for job_id in (MEETINGS, TASKS_IN, TOUCHPOINTS_IN)), created


def test_what_the_first_syncs_created_is_what_the_services_hold(hub: Hub) -> None:
    into_totango = [hub.statistics(hub.first)[job_id]["created"] for job_id in (MEETINGS, TOUCHPOINTS_IN)]
    touchpoints = [note for note in hub.services.held("totango", "touchpoints") if note["by_api"]]
    gone = [note for note in hub.services.held("totango", "deleted_touchpoints") if note["by_api"]]
    assert len(touchpoints) + len(gone) >= sum(into_totango)


def test_the_second_syncs_write_nothing_to_any_service(hub: Hub) -> None:
    assert {service: calls for service, calls in hub.second_wrote.items() if calls} == {}
    for job_id, statistics in hub.statistics(hub.second).items():
        assert (statistics["created"], statistics["updated"], statistics["deleted"]) == (0, 0, 0), job_id
        assert statistics["unchanged"] > 0 or job_id == CAMPAIGNS, job_id


def test_edits_of_both_sides_are_merged_and_deletions_carried_over(hub: Hub) -> None:
    told = told_of(PROLOGUE, hub.services)
    hub.play(ACTS)
    hub.round()
    told += told_of(ACTS, hub.services)
    assert [one for one in told if not one.held] == []
    assert len(told) > len(ACTS)

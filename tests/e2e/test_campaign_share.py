"""The everyday share of the campaign against a real Airflow, on the one that all end-to-end tests use."""

from __future__ import annotations

import pytest

from cshub_runtime.settings import Login
from tests.campaigns.airflow import run_on, share
from tests.campaigns.airflow_stage import Ground, add_jobs
from tests.campaigns.campaign import Asked
from tests.e2e.stage import Stage

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(600)]


def test_tasks_and_the_database_are_struck_and_nothing_is_doubled_or_lost(stage: Stage) -> None:
    asked = Asked()
    plan = share(asked.seed)
    add_jobs(stage, plan.jobs)
    outcome = run_on(Ground(stage, Login("admin", "e2e-admin")), plan, asked)
    assert outcome.holds, outcome.explain()

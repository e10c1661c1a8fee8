"""Many deletions in Totango: the run waits for a person, by REST and on Airflow's own page in a real browser."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from cshub.core.records import RunOutcome
from tests.e2e.conversation import READING_S, answer, question
from tests.e2e.hub import TOUCHPOINTS_OUT, Hub

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(300)]

JOB = TOUCHPOINTS_OUT
MANY = 5
"""More than the scene's guard lets pass: two, or 5 % of the linked records."""


LEAVING = 2  # the oldest, which may leave the window in these minutes


def deleted_by_a_person(hub: Hub) -> set[str]:
    """Touchpoints vanish from Totango, at once for its search too; the ids of their events in Salesforce."""
    hub.scene.control.switch("totango", search_lag_s=0)
    known = sorted(hub.services.events_of_touchpoints().items())
    chosen = dict(known[LEAVING : LEAVING + MANY])
    assert len(chosen) == MANY
    for note_id in chosen:
        hub.scene.control.act("totango", "delete_touchpoint", note_id=note_id)
    return set(chosen.values())


def test_many_deletions_wait_for_a_person_and_none_is_carried_over_if_they_are_refused(hub: Hub) -> None:
    stage, before = hub.stage, hub.live_events()
    gone = deleted_by_a_person(hub)
    writes = hub.scene.writes("salesforce")

    refused = stage.start(JOB)
    asked = question(stage, JOB, refused)
    assert f"{MANY} deletes" in asked["subject"]
    assert f"| delete | {MANY} |" in asked["body"]
    answer(stage, JOB, refused, "Reject")
    stage.finish(JOB, refused)
    assert stage.task(JOB, refused, "load")["state"] == "skipped"
    assert hub.live_events() == before
    assert hub.scene.writes("salesforce") == writes
    with stage.ledger() as ledger:
        run = ledger.run(f"{JOB}:{refused}")
    assert run is not None and run.outcome is RunOutcome.REFUSED

    approved = stage.start(JOB)
    question(stage, JOB, approved)
    assert hub.live_events() == before
    answer(stage, JOB, approved, "Approve")
    stage.finish(JOB, approved)
    assert hub.live_events() == before - gone
    assert stage.statistics(JOB, approved)["deleted"] == MANY


def test_a_person_approves_the_deletions_on_airflows_own_page(hub: Hub, page: Page) -> None:
    stage, before = hub.stage, hub.live_events()
    gone = deleted_by_a_person(hub)
    run_id = stage.start(JOB)
    question(stage, JOB, run_id)

    page.goto(f"{stage.airflow.base_url}/required_actions")
    row = page.get_by_role("row").filter(has_text=JOB).first
    expect(row).to_contain_text(re.compile(f"{MANY} deletes"))
    run = quote(run_id, safe="")
    page.goto(f"{stage.airflow.base_url}/dags/{JOB}/runs/{run}/tasks/approve/required_actions")
    expect(page.get_by_text(f"{MANY} to delete in the target")).to_be_visible()
    page.wait_for_timeout(READING_S * 1000)
    page.get_by_role("button", name="Approve", exact=True).click()

    stage.finish(JOB, run_id)
    assert hub.live_events() == before - gone
    assert stage.statistics(JOB, run_id)["deleted"] == MANY
    answered = stage.rest.call("GET", f"dags/{JOB}/dagRuns/{run}/taskInstances/approve/-1/hitlDetails")
    assert answered["responded_by_user"]["name"] == "ana"

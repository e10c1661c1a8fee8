"""Campaign touches: row C11, by the job of docs/integrations/campaign-touches.md."""

from __future__ import annotations

import re

import pytest

from tests.integrations.stage import Record, Stage

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("integrations")]

JOB = "include/jobs/campaigns_to_salesforce.yaml"
SUBJECT = re.compile(r'(One time|Ongoing) campaign "Spring news" was sent to \d+ users?\. From: \S+@\S+')


@pytest.fixture
def campaign(stage: Stage) -> Stage:
    """A campaign has just reached all accounts."""
    stage.install(JOB)
    stage.act("totango", "send_campaign", name="Spring news", at=stage.now.isoformat())
    stage.wait(minutes=1)
    return stage


def events_of(stage: Stage) -> list[Record]:
    return [row for row in stage.records("salesforce", "events") if SUBJECT.fullmatch(row["Subject"] or "")]


def test_a_campaign_becomes_one_event_of_type_email_for_each_account_and_never_a_second_one(campaign: Stage) -> None:
    ran = campaign.run("campaigns_to_salesforce")
    events = events_of(campaign)
    reached = {row["attributes"]["sfid"] for row in campaign.records("totango", "accounts")}
    assert sorted(row["AccountId"] for row in events) == sorted(reached)
    assert {row["Type"] for row in events} == {"Email"}
    assert {row["ActivityDate"] for row in events} == {"2026-11-20"}
    assert len({row["Totango_Touch_Id__c"] for row in events}) == len(events) <= ran.statistics["created"]
    owners = {row["OwnerId"] for row in events}
    assert campaign.sandbox.sandbox.service("salesforce").state()["users"][0]["Id"] not in owners

    assert campaign.run("campaigns_to_salesforce").writes == 0
    (campaign.folder / "ledger.db").unlink()
    assert campaign.run("campaigns_to_salesforce").statistics["created"] == 0
    assert len(events_of(campaign)) == len(events)


def test_an_ongoing_campaign_that_comes_again_makes_one_more_event(campaign: Stage) -> None:
    campaign.run("campaigns_to_salesforce")
    before = len(events_of(campaign))
    reached = [campaign.account["id"]]
    campaign.act(
        "totango", "send_campaign", name="Spring news", account_ids=reached, ongoing=True, at=campaign.now.isoformat()
    )
    campaign.wait(minutes=1)
    assert campaign.run("campaigns_to_salesforce").statistics["created"] == 1
    assert len(events_of(campaign)) == before + 1
    assert sum(row["Subject"].startswith("Ongoing campaign") for row in events_of(campaign)) == 1


def test_an_org_without_the_field_type_gets_the_events_without_it(campaign: Stage) -> None:
    campaign.sandbox.control.switch("salesforce", activity_type_field=False)
    campaign.run("campaigns_to_salesforce")
    assert events_of(campaign)
    assert all(row.get("Type") is None for row in events_of(campaign))


def test_events_made_of_campaign_touches_are_not_carried_on_as_touchpoints(campaign: Stage) -> None:
    campaign.run("campaigns_to_salesforce")
    campaign.install("include/jobs/timed_touchpoints_inbound.yaml")
    ran = campaign.run("timed_touchpoints_inbound")
    assert ran.counts()["skipped made_by_other_job"] >= len(events_of(campaign))
    assert not any(SUBJECT.fullmatch(row["subject"] or "") for row in campaign.records("totango", "touchpoints"))

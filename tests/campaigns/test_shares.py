"""The everyday share of every campaign."""

from __future__ import annotations

import pytest

from tests.campaigns import airflow
from tests.campaigns.campaign import Asked, Campaign
from tests.campaigns.report import PAGE, page
from tests.campaigns.roll import CAMPAIGNS

HERE = [campaign for campaign in CAMPAIGNS if campaign is not airflow.CAMPAIGN]  # its share is in tests/e2e


@pytest.mark.timeout(900)
@pytest.mark.parametrize("campaign", HERE, ids=[campaign.name for campaign in HERE])
def test_the_share_of_a_campaign_keeps_its_promise(campaign: Campaign) -> None:
    outcome = campaign.run(Asked())
    assert outcome.holds, outcome.explain()


def test_the_page_shows_nothing_but_kept_figures() -> None:
    assert PAGE.read_text() == page(CAMPAIGNS)

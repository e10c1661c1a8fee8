"""The everyday share of every campaign."""

from __future__ import annotations

import pytest

from tests.campaigns import airflow, histories
from tests.campaigns.campaign import SHARE_SEED, Asked, Campaign
from tests.campaigns.report import PAGE, page
from tests.campaigns.roll import CAMPAIGNS

APART = (airflow.CAMPAIGN, histories.CAMPAIGN)  # the first is in tests/e2e
HERE = [campaign for campaign in CAMPAIGNS if campaign not in APART]
PARTS = 4


@pytest.mark.timeout(900)
@pytest.mark.parametrize("campaign", HERE, ids=[campaign.name for campaign in HERE])
def test_the_share_of_a_campaign_keeps_its_promise(campaign: Campaign) -> None:
    outcome = campaign.run(Asked())
    assert outcome.holds, outcome.explain()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_share_of_the_simulated_histories_keeps_its_promise(part: int) -> None:
    count = histories.SHARE // PARTS
    seeds = range(SHARE_SEED + part * count, SHARE_SEED + (part + 1) * count)
    found = histories.violations(seeds)
    assert not found, "\n\n".join(histories.stories(sorted(found)))


def test_the_page_shows_nothing_but_kept_figures() -> None:
    assert PAGE.read_text() == page(CAMPAIGNS)

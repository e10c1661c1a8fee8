"""Every campaign, in the order of the page."""

from __future__ import annotations

from collections.abc import Sequence

from tests.campaigns.campaign import Campaign

CAMPAIGNS: Sequence[Campaign] = ()

"""Every campaign, in the order of the page."""

from __future__ import annotations

from collections.abc import Sequence

from tests.campaigns import (
    airflow,
    crash_sweep,
    fuzz,
    histories,
    lost_answers,
    mass_deletion,
    planner,
    quota,
    rebuild,
    soak,
    upgrade,
)
from tests.campaigns.campaign import Campaign

CAMPAIGNS: Sequence[Campaign] = tuple(
    module.CAMPAIGN
    for module in (
        planner,
        histories,
        crash_sweep,
        airflow,
        lost_answers,
        quota,
        soak,
        mass_deletion,
        rebuild,
        upgrade,
        fuzz,
    )
)

"""Each deliberate defect makes the simulated histories fail within their everyday share."""

from __future__ import annotations

import pytest

from tests.campaigns.campaign import SHARE_SEED
from tests.campaigns.defects import DEFECTS
from tests.campaigns.histories import SHARE, violations

AT_A_TIME = 20


@pytest.mark.parametrize("name", DEFECTS)
def test_a_deliberate_defect_is_noticed_within_the_share(name: str) -> None:
    """Noticed as a promise that is not kept, not as a program that no longer runs."""
    with DEFECTS[name]():
        parts = (range(SHARE_SEED + at, SHARE_SEED + at + AT_A_TIME) for at in range(0, SHARE, AT_A_TIME))
        found = next((found for part in parts if (found := violations(part))), {})
    assert found and all(violation.startswith("Violation") for violation in found.values()), found

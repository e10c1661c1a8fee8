"""What an org tells of itself: versions, resources, limits."""

from __future__ import annotations

from typing import Any

from cshub_sandbox.salesforce.calls import Behaviour, Call

FIRST_VERSION, LAST_VERSION = 31, 68  # docs/vendors/salesforce.md §1.1 and S1: v21-30 are retired, Winter '27 = 68
RETIRED = range(21, FIRST_VERSION)
_SEASONS = ("Winter", "Summer", "Spring")  # counted back from the newest, Winter '27
_NEWEST_YEAR = 27
_RESOURCES = ("sobjects", "query", "queryAll", "limits", "composite", "jobs")
_DAILY = {
    "DailyBulkApiBatches": 15_000,
    "DailyBulkV2QueryJobs": 10_000,
    "DailyBulkV2QueryFileStorageMB": 976_562,
    "DailyAsyncApexExecutions": 250_000,
    "DataStorageMB": 10_240,
    "FileStorageMB": 10_240,
}


def versions() -> list[dict[str, str]]:
    """Every version that is served, oldest first."""
    return [
        {"label": _label(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
        for number in range(FIRST_VERSION, LAST_VERSION + 1)
    ]


def _label(number: int) -> str:
    """The release of a version: three a year."""
    back = LAST_VERSION - number
    year = _NEWEST_YEAR - back // 3 - (1 if back % 3 else 0)
    return f"{_SEASONS[back % 3]} '{year:02d}"


def list_resources(on: Behaviour, call: Call) -> Any:
    return {name: call.address(name) for name in _RESOURCES}


def read_limits(on: Behaviour, call: Call) -> Any:
    limit = on.org.switches.api_limit
    used = on.org.quota.used(on.org.now())
    return {
        "DailyApiRequests": {"Max": limit, "Remaining": max(limit - used, 0)},
        **{name: {"Max": most, "Remaining": most} for name, most in _DAILY.items()},
    }

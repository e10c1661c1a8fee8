"""One way to run a query for a user, as late and as complete as the org shows things."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cshub_sandbox.salesforce.objects import Schema
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.soql import Query, Result, Setting, check, run


def setting_of(org: Org, user_id: str, *, version: str, deleted: bool = False) -> Setting:
    """Now, here, for this user."""
    try:
        zone: tzinfo = ZoneInfo(str(org.user(user_id).get("TimeZoneSidKey")))
    except (ZoneInfoNotFoundError, ValueError):
        zone = UTC
    return Setting(now=org.now(), zone=zone, include_deleted=deleted, api_version=version, given_id=org.given_id)


def run_query(org: Org, query: Query, *, view: Schema, user_id: str, version: str, deleted: bool) -> Result:
    """The result of a query. Raises ``SalesforceError`` when it is refused."""
    setting = setting_of(org, user_id, version=version, deleted=deleted)
    with org.records.as_seen_at(setting.now):
        return run(query, org.store, view, setting)


def check_query(org: Org, query: Query, *, view: Schema, user_id: str, version: str) -> None:
    """Raises what ``run_query`` would raise, without looking at a row."""
    check(query, view, setting_of(org, user_id, version=version))

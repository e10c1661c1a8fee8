"""Accounts: search, scan and scroll, one account in full, the attribute list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cshub_sandbox.totango.errors import bad_request, not_found, not_simulated
from cshub_sandbox.totango.query import Predicate, Query, Row, Source, Vocabulary, compile_terms, page
from cshub_sandbox.totango.records import Account, EventType
from cshub_sandbox.totango.switches import OffsetReading
from cshub_sandbox.totango.tenant import FOREIGN_KEYS, Tenant, epoch_ms, iso_ms

SCROLL_LIFE = timedelta(minutes=5)
_BASIC_ATTRIBUTES = {
    "sfid": ("CRM System Account Id", "string"),
    "ofid": ("Other System Account Id", "string"),
    "Account Name": ("Account Name", "string"),
    "Create Date": ("Create Date", "date"),
    "Contract Value": ("Contract Value", "number"),
    "success_manager": ("Success Manager", "owner"),
    "success_manager___tid": ("Success Manager Id", "string"),
}


def attribute_values(account: Account, tenant: Tenant) -> dict[str, str]:
    """Every attribute of an account as text, foreign keys in lower case."""
    owner = tenant.user(account.owner)
    values = {
        "Account Name": account.name,
        "Create Date": iso_ms(account.created_ms),
        "Contract Value": f"{account.contract_value:g}",
        "success_manager": owner.name if owner else "",
        "success_manager___tid": account.owner or "",
    }
    return {**values, **account.attributes, **account.foreign_keys}


@dataclass(frozen=True, slots=True)
class AccountRow:
    account: Account
    tenant: Tenant

    def read(self, source: Source) -> str | int | float | None:
        account = self.account
        match source.kind, source.name:
            case "string", "identifier":
                return account.id
            case "string", "search_name":
                return account.name
            case "string", "status_group":
                return account.status_group
            case "string", "health":
                return account.health
            case "date", "last_activity_time":
                return account.last_activity_ms
            case "simple_date_attribute", "Create Date":
                return account.created_ms
            case "health_trend", _:
                return "steady"
        return attribute_values(account, self.tenant).get(source.name)


def account_vocabulary(tenant: Tenant) -> Vocabulary:
    return Vocabulary(
        names={
            "string": frozenset({"identifier", "search_name", "status_group", "health"}),
            "string_attribute": None,
            "number_attribute": None,
            "simple_date_attribute": frozenset({"Create Date"}),
            "date": frozenset({"last_activity_time"}),
            "health_trend": None,
        },
        folded=lambda source: source.kind == "string_attribute" and source.name in FOREIGN_KEYS,
        nested={"with_collection": lambda term: _with_touchpoints(term, tenant)},
    )


def _with_touchpoints(term: Mapping[str, Any], tenant: Tenant) -> Predicate:
    """Accounts with touchpoints in the current or previous day, week or month (the one collection term ever seen)."""
    try:
        (inner,) = term["terms"]
        period = inner["subscription_period"]
        known = term["collection_type"] == "touchpoint_collection" and inner["attribute"] == "created"
        low, high = _period(period["granularity"], period["relative_period"], tenant.now())
    except (KeyError, TypeError, ValueError) as error:
        raise not_simulated("this with_collection term") from error
    if not known:
        raise not_simulated("this with_collection term")
    index = tenant.search_index()
    ids = index.find([EventType.NOTE], account_id=None, low_ms=epoch_ms(low), high_ms=epoch_ms(high) - 1)
    accounts = {index.get(event_id).account_id for event_id in ids}

    def test(row: Row) -> bool:
        return row.read(Source("string", "identifier")) in accounts

    return test


def _period(granularity: str, relative: str, now: datetime) -> tuple[datetime, datetime]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    starts = {"day": today, "week": today - timedelta(days=today.weekday()), "month": today.replace(day=1)}
    start = starts[granularity]
    if relative == "current":
        return start, now + timedelta(milliseconds=1)
    if relative != "previous":
        raise ValueError(relative)
    last = start - timedelta(days=1)
    return {"day": last, "week": start - timedelta(days=7), "month": last.replace(day=1)}[granularity], start


@dataclass(slots=True)
class _Scroll:
    account_ids: Sequence[str]
    position: int
    used_at: datetime


class Accounts:
    """Reading accounts. Every method raises the vendor's error for a query it cannot read."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._scrolls: dict[str, _Scroll] = {}

    def search(self, query: Query) -> dict[str, Any]:
        """``offset`` counts records here."""
        vocabulary = account_vocabulary(self._tenant)
        sources = [vocabulary.source(spec) for spec in query.fields]
        rows = self._matching(query)
        shown = page(rows, query, reading=OffsetReading.RECORD, cap=self._tenant.switches.search_cap)
        hits = [
            {
                "name": row.account.id,
                "display_name": row.account.name,
                "last_activity_time": row.account.last_activity_ms,
                "selected_fields": [row.read(source) for source in sources],
            }
            for row in shown
        ]
        return {"response": {"accounts": {"total_hits": len(rows), "hits": hits}}}

    def scroll(self, query: Query, scroll_id: str | None) -> dict[str, Any]:
        """The next step of a scroll, or a new scroll over all matching accounts. ``offset`` has no effect."""
        now = self._tenant.clock.now()
        self._scrolls = {
            key: scroll for key, scroll in self._scrolls.items() if abs(now - scroll.used_at) <= SCROLL_LIFE
        }
        if not scroll_id:
            scroll_id = self._tenant.new_uuid()
            self._scrolls[scroll_id] = _Scroll([row.account.id for row in self._matching(query)], 0, now)
        scroll = self._scrolls.get(scroll_id)
        if scroll is None:
            raise not_found("The scroll is unknown or has expired")
        step = scroll.account_ids[scroll.position : scroll.position + query.count]
        scroll.position += len(step)
        scroll.used_at = now
        accounts = [self._tenant.accounts[account_id] for account_id in step if account_id in self._tenant.accounts]
        return {
            "scroll-id": scroll_id,
            "total_hits": len(scroll.account_ids),
            "accounts": [{"id": account.id, **self._scrolled(account)} for account in accounts],
        }

    def one(self, account_id: str) -> dict[str, Any]:
        account = self._tenant.accounts.get(account_id)
        if account is None:
            raise not_found("Account not found", legacy=True)
        kinds = attribute_kinds(self._tenant)
        attributes = {
            name: {
                "val": value,
                "display_name": kinds.get(name, (name, "string"))[0],
                "business_type": kinds.get(name, (name, "string"))[1],
            }
            for name, value in attribute_values(account, self._tenant).items()
        }
        return {"account": {"id": account.id, "display_name": account.name, **self._facts(account, attributes)}}

    def _scrolled(self, account: Account) -> dict[str, Any]:
        attributes = {name: {"val": value} for name, value in attribute_values(account, self._tenant).items()}
        return {"display_name": account.name, **self._facts(account, attributes)}

    @staticmethod
    def _facts(account: Account, attributes: dict[str, dict[str, str]]) -> dict[str, Any]:
        return {
            "status": account.status,
            "status_group": account.status_group,
            "health": {"curr": account.health},
            "attributes": attributes,
            "metrics": {"contract_value": {"curr": account.contract_value}},
        }

    def _matching(self, query: Query) -> list[AccountRow]:
        test = compile_terms(query.terms, account_vocabulary(self._tenant), now=self._tenant.now())
        rows = [row for account in self._tenant.accounts.values() if test(row := AccountRow(account, self._tenant))]
        orders: dict[str, Callable[[AccountRow], tuple[str | int, str]]] = {
            "display_name": lambda row: (row.account.name, row.account.id),
            "name": lambda row: (row.account.id, ""),
            "last_activity_time": lambda row: (row.account.last_activity_ms, row.account.id),
        }
        order = orders.get(query.sort_by or "display_name")
        if order is None:
            raise bad_request(f"Cannot sort by {query.sort_by!r}; known: {', '.join(orders)}")
        return sorted(rows, key=order, reverse=query.descending)


def attribute_kinds(tenant: Tenant) -> dict[str, tuple[str, str]]:
    """Display name and business type per attribute key."""
    custom = {name for account in tenant.accounts.values() for name in account.attributes}
    return {
        **{name: (name, "string") for name in sorted(custom)},
        **_BASIC_ATTRIBUTES,
        **{name: (name.replace("_", " ").title(), "foreign_key") for name in FOREIGN_KEYS},
    }


def render_attribute_list(tenant: Tenant) -> dict[str, Any]:
    """The reply of ``attributes.json``."""
    return {
        "list": [
            {"key_name": key, "display_name": display, "type": kind}
            for key, (display, kind) in attribute_kinds(tenant).items()
        ]
    }

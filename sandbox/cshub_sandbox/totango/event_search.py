"""Reading events: the timeline of one account and the search over all accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from cshub_sandbox.totango.errors import bad_request, not_found
from cshub_sandbox.totango.query import (
    Bounds,
    Predicate,
    Query,
    Source,
    Vocabulary,
    compile_term,
    date_bounds,
    page,
)
from cshub_sandbox.totango.records import Event, EventType
from cshub_sandbox.totango.rendering import render_event
from cshub_sandbox.totango.switches import EventOrder, UnknownTimeline, VanishedFrom
from cshub_sandbox.totango.tenant import Tenant

_NAMES = {"event_property": frozenset({"event_type"}), "date": frozenset({"date"})}


@dataclass(frozen=True, slots=True)
class EventRow:
    event: Event

    def read(self, source: Source) -> str | int | float | None:
        return self.event.type.value if source.name == "event_type" else self.event.timestamp_ms


def read_timeline(tenant: Tenant, account_id: str) -> list[dict[str, Any]]:
    """Every event of one account at once, as long as the cap switch allows."""
    if account_id not in tenant.accounts:
        if tenant.switches.unknown_account_timeline is UnknownTimeline.NOT_FOUND:
            raise not_found("Account not found")
        return []
    events = tenant.events.timeline(account_id)
    if tenant.switches.vanished_from is VanishedFrom.EVERYWHERE:
        events = [event for event in events if not _has_vanished(tenant, event.id)]
    cap = tenant.switches.timeline_cap
    if cap:
        events = events[:cap]
    if tenant.switches.event_order is EventOrder.SHUFFLED:
        events = sorted(events, key=lambda event: _shuffled(event.id))
    return [render_event(event, tenant) for event in events]


def search_events(tenant: Tenant, query: Query, account_id: str | None) -> dict[str, Any]:
    """One page of events over all accounts, or of one; as the search index, some seconds late, knows them."""
    index = tenant.search_index()
    plan = _plan(tenant, query.terms)
    ids: Sequence[str] = index.find(
        plan.types, account_id=account_id, low_ms=plan.bounds.low_ms, high_ms=plan.bounds.high_ms
    )
    if plan.rest:
        ids = [event_id for event_id in ids if all(test(EventRow(index.get(event_id))) for test in plan.rest)]
    if tenant.switches.vanished_share:
        ids = [event_id for event_id in ids if not _has_vanished(tenant, event_id)]
    if tenant.switches.event_order is EventOrder.SHUFFLED:
        ids = sorted(ids, key=_shuffled)
    shown = page(ids, query, reading=tenant.switches.offset_reading, cap=tenant.switches.search_cap)
    hits = [render_event(index.get(event_id), tenant) for event_id in shown]
    return {"response": {"events": {"total_hits": len(ids), "hits": hits}}}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the indexes answer (types, bounds), and the terms left to test event by event."""

    types: Sequence[EventType]
    bounds: Bounds
    rest: Sequence[Predicate]


def _plan(tenant: Tenant, terms: Sequence[Mapping[str, Any]]) -> _Plan:
    vocabulary = Vocabulary(names=_NAMES, upper=tenant.switches.upper_bound)
    types = set(EventType)
    bounds = Bounds()
    rest: list[Predicate] = []
    for term in terms:
        if term.get("type") == "date":
            vocabulary.source(term)
            bounds = bounds.both(date_bounds(term, now=tenant.now(), upper=vocabulary.upper))
        elif term.get("type") == "event_property" and set(term) == {"type", "name", "eq"}:
            vocabulary.source(term)
            types &= {_event_type(term["eq"])}
        else:
            rest.append(compile_term(term, vocabulary, now=tenant.now()))
    return _Plan([kind for kind in EventType if kind in types], bounds, rest)


def _event_type(value: Any) -> EventType:
    try:
        return EventType(value)
    except ValueError as error:
        raise bad_request(f"Unknown event_type {value!r}; known: {', '.join(EventType)}") from error


def _has_vanished(tenant: Tenant, event_id: str) -> bool:
    place = int.from_bytes(blake2b(event_id.encode(), digest_size=4, person=b"vanished").digest(), "big")
    return place < tenant.switches.vanished_share * 2**32


def _shuffled(event_id: str) -> bytes:
    """An order without sense that stays the same from page to page."""
    return blake2b(event_id.encode(), digest_size=8).digest()

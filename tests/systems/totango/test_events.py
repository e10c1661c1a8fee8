from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from tests.systems.totango.lab import NOW, account_ids, add_touchpoint, client_on, make_sandbox, service_of, switch

from cshub.core.errors import ShortRead
from cshub.core.window import Window
from cshub.systems.totango.models import FAR_FUTURE_MS, EventType, to_ms
from cshub.systems.totango.target import TotangoTouchpoints
from cshub_sandbox.faults import FaultRule
from cshub_sandbox.sandbox import Sandbox

FORMS = [
    {"upper_bound": bound, "offset_reading": reading, "event_order": order}
    for bound in ("honoured", "ignored", "refused")
    for reading in ("page", "record")
    for order in ("newest_first", "shuffled")
]


@pytest.fixture(scope="module")
def busy() -> Sandbox:
    """A tenant with 2,600 touchpoints in ten days, 1,100 of them at one and the same millisecond."""
    sandbox = make_sandbox()
    accounts = account_ids(sandbox)
    start = NOW - timedelta(days=20)
    for number in range(1500):
        add_touchpoint(sandbox, accounts[number % len(accounts)], start + timedelta(minutes=9 * number))
    for number in range(1100):
        add_touchpoint(sandbox, accounts[number % len(accounts)], start + timedelta(days=4))
    sandbox.clock.advance(timedelta(seconds=10))
    return sandbox


def expected_ids(sandbox: Sandbox, start: datetime, end: datetime) -> set[int]:
    touchpoints = service_of(sandbox).state()["touchpoints"]
    return {item["note_id"] for item in touchpoints if to_ms(start) <= item["timestamp_ms"] < to_ms(end)}


def read_ids(sandbox: Sandbox, start: datetime, end: datetime) -> list[int]:
    events = client_on(sandbox).events(EventType.NOTE, to_ms(start), to_ms(end))
    return [event.raw["note_content"]["note_id"] for batch in events for event in batch]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form.values()))
def test_every_event_of_a_full_window_is_read_once_under_every_reading_of_the_search(
    busy: Sandbox, form: dict[str, Any]
) -> None:
    switch(busy, **form)
    start, end = NOW - timedelta(days=21), NOW - timedelta(days=5)
    ids = read_ids(busy, start, end)
    assert len(ids) == len(set(ids))
    assert set(ids) == expected_ids(busy, start, end)
    assert len(ids) > 2000


def test_slices_need_few_calls(busy: Sandbox) -> None:
    switch(busy, **{"upper_bound": "honoured", "event_order": "newest_first"})
    client = client_on(busy)
    quiet = NOW - timedelta(days=15)
    sum(len(batch) for batch in client.events(EventType.NOTE, to_ms(quiet), to_ms(NOW)))
    assert client.calls <= 5


@pytest.mark.parametrize("order", ["newest_first", "shuffled"])
def test_later_slices_come_first(busy: Sandbox, order: str) -> None:
    switch(busy, upper_bound="honoured", event_order=order)
    batches = list(client_on(busy).events(EventType.NOTE, to_ms(NOW - timedelta(days=21)), to_ms(NOW)))
    spans = [(min(times), max(times)) for batch in batches if (times := [event.timestamp_ms for event in batch])]
    assert len(spans) > 2
    assert all(earlier[1] <= later[0] for later, earlier in pairwise(spans))


def test_a_window_that_reaches_far_beyond_the_last_event_needs_few_more_calls(busy: Sandbox) -> None:
    switch(busy, upper_bound="honoured", event_order="newest_first")
    start = to_ms(NOW - timedelta(days=21))
    calls = []
    for end in (to_ms(NOW), FAR_FUTURE_MS):
        client = client_on(busy)
        assert sum(len(batch) for batch in client.events(EventType.NOTE, start, end)) > 2000
        calls.append(client.calls)
    assert calls[1] <= calls[0] + 3


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form.values()))
def test_the_newest_events_are_found_in_few_calls(busy: Sandbox, form: dict[str, Any]) -> None:
    switch(busy, **form)
    client = client_on(busy)
    start, end = NOW - timedelta(days=21), NOW - timedelta(days=12)
    newest = client.event_search.newest(EventType.NOTE, to_ms(start), to_ms(end), limit=10, keep=lambda event: True)
    times = [event.timestamp_ms for event in newest]
    assert len(newest) == 10
    assert times == sorted(times, reverse=True)
    assert all(to_ms(start) <= time < to_ms(end) for time in times)
    if form["upper_bound"] == "honoured":
        assert client.calls == 1


def test_a_window_is_half_open() -> None:
    sandbox = make_sandbox()
    account = account_ids(sandbox)[0]
    at = NOW - timedelta(days=1, hours=3)
    ids = [add_touchpoint(sandbox, account, at + timedelta(hours=hour)) for hour in range(3)]
    sandbox.clock.advance(timedelta(seconds=10))
    target = TotangoTouchpoints(client_on(sandbox))
    window = Window(at, at + timedelta(hours=2))
    keys = {record.key for batch in target.read_window(window) for record in batch}
    assert {str(ids[0]), str(ids[1])} <= keys
    assert str(ids[2]) not in keys


def test_totals_that_stay_wrong_end_in_a_short_read() -> None:
    sandbox = make_sandbox()
    sandbox.faults.add(FaultRule.parse({"kind": "wrong_totals", "path": "/api/v2/events/search"}))
    with pytest.raises(ShortRead, match="Nothing is taken for complete"):
        read_ids(sandbox, NOW - timedelta(days=30), NOW)


def test_rows_missing_from_every_answer_end_in_a_short_read() -> None:
    sandbox = make_sandbox()
    sandbox.faults.add(FaultRule.parse({"kind": "empty_page", "path": "/api/v2/events/search"}))
    with pytest.raises(ShortRead):
        read_ids(sandbox, NOW - timedelta(days=30), NOW)


def test_events_of_other_types_are_skipped_safely() -> None:
    sandbox = make_sandbox()
    service_of(sandbox).act("send_campaign", {"name": "Launch"})
    account = account_ids(sandbox)[0]
    task = {"account_id": account, "title": "Call", "due_date": "2026-12-01", "activity_type_id": "adoption"}
    service_of(sandbox).act("create_task", task)
    client = client_on(sandbox)
    kinds = {event.kind for event in client.account_events(account)}
    assert {EventType.CAMPAIGN_TOUCH, EventType.TASK} <= kinds
    assert all(note.note_id for note in client.account_touchpoints(account))

"""The times of events: what is sent for what is mapped, and that an org takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.systems.salesforce.lab import accounts, act, client_on, make_sandbox, record, switch

from cshub.core.errors import DataError
from cshub.core.ports import Write
from cshub.core.records import Operation, RecordKey
from cshub.systems.salesforce.event_times import EventTimes, times_of_changed, times_of_new
from cshub.systems.salesforce.options import EventOptions
from cshub.systems.salesforce.target import SalesforceTarget
from cshub_sandbox.sandbox import Sandbox

TEN, ELEVEN, NOON = (f"2026-11-20T{hour}:00:00.000Z" for hour in (10, 11, 12))
TIMED = EventTimes(False, TEN, 45)
ALL_DAY = EventTimes(True, "2026-11-20T00:00:00.000Z", 1440)
THREE_DAYS = EventTimes(True, "2026-11-20T00:00:00.000Z", 4320)


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        ({"ActivityDate": "2026-11-20"}, {"IsAllDayEvent": True, "ActivityDate": "2026-11-20"}),
        ({"StartDateTime": TEN}, {"IsAllDayEvent": False, "StartDateTime": TEN, "DurationInMinutes": 30}),
        ({"ActivityDateTime": TEN}, {"IsAllDayEvent": False, "StartDateTime": TEN, "DurationInMinutes": 30}),
        (
            {"ActivityDate": "2026-11-21", "StartDateTime": TEN},
            {"IsAllDayEvent": False, "StartDateTime": TEN, "DurationInMinutes": 30},
        ),
        (
            {"StartDateTime": TEN, "DurationInMinutes": 45.0},
            {"IsAllDayEvent": False, "StartDateTime": TEN, "DurationInMinutes": 45},
        ),
        (
            {"StartDateTime": TEN, "EndDateTime": NOON, "DurationInMinutes": 45},
            {"IsAllDayEvent": False, "StartDateTime": TEN, "EndDateTime": NOON},
        ),
        (
            {"StartDateTime": NOON, "EndDateTime": TEN},
            {"IsAllDayEvent": False, "StartDateTime": NOON, "DurationInMinutes": 30},
        ),
        (
            {"StartDateTime": TEN, "IsAllDayEvent": True, "DurationInMinutes": 30},
            {"IsAllDayEvent": True, "ActivityDate": "2026-11-20"},
        ),
        (
            {"ActivityDate": "2026-11-20", "IsAllDayEvent": True, "EndDateTime": "2026-11-22T09:00:00.000Z"},
            {"IsAllDayEvent": True, "ActivityDate": "2026-11-20", "EndDateTime": "2026-11-22T00:00:00.000Z"},
        ),
    ],
)
def test_a_new_event_has_times_that_do_not_contradict_each_other(
    values: Mapping[str, Any], sent: Mapping[str, Any]
) -> None:
    assert times_of_new(values, default_minutes=30) == sent


@pytest.mark.parametrize("values", [{}, {"ActivityDate": None}, {"ActivityDate": "2026-11-20", "IsAllDayEvent": False}])
def test_a_new_event_without_a_date_is_refused_for_itself_alone(values: Mapping[str, Any]) -> None:
    with pytest.raises(DataError, match="map"):
        times_of_new(values, default_minutes=30)


@pytest.mark.parametrize(
    ("now", "values", "changed", "sent"),
    [
        (TIMED, {"Subject": "x"}, {"Subject"}, {}),
        (TIMED, {"StartDateTime": NOON}, {"StartDateTime"}, {"StartDateTime": NOON, "DurationInMinutes": 45}),
        (
            TIMED,
            {"StartDateTime": NOON, "ActivityDate": "2026-11-21"},
            {"StartDateTime", "ActivityDate"},
            {"StartDateTime": NOON, "DurationInMinutes": 45},
        ),
        (
            TIMED,
            {"ActivityDate": "2026-11-25"},
            {"ActivityDate"},
            {"StartDateTime": "2026-11-25T10:00:00.000Z", "DurationInMinutes": 45},
        ),
        (TIMED, {"EndDateTime": NOON}, {"EndDateTime"}, {"EndDateTime": NOON}),
        (TIMED, {"DurationInMinutes": 60}, {"DurationInMinutes"}, {"DurationInMinutes": 60}),
        (
            TIMED,
            {"StartDateTime": ELEVEN, "EndDateTime": NOON},
            {"StartDateTime"},
            {"StartDateTime": ELEVEN, "EndDateTime": NOON},
        ),
        (
            TIMED,
            {"StartDateTime": ELEVEN, "DurationInMinutes": 60},
            {"StartDateTime", "DurationInMinutes"},
            {"StartDateTime": ELEVEN, "DurationInMinutes": 60},
        ),
        (TIMED, {"StartDateTime": None, "ActivityDate": None}, {"StartDateTime", "ActivityDate"}, {}),
        (
            ALL_DAY,
            {"ActivityDate": "2026-11-25"},
            {"ActivityDate"},
            {"IsAllDayEvent": True, "ActivityDate": "2026-11-25"},
        ),
        (
            THREE_DAYS,
            {"ActivityDate": "2026-11-25"},
            {"ActivityDate"},
            {"IsAllDayEvent": True, "ActivityDate": "2026-11-25", "DurationInMinutes": 4320},
        ),
        (ALL_DAY, {"StartDateTime": TEN}, {"StartDateTime"}, {"IsAllDayEvent": True, "ActivityDate": "2026-11-20"}),
        (
            ALL_DAY,
            {"StartDateTime": TEN, "IsAllDayEvent": False},
            {"IsAllDayEvent"},
            {"IsAllDayEvent": False, "StartDateTime": TEN, "DurationInMinutes": 30},
        ),
        (
            TIMED,
            {"IsAllDayEvent": True},
            {"IsAllDayEvent"},
            {"IsAllDayEvent": True, "ActivityDate": "2026-11-20"},
        ),
        (
            EventTimes(False),
            {"ActivityDate": "2026-11-25", "StartDateTime": NOON},
            {"StartDateTime"},
            {"StartDateTime": NOON, "DurationInMinutes": 30},
        ),
    ],
)
def test_an_event_that_is_moved_stays_what_it_is(
    now: EventTimes, values: Mapping[str, Any], changed: set[str], sent: Mapping[str, Any]
) -> None:
    assert times_of_changed(values, changed, now, default_minutes=30) == sent


def test_an_event_of_the_whole_day_does_not_become_a_timed_one_without_a_start() -> None:
    with pytest.raises(DataError, match="StartDateTime"):
        times_of_changed({"IsAllDayEvent": False}, {"IsAllDayEvent"}, ALL_DAY, default_minutes=30)


def test_times_survive_being_kept_beside_a_key() -> None:
    for times in (TIMED, ALL_DAY, EventTimes(False)):
        assert EventTimes.of_extra(times.as_extra(), {}) == times
    assert EventTimes.of_extra({}, {"StartDateTime": TEN}) == EventTimes(False)
    assert EventTimes.of_extra({}, {"ActivityDate": "2026-11-20"}) == EventTimes(True)


@pytest.fixture(params=["keep_duration", "keep_end"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    sandbox = make_sandbox()
    switch(sandbox, moved_event=request.param)
    return sandbox


def write(sandbox: Sandbox, target: SalesforceTarget, values: Mapping[str, Any]) -> RecordKey:
    (verdict,) = target.write([Write(Operation.CREATE, None, accounts(sandbox)[0], values)])
    assert verdict.error is None
    assert verdict.key is not None
    return verdict.key


def move(target: SalesforceTarget, key: RecordKey, values: Mapping[str, Any]) -> None:
    """As a run does it: look at the record, then send what differs."""
    held = target.read_keys([key])[key.key]
    assert held is not None
    changed = frozenset(name for name, value in values.items() if held.values.get(name) != value)
    address = replace(key, extra=held.extra)
    (verdict,) = target.write([Write(Operation.UPDATE, address, key.account_id, {**held.values, **values}, changed)])
    assert verdict.error is None


def test_a_double_mapping_makes_a_timed_event_that_can_be_moved(sandbox: Sandbox) -> None:
    target = SalesforceTarget(client_on(sandbox), EventOptions(duration_minutes=25), ["ActivityDate", "StartDateTime"])
    key = write(sandbox, target, {"ActivityDate": "2026-11-21", "StartDateTime": "2026-11-20T23:30:00.000Z"})
    made = record(sandbox, key.key)
    assert (made["ActivityDate"], made["DurationInMinutes"], made["IsAllDayEvent"]) == ("2026-11-20", 25, False)
    move(target, key, {"ActivityDate": "2026-11-22", "StartDateTime": "2026-11-22T08:00:00.000Z"})
    moved = record(sandbox, key.key)
    assert (moved["StartDateTime"][:16], moved["DurationInMinutes"]) == ("2026-11-22T08:00", 25)


def test_a_date_makes_an_event_of_the_whole_day_that_can_be_moved(sandbox: Sandbox) -> None:
    target = SalesforceTarget(client_on(sandbox), EventOptions(), ["ActivityDate"])
    key = write(sandbox, target, {"ActivityDate": "2026-11-21"})
    move(target, key, {"ActivityDate": "2026-11-24"})
    moved = record(sandbox, key.key)
    assert (moved["ActivityDate"], moved["IsAllDayEvent"], moved["DurationInMinutes"]) == ("2026-11-24", True, 1440)


def test_an_event_to_which_a_person_gave_a_time_keeps_it_when_its_day_changes(sandbox: Sandbox) -> None:
    target = SalesforceTarget(client_on(sandbox), EventOptions(), ["ActivityDate"])
    key = write(sandbox, target, {"ActivityDate": "2026-11-21"})
    timed = {"IsAllDayEvent": False, "StartDateTime": "2026-11-21T15:00:00Z", "DurationInMinutes": 50}
    act(sandbox, "edit_record", id=key.key, fields=timed)
    move(target, key, {"ActivityDate": "2026-11-24"})
    moved = record(sandbox, key.key)
    assert (moved["StartDateTime"][:16], moved["DurationInMinutes"]) == ("2026-11-24T15:00", 50)


def test_a_date_is_never_taken_away(sandbox: Sandbox) -> None:
    target = SalesforceTarget(client_on(sandbox), EventOptions(), ["ActivityDate"])
    key = write(sandbox, target, {"ActivityDate": "2026-11-21"})
    calls = target.calls
    (verdict,) = target.write(
        [Write(Operation.UPDATE, key, key.account_id, {"ActivityDate": None}, frozenset({"ActivityDate"}))]
    )
    assert (verdict.key, verdict.error, target.calls) == (key, None, calls)

"""Touchpoints whose hour is kept in an event's StartDateTime."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.pipeline.remapping import timed
from tests.pipeline.two_way import Sync, make_sync


def in_step(folder: Path) -> Sync:
    sync = make_sync(folder)
    timed(sync)
    sync.round(full=True)
    sync.round(full=True)
    return sync


def hour_of(sync: Sync, touchpoint: str) -> str:
    row = sync.in_totango(touchpoint)
    assert row is not None
    return datetime.fromtimestamp(row["timestamp_ms"] / 1000, UTC).isoformat()


def test_a_touchpoint_that_moves_an_event_of_the_whole_day_keeps_its_own_hour(tmp_path: Path) -> None:
    sync = in_step(tmp_path)
    key = sync.event(ActivityDate="2026-11-18")
    sync.round()
    twin = sync.twin_of(key)
    sync.lab.act("totango", "backdate", note_id=int(twin), to="2026-11-19T15:00:00Z")
    sync.lab.wait(minutes=5)
    assert sync.outbound().statistics.updated == 1
    event = sync.in_salesforce(key)
    assert event is not None
    assert (event["IsAllDayEvent"], event["ActivityDate"]) == (True, "2026-11-19")
    sync.lab.wait(minutes=10)
    assert sync.round() == 0
    assert sync.round(full=True) == 0
    assert hour_of(sync, twin) == "2026-11-19T15:00:00+00:00"

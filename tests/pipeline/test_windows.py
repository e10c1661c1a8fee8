from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from cshub.core.records import RunKind
from cshub.core.window import Window
from cshub.pipeline.run import Asked
from tests.pipeline.cast import meet, touchpoints_of, writes_of
from tests.pipeline.lab import NOW, Lab, Maker
from tests.pipeline.oracle import assert_held, meetings_between

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_backfill_of_three_months_makes_exactly_what_is_missing_and_again_nothing(make_lab: Maker) -> None:
    lab = make_lab(accounts=9, meetings=70)
    lab.sync()
    start = NOW - timedelta(days=90)
    for month in Window(start, NOW).split(timedelta(days=30)):
        lab.sync(RunKind.BACKFILL, asked=Asked(interval=month))
    lab.wait(seconds=30)
    native = {item["external_id"] for item in lab.touchpoints() if item["external_id"]}
    wanted = [item for item in meetings_between(lab.sandbox, start, NOW) if item.id.lower() not in native]
    assert_held(lab.sandbox, wanted)
    before = len(lab.written())
    for month in Window(start, NOW).split(timedelta(days=30)):
        assert lab.sync(RunKind.BACKFILL, asked=Asked(interval=month)).statistics.writes == 0
    assert writes_of(lab, before) == []


def test_a_backfill_reads_its_interval_and_leaves_watermark_and_waiting_records_alone(quiet: Lab) -> None:
    meet(quiet, summary=None)
    quiet.sync()
    mark = quiet.ledger.watermark(quiet.job.id)
    quiet.wait(days=2)
    day = Window(NOW - timedelta(days=30), NOW - timedelta(days=29))
    done = quiet.sync(RunKind.BACKFILL, asked=Asked(interval=day))
    assert (done.extracted.window, done.statistics.read) == (day, 0)
    assert quiet.ledger.watermark(quiet.job.id) == mark


def test_after_an_outage_the_next_run_reads_from_the_watermark_on(quiet: Lab) -> None:
    quiet.sync(RunKind.SCHEDULED, asked=Asked(interval=Window(NOW - timedelta(days=1), NOW)))
    missed = []
    for _ in range(5):
        quiet.wait(days=1)
        missed.append(meet(quiet))
    quiet.wait(hours=1)
    now = quiet.sandbox.clock.now()
    done = quiet.sync(RunKind.SCHEDULED, asked=Asked(interval=Window(now - timedelta(days=1), now)))
    assert done.statistics.created == 5
    assert all(len(touchpoints_of(quiet, item)) == 1 for item in missed)


def test_a_failed_run_does_not_move_the_watermark(quiet: Lab) -> None:
    quiet.sync()
    mark = quiet.ledger.watermark(quiet.job.id)
    quiet.wait(days=1)
    meet(quiet)
    quiet.fault("token_expired", service="totango", only_writes=True)
    with pytest.raises(Exception, match="token is wrong, expired or revoked"):
        quiet.sync()
    assert quiet.ledger.watermark(quiet.job.id) == mark


def test_a_window_that_reaches_into_the_future_does_not_carry_the_watermark_there(quiet: Lab) -> None:
    quiet.sync()
    far = Asked(window_start=NOW - timedelta(days=1), window_end=NOW + timedelta(days=30))
    quiet.wait(minutes=1)
    quiet.sync(asked=far)
    assert quiet.ledger.watermark(quiet.job.id) == NOW + timedelta(minutes=1)
    quiet.wait(days=3)
    item = meet(quiet)
    quiet.wait(days=3)
    quiet.sync()
    assert len(touchpoints_of(quiet, item)) == 1


@pytest.mark.parametrize("day", [datetime(2026, 3, 29), datetime(2026, 10, 25)], ids=["spring", "autumn"])
def test_over_a_change_of_the_clocks_no_meeting_is_missed_or_doubled(make_lab: Maker, day: datetime) -> None:
    nights = [(day + timedelta(days=shift)).replace(hour=23, tzinfo=BERLIN).astimezone(UTC) for shift in (-2, -1, 0, 1)]
    lab = make_lab(meetings=0, cases=False, now=nights[0])
    lab.sync(RunKind.SCHEDULED, asked=Asked(interval=Window(nights[0] - timedelta(days=1), nights[0])))
    for start, end in pairwise(nights):
        lab.sandbox.clock.set(end)
        for hour in range(int((end - start) / timedelta(hours=1))):
            begins = start + timedelta(hours=hour)
            meet(lab, starts_at=begins.isoformat(), duration_s=600.0, subject=f"At {begins:%d %H}")
        done = lab.sync(RunKind.SCHEDULED, asked=Asked(interval=Window(start, end)))
        assert done.statistics.created == int((end - start) / timedelta(hours=1))
    assert_held(lab.sandbox, lab.sandbox.service("chorus").records.by_id.values())


def test_a_full_sync_makes_what_old_windows_missed_and_repeats_nothing(quiet: Lab) -> None:
    old = meet(quiet, starts_at=(NOW - timedelta(days=60)).isoformat())
    new = meet(quiet)
    quiet.sync()
    assert (len(touchpoints_of(quiet, old)), len(touchpoints_of(quiet, new))) == (0, 1)
    quiet.wait(minutes=10)
    assert quiet.sync(asked=Asked(full_sync=True)).statistics.created == 1
    assert len(touchpoints_of(quiet, old)) == 1
    before = len(quiet.written())
    quiet.sync(asked=Asked(full_sync=True))
    assert writes_of(quiet, before) == []


def test_a_meeting_that_becomes_visible_after_its_window_was_read_is_still_found(quiet: Lab) -> None:
    quiet.sync()
    quiet.wait(hours=3)
    late = meet(quiet, starts_at=(NOW - timedelta(hours=2)).isoformat())
    quiet.sync()
    assert len(touchpoints_of(quiet, late)) == 1


def test_a_search_that_lags_a_minute_costs_no_second_write(quiet: Lab) -> None:
    quiet.sandbox.service("totango").switches.search_lag_s = 60
    meet(quiet, summary=None)
    quiet.sync()
    before = len(quiet.written())
    quiet.sync()
    quiet.sync()
    assert writes_of(quiet, before) == []
    quiet.wait(minutes=10)
    quiet.sync()
    assert writes_of(quiet, before) == []


@pytest.mark.parametrize("skew_s", [-600.0, 600.0])
def test_clocks_ten_minutes_apart_cost_no_second_write_and_no_edit(quiet: Lab, skew_s: float) -> None:
    quiet.sandbox.service("totango").switches.clock_skew_s = skew_s
    item = meet(quiet)
    quiet.sync()
    quiet.wait(minutes=1)
    before = len(quiet.written())
    quiet.sync()
    assert writes_of(quiet, before) == []
    [held] = touchpoints_of(quiet, item)
    quiet.act("totango", "edit_touchpoint", note_id=held["note_id"], content="Words of a user.")
    quiet.act("chorus", "edit_meeting", id=item.id, summary="The source goes on.")
    quiet.wait(minutes=10)
    quiet.sync()
    [held] = touchpoints_of(quiet, item)
    assert held["content"] == "Words of a user."

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.pipeline.cast import case, meet, touchpoint_of, touchpoints_of, writes_of
from tests.pipeline.lab import Lab, Maker
from tests.pipeline.oracle import assert_held, made_by_hub, recent, summary_of, words


@pytest.mark.parametrize("seed", [1, 2])
def test_the_first_run_makes_every_eligible_meeting_of_seven_days_a_touchpoint(make_lab: Maker, seed: int) -> None:
    lab = make_lab(seed=seed, accounts=12, meetings=60)
    statistics = lab.sync().statistics
    assert_held(lab.sandbox, recent(lab.sandbox))
    assert statistics.created == len(made_by_hub(lab.sandbox)) == len(lab.written())
    assert statistics.is_green


def test_the_second_run_writes_nothing(lab: Lab) -> None:
    first = lab.sync()
    written = len(lab.written())
    lab.wait(seconds=20)
    second = lab.sync()
    assert len(lab.written()) == written == first.statistics.created
    assert second.statistics.writes == 0


def test_what_is_left_out_is_counted_under_its_reason(lab: Lab) -> None:
    statistics = lab.sync().statistics
    kinds = [item.kind.value for item in recent(lab.sandbox) if not item.private]
    assert statistics.skipped == {
        "email": kinds.count("email"),
        "no_show": kinds.count("no_show"),
        "unrecorded": kinds.count("unrecorded"),
    }
    assert statistics.read == len(kinds)
    assert all(len(touchpoints_of(lab, call)) == 1 for call in case(lab, "call"))


def test_private_meetings_are_never_seen(lab: Lab) -> None:
    lab.sync()
    assert [touchpoints_of(lab, item) for item in case(lab, "private")] == [[], []]


def test_a_summary_that_comes_minutes_later_fills_the_empty_touchpoint(lab: Lab) -> None:
    lab.sync()
    late = case(lab, "summary_late_by_minutes")
    assert all(touchpoint_of(lab, item)["content"] == "" for item in late)
    lab.wait(minutes=20)
    statistics = lab.sync().statistics
    assert statistics.updated == len(late)
    assert_held(lab.sandbox, recent(lab.sandbox, days=7 + 20 / 1440))


def test_a_summary_that_comes_weeks_later_fills_the_touchpoint_though_no_window_reaches_it(lab: Lab) -> None:
    lab.sync()
    late = case(lab, "summary_late_by_weeks")
    start = lab.sandbox.clock.now() - timedelta(days=7)
    for _ in range(5):
        lab.wait(days=5)
        lab.sync()
    assert all(words(touchpoint_of(lab, item)["content"]) == words(summary_of(lab.sandbox, item)) for item in late)
    held = [item for item in recent(lab.sandbox, days=40) if item.starts_at >= start]
    assert_held(lab.sandbox, held)


def test_a_meeting_that_never_gets_a_summary_stays_empty_and_costs_no_write(lab: Lab) -> None:
    lab.sync()
    lab.wait(minutes=30)
    lab.sync()
    written = len(lab.written())
    lab.wait(hours=1)
    assert lab.sync().statistics.writes == 0
    assert len(lab.written()) == written
    assert all(touchpoint_of(lab, item)["content"] == "" for item in case(lab, "summary_never"))


def test_an_empty_touchpoint_is_asked_for_until_the_limit_in_days_is_over(quiet: Lab) -> None:
    slow = meet(quiet, summary=None)
    quiet.sync()
    days = quiet.job.window.pending_days
    quiet.wait(days=3)
    quiet.sync()
    quiet.wait(days=days - 4)
    assert quiet.sync().extracted.by_origin == {"pending": 1}
    quiet.wait(days=2)
    quiet.act("chorus", "finish_summary", id=slow.id)
    assert quiet.sync().extracted.by_origin == {}


def test_content_beyond_the_limit_is_cut_with_a_marker_and_counted(lab: Lab) -> None:
    [long] = case(lab, "long_summary")
    statistics = lab.sync().statistics
    content = touchpoint_of(lab, long)["content"]
    assert 11_900 < len(content) <= 12_000
    assert content.endswith("[cut]")
    assert statistics.warnings["content_cut"] == 1


def test_a_summary_in_html_arrives_as_text_and_wrapped_html_where_the_job_says_so(lab: Lab) -> None:
    [first, *_] = case(lab, "html_summary")
    lab.sync()
    plain = touchpoint_of(lab, first)
    assert not plain["formatted"]
    assert "<" not in plain["content"]


def test_content_as_html_is_wrapped_and_a_second_run_leaves_it_alone(quiet: Lab) -> None:
    item = meet(quiet, summary="Budget <b>open</b>.<br>Next: pilot.")
    quiet.configure_target(content_format="html")
    quiet.sync()
    held = touchpoint_of(quiet, item)
    assert held["formatted"]
    assert held["content"].startswith('<div class="html-parser-container">')
    assert words(held["content"]) == ("Budget", "open", "Next", "pilot")
    quiet.wait(hours=1)
    assert quiet.sync().statistics.writes == 0


def test_every_touchpoint_asks_other_jobs_not_to_sync_it(lab: Lab) -> None:
    lab.sync()
    assert {item["disable_sync"] for item in made_by_hub(lab.sandbox)} == {True}


def test_flow_type_and_reasons_are_given_by_name(quiet: Lab) -> None:
    state = quiet.sandbox.service("totango").state()
    flow = next(item for item in state["flows"] if not item.get("disabled"))
    kind, reason = state["touchpoint_types"][0], state["touchpoint_tags"][0]
    quiet.configure_target(flow=flow["name"], touchpoint_type=_name(kind).upper(), reasons=[_name(reason)])
    item = meet(quiet)
    quiet.sync()
    held = touchpoint_of(quiet, item)
    assert held["activity_type_id"] == flow["id"]
    assert held["touchpoint_type"] == kind["id"]
    assert held["tags"] == [reason["id"]]


def _name(entry: dict[str, str]) -> str:
    return entry.get("display_name") or entry["name"]


def test_an_owner_unknown_to_totango_is_kept_as_the_author(lab: Lab) -> None:
    [item] = case(lab, "owner_unknown_to_totango")
    lab.sync()
    assert touchpoint_of(lab, item)["created_by"] == item.owner.person.email


def test_a_touchpoint_that_the_native_job_imported_is_adopted_not_made_again(make_lab: Maker) -> None:
    lab = make_lab(accounts=12, meetings=300)
    held = lab.sandbox.service("totango").state()["touchpoints"]
    native = {item["external_id"]: item for item in held if item["external_id"]}
    meetings = [item for item in lab.sandbox.world.meetings if item.id.lower() in native]
    assert len(meetings) >= 3
    first, last = min(item.starts_at for item in meetings), max(item.starts_at for item in meetings)
    lab.backfill(first, last + timedelta(seconds=1))
    assert not any(touchpoints_of(lab, item) for item in meetings)
    links = lab.ledger.links(lab.new_run().pair, [item.id for item in meetings])
    adopted = {links[item.id].target_key for item in meetings if item.id in links}
    assert adopted <= {str(item["note_id"]) for item in native.values()}
    assert len(adopted) >= 3
    before = len(lab.written())
    lab.backfill(first, last + timedelta(seconds=1))
    assert writes_of(lab, before) == []


def test_what_a_user_deleted_in_totango_is_never_made_again(quiet: Lab) -> None:
    item = meet(quiet, summary=None)
    quiet.sync()
    quiet.act("totango", "delete_touchpoint", note_id=touchpoint_of(quiet, item)["note_id"])
    quiet.wait(minutes=10)
    quiet.act("chorus", "finish_summary", id=item.id)
    assert quiet.sync().statistics.skipped == {"deleted_in_target": 1}
    quiet.wait(hours=2)
    quiet.sync()
    assert touchpoints_of(quiet, item) == []


@pytest.mark.parametrize("action", ["delete_meeting", "make_private"])
def test_a_meeting_that_is_gone_from_chorus_leaves_its_touchpoint_alone(quiet: Lab, action: str) -> None:
    filled, empty = meet(quiet), meet(quiet, summary=None, ended_ago_s=900)
    quiet.sync()
    before = len(quiet.written())
    for item in (filled, empty):
        quiet.act("chorus", action, id=item.id)
    quiet.wait(hours=1)
    statistics = quiet.sync().statistics
    assert statistics.skipped == {"source_not_readable": 1}
    assert writes_of(quiet, before) == []
    assert len(made_by_hub(quiet.sandbox)) == 2

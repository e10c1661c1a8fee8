"""The list of engagements: pages, windows, filters, visibility, and the life of a summary."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest

from cshub_sandbox.world import MeetingKind

from .conftest import NOW, ChorusCalls

LIST = "/v3/engagements"


def walk(chorus: ChorusCalls, **parameters: Any) -> list[dict[str, Any]]:
    """All pages, ended as a careful client ends them."""
    rows: list[dict[str, Any]] = []
    key: str | None = None
    for _ in range(100):
        sent = {**parameters, **({"continuation_key": key} if key else {})}
        page = chorus.get(f"{LIST}?{urlencode(sent)}")
        rows += page["engagements"]
        following = page.get("continuation_key")
        if not following or not following.strip() or following == key or not page["engagements"]:
            return rows
        key = following
    raise AssertionError("the list has no end")


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["engagement_id"] for row in rows]


def visible(chorus: ChorusCalls) -> set[str]:
    return {m.id for m in chorus.sandbox.world.meetings if not m.private and m.starts_at <= NOW}


@pytest.mark.parametrize("end", ["space", "empty", "null", "missing", "extra_empty_page", "repeated_key"])
@pytest.mark.parametrize("page_size", [7, 100])
def test_every_form_of_the_end_gives_each_engagement_once_newest_first(
    chorus: ChorusCalls, end: str, page_size: int
) -> None:
    chorus.service.switches.end_of_list = end  # type: ignore[assignment]
    chorus.service.switches.page_size = page_size
    rows = walk(chorus)
    assert len(rows) == len(set(ids(rows)))
    assert set(ids(rows)) == visible(chorus)
    assert [row["date_time"] for row in rows] == sorted((row["date_time"] for row in rows), reverse=True)


@pytest.mark.parametrize(
    ("end", "expected"),
    [("space", " "), ("empty", ""), ("null", None)],
)
def test_the_last_page_says_that_it_is_the_last(chorus: ChorusCalls, end: str, expected: str | None) -> None:
    chorus.service.switches.end_of_list = end  # type: ignore[assignment]
    chorus.service.switches.page_size = 1000
    assert chorus.get(LIST)["continuation_key"] == expected


def test_the_missing_end_leaves_the_key_out_and_the_extra_page_is_empty(chorus: ChorusCalls) -> None:
    switches = chorus.service.switches
    switches.page_size = 1000
    switches.end_of_list = "missing"  # type: ignore[assignment]
    assert "continuation_key" not in chorus.get(LIST)
    switches.end_of_list = "extra_empty_page"  # type: ignore[assignment]
    key = chorus.get(LIST)["continuation_key"]
    assert chorus.get(f"{LIST}?continuation_key={quote(key)}")["engagements"] == []


def test_a_page_has_a_hundred_rows_whatever_limit_is_asked_for(make_chorus: Callable[..., ChorusCalls]) -> None:
    chorus = make_chorus(meetings=250)
    page = chorus.get(f"{LIST}?limit=5")
    assert len(page["engagements"]) == 100
    last = page["engagements"][-1]
    assert page["continuation_key"] == f"{last['date_time']} {last['engagement_id']}"


def test_a_key_that_the_list_never_gave_out_is_refused(chorus: ChorusCalls) -> None:
    reply = chorus.send("GET", f"{LIST}?continuation_key=rubbish")
    assert reply.status == 400
    assert orjson.loads(reply.body)["errors"][0]["source"] == {"parameter": "continuation_key"}


def test_engagements_at_the_same_second_are_split_over_pages_without_loss(
    make_chorus: Callable[..., ChorusCalls],
) -> None:
    chorus = make_chorus(meetings=0, cases=False)
    chorus.service.switches.page_size = 4
    added = {chorus.service.act("add_meeting", {"starts_at": "2026-11-20T09:00:00Z"})["id"] for _ in range(10)}
    assert set(ids(walk(chorus))) == added


def test_a_window_includes_both_ends_and_the_switch_excludes_the_upper(chorus: ChorusCalls) -> None:
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    added = chorus.service.act("add_meeting", {"starts_at": at.isoformat()})["id"]
    window = {"min_date": "2026-11-20T09:00:00Z", "max_date": "2026-11-20T09:00:00Z"}
    assert added in ids(walk(chorus, **window))
    chorus.service.switches.max_date = "exclusive"  # type: ignore[assignment]
    assert added not in ids(walk(chorus, **window))


@pytest.mark.parametrize(
    "form",
    [
        "2026-11-20T09:00:00Z",
        "2026-11-20T09:00:00.000Z",
        "2026-11-20T10:00:00+01:00",
        "2026-11-20T09:00:00",
        "1795165200",
        "1795165200.0",
    ],
)
def test_a_date_may_have_any_form_that_callers_use(chorus: ChorusCalls, form: str) -> None:
    start = datetime(2026, 11, 20, 9, tzinfo=UTC).timestamp()
    rows = walk(chorus, min_date=form)
    expected = {m.id for m in chorus.sandbox.world.meetings if start <= m.starts_at.timestamp() <= NOW.timestamp()}
    assert set(ids(rows)) == expected & visible(chorus)


@pytest.mark.parametrize("name", ["min_date", "max_date"])
def test_a_date_that_is_no_date_is_refused_by_name(chorus: ChorusCalls, name: str) -> None:
    reply = chorus.send("GET", f"{LIST}?{name}=yesterday")
    assert reply.status == 400
    assert orjson.loads(reply.body)["errors"][0]["source"] == {"parameter": name}


def test_unknown_parameters_are_ignored(chorus: ChorusCalls) -> None:
    assert ids(walk(chorus, account_name="x", object_type="y")) == ids(walk(chorus))


def test_filters_hold_together(chorus: ChorusCalls) -> None:
    meetings = {m.id: m for m in chorus.sandbox.world.meetings}
    types = {
        "meeting": (MeetingKind.RECORDED, MeetingKind.NO_SHOW),
        "dialer": (MeetingKind.CALL,),
        "email": (MeetingKind.EMAIL,),
        "unrecorded_meeting": (MeetingKind.UNRECORDED,),
        "content_viewed": (),
    }
    for name, kinds in types.items():
        found = set(ids(walk(chorus, engagement_type=name)))
        assert found == {i for i in visible(chorus) if meetings[i].kind in kinds}, name
    some = next(iter(visible(chorus)))
    owner, guest = meetings[some].owner, meetings[some].attendees[-1]
    assert all(row["user_id"] == owner.chorus_user_id for row in walk(chorus, user_id=owner.chorus_user_id))
    assert some in ids(walk(chorus, user_id=f"{owner.chorus_user_id},1", team_id=owner.team_id))
    if guest.email:
        assert some in ids(walk(chorus, participants_email=guest.email.swapcase()))
    assert all(600 <= row["duration"] <= 900 for row in walk(chorus, min_duration=600, max_duration=900))
    assert {row["compliance"] for row in walk(chorus, compliance="COMPLIANT")} == {"compliant"}
    assert {row["engagement_type"] for row in walk(chorus, disposition_connected="true")} == {"dialer"}
    assert walk(chorus, content_type="form") == []


def test_engagements_are_fetched_by_id_and_unknown_ids_are_left_out(chorus: ChorusCalls) -> None:
    wanted = sorted(visible(chorus))[:3]
    assert set(ids(walk(chorus, engagement_id=",".join([*wanted, "0" * 32])))) == set(wanted)


def test_an_unknown_type_is_refused_or_ignored_by_switch(chorus: ChorusCalls) -> None:
    assert chorus.send("GET", f"{LIST}?engagement_type=lunch").status == 400
    chorus.service.switches.unknown_engagement_type = "ignore"  # type: ignore[assignment]
    assert ids(walk(chorus, engagement_type="lunch")) == ids(walk(chorus))


def test_private_meetings_are_never_listed_and_answer_404(chorus: ChorusCalls) -> None:
    private = chorus.sandbox.world.cases["private"][0]
    assert private not in ids(walk(chorus))
    assert private not in ids(walk(chorus, engagement_id=private))
    assert chorus.send("GET", f"/api/v1/conversations/{private}").status == 404


def test_a_restricted_token_sees_only_its_owners_meetings(chorus: ChorusCalls) -> None:
    token = chorus.service.restricted_token
    member = chorus.service.tokens[token].member
    page = chorus.get(LIST, authorization=f"Bearer {token}")
    assert page["engagements"]
    assert {row["user_email"] for row in page["engagements"]} == {member.person.email}
    other = next(m for m in chorus.sandbox.world.meetings if m.owner is not member and not m.private)
    assert chorus.send("GET", f"/api/v1/conversations/{other.id}", headers={"authorization": token}).status == 404


def test_future_meetings_are_hidden_until_the_switch_lists_them(chorus: ChorusCalls) -> None:
    future = {m.id for m in chorus.sandbox.world.meetings if m.starts_at > NOW}
    assert future and not future & set(ids(walk(chorus)))
    chorus.service.switches.future_meetings = "listed"  # type: ignore[assignment]
    listed = {row["engagement_id"]: row["processing_state"] for row in walk(chorus)}
    assert {listed[i] for i in future} == {"scheduled"}


def test_a_summary_arrives_as_time_goes_by(make_chorus: Callable[..., ChorusCalls]) -> None:
    chorus = make_chorus(meetings=0, cases=False)
    start = {"starts_at": (NOW + timedelta(minutes=10)).isoformat(), "duration_s": 600, "ready_in_s": 3600}
    identifier = chorus.service.act("add_meeting", {**start, "action_items": ["Write"]})["id"]

    def look(after_minutes: float) -> tuple[str, str | None, list[str]] | None:
        chorus.sandbox.clock.set(NOW + timedelta(minutes=after_minutes))
        rows = walk(chorus)
        if not rows:
            return None
        detail = chorus.get(f"/api/v1/conversations/{identifier}")["data"]["attributes"]
        assert detail["summary"] == rows[0]["meeting_summary"]
        assert detail["recording"]["has_meeting_summary"] is (detail["summary"] is not None)
        return rows[0]["processing_state"], rows[0]["meeting_summary"], rows[0]["action_items"]

    assert look(5) is None
    assert look(15) == ("live", None, [])
    assert look(21) == ("processing", None, [])
    assert look(50) == ("done", None, [])
    assert look(61) == ("done", "The team agreed on the next steps.", ["Write"])


def test_while_there_is_no_summary_its_members_are_null_or_absent_by_switch(chorus: ChorusCalls) -> None:
    late = chorus.sandbox.world.cases["summary_late_by_weeks"][0]
    row = walk(chorus, engagement_id=late)[0]
    assert row["meeting_summary"] is None and row["action_items"] == []
    chorus.service.switches.blank_summary = "absent"  # type: ignore[assignment]
    row = walk(chorus, engagement_id=late)[0]
    assert "meeting_summary" not in row and "action_items" not in row


def test_the_failing_switch_turns_coming_summaries_into_errors(chorus: ChorusCalls) -> None:
    late = chorus.sandbox.world.cases["summary_late_by_minutes"][1]
    chorus.service.switches.summaries = "fail"  # type: ignore[assignment]
    chorus.sandbox.clock.set(NOW + timedelta(hours=1))
    detail = chorus.get(f"/api/v1/conversations/{late}")["data"]["attributes"]
    assert detail["summary"] is None and detail["summary_error"]


def test_processing_and_no_show_use_the_words_that_the_switches_say(chorus: ChorusCalls) -> None:
    world, switches = chorus.sandbox.world, chorus.service.switches
    running, absent = world.cases["summary_late_by_minutes"][0], world.cases["no_show"][0]

    def word(identifier: str) -> str:
        state: str = walk(chorus, engagement_id=identifier)[0]["processing_state"]
        return state

    assert (word(running), word(absent)) == ("processing", "done")
    switches.processing_word = "novel"  # type: ignore[assignment]
    switches.no_show_state = "no_show"  # type: ignore[assignment]
    assert (word(running), word(absent)) == ("enriching", "no show")


def test_account_ids_are_as_the_crm_has_them_short_or_empty(chorus: ChorusCalls) -> None:
    world = chorus.sandbox.world
    meetings = {m.id: m for m in world.meetings}
    short, unlinked = world.cases["short_account_id"][0], world.cases["no_account"][0]
    account = meetings[short].account
    assert account is not None
    assert walk(chorus, engagement_id=short)[0]["account_id"] == account.crm_id[:15]
    row = walk(chorus, engagement_id=unlinked)[0]
    assert (row["account_id"], row["account_name"]) == ("", f"{row['user_name']} Meetings")
    assert chorus.get(f"/api/v1/conversations/{unlinked}")["data"]["attributes"]["account"]["ext_id"] is None


def test_an_attendee_without_email_has_no_email_member(chorus: ChorusCalls) -> None:
    row = walk(chorus, engagement_id=chorus.sandbox.world.cases["attendee_without_email"][0])[0]
    assert "email" not in row["participants"][-1]


def test_trackers_come_only_when_asked_for(chorus: ChorusCalls) -> None:
    assert all("tracker_matches" not in row for row in walk(chorus))
    matches = [match for row in walk(chorus, with_trackers="true") for match in row["tracker_matches"]]
    assert {match["type"] for match in matches} == {"chorus", "custom", "competitor"}

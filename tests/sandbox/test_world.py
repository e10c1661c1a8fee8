"""The world: the same from the same seed, believable, and with every wanted case."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from cshub_sandbox.salesforce_ids import is_valid_18, to_18
from cshub_sandbox.world import Meeting, MeetingKind, World
from cshub_sandbox.world_builder import CASES, build_world

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def last_week(world: World) -> list[Meeting]:
    return [meeting for meeting in world.meetings if world.now - WEEK <= meeting.starts_at < world.now]


def case(world: World, name: str) -> list[Meeting]:
    wanted = set(world.cases[name])
    return [meeting for meeting in world.meetings if meeting.id in wanted]


@pytest.fixture(scope="module", params=[(8, 20), (40, 400)], ids=["small", "demo"])
def world(request: pytest.FixtureRequest) -> World:
    accounts, meetings = request.param
    return build_world(3, accounts=accounts, meetings=meetings, now=NOW)


def test_the_same_seed_and_time_give_the_same_world_and_another_seed_another() -> None:
    first = build_world(5, accounts=10, meetings=80, now=NOW)
    assert first == build_world(5, accounts=10, meetings=80, now=NOW)
    assert first != build_world(6, accounts=10, meetings=80, now=NOW)


@pytest.mark.parametrize("now", [NOW, NOW + timedelta(days=2, hours=9), datetime(2026, 1, 4, 3, tzinfo=UTC)])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_demo_has_about_a_hundred_recorded_meetings_with_summary_in_the_last_week(seed: int, now: datetime) -> None:
    world = build_world(seed, now=now)
    ready = [
        meeting
        for meeting in last_week(world)
        if meeting.kind is MeetingKind.RECORDED
        and not meeting.private
        and meeting.summary_ready_at is not None
        and meeting.summary_ready_at <= now
    ]
    assert 90 <= len(ready) <= 110
    assert len(world.meetings) == 400


def test_ids_are_unique_and_account_ids_are_valid_salesforce_ids(world: World) -> None:
    assert len({meeting.id for meeting in world.meetings}) == len(world.meetings)
    assert all(len(meeting.id) == 32 and set(meeting.id) <= set("0123456789ABCDEF") for meeting in world.meetings)
    assert len({account.crm_id for account in world.accounts}) == len(world.accounts)
    assert all(is_valid_18(account.crm_id) and account.crm_id.startswith("001") for account in world.accounts)


def test_the_checksum_of_a_known_salesforce_id_is_right() -> None:
    assert to_18("001A0000006Vm9r") == "001A0000006Vm9rIAC"


def test_every_wanted_case_is_there_in_the_last_six_days(world: World) -> None:
    assert {name: len(ids) for name, ids in world.cases.items()} == {case.name: case.count for case in CASES}
    for name in world.cases:
        assert all(world.now - timedelta(days=6) <= meeting.starts_at < world.now for meeting in case(world, name)), (
            name
        )


def test_exactly_one_meeting_has_neither_subject_nor_summary_and_will_never_have(world: World) -> None:
    poison = [meeting for meeting in world.meetings if not meeting.subject]
    assert [meeting.id for meeting in poison] == world.cases["poison"]
    assert poison[0].summary_ready_at is None and poison[0].account is not None and poison[0].account.in_totango


def test_late_summaries_come_minutes_or_weeks_after_the_world_was_made(world: World) -> None:
    minutes = [m.summary_ready_at for m in case(world, "summary_late_by_minutes")]
    weeks = [m.summary_ready_at for m in case(world, "summary_late_by_weeks")]
    assert all(at is not None and world.now < at <= world.now + timedelta(minutes=15) for at in minutes)
    assert all(at is not None and world.now + timedelta(days=1) < at for at in weeks)


def test_each_case_shows_what_its_name_says(world: World) -> None:
    assert all(m.summary_ready_at is None for m in case(world, "summary_never"))
    assert {m.kind for m in case(world, "unrecorded")} == {MeetingKind.UNRECORDED}
    assert {m.kind for m in case(world, "no_show")} == {MeetingKind.NO_SHOW}
    assert {m.kind for m in case(world, "call")} == {MeetingKind.CALL}
    assert {m.kind for m in case(world, "email")} == {MeetingKind.EMAIL}
    assert all(m.private for m in case(world, "private"))
    assert all(m.account is None for m in case(world, "no_account"))
    assert all(m.account and not m.account.in_totango for m in case(world, "account_not_in_totango"))
    assert all(m.account and m.account.totango_id != m.account.crm_id for m in case(world, "account_by_foreign_key"))
    assert all(m.account and m.account.short_id_in_chorus for m in case(world, "short_account_id"))
    assert all("<br>" in (m.summary or "") and "&amp;" in (m.summary or "") for m in case(world, "html_summary"))
    assert all(len(m.summary or "") > 12_000 for m in case(world, "long_summary"))
    assert all(m.attendees[-1].email.isupper() for m in case(world, "upper_case_email"))
    assert all(m.account and m.attendees[-1] in m.account.strangers for m in case(world, "stranger"))
    assert all(m.attendees[-1].email == "" for m in case(world, "attendee_without_email"))
    assert all(not m.subject.isascii() and not (m.summary or "").isascii() for m in case(world, "unicode"))
    assert all(m.owner.totango_status is None for m in case(world, "owner_unknown_to_totango"))


def test_meetings_gather_in_the_working_hours_of_workdays() -> None:
    world = build_world(1, now=NOW)
    office = Counter(m.starts_at.weekday() < 5 and 7 <= m.starts_at.hour < 18 for m in world.meetings)
    assert office[True] > 0.9 * len(world.meetings)


def test_history_reaches_back_120_days_and_some_meetings_are_still_to_come() -> None:
    world = build_world(1, now=NOW)
    assert NOW - timedelta(days=120) <= world.meetings[0].starts_at < NOW - timedelta(days=110)
    assert NOW < world.meetings[-1].starts_at <= NOW + timedelta(days=5)


def test_speakers_attend_and_lines_stay_within_the_meeting(world: World) -> None:
    for meeting in world.meetings:
        attending = {person.email for person in meeting.attendees}
        assert {line.speaker_email for line in meeting.utterances} <= attending
        assert all(line.offset_s + line.length_s <= meeting.ends_at.timestamp() for line in meeting.utterances)


def test_a_world_without_cases_has_exactly_the_wanted_number_of_meetings() -> None:
    assert len(build_world(1, accounts=8, meetings=10, now=NOW, cases=False).meetings) == 10
    assert build_world(1, accounts=8, meetings=0, now=NOW, cases=False).meetings == []


def test_sizes_that_cannot_be_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="accounts must be 8 or more"):
        build_world(1, accounts=3, now=NOW)
    with pytest.raises(ValueError, match="time zone"):
        build_world(1, now=datetime(2026, 1, 1))

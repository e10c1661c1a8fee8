"""Edits that users of Chorus make, through the simulated service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from cshub_sandbox.chorus.actions import ACTIONS

from .conftest import NOW, ChorusCalls


@pytest.fixture
def chorus(make_chorus: Callable[..., ChorusCalls]) -> ChorusCalls:
    return make_chorus(meetings=0, cases=False)


@pytest.fixture
def meeting(chorus: ChorusCalls) -> str:
    identifier: str = chorus.service.act("add_meeting", {"subject": "One"})["id"]
    return identifier


def row(chorus: ChorusCalls, identifier: str) -> dict[str, object] | None:
    rows = chorus.get(f"/v3/engagements?engagement_id={identifier}")["engagements"]
    return rows[0] if rows else None


def test_an_added_meeting_has_ended_and_has_its_summary(chorus: ChorusCalls, meeting: str) -> None:
    found = row(chorus, meeting)
    assert found is not None
    assert found["date_time"] == (NOW - timedelta(seconds=1920)).timestamp()
    assert found["meeting_summary"] and found["subject"] == "One"


def test_an_added_meeting_takes_every_argument(chorus: ChorusCalls) -> None:
    owner = chorus.service.people.users()[1].person.email
    identifier = chorus.service.act(
        "add_meeting",
        {
            "id": "A" * 32,
            "kind": "call",
            "account": None,
            "owner": owner,
            "subject": "",
            "summary": None,
            "starts_at": "2026-11-19T08:00:00Z",
            "duration_s": 60,
            "attendees": [owner, "NEW.Person@else.example"],
        },
    )["id"]
    found = row(chorus, identifier)
    assert found is not None and identifier == "A" * 32
    assert (found["engagement_type"], found["account_id"], found["user_email"]) == ("dialer", "", owner)
    assert (found["meeting_summary"], found["subject"], found["duration"]) == (None, "", 60.0)
    participants = found["participants"]
    assert isinstance(participants, list)
    assert [p["email"] for p in participants] == [owner, "NEW.Person@else.example"]


def test_a_meeting_is_edited_moved_hidden_and_deleted(chorus: ChorusCalls, meeting: str) -> None:
    act, world = chorus.service.act, chorus.sandbox.world
    act("edit_meeting", {"id": meeting, "subject": "Two", "attendees": ["x@else.example"]})
    act("move_account", {"id": meeting, "account": world.accounts[1].crm_id})
    act("change_owner", {"id": meeting, "owner": world.members[1].person.email})
    found = row(chorus, meeting)
    assert found is not None
    assert (found["subject"], found["account_name"]) == ("Two", world.accounts[1].name)
    assert found["user_email"] == world.members[1].person.email
    act("make_private", {"id": meeting})
    assert row(chorus, meeting) is None
    act("make_private", {"id": meeting, "private": False})
    assert row(chorus, meeting) is not None
    act("delete_meeting", {"id": meeting})
    assert row(chorus, meeting) is None and chorus.service.state()["deleted"] == [meeting]


def test_a_summary_is_postponed_finished_failed_and_finished_again(chorus: ChorusCalls, meeting: str) -> None:
    def summary() -> object:
        found = row(chorus, meeting)
        assert found is not None
        return found["meeting_summary"]

    act = chorus.service.act
    act("postpone_summary", {"id": meeting, "seconds": 60})
    assert summary() is None
    act("finish_summary", {"id": meeting, "summary": "Done."})
    assert summary() == "Done."
    act("fail_summary", {"id": meeting, "reason": "Too short."})
    assert summary() is None
    detail = chorus.get(f"/api/v1/conversations/{meeting}")["data"]["attributes"]
    assert detail["summary_error"] == "Too short."
    act("finish_summary", {"id": meeting})
    assert summary()


def test_no_summary_is_there_before_the_meeting_has_ended(chorus: ChorusCalls) -> None:
    identifier = chorus.service.act("add_meeting", {"starts_at": "2026-11-20T11:55:00Z"})["id"]
    found = row(chorus, identifier)
    assert found is not None
    assert (found["processing_state"], found["meeting_summary"]) == ("live", None)


def test_a_lone_surrogate_travels_as_an_escape(chorus: ChorusCalls) -> None:
    identifier = chorus.service.act("add_meeting", {"subject": "broken \ud800 text"})["id"]
    reply = chorus.send("GET", f"/v3/engagements?engagement_id={identifier}")
    assert b"broken \\ud800 text" in reply.body


def test_a_user_is_deactivated_and_changes_licence(chorus: ChorusCalls) -> None:
    email = chorus.sandbox.world.members[0].person.email
    user = chorus.service.act("set_user", {"email": email, "active": False, "license": "LISTENER"})
    assert (user["active"], user["license_type"]) == (0, "LISTENER")


@pytest.mark.parametrize(
    ("action", "arguments", "error"),
    [
        ("dance", {}, "no action 'dance'"),
        ("delete_meeting", {"id": "0"}, "no engagement '0'"),
        ("move_account", {"id": "<meeting>", "account": "001"}, "no account"),
        ("change_owner", {"id": "<meeting>", "owner": "x@y.example"}, "no Chorus user"),
    ],
)
def test_what_does_not_exist_is_a_key_error_with_a_hint(
    chorus: ChorusCalls, meeting: str, action: str, arguments: dict[str, str], error: str
) -> None:
    given = {name: meeting if value == "<meeting>" else value for name, value in arguments.items()}
    with pytest.raises(KeyError, match=error):
        chorus.service.act(action, given)


@pytest.mark.parametrize(
    ("action", "arguments", "error"),
    [
        ("edit_meeting", {"id": "<meeting>", "subject": 5}, "subject must be a text"),
        ("edit_meeting", {"id": "<meeting>", "colour": "red"}, "unknown argument 'colour'"),
        ("add_meeting", {"kind": "lunch"}, "kind must be one of"),
        ("add_meeting", {"starts_at": "noon"}, "starts_at must be a time"),
        ("add_meeting", {"id": "<meeting>"}, "is taken"),
        ("move_account", {"id": "<meeting>"}, "account is missing"),
        ("postpone_summary", {"id": "<meeting>"}, "seconds must be a number"),
    ],
)
def test_a_wrong_argument_is_a_value_error_that_names_it(
    chorus: ChorusCalls, meeting: str, action: str, arguments: dict[str, object], error: str
) -> None:
    given = {name: meeting if value == "<meeting>" else value for name, value in arguments.items()}
    with pytest.raises(ValueError, match=error):
        chorus.service.act(action, given)


def test_every_action_says_what_it_does() -> None:
    assert all(action.__doc__ for action in ACTIONS.values())

"""One conversation in full, its media, and the small lists beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from cshub_sandbox.chorus.media import media_bytes
from cshub_sandbox.world import Meeting, MeetingKind

from .conftest import NOW, ChorusCalls


@pytest.fixture
def meeting(chorus: ChorusCalls) -> Meeting:
    return next(
        m
        for m in chorus.sandbox.world.meetings
        if m.kind is MeetingKind.RECORDED and not m.private and m.summary_ready_at and m.summary_ready_at < NOW
    )


def attributes(chorus: ChorusCalls, identifier: str, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = chorus.get(f"/api/v1/conversations/{identifier}{query}")["data"]["attributes"]
    return found


def test_utterances_carry_the_words_in_order_with_speakers(chorus: ChorusCalls, meeting: Meeting) -> None:
    found = attributes(chorus, meeting.id)
    lines = found["recording"]["utterances"]
    assert [line["snippet"] for line in lines] == [line.text for line in meeting.utterances]
    assert [line["index"] for line in lines] == list(range(len(lines)))
    persons = {person["person_id"] for person in found["participants"]}
    assert {line["speaker_id"] for line in lines} <= persons
    assert {line["speaker_type"] for line in lines} == {"rep", "customer"}
    assert {cluster["type"] for cluster in found["recording"]["clusters"]} == {"rep", "cust"}


def test_speaker_ids_are_cluster_ids_when_the_switch_says_so(chorus: ChorusCalls, meeting: Meeting) -> None:
    chorus.service.switches.speaker_ids = "cluster"  # type: ignore[assignment]
    recording = attributes(chorus, meeting.id)["recording"]
    assert {line["speaker_id"] for line in recording["utterances"]} == {c["id"] for c in recording["clusters"]}


def test_fields_give_only_what_was_asked_for_with_the_parents(chorus: ChorusCalls, meeting: Meeting) -> None:
    found = attributes(chorus, meeting.id, "?fields=name,owner.email,recording.duration")
    assert found == {
        "name": meeting.subject,
        "owner": {"email": meeting.owner.person.email},
        "recording": {"duration": meeting.duration_s},
    }
    assert set(attributes(chorus, meeting.id, "?fields[recordings]=duration")) == {"recording"}


def test_summary_is_not_a_selectable_field(chorus: ChorusCalls, meeting: Meeting) -> None:
    reply = chorus.send("GET", f"/api/v1/conversations/{meeting.id}?fields=name,summary")
    assert reply.status == 400
    assert orjson.loads(reply.body)["errors"][0]["source"] == {"parameter": "fields"}
    chorus.service.switches.unknown_field = "ignore"  # type: ignore[assignment]
    assert set(attributes(chorus, meeting.id, "?fields=name,summary")) == {"name"}


def test_meeting_metadata_comes_only_when_asked_for(chorus: ChorusCalls, meeting: Meeting) -> None:
    assert "meeting_url" not in attributes(chorus, meeting.id)["meeting"]
    assert attributes(chorus, meeting.id, "?include_meeting_metadata=true")["meeting"]["meeting_url"]


def test_an_edit_moves_the_modification_time(chorus: ChorusCalls, meeting: Meeting) -> None:
    before = attributes(chorus, meeting.id)["_modified_at"]
    chorus.service.act("edit_meeting", {"id": meeting.id, "subject": "Renamed"})
    after = attributes(chorus, meeting.id)
    assert after["name"] == "Renamed" and after["_modified_at"] > before


@pytest.mark.parametrize(("value", "statuses"), [("half", {200, 404}), ("found", {200}), ("missing", {404})])
def test_unrecorded_meetings_are_known_to_v1_as_the_switch_says(
    chorus: ChorusCalls, value: str, statuses: set[int]
) -> None:
    chorus.service.switches.unrecorded_detail = value  # type: ignore[assignment]
    for _ in range(12):
        chorus.service.act("add_meeting", {"kind": "unrecorded", "summary": None, "duration_s": 0})
    unrecorded = [m.id for m in chorus.sandbox.world.meetings if m.kind is MeetingKind.UNRECORDED and not m.private]
    assert {chorus.send("GET", f"/api/v1/conversations/{i}").status for i in unrecorded} == statuses


def test_an_unrecorded_meeting_says_why_and_a_no_show_says_so(chorus: ChorusCalls) -> None:
    chorus.service.switches.unrecorded_detail = "found"  # type: ignore[assignment]
    cases = chorus.sandbox.world.cases
    unrecorded = attributes(chorus, cases["unrecorded"][0])["recording"]
    assert not unrecorded["recordable"] and unrecorded["unrecorded_reason"] and unrecorded["utterances"] == []
    assert attributes(chorus, cases["no_show"][0])["status"] == "no show"
    assert chorus.send("GET", f"/api/v1/conversations/{cases['no_show'][0]}/media").status == 404


def test_media_redirects_to_a_signed_link_that_needs_no_token_and_serves_ranges(
    chorus: ChorusCalls, meeting: Meeting
) -> None:
    reply = chorus.send("GET", f"/api/v1/conversations/{meeting.id}/media")
    assert reply.status == 302
    link = reply.headers["Location"]
    assert link.startswith("http://localhost:80/media-store/")
    target = link.removeprefix("http://localhost:80")
    whole = chorus.send("GET", target, headers={"authorization": ""})
    assert (whole.status, whole.body) == (200, media_bytes(meeting))
    for wanted, expected in (
        ("bytes=0-9", whole.body[:10]),
        ("bytes=20-", whole.body[20:]),
        ("bytes=-5", whole.body[-5:]),
    ):
        part = chorus.send("GET", target, headers={"range": wanted})
        assert (part.status, part.body) == (206, expected)
    assert chorus.send("GET", target, headers={"range": "bytes=99999999-"}).status == 416
    assert chorus.send("GET", target.replace("signature=", "signature=0")).status == 403
    chorus.sandbox.clock.advance(timedelta(seconds=3601))
    assert chorus.send("GET", target).status == 403


def test_media_information_names_the_link_as_the_switch_says(chorus: ChorusCalls, meeting: Meeting) -> None:
    info = chorus.get(f"/api/v1/conversations/{meeting.id}/media?info=true")
    assert info["media_type"] == "video" and info["size"] == len(media_bytes(meeting)) and info["url"]
    switches = chorus.service.switches
    switches.media_link_key, switches.media_host = "download_url", "same"  # type: ignore[assignment]
    switches.media_redirect_status = 307
    info = chorus.get(f"/api/v1/conversations/{meeting.id}/media?info=true")
    assert "url" not in info and info["download_url"].startswith("http://127.0.0.1:80/")
    assert chorus.send("GET", f"/api/v1/conversations/{meeting.id}/media").status == 307


def test_a_call_has_audio_only(chorus: ChorusCalls) -> None:
    call = chorus.sandbox.world.cases["call"][0]
    assert chorus.get(f"/api/v1/conversations/{call}/media?info=true")["content_type"] == "audio/mpeg"
    assert attributes(chorus, call)["recording"]["audio_only"] is True


def test_media_may_need_a_signed_in_session(chorus: ChorusCalls, meeting: Meeting) -> None:
    chorus.service.switches.media_access = "session"  # type: ignore[assignment]
    path = f"/api/v1/conversations/{meeting.id}/media"
    assert chorus.send("GET", path).status == 403
    form = (
        b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\n%s\r\n'
        b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n%s\r\n--b--\r\n'
    )
    member = chorus.sandbox.world.members[0]
    kind = {"content-type": "multipart/form-data; boundary=b", "authorization": ""}
    refused = chorus.send("POST", "/login", headers=kind, body=form % (member.person.email.encode(), b"wrong"))
    assert refused.status == 401
    right = form % (member.person.email.encode(), chorus.service.password.encode())
    cookie = chorus.send("POST", "/login", headers=kind, body=right).headers["Set-Cookie"].split(";")[0]
    assert chorus.send("GET", path, headers={"authorization": "", "cookie": cookie}).status == 302


def test_an_export_is_accepted_and_kept_in_the_state(chorus: ChorusCalls) -> None:
    reply = chorus.send("POST", "/api/v1/conversations:export", json={"start": 0, "end": 1, "email_on_complete": False})
    assert reply.status == 202
    assert chorus.service.state()["exports"][0]["status"] == "done"
    assert chorus.send("POST", "/api/v1/conversations:export", json={"start": "monday"}).status == 400


def test_users_come_in_the_shape_of_the_switch_inactive_ones_included(chorus: ChorusCalls) -> None:
    users = chorus.get("/v3/users")
    assert {user["active"] for user in users} == {0, 1}
    assert {user["license_type"] for user in users} == {"RECORDER", "LISTENER"}
    assert all("last_login_at" not in user for user in users)
    switches = chorus.service.switches
    switches.users_last_login = True
    switches.users_shape = "data"  # type: ignore[assignment]
    assert all("last_login_at" in user for user in chorus.get("/v3/users")["data"])
    switches.users_shape = "json_api"  # type: ignore[assignment]
    assert {item["type"] for item in chorus.get("/v3/users")["data"]} == {"user"}


def test_the_version_header_must_be_a_date(chorus: ChorusCalls) -> None:
    assert chorus.send("GET", "/v3/users", headers={"x-al-version": "2020-03-01"}).status == 200
    assert chorus.send("GET", "/v3/users", headers={"x-al-version": "2"}).status == 400


def test_teams_list_their_users(chorus: ChorusCalls) -> None:
    users = {user["id"]: user["primary_team"] for user in chorus.get("/v3/users")}
    for team in chorus.get("/api/v1/teams")["data"]:
        assert team["attributes"]["users"] == [i for i, number in users.items() if str(number) == team["id"]]
    assert chorus.send("GET", "/api/v1/teams/999").status == 404


def test_emails_are_paged_by_cursor_and_filtered(chorus: ChorusCalls) -> None:
    everything = chorus.get("/api/v1/emails")["data"]
    assert len(everything) >= 3
    found, cursor = [], ""
    while cursor is not None:
        page = chorus.get(f"/api/v1/emails?page[size]=1&page[after]={cursor}")
        found += page["data"]
        cursor = page["meta"]["page"]["cursor"]
    assert found == everything
    first = everything[0]
    sender = first["attributes"]["owner"]["email"]
    assert first in chorus.get(f"/api/v1/emails?filter[owner.email]={sender.upper()}")["data"]
    assert chorus.get(f"/api/v1/emails?filter[ids]={first['id']}")["data"] == [first]
    assert chorus.get("/api/v1/emails?filter[email.sent]=*:2020-01-01T00:00:00Z")["data"] == []
    assert chorus.send("GET", "/api/v1/emails?page[size]=101").status == 400


def test_webhooks_are_kept_and_deleted_by_address(chorus: ChorusCalls) -> None:
    hook = {"event": "recording_done", "hook_url": "https://hub.example/hook"}
    assert chorus.send("POST", "/v3/webhook", json=hook).status == 200
    assert [item["url"] for item in chorus.get("/v3/webhook")["webhooks"]] == [hook["hook_url"]]
    assert chorus.send("DELETE", "/v3/webhook", json={"hook_url": hook["hook_url"]}).status == 200
    assert chorus.get("/v3/webhook")["webhooks"] == []


@pytest.mark.parametrize(
    "target", ["/v3/engagements?engagement_id={}", "/v3/engagements/{}", "/api/v1/conversations/{}"]
)
def test_a_deletion_works_and_is_noted_as_a_violation(chorus: ChorusCalls, meeting: Meeting, target: str) -> None:
    assert chorus.send("DELETE", target.format(meeting.id)).status == 202
    assert chorus.send("GET", f"/api/v1/conversations/{meeting.id}").status == 404
    state = chorus.service.state()
    assert [violation["id"] for violation in state["violations"]] == [meeting.id]
    assert state["deleted"] == [meeting.id]

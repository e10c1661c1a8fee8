from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from cshub_sandbox.kernel import SandboxClock
from cshub_sandbox.totango import TotangoService
from cshub_sandbox.world import World

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def test_only_accounts_already_in_totango_are_there(totango: Any) -> None:
    assert [account["id"] for account in totango.service.state()["accounts"]] == ["ACME-17", "0015000000FgHiJAAX"]


def test_only_meetings_older_than_100_days_were_imported_by_the_native_job(totango: Any, world: World) -> None:
    imported = [note for note in totango.service.state()["touchpoints"] if note["external_id"]]
    assert {note["external_id"] for note in imported} == {meeting.id.lower() for meeting in world.meetings[2:]}
    note = next(note for note in imported if note["external_id"] == world.meetings[2].id.lower())
    assert note["timestamp_ms"] == int(world.meetings[2].starts_at.timestamp() * 1000)
    assert note["content"] == "First line\nsecond line"
    assert (note["subject"], note["origin"]) == ("Meeting 3", "native import")
    assert note["participants"] == ["dana@vendor.example", "lee@acme.example"]
    assert note["creation_time"] > note["timestamp_ms"]


def test_the_past_holds_notes_of_users_tasks_campaigns_and_alerts(totango: Any) -> None:
    state = totango.service.state()
    users = [note for note in state["touchpoints"] if note["origin"] == "user"]
    assert len(users) == 6
    assert all(note["timestamp_ms"] < NOW.timestamp() * 1000 for note in users)
    assert {task["status"] for task in state["tasks"]} <= {"open", "closed"}
    assert {event["type"] for event in state["events"]} == {"alert", "campaign_touch"}


def test_the_past_can_be_searched_at_once(totango: Any) -> None:
    assert len(totango.events()) > 10


def test_the_same_world_and_seed_give_the_same_tenant_and_another_seed_another_one(world: World) -> None:
    first, again, other = (TotangoService(world, SandboxClock(NOW, frozen=True), seed=seed) for seed in (1, 1, 2))
    assert first.state() == again.state()
    assert first.token == again.token
    assert first.state() != other.state()


def test_the_world_itself_is_left_alone(world: World) -> None:
    before = repr(world)
    service = TotangoService(world, SandboxClock(NOW, frozen=True))
    service.act("create_account", {"crm_id": "0015000000KlMnOAAX"})
    assert repr(world) == before


def test_a_world_without_accounts_or_members_still_gives_a_tenant_with_a_token(world: World) -> None:
    service = TotangoService(replace(world, accounts=[], members=[], meetings=[]), SandboxClock(NOW, frozen=True))
    state = service.state()
    assert (state["accounts"], state["touchpoints"], len(state["users"])) == ([], [], 1)
    assert service.token


def test_the_whole_state_is_json(totango: Any) -> None:
    totango.create()
    totango.task()
    assert orjson.loads(orjson.dumps(totango.service.state()))["switches"]["rate_limit"] == 100

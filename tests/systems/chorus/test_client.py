from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.systems.wire import FakeTime, GateAdapter, Say, Script

from cshub.core.errors import GatewayTimeout, NotFound, PermissionDenied, ProtocolFault
from cshub.core.records import Presence, RecordKey
from cshub.core.window import Window
from cshub.systems.chorus.catalog import EngagementOptions
from cshub.systems.chorus.client import AuthForm, ChorusClient, EngagementQuery, media_link
from cshub.systems.chorus.source import ChorusEngagements
from cshub_sandbox.sandbox import Sandbox, WorldSize

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=1), NOW)


@pytest.fixture
def sandbox() -> Sandbox:
    box = Sandbox(["chorus"], size=WorldSize(seed=5, accounts=8, meetings=30), now=NOW)
    box.clock.freeze(True)
    return box


def client_on(sandbox: Sandbox, **more: Any) -> ChorusClient:
    wire = FakeTime().wire(GateAdapter(sandbox, "chorus"))
    return ChorusClient(sandbox.service("chorus").token, base_url="http://chorus.test", wire=wire, **more)


def scripted(*steps: Say | Exception) -> tuple[ChorusClient, Script]:
    script = Script(*steps)
    return ChorusClient("a-token", wire=FakeTime().wire(script)), script


def row(number: int, at: Any, **more: Any) -> dict[str, Any]:
    return {"engagement_id": f"{number:032X}", "date_time": at, "engagement_type": "meeting", **more}


def page(*rows: Any, key: Any = " ") -> Say:
    return Say(body={"engagements": list(rows), "continuation_key": key})


def test_the_token_stands_alone_in_the_header_or_behind_bearer() -> None:
    client, script = scripted(page())
    client.engagements_page(EngagementQuery())
    assert script.requests[0].headers["Authorization"] == "a-token"
    assert "x-al-version" not in {name.lower() for name in script.requests[0].headers}
    client = ChorusClient("a-token", auth_form=AuthForm.BEARER, wire=FakeTime().wire(script))
    client.engagements_page(EngagementQuery())
    assert script.requests[1].headers["Authorization"] == "Bearer a-token"


def test_both_forms_of_the_token_are_accepted_by_the_service(sandbox: Sandbox) -> None:
    assert client_on(sandbox).me().domain == client_on(sandbox, auth_form=AuthForm.BEARER).me().domain


def test_every_page_repeats_all_filters() -> None:
    client, script = scripted(page(row(1, 5.0), key="5.0 X"), page())
    list(client.engagements(EngagementQuery(min_date=NOW, engagement_type="dialer", team_ids=[1, 2])))
    for request in script.requests:
        assert "min_date=2026-11-20T12%3A00%3A00.000Z&engagement_type=dialer&team_id=1%2C2" in str(request.url)
    assert "continuation_key=5.0+X" in str(script.requests[1].url)


@pytest.mark.parametrize("shape", ["array", "data", "json_api"])
def test_users_are_flat_whatever_the_shape(sandbox: Sandbox, shape: str) -> None:
    sandbox.service("chorus").switches.users_shape = shape
    users = client_on(sandbox).users()
    assert users
    assert all(user["id"] and user["email"] for user in users)


def test_lists_of_all_kinds_are_read(sandbox: Sandbox) -> None:
    client = client_on(sandbox)
    teams = client.teams()
    assert client.team(str(teams[0]["id"]))["id"] == teams[0]["id"]
    meetings = client.engagements_page(EngagementQuery(engagement_type="meeting")).rows
    ids = [meeting["engagement_id"] for meeting in meetings]
    conversation = client.conversation(ids[0], summary=False)
    assert conversation["id"] == ids[0]
    for pages in (client.emails(page_size=3), client.scorecards(page_size=3), client.playlists(page_size=3)):
        items = [item["id"] for rows in pages for item in rows]
        assert len(items) == len(set(items))
    assert isinstance(client.moments(NOW - timedelta(days=30), NOW), list)


def test_a_conversation_nobody_may_see_is_not_found(sandbox: Sandbox) -> None:
    with pytest.raises(NotFound):
        client_on(sandbox).conversation("F" * 32)


def test_a_role_without_api_access_is_told_what_to_do(sandbox: Sandbox) -> None:
    sandbox.service("chorus").switches.api_role = "disabled"
    with pytest.raises(PermissionDenied, match="give the role API access"):
        client_on(sandbox).me()


def test_a_link_to_a_recording_is_found_under_any_name() -> None:
    assert media_link({"size": 5, "download_url": "https://x.example/a"}) == "https://x.example/a"
    assert media_link({"url": "not a link"}) is None


def test_rows_with_garbage_dates_are_kept_for_the_mapping_to_reject() -> None:
    inside = NOW.timestamp() - 3600
    dates = [inside, "yesterday", None, 1e300, True, int(inside)]
    rows = [row(number, date) for number, date in enumerate(dates)]
    client, _ = scripted(page(*rows))
    found = [record.key for read in ChorusEngagements(client).read_window(WINDOW) for record in read.records]
    assert len(found) == 6


def test_a_row_without_an_id_is_a_protocol_fault() -> None:
    client, _ = scripted(page({"date_time": 5.0}))
    with pytest.raises(ProtocolFault, match="without an id"):
        list(ChorusEngagements(client).read_window(WINDOW))


def test_a_window_too_large_for_chorus_is_halved(sandbox: Sandbox) -> None:
    client = client_on(sandbox)
    source = ChorusEngagements(client, EngagementOptions(engagement_types=()))
    window = Window(NOW - timedelta(days=60), NOW)
    expected = {record.key for read in source.read_window(window) for record in read.records}
    asked: list[float] = []
    original = client.engagements_page

    def limited(query: EngagementQuery, key: str | None = None) -> Any:
        assert query.min_date and query.max_date
        days = (query.max_date - query.min_date) / timedelta(days=1)
        asked.append(days)
        if days > 20:
            raise GatewayTimeout("504")
        return original(query, key)

    client.engagements_page = limited  # type: ignore[method-assign]
    found = [record.key for read in source.read_window(window) for record in read.records]
    assert set(found) == expected
    assert len(found) == len(set(found))
    assert max(asked) > 20 > min(asked)


def test_a_window_that_is_too_large_however_short_ends_in_the_gateways_error() -> None:
    client, _ = scripted(Say(504))
    with pytest.raises(GatewayTimeout):
        list(ChorusEngagements(client).read_window(WINDOW))


def test_keys_are_asked_fifty_at_a_time(sandbox: Sandbox) -> None:
    client = client_on(sandbox)
    keys = [RecordKey(f"{number:032X}") for number in range(120)]
    records = [record for read in ChorusEngagements(client).read_keys(keys) for record in read.records]
    assert {record.key for record in records} == {key.key for key in keys}
    assert all(record.presence is Presence.ABSENT and record.body is None for record in records)
    assert client.calls == 3


def test_a_filter_that_is_ignored_does_not_bring_strangers() -> None:
    client, _ = scripted(page(row(1, 5.0), row(2, 5.0), key="5.0 X"))
    (read,) = ChorusEngagements(client).read_keys([RecordKey(f"{9:032X}")])
    assert [(record.key, record.body) for record in read.records] == [(f"{9:032X}", None)]


def test_a_meeting_made_private_is_absent_not_deleted(sandbox: Sandbox) -> None:
    source = ChorusEngagements(client_on(sandbox))
    key = source.sample(Window(NOW - timedelta(days=60), NOW), 1)[0].key
    sandbox.service("chorus").act("make_private", {"id": key})
    (read,) = source.read_keys([RecordKey(key)])
    assert [(record.key, record.presence) for record in read.records] == [(key, Presence.ABSENT)]

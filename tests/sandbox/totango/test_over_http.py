"""The same service behind the real server, called by a plain HTTP client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import requests

from cshub_sandbox.testing import RunningSandbox, start_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with start_sandbox(["totango"], accounts=10, meetings=30) as running:
        running.control.freeze()
        yield running


@pytest.fixture
def session(sandbox: RunningSandbox) -> Iterator[requests.Session]:
    sandbox.control.advance(60)
    sandbox.control.clear_log()
    with requests.Session() as session:
        session.trust_env = False
        session.headers["app-token"] = sandbox.totango.token
        yield session


def account_of(sandbox: RunningSandbox) -> str:
    account_id: str = sandbox.control.state("totango")["accounts"][0]["id"]
    return account_id


def test_a_touchpoint_lives_through_create_read_edit_and_delete(
    sandbox: RunningSandbox, session: requests.Session
) -> None:
    base, account_id = sandbox.totango.url, account_of(sandbox)
    record = {"account_id": account_id, "subject": "Ünï", "content": "A & B"}
    note_id = session.post(f"{base}/api/v3/touchpoints/", json=record).json()["note"]["id"]
    timeline = session.get(f"{base}/api/v2/events/", params={"account_id": account_id}).json()
    event = next(e for e in timeline if e["type"] == "note" and e["note_content"]["note_id"] == note_id)
    assert event["properties"]["subject"] == "Ünï"
    edit = {"note_id": note_id, "event_id": event["id"], **record, "content": "C"}
    assert session.put(f"{base}/api/v3/touchpoints/{note_id}", data=edit).status_code == 200
    gone = session.delete(f"{base}/api/v3/touchpoints/{note_id}", data={"event_id": event["id"]})
    assert gone.json() == {"success": True}
    log = sandbox.control.log("totango")
    assert [entry["method"] for entry in log] == ["POST", "GET", "PUT", "DELETE"]
    assert [entry["limiter"]["remaining"] for entry in log] == [99, 98, 97, 96]


def test_events_search_takes_the_vendors_form(sandbox: RunningSandbox, session: requests.Session) -> None:
    sandbox.control.advance(60)
    query: Any = {
        "terms": [{"type": "event_property", "name": "event_type", "eq": "note"}],
        "fields": [],
        "count": 1000,
        "offset": 0,
    }
    form = {"query": orjson.dumps(query).decode()}
    answer = session.post(f"{sandbox.totango.url}/api/v2/events/search", data=form).json()["response"]["events"]
    assert len(answer["hits"]) == answer["total_hits"] == len(sandbox.control.state("totango")["touchpoints"])


def test_the_log_shows_a_429_and_a_new_window_after_a_minute(
    sandbox: RunningSandbox, session: requests.Session
) -> None:
    sandbox.control.switch("totango", rate_limit=2)
    try:
        url = f"{sandbox.totango.url}/api/v3/activity-types/"
        refused = [session.get(url) for _ in range(3)][-1]
        assert (refused.status_code, refused.headers["RateLimit-Reset"]) == (429, "60")
        sandbox.control.advance(60)
        assert session.get(url).status_code == 200
    finally:
        sandbox.control.switch("totango", rate_limit=100)
    assert [entry["status"] for entry in sandbox.control.log("totango")] == [200, 200, 429, 200]


def test_users_act_through_the_control_address_and_mistakes_are_explained(
    sandbox: RunningSandbox, session: requests.Session
) -> None:
    account_id = account_of(sandbox)
    note = sandbox.control.act("totango", "create_touchpoint", account_id=account_id, content="By hand")
    assert note["origin"] == "user"
    with pytest.raises(requests.HTTPError, match="Touchpoint not found"):
        sandbox.control.act("totango", "delete_touchpoint", note_id=1)
    with pytest.raises(requests.HTTPError, match="search_lag_s"):
        sandbox.control.switch("totango", search_lag_s=61)


def test_an_answer_lost_after_the_commit_leaves_the_touchpoint(
    sandbox: RunningSandbox, session: requests.Session
) -> None:
    sandbox.control.add_fault("drop_after_commit", service="totango", only_writes=True, nth=1)
    record = {"account_id": account_of(sandbox), "subject": "lost answer", "content": "x"}
    try:
        with pytest.raises(requests.ConnectionError):
            session.post(f"{sandbox.totango.url}/api/v3/touchpoints/", json=record)
    finally:
        sandbox.control.clear_faults()
    subjects = [note["subject"] for note in sandbox.control.state("totango")["touchpoints"]]
    assert subjects.count("lost answer") == 1

"""Every document of the simulated Chorus validates against the vendor's contract, whatever the switches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import orjson
import pytest

from cshub_sandbox.chorus.contract import contract
from cshub_sandbox.chorus.routes import ROUTES

from .conftest import ChorusCalls


def nullable_to_types(value: Any) -> Any:
    """OpenAPI 3.0's ``nullable`` said in plain JSON schema."""
    if isinstance(value, list):
        return [nullable_to_types(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: nullable_to_types(item) for key, item in value.items() if key != "nullable"} | (
        {"nullable": True} if value.get("nullable") else {}
    )
    if value.pop("nullable", False):
        return {"anyOf": [{"type": "null"}, value]}
    return value


COMPONENTS = nullable_to_types(contract()["components"])


def check(schema: str, value: Any) -> None:
    jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": COMPONENTS}).validate(
        value
    )


EXAMPLE = contract()["paths"]["/v3/engagements"]["get"]["responses"]["200"]["content"]["application/json"]["example"]


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"unrecorded_detail": "found", "summaries": "fail", "speaker_ids": "cluster", "account_type": "null"},
    ],
)
def test_every_conversation_validates(chorus: ChorusCalls, switches: dict[str, Any]) -> None:
    for name, value in switches.items():
        setattr(chorus.service.switches, name, value)
    found = 0
    for meeting in chorus.sandbox.world.meetings:
        reply = chorus.send("GET", f"/api/v1/conversations/{meeting.id}?include_meeting_metadata=true")
        if reply.status == 200:
            found += 1
            check("RecordingDoc", chorus.get(f"/api/v1/conversations/{meeting.id}"))
    assert found > 100


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/api/v1/users/me", "UserDoc"),
        ("/api/v1/teams", "TeamsDoc"),
        ("/api/v1/teams/12", "TeamDoc"),
        ("/api/v1/scorecards", "ScorecardsDoc"),
        ("/api/v1/moments?filter[shared_on]=2026-01-01T00:00:00Z:2026-02-01T00:00:00Z", "MomentsDoc"),
        ("/api/v1/playlists", "PlaylistsDoc"),
        ("/api/v1/filters", "EngagementFiltersDoc"),
    ],
)
def test_every_other_document_validates(chorus: ChorusCalls, path: str, schema: str) -> None:
    check(schema, chorus.get(path))


def test_every_email_validates_in_the_list_and_alone(chorus: ChorusCalls) -> None:
    emails = chorus.get("/api/v1/emails")["data"]
    assert emails
    for email in emails:
        check("Email", email)
        check("EmailDoc", chorus.get(f"/api/v1/emails/{email['id']}"))


def test_the_answer_to_a_deletion_validates(chorus: ChorusCalls) -> None:
    reply = chorus.send("DELETE", f"/api/v1/conversations/{chorus.sandbox.world.meetings[0].id}")
    assert reply.status == 202
    check("TaskDoc", orjson.loads(reply.body))


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/api/v1/conversations/NOPE", 404),
        ("GET", "/api/v1/conversations/x?fields=summary", 404),
        ("GET", "/api/v1/moments", 400),
        ("GET", "/api/v1/sessions/current", 501),
        ("GET", "/v3/engagements?min_date=soon", 400),
        ("GET", "/somewhere", 404),
    ],
)
def test_every_error_has_the_documented_envelope(chorus: ChorusCalls, method: str, target: str, status: int) -> None:
    reply = chorus.send(method, target)
    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/vnd.api+json"
    check("Error", orjson.loads(reply.body))


def test_every_listed_engagement_has_the_members_of_the_documented_example(chorus: ChorusCalls) -> None:
    example = EXAMPLE["engagements"][0]
    rows = chorus.get("/v3/engagements?with_trackers=true")["engagements"]
    assert rows
    for row in rows:
        assert set(example) <= set(row)
        for person in row["participants"]:
            assert set(example["participants"][0]) - {"email"} <= set(person)


def test_every_documented_operation_is_answered_or_said_not_to_be_simulated(
    make_chorus: Callable[..., ChorusCalls],
) -> None:
    chorus = make_chorus(meetings=0)
    for template, item in contract()["paths"].items():
        for method in item:
            if (method.upper(), template) in ROUTES:
                continue
            path = template.replace("{id}", "1").replace("{", "").replace("}", "")
            assert chorus.send(method.upper(), path).status == 501, (method, path)

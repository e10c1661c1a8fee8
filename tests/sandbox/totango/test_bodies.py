from __future__ import annotations

from typing import Any

import orjson
import pytest

from cshub_sandbox.totango.bodies import parse_form
from cshub_sandbox.totango.errors import ApiError

PATH = "/api/v3/touchpoints"


def test_bracket_notation_becomes_lists_and_objects() -> None:
    body = b"a=1&tags[0]=x&tags[1]=y&people[0][userId]=p&people[1][userId]=q&more[]=m&more[]=n&o[k]=v&a=2"
    assert parse_form(body) == {
        "a": "2",
        "tags": ["x", "y"],
        "people": [{"userId": "p"}, {"userId": "q"}],
        "more": ["m", "n"],
        "o": {"k": "v"},
    }


def test_odd_form_keys_are_read_as_they_are_or_refused() -> None:
    assert parse_form(b"[0]=x&open[=y&empty") == {"[0]": "x", "open": "y", "empty": ""}
    for body in (b"a=1&a[0]=2", b"a" + b"[0]" * 9 + b"=1"):
        with pytest.raises(ApiError):
            parse_form(body)


def test_a_touchpoint_may_come_as_a_form_with_brackets(totango: Any) -> None:
    tag = totango.service.state()["touchpoint_tags"][0]["id"]
    form = {
        "account_id": "ACME-17",
        "content": "A & B",
        "create_date": "1760000000000",
        "disable_sync": "true",
        "touchpoint_tags[0]": tag,
        "participantList[0][userId]": "lee@acme.example",
    }
    held = totango.held(totango.send("POST", PATH, form=form).json["note"]["id"])
    assert (held["content"], held["timestamp_ms"], held["disable_sync"]) == ("A & B", 1_760_000_000_000, True)
    assert (held["tags"], held["participants"]) == ([tag], ["lee@acme.example"])


def test_a_list_in_a_form_may_be_json_text(totango: Any) -> None:
    form = {"account_id": "ACME-17", "content": "x", "participantList": '[{"userId":"lee@acme.example"}]'}
    held = totango.held(totango.send("POST", PATH, form=form).json["note"]["id"])
    assert held["participants"] == ["lee@acme.example"]
    assert totango.send("POST", PATH, form={**form, "participantList": "[nope"}).status == 400


@pytest.mark.parametrize("media_type", ["text/plain", "text/plain; charset=utf-8", ""])
@pytest.mark.parametrize("body", [b'{"account_id":"ACME-17","content":"x"}', b"account_id=ACME-17&content=x"])
def test_text_plain_and_no_content_type_are_taken_for_json_or_form(totango: Any, media_type: str, body: bytes) -> None:
    assert totango.send("POST", PATH, body=body, media_type=media_type).status == 200


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"account_id":"ACME-17","content":NaN}', "application/json"),
        (b'{"account_id":"ACME-17","content":"\\ud800"}', "application/json"),
        (b'{"account_id":"ACME-17","content":"\xff"}', "application/json"),
        (b"<a/>", "application/xml"),
        (b"", ""),
    ],
)
def test_a_body_that_cannot_be_read_is_answered_400(totango: Any, body: bytes, media_type: str) -> None:
    answer = totango.send("POST", PATH, body=body, media_type=media_type)
    assert (answer.status, answer.json["error"]["type"]) == (400, "bad_request")


@pytest.mark.parametrize("text", ["\x00", "‮abc", "👩‍👩‍👧‍👦", "=1+1", "x\r\ny", "a\u2028b", "Ünï"])
def test_unusual_text_comes_back_unchanged(totango: Any, text: str) -> None:
    note_id = totango.create(content=text, subject=text)
    event = orjson.loads(orjson.dumps(totango.event(note_id)))
    assert event["note_content"]["text"] == text + "\n"
    assert event["properties"]["subject"] == text


def test_null_counts_as_not_sent(totango: Any) -> None:
    held = totango.held(totango.create(subject=None, create_date=None, participantList=None, disable_sync=None))
    assert (held["subject"], held["participants"], held["disable_sync"]) == (None, [], False)

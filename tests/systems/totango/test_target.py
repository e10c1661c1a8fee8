from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.systems.totango.lab import (
    NOW,
    account_ids,
    add_touchpoint,
    client_on,
    make_sandbox,
    service_of,
    switch,
    touchpoint,
)

from cshub.core.errors import AuthenticationFailed, NotFound, RequestRefused, SpecError
from cshub.core.ports import Verdict, Write
from cshub.core.records import Operation, RecordKey, TargetRecord
from cshub.core.text import length, normalise_text
from cshub.core.values import parse_moment
from cshub.core.window import Window
from cshub.systems.totango.catalog import TouchpointOptions
from cshub.systems.totango.models import TouchpointFields, to_ms
from cshub.systems.totango.target import TotangoTouchpoints
from cshub_sandbox.faults import FaultRule
from cshub_sandbox.sandbox import Sandbox

DATE = "2026-11-18T09:30:00.000Z"


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sandbox()


def target_on(sandbox: Sandbox, **options: Any) -> TotangoTouchpoints:
    return TotangoTouchpoints(client_on(sandbox), TouchpointOptions.model_validate(options))


def create(target: TotangoTouchpoints, account_id: str, values: Mapping[str, Any]) -> RecordKey:
    (verdict,) = target.write([Write(Operation.CREATE, None, account_id, values, external_id="x")])
    if verdict.error is not None:
        raise verdict.error
    assert verdict.key is not None
    return verdict.key


def update(target: TotangoTouchpoints, key: RecordKey, values: Mapping[str, Any]) -> None:
    """Raises the error of the verdict."""
    (verdict,) = target.write([Write(Operation.UPDATE, key, key.account_id, values, frozenset(values))])
    if verdict.error is not None:
        raise verdict.error


def delete(target: TotangoTouchpoints, key: RecordKey) -> Verdict:
    (verdict,) = target.write([Write(Operation.DELETE, key, key.account_id)])
    return verdict


def found(target: TotangoTouchpoints, account_id: str, values: Mapping[str, Any]) -> Sequence[TargetRecord]:
    (items,) = target.find([target.hint(Write(Operation.CREATE, None, account_id, values))])
    return [item.record for item in items]


def values_of(**more: Any) -> dict[str, Any]:
    return {"subject": "Review", "content": "Text.", "touchpoint_date": DATE, "participants": [], **more}


def test_flow_type_and_reasons_are_chosen_by_name_and_sent_on_create(sandbox: Sandbox) -> None:
    state = service_of(sandbox).state()
    tag = state["touchpoint_tags"][0]
    kind = state["touchpoint_types"][1]
    chosen = {"flow": "renewal", "touchpoint_type": kind["name"].upper(), "reasons": [tag["name"]]}
    target = target_on(sandbox, **chosen)
    key = create(target, account_ids(sandbox)[0], values_of())
    stored = touchpoint(sandbox, key.key)
    assert (stored["activity_type_id"], stored["touchpoint_type"]) == ("renewal", kind["id"])
    assert list(stored["tags"]) == [tag["id"]]
    assert stored["disable_sync"] is True


@pytest.mark.parametrize("option", [{"flow": "Nope"}, {"touchpoint_type": "Nope"}, {"reasons": ["Nope"]}])
@pytest.mark.parametrize("shape", ["list", "map", "map_of_objects"])
def test_an_unknown_name_lists_what_there_is(sandbox: Sandbox, option: dict[str, Any], shape: str) -> None:
    switch(sandbox, **{"catalogue_shape": shape})
    with pytest.raises(SpecError, match=r"called 'Nope'; there are: \w+.*Correct target.options"):
        target_on(sandbox, **option).check_options()


@pytest.mark.parametrize("shape", ["list", "map", "map_of_objects"])
def test_catalogues_of_every_shape_are_read_alike(sandbox: Sandbox, shape: str) -> None:
    plain = client_on(sandbox).touchpoint_types()
    switch(sandbox, **{"catalogue_shape": shape})
    assert {(entry.id, entry.name) for entry in client_on(sandbox).touchpoint_types()} == {
        (entry.id, entry.name) for entry in plain
    }


@pytest.mark.parametrize("omitted", ["keep", "clear"])
def test_an_update_leaves_flow_type_and_reasons_as_a_person_set_them(sandbox: Sandbox, omitted: str) -> None:
    service = service_of(sandbox)
    switch(sandbox, put_omitted=omitted)
    state = service.state()
    account = account_ids(sandbox)[0]
    target = target_on(sandbox, flow="Renewal")
    key = create(target, account, values_of())
    tag, kind = state["touchpoint_tags"][0]["id"], state["touchpoint_types"][1]["id"]
    edit = {"note_id": int(key.key), "touchpointType": kind, "touchpoint_tags": [tag], "activity_type_id": "support"}
    service.act("edit_touchpoint", edit)
    record = target.read_keys([key])[key.key]
    assert record is not None
    update(target, RecordKey(key.key, account, record.extra), values_of(content="Filled."))
    stored = touchpoint(sandbox, key.key)
    assert (stored["activity_type_id"], stored["touchpoint_type"], list(stored["tags"])) == ("support", kind, [tag])
    assert stored["content"] == "Filled."


@pytest.mark.parametrize("omitted", ["keep", "clear"])
def test_an_update_leaves_a_reply_in_its_thread(sandbox: Sandbox, omitted: str) -> None:
    switch(sandbox, put_omitted=omitted)
    account, client = account_ids(sandbox)[0], client_on(sandbox)
    first = client.create_touchpoint(account, TouchpointFields(subject="Question"))
    second = client.create_touchpoint(account, TouchpointFields(subject="Other"))
    reply = TouchpointFields(subject="Answer", parent_id=first, follow_up=second)
    key = RecordKey(str(client.create_touchpoint(account, reply)), account)
    target = target_on(sandbox)
    record = target.read_keys([key])[key.key]
    assert record is not None
    for extra in (record.extra, {}):
        update(target, RecordKey(key.key, account, extra), values_of(content="Filled."))
        stored = touchpoint(sandbox, key.key)
        assert (stored["parent_id"], stored["follow_up"], stored["content"]) == (first, second, "Filled.")


def test_an_update_with_a_stale_event_id_finds_the_right_one(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    key = create(target, account_ids(sandbox)[0], values_of())
    update(target, replace(key, extra={"event_id": "stale"}), values_of(subject="New"))
    assert touchpoint(sandbox, key.key)["subject"] == "New"


def test_a_delete_with_a_stale_event_id_still_deletes(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    key = create(target, account_ids(sandbox)[0], values_of())
    delete(target, replace(key, extra={"event_id": "stale"}))
    assert [item["note_id"] for item in service_of(sandbox).state()["deleted_touchpoints"]] == [int(key.key)]


def test_an_update_of_a_deleted_touchpoint_says_so(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    key = create(target, account_ids(sandbox)[0], values_of())
    service_of(sandbox).act("delete_touchpoint", {"note_id": int(key.key)})
    with pytest.raises(NotFound, match="deleted there"):
        update(target, key, values_of())


def test_a_refusal_carries_the_services_words(sandbox: Sandbox) -> None:
    with pytest.raises(RequestRefused, match="Account not found"):
        create(target_on(sandbox), "no-such-account", values_of())


def test_content_over_the_limit_is_cut_with_a_marker(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    for options in ({}, {"content_format": "html"}):
        for text in ("a" * 13_000, "😀" * 7_000, "a < b & c\n" * 1_300):
            target = target_on(sandbox, **options)
            key = create(target, account, values_of(content=text))
            stored = touchpoint(sandbox, key.key)["content"]
            assert length(stored) <= 12_000
            assert length(stored) > 11_000
            assert normalise_text(stored).endswith("… [cut]")


def test_an_empty_touchpoint_is_made_and_filled_later(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    key = create(target, account_ids(sandbox)[0], values_of(content=None))
    assert touchpoint(sandbox, key.key)["content"] == ""
    update(target, key, values_of(content="Here it is."))
    assert touchpoint(sandbox, key.key)["content"] == "Here it is."


@pytest.mark.parametrize("omitted", ["keep", "clear"])
def test_null_clears_and_absent_leaves_alone(sandbox: Sandbox, omitted: str) -> None:
    switch(sandbox, put_omitted=omitted)
    member = service_of(sandbox).state()["users"][0]["email"]
    target = target_on(sandbox)
    key = create(target, account_ids(sandbox)[0], values_of(participants=[member]))
    update(target, key, {"content": "Only this."})
    stored = touchpoint(sandbox, key.key)
    assert (stored["content"], stored["subject"], stored["participants"]) == ("Only this.", "Review", [member])
    assert stored["timestamp_ms"] == to_ms(parse_moment(DATE))
    update(target, key, {"content": "x", "participants": None, "subject": None})
    stored = touchpoint(sandbox, key.key)
    assert (list(stored["internal_participants"]), stored["subject"] or "") == ([], "")


@pytest.mark.parametrize("omitted", ["keep", "clear"])
def test_rich_text_that_is_not_written_stays_rich_text(sandbox: Sandbox, omitted: str) -> None:
    switch(sandbox, put_omitted=omitted)
    account = account_ids(sandbox)[0]
    rich = create(target_on(sandbox, content_format="html"), account, values_of(content="<p>One</p>two"))
    plain = create(target_on(sandbox), account, values_of(content="One < two"))
    before = {key.key: touchpoint(sandbox, key.key)["content"] for key in (rich, plain)}
    update(target_on(sandbox), rich, {"subject": "New"})
    update(target_on(sandbox, content_format="html"), plain, {"subject": "New"})
    assert {key.key: touchpoint(sandbox, key.key)["content"] for key in (rich, plain)} == before
    assert touchpoint(sandbox, rich.key)["formatted"]
    assert not touchpoint(sandbox, plain.key)["formatted"]


WRAPPED = '<div class="html-parser-container"><script>alert(1)</script><b>Plain</b> words</div>'


def test_plain_text_that_looks_like_rich_text_does_not_become_it(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    key = create(target, account_ids(sandbox)[0], values_of(content=WRAPPED))
    stored = touchpoint(sandbox, key.key)
    assert (stored["content"], stored["formatted"]) == ("Plain words", False)
    assert [record.key for record in found(target, account_ids(sandbox)[0], values_of(content=WRAPPED))] == [key.key]
    update(target, key, {"content": WRAPPED.replace("Plain", "Other")})
    stored = touchpoint(sandbox, key.key)
    assert (stored["content"], stored["formatted"]) == ("Other words", False)


def test_rich_text_holds_no_script_even_when_it_comes_wrapped(sandbox: Sandbox) -> None:
    key = create(target_on(sandbox, content_format="html"), account_ids(sandbox)[0], values_of(content=WRAPPED))
    assert touchpoint(sandbox, key.key)["content"] == '<div class="html-parser-container"><b>Plain</b> words</div>'


def test_rich_text_that_is_sent_along_unchanged_is_not_rewritten(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    rich = '<div class="html-parser-container"><p style="color:red">A person\'s</p> note</div>'
    made = service_of(sandbox).act("create_touchpoint", {"account_id": account, "subject": "Old", "content": rich})
    for options in ({}, {"content_format": "html"}):
        target = target_on(sandbox, **options)
        record = target.read_keys([RecordKey(str(made["note_id"]), account)])[str(made["note_id"])]
        assert record is not None
        key = RecordKey(record.key, account, record.extra)
        values = {**record.values, "subject": f"New {len(options)}"}
        (verdict,) = target.write([Write(Operation.UPDATE, key, account, values, frozenset({"subject"}))])
        assert verdict.error is None
        assert touchpoint(sandbox, record.key)["content"] == rich


@pytest.mark.parametrize("omitted", ["keep", "clear"])
def test_participants_may_be_written_with_new_touchpoints_only(sandbox: Sandbox, omitted: str) -> None:
    switch(sandbox, put_omitted=omitted)
    first, second = sorted(user["email"] for user in service_of(sandbox).state()["users"])[:2]
    target = target_on(sandbox, participants="create_only")
    key = create(target, account_ids(sandbox)[0], values_of(participants=[first]))
    assert touchpoint(sandbox, key.key)["participants"] == [first]
    update(target, key, values_of(content="New", participants=[second]))
    stored = touchpoint(sandbox, key.key)
    assert (stored["content"], stored["participants"]) == ("New", [first])
    assert TouchpointOptions().create_only() == frozenset()


def test_participants_that_are_not_mapped_cost_no_call_where_there_are_none(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    member = service_of(sandbox).state()["users"][0]["email"]
    target = target_on(sandbox)
    for participants, calls in (([], 1), ([member], 2)):
        key = create(target, account, values_of(participants=participants))
        record = target.read_keys([key])[key.key]
        assert record is not None
        address = RecordKey(key.key, account, record.extra)
        update(target, address, {"subject": "Read the catalogues", "content": "x"})
        before = target.calls
        update(target, address, {"subject": "New", "content": "y"})
        assert target.calls - before == calls
        assert touchpoint(sandbox, key.key)["participants"] == participants


def test_what_the_source_says_of_its_own_changes_is_not_sent(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    values = values_of(last_update_date=DATE, last_updater="ada@other.example", touchpoint_id="x")
    create(target, account_ids(sandbox)[0], values)
    (call,) = [entry for entry in sandbox.log.entries if entry.write]
    assert not set(call.body) & {"last_update_date", "last_updater", "touchpoint_id"}


def test_people_of_no_account_are_team_members(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    service_of(sandbox).act("add_contact", {"account_id": account, "email": "lee@acme.example"})
    member = service_of(sandbox).state()["users"][0]["email"]
    client = client_on(sandbox)
    people = TotangoTouchpoints(client).resolve_people({"": {member.lower(), "lee@acme.example"}})
    assert dict(people) == {("", member.lower()): member}
    assert client.calls == 1


@pytest.mark.parametrize(
    "content",
    [
        "<p>One</p><p>two &amp; three</p>",
        "a < b, then c > d",
        "trailing line\n",
        "caf\u00e9 \U0001f469\u200d\U0001f4bb",
        "",
        "x" * 20_000,
        "<script>alert(1)</script>=cmd|' /C calc'!A0",
        "\u202eright to left",
    ],
)
@pytest.mark.parametrize("options", [{}, {"content_format": "html"}], ids=["text", "html"])
def test_a_lost_create_is_found_whatever_the_service_did_to_its_text(
    sandbox: Sandbox, content: str, options: dict[str, Any]
) -> None:
    account = account_ids(sandbox)[0]
    target = target_on(sandbox, **options)
    values = values_of(content=content, created_by="ADA@Other.example", subject="  Spaced  subject ")
    create(target, account, values_of(content="Another one.", created_by="ADA@Other.example"))
    key = create(target, account, values)
    assert [record.key for record in found(target, account, values)] == [key.key]


def test_a_lost_create_is_found_without_optional_properties(sandbox: Sandbox) -> None:
    switch(sandbox, **{"missing_optional_properties": True})
    account = account_ids(sandbox)[0]
    target = target_on(sandbox)
    key = create(target, account, values_of())
    (record,) = found(target, account, values_of())
    assert record.key == key.key
    assert "subject" not in record.values
    assert "participants" not in record.values


def test_touchpoints_of_another_moment_author_or_subject_are_not_taken_for_it(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    target = target_on(sandbox)
    base = values_of(created_by="ada@other.example")
    create(target, account, base)
    for change in (
        {"touchpoint_date": "2026-11-18T09:30:02.000Z"},
        {"created_by": "bo@other.example"},
        {"subject": "X"},
    ):
        assert list(found(target, account, {**base, **change})) == []


def test_a_cut_off_timeline_proves_nothing_and_the_search_helps_out(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    target = target_on(sandbox)
    old = add_touchpoint(sandbox, account, NOW - timedelta(days=300))
    values = values_of(touchpoint_date="2025-01-01T00:00:00.000Z")
    key = create(target, account, values)
    for number in range(1000):
        add_touchpoint(sandbox, account, NOW - timedelta(minutes=number))
    switch(sandbox, **{"timeline_cap": 1000})
    sandbox.clock.advance(timedelta(seconds=5))
    gone = RecordKey("1", account)
    answer = target.read_keys([RecordKey(str(old), account), gone])
    assert str(old) in answer
    assert gone.key not in answer
    assert [record.key for record in found(target, account, values)] == [key.key]


def test_nothing_is_proven_about_touchpoints_of_a_merged_account(sandbox: Sandbox) -> None:
    first, second = account_ids(sandbox)[:2]
    target = target_on(sandbox)
    key = create(target, first, values_of())
    service_of(sandbox).act("merge_account", {"account_id": first, "into": second})
    assert dict(target.read_keys([key])) == {}


def test_a_search_that_lags_keeps_a_deletion_unproven_for_a_moment(sandbox: Sandbox) -> None:
    target = target_on(sandbox)
    key = create(target, account_ids(sandbox)[0], values_of())
    sandbox.clock.advance(timedelta(seconds=10))
    list(target.read_window(Window(NOW - timedelta(days=1), NOW)))
    service_of(sandbox).act("delete_touchpoint", {"note_id": int(key.key)})
    assert dict(target.read_keys([key])) == {}
    sandbox.clock.advance(timedelta(seconds=10))
    assert dict(target.read_keys([key])) == {key.key: None}


def test_identity_is_the_service_id_or_the_companys_domain(sandbox: Sandbox) -> None:
    client = client_on(sandbox)
    domain = TotangoTouchpoints(client).identity()
    assert "." in domain
    client.service_id = "12345"
    assert TotangoTouchpoints(client).identity() == "SP-12345"


def test_an_expired_token_leaves_no_half_answer(sandbox: Sandbox) -> None:
    sandbox.faults.add(FaultRule.parse({"kind": "token_expired", "nth": 1}))
    with pytest.raises(AuthenticationFailed):
        target_on(sandbox).read_keys([RecordKey("1", account_ids(sandbox)[0])])

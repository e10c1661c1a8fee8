from __future__ import annotations

from typing import Any

import pytest

PATH = "/api/v3/touchpoints/"


def test_the_reply_to_a_create_holds_the_note_id_and_nothing_else(totango: Any) -> None:
    answer = totango.send("POST", PATH, json={"account_id": "ACME-17", "content": "Met."})
    assert (answer.status, list(answer.json), list(answer.json["note"])) == (200, ["note"], ["id"])
    assert isinstance(answer.json["note"]["id"], int)


def test_the_same_create_sent_twice_makes_two_touchpoints(totango: Any) -> None:
    assert totango.create() != totango.create()


def test_a_create_keeps_every_field_it_is_given(totango: Any) -> None:
    catalogues = totango.service.state()
    type_id, tag_id = catalogues["touchpoint_types"][2]["id"], catalogues["touchpoint_tags"][1]["id"]
    note_id = totango.create(
        activity_type_id="renewal",
        created_by="BO@vendor.example",
        create_date=1_760_000_000_000,
        disable_sync=True,
        touchpointType=type_id,
        touchpoint_tags=[tag_id],
        participantList=[{"userId": "bo@vendor.example"}, {"userid": "lee@acme.example"}],
    )
    held = totango.held(note_id)
    assert held["disable_sync"] is True
    assert held["participants"] == ["bo@vendor.example", "lee@acme.example"]
    event = totango.event(note_id)
    assert event["timestamp"] == 1_760_000_000_000
    assert event["note_content"]["totango_user"]["user_name"] == "bo@vendor.example"
    properties = event["properties"]
    assert (properties["meeting_type"], properties["touchpoint_tags"]) == (type_id, [tag_id])
    assert properties["activity_type_id"] == "renewal"
    assert properties["totango_participants"] == ["bo@vendor.example"]
    assert properties["account_participants"] == ["lee@acme.example"]
    assert properties["creation_time"] == 1_795_161_600_000
    assert "disable_sync" not in str(event)


def test_what_is_left_out_falls_to_now_the_default_flow_and_the_owner_of_the_token(totango: Any) -> None:
    held = totango.held(totango.create())
    assert held["timestamp_ms"] == 1_795_161_600_000
    assert held["created_by"] == "dana@vendor.example"
    assert held["activity_type_id"] == "adoption"
    assert held["disable_sync"] is False


def test_an_author_nobody_knows_is_shown_raw(totango: Any) -> None:
    note_id = totango.create(created_by="Robot@Else.example")
    assert totango.event(note_id)["note_content"]["totango_user"]["user_name"] == "Robot@Else.example"


def test_user_id_is_the_older_name_of_the_author(totango: Any) -> None:
    assert totango.held(totango.create(user_id="bo@vendor.example"))["created_by"] == "bo@vendor.example"


def test_a_disabled_team_member_may_be_the_author(totango: Any) -> None:
    assert totango.held(totango.create(created_by="cleo@vendor.example"))["created_by"] == "cleo@vendor.example"


@pytest.mark.parametrize("account_id", ["NOBODY", "acme-17"])
def test_an_unknown_account_or_one_in_other_case_is_answered_400_account_not_found(
    totango: Any, account_id: str
) -> None:
    answer = totango.send("POST", PATH, json={"account_id": account_id, "content": "x"})
    assert answer.status == 400
    assert answer.json["error"] == {"type": "bad_request", "message": "Account not found"}
    assert answer.json["message"] == "Account not found"


@pytest.mark.parametrize(
    "record",
    [
        {"content": "x"},
        {"account_id": "ACME-17"},
        {"account_id": "ACME-17", "content": ""},
        {"account_id": "ACME-17", "content": ["x"]},
        {"account_id": "ACME-17", "content": "x", "create_date": "yesterday"},
        {"account_id": "ACME-17", "content": "x", "create_date": True},
        {"account_id": "ACME-17", "content": "x", "create_date": 10**17},
        {"account_id": "ACME-17", "content": "x", "disable_sync": "maybe"},
        {"account_id": "ACME-17", "content": "x", "participantList": ["lee@acme.example"]},
        {"account_id": "ACME-17", "content": "x", "touchpoint_tags": [1]},
        {"account_id": "ACME-17", "content": "x", "touchpoint_tags": ["nope"]},
        {"account_id": "ACME-17", "content": "x", "touchpointType": "nope"},
        {"account_id": "ACME-17", "content": "x", "parentId": 1},
    ],
)
def test_a_malformed_create_is_answered_400_and_makes_nothing(totango: Any, record: dict[str, Any]) -> None:
    before = len(totango.service.state()["touchpoints"])
    answer = totango.send("POST", PATH, json=record)
    assert (answer.status, answer.json["error"]["type"]) == (400, "bad_request")
    assert len(totango.service.state()["touchpoints"]) == before


def test_empty_content_beside_a_subject_is_a_switch(totango: Any) -> None:
    record = {"account_id": "ACME-17", "subject": "Talk", "content": ""}
    assert totango.send("POST", PATH, json=record).status == 200
    totango.switches.empty_content_allowed = False
    assert totango.send("POST", PATH, json=record).status == 400


def test_content_of_12000_characters_is_kept_and_one_more_is_refused_or_cut(totango: Any) -> None:
    assert len(totango.held(totango.create(content="é" * 12_000))["content"]) == 12_000
    assert totango.send("POST", PATH, json={"account_id": "ACME-17", "content": "x" * 12_001}).status == 400
    totango.switches.over_long_content = "truncate"
    assert len(totango.held(totango.create(content="x" * 12_001))["content"]) == 12_000


def test_wrapped_html_is_kept_and_flagged_with_the_text_true(totango: Any) -> None:
    content = '<div class="html-parser-container">One<br>two</div>'
    event = totango.event(totango.create(content=content))
    assert event["note_content"]["text"] == content
    assert event["properties"]["containsFormatting"] == "true"


def test_tags_outside_the_wrapper_are_stripped_to_text(totango: Any) -> None:
    event = totango.event(totango.create(content="<p>One &amp; <b>two</b></p>three<br/>four"))
    assert event["note_content"]["text"] == "One & two\nthree\nfour\n"
    assert "containsFormatting" not in event["properties"]


def test_plain_text_with_angle_brackets_stays_as_it_is(totango: Any) -> None:
    assert totango.held(totango.create(content="3 < 4 & 5 > 4"))["content"] == "3 < 4 & 5 > 4"


def test_a_plain_body_is_read_back_with_a_newline_unless_the_switch_says_no(totango: Any) -> None:
    note_id = totango.create(content="Met.")
    assert totango.event(note_id)["note_content"]["text"] == "Met.\n"
    totango.switches.text_newline = False
    assert totango.event(note_id)["note_content"]["text"] == "Met."


def test_participants_are_split_by_side_and_internal_ones_found_in_any_case(totango: Any) -> None:
    people = [{"userId": "DANA@vendor.example"}, {"userId": "lee@acme.example"}, {"userId": "dana@vendor.example"}]
    held = totango.held(totango.create(participantList=people))
    assert held["internal_participants"] == ["dana@vendor.example"]
    assert held["external_participants"] == ["lee@acme.example"]


@pytest.mark.parametrize("user_id", ["nobody@else.example", "LEE@acme.example"])
def test_a_participant_the_account_does_not_know_is_dropped_or_refused(totango: Any, user_id: str) -> None:
    people = [{"userId": user_id}]
    assert totango.held(totango.create(participantList=people))["participants"] == []
    totango.switches.unknown_participants = "reject"
    record = {"account_id": "ACME-17", "content": "x", "participantList": people}
    assert totango.send("POST", PATH, json=record).status == 400


def test_a_contact_of_another_account_is_no_participant(totango: Any) -> None:
    people = [{"userId": "kim.park@acme.example"}]
    assert totango.held(totango.create("0015000000FgHiJAAX", participantList=people))["participants"] == []


def test_external_participants_may_be_read_as_objects(totango: Any) -> None:
    note_id = totango.create(participantList=[{"userId": "lee@acme.example"}])
    totango.switches.account_participants_form = "object"
    expected = [{"userId": "lee@acme.example", "name": "Lee Wong"}]
    assert totango.event(note_id)["properties"]["account_participants"] == expected


@pytest.mark.parametrize("flow", ["no-such-flow", "disabled_1612137600000"])
def test_an_unknown_or_retired_flow_becomes_the_default_one_or_is_refused(totango: Any, flow: str) -> None:
    assert totango.held(totango.create(activity_type_id=flow))["activity_type_id"] == "adoption"
    totango.switches.unknown_flow = "reject"
    record = {"account_id": "ACME-17", "content": "x", "activity_type_id": flow}
    assert totango.send("POST", PATH, json=record).status == 400


def test_unknown_tags_and_types_are_refused_or_ignored(totango: Any) -> None:
    known = totango.service.state()["touchpoint_tags"][0]["id"]
    record = {"account_id": "ACME-17", "content": "x", "touchpoint_tags": [known, "nope"], "touchpointType": "nope"}
    assert totango.send("POST", PATH, json=record).status == 400
    totango.switches.unknown_tags = "ignore"
    held = totango.held(totango.send("POST", PATH, json=record).json["note"]["id"])
    assert (held["tags"], held["touchpoint_type"]) == ([known], None)


def test_a_tenant_may_allow_only_one_tag(totango: Any) -> None:
    tags = [tag["id"] for tag in totango.service.state()["touchpoint_tags"][:2]]
    assert totango.held(totango.create(touchpoint_tags=tags))["tags"] == tags
    totango.switches.one_tag_only = True
    record = {"account_id": "ACME-17", "content": "x", "touchpoint_tags": tags}
    assert totango.send("POST", PATH, json=record).status == 400


def test_an_external_id_sent_is_ignored_or_stored_in_lower_case(totango: Any) -> None:
    assert "external_id" not in totango.event(totango.create(external_id="00UABC"))["properties"]
    totango.switches.external_id_on_write = "accept"
    assert totango.event(totango.create(external_id="00UABC"))["properties"]["external_id"] == "00uabc"


def test_a_follow_up_names_its_parent_of_the_same_account(totango: Any) -> None:
    parent = totango.create()
    event = totango.event(totango.create(parentId=parent, followUp=str(parent)))
    assert (event["properties"]["parent_id"], event["properties"]["follow_up"]) == (parent, parent)
    other = totango.create("0015000000FgHiJAAX")
    assert totango.send("POST", PATH, json={"account_id": "ACME-17", "content": "x", "parentId": other}).status == 400


def test_an_edit_keeps_ids_and_date_and_sets_the_edit_trail(totango: Any) -> None:
    note_id = totango.create()
    before = totango.event(note_id)
    totango.wait(60)
    pair = {"note_id": note_id, "event_id": before["id"], "account_id": "ACME-17"}
    answer = totango.send("PUT", f"{PATH}{note_id}", json={**pair, "content": "Met again."})
    assert (answer.status, answer.json) == (200, {"note": {"id": note_id}})
    after = totango.event(note_id)
    assert (after["id"], after["timestamp"]) == (before["id"], before["timestamp"])
    assert after["note_content"]["text"] == "Met again.\n"
    trail = {name: after["properties"][name] for name in ("last_edit_time", "update_time", "last_edit_user")}
    now = 1_795_161_660_000
    assert trail == {"last_edit_time": now, "update_time": now, "last_edit_user": "dana@vendor.example"}
    assert after["properties"]["creation_time"] == before["properties"]["creation_time"]
    assert not {"last_edit_time", "update_time", "last_edit_user"} & set(before["properties"])


def test_an_edit_with_a_create_date_moves_the_event(totango: Any) -> None:
    note_id = totango.create()
    totango.send("PUT", f"{PATH}{note_id}", json={"create_date": 1_700_000_000_000})
    assert totango.event(note_id)["timestamp"] == 1_700_000_000_000


def test_fields_left_out_of_an_update_stay_or_are_cleared(totango: Any) -> None:
    note_id = totango.create(participantList=[{"userId": "lee@acme.example"}], disable_sync=True)
    totango.send("PUT", f"{PATH}{note_id}", json={"subject": "New"})
    held = totango.held(note_id)
    assert (held["subject"], held["content"], held["participants"]) == ("New", "Met.", ["lee@acme.example"])
    assert held["disable_sync"] is True
    totango.switches.put_omitted = "clear"
    assert totango.send("PUT", f"{PATH}{note_id}", json={"subject": "Newer"}).status == 200
    held = totango.held(note_id)
    assert (held["subject"], held["content"], held["participants"]) == ("Newer", "", [])
    assert held["disable_sync"] is False


def test_participants_of_an_update_replace_the_list(totango: Any) -> None:
    note_id = totango.create(participantList=[{"userId": "lee@acme.example"}])
    totango.send("PUT", f"{PATH}{note_id}", json={"participantList": [{"userId": "bo@vendor.example"}]})
    assert totango.held(note_id)["participants"] == ["bo@vendor.example"]


def test_an_update_never_changes_the_author(totango: Any) -> None:
    note_id = totango.create()
    totango.send("PUT", f"{PATH}{note_id}", json={"content": "x", "created_by": "bo@vendor.example"})
    assert totango.held(note_id)["created_by"] == "dana@vendor.example"


def test_a_touchpoint_cannot_move_to_another_account(totango: Any) -> None:
    note_id = totango.create()
    assert totango.send("PUT", f"{PATH}{note_id}", json={"account_id": "0015000000FgHiJAAX"}).status == 400


def test_a_note_id_in_the_body_must_be_the_one_in_the_address(totango: Any) -> None:
    note_id = totango.create()
    assert totango.send("PUT", f"{PATH}{note_id}", json={"note_id": note_id + 1, "content": "x"}).status == 400


@pytest.mark.parametrize("note_id", ["1", "abc"])
def test_updating_a_note_that_is_not_there_is_answered_404(totango: Any, note_id: str) -> None:
    assert totango.send("PUT", f"{PATH}{note_id}", json={"content": "x"}).status == 404


@pytest.mark.parametrize("kind", ["json", "form"])
def test_a_delete_needs_both_ids_the_event_id_in_the_body(totango: Any, kind: str) -> None:
    note_id = totango.create()
    event_id = totango.event(note_id)["id"]
    assert totango.send("DELETE", f"{PATH}{note_id}").status == 400
    answer = totango.send("DELETE", f"{PATH}{note_id}", **{kind: {"event_id": event_id}})
    assert (answer.status, answer.json) == (200, {"success": True})
    assert note_id not in [note["note_id"] for note in totango.service.state()["touchpoints"]]
    assert totango.service.state()["deleted_touchpoints"][-1]["deleted"] is True
    assert totango.send("DELETE", f"{PATH}{note_id}", json={"event_id": event_id}).status == 404


def test_ids_that_are_no_pair_are_answered_404_and_remove_nothing(totango: Any) -> None:
    first, second = totango.create(), totango.create()
    other = totango.event(second)["id"]
    assert totango.send("DELETE", f"{PATH}{first}", json={"event_id": other}).status == 404
    assert totango.send("PUT", f"{PATH}{first}", json={"event_id": other, "content": "x"}).status == 404
    assert totango.held(first)["content"] == "Met."
    assert totango.held(second)


def test_reading_one_touchpoint_is_not_simulated(totango: Any) -> None:
    answer = totango.send("GET", f"{PATH}{totango.create()}")
    assert (answer.status, answer.json["error"]["type"]) == (501, "not_simulated")

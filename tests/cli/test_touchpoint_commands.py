"""What a person may rely on who writes touchpoints by hand."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cli.conftest import Answer, Cshub

from cshub.cli.screen import Screen
from cshub.systems.totango.client import TotangoClient
from cshub_sandbox.testing import RunningSandbox

TEXT = "Met the team."


@pytest.fixture
def hand(unhurried: Cshub, still: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Cshub:
    """The command line in a world whose search is 2 s late, and whose clock moves when a command waits."""
    still.control.switch("totango", search_lag_s=2.0)
    for module in ("touchpoint_lookup", "writing"):
        monkeypatch.setattr(f"cshub.cli.{module}.sleep", still.control.advance)
    monkeypatch.setattr("cshub.pipeline.readback.SEARCH_LAG_S", 3.0)
    return unhurried


@pytest.fixture
def account(hand: Cshub) -> str:
    return str(hand.json("totango", "accounts")["accounts"][0]["id"])


def call(cshub: Cshub, verb: str, *arguments: str | int) -> Answer:
    return cshub("totango", "touchpoints", verb, *map(str, arguments), "--yes")


def create(cshub: Cshub, account: str, *more: str | int) -> int:
    words = ("--account", account, "--subject", "Review", "--content", TEXT, *map(str, more))
    return int(cshub.json("totango", "touchpoints", "create", *words, "--yes")["created"]["note_id"])


def stored(sandbox: RunningSandbox, note_id: int) -> dict[str, Any]:
    notes = sandbox.control.state("totango")["touchpoints"]
    return dict(next(note for note in notes if note["note_id"] == note_id))


def notes_of(sandbox: RunningSandbox, account: str) -> list[int]:
    notes = sandbox.control.state("totango")["touchpoints"]
    return [note["note_id"] for note in notes if note["account_id"] == account]


def test_a_second_update_keeps_what_the_first_changed_while_the_search_is_late(
    hand: Cshub, still: RunningSandbox, account: str
) -> None:
    note_id = create(hand, account)
    still.control.advance(5)
    assert call(hand, "update", note_id, "--content", "The new text").code == 0
    assert call(hand, "update", note_id, "--subject", "The new title").code == 0
    now = stored(still, note_id)
    assert (now["content"].strip(), now["subject"]) == ("The new text", "The new title")


def test_an_edit_made_while_a_person_thinks_is_kept(
    hand: Cshub, still: RunningSandbox, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_id = create(hand, account)

    def think(screen: Screen, question: str, *, yes: bool) -> None:
        still.control.act("totango", "edit_touchpoint", note_id=note_id, content="Edited in Totango")

    monkeypatch.setattr(Screen, "confirm", think)
    hand.ok("totango", "touchpoints", "update", str(note_id), "--account", account, "--subject", "Part 2")
    now = stored(still, note_id)
    assert (now["content"].strip(), now["subject"]) == ("Edited in Totango", "Part 2")


@pytest.mark.parametrize(("verb", "more"), [("update", ["--subject", "Part 2"]), ("delete", [])])
def test_a_touchpoint_made_just_now_is_waited_for(hand: Cshub, account: str, verb: str, more: list[str]) -> None:
    answer = call(hand, verb, create(hand, account), *more)
    assert answer.code == 0
    assert "looking again in 3 s" in answer.err


def test_a_touchpoint_the_search_does_not_show_is_not_said_to_be_missing(hand: Cshub, account: str) -> None:
    answer = call(hand, "update", 1, "--subject", "x")
    assert answer.code == 1
    assert "some seconds late" in answer.err and "--account" in answer.err


def test_a_touchpoint_that_only_the_late_search_still_shows_is_told_as_deleted(
    hand: Cshub, still: RunningSandbox, account: str
) -> None:
    note_id = create(hand, account)
    still.control.advance(5)
    assert call(hand, "delete", note_id).code == 0
    answer = call(hand, "delete", note_id)
    assert answer.code == 1
    assert f"Account {account} has no touchpoint {note_id}" in answer.err


def test_a_touchpoint_beyond_the_end_of_a_timeline_that_is_cut_off_is_found(
    hand: Cshub, still: RunningSandbox, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_id = create(hand, account, "--date", "2020-01-01T10:00Z")
    still.control.switch("totango", timeline_cap=1)
    monkeypatch.setattr("cshub.systems.totango.touchpoint_reader._TIMELINE_CAP", 1)
    answer = call(hand, "update", note_id, "--account", account, "--subject", "Part 2")
    still.control.switch("totango", timeline_cap=0)
    assert answer.code == 0
    assert (stored(still, note_id)["content"].strip(), stored(still, note_id)["subject"]) == (TEXT, "Part 2")


def test_an_account_that_does_not_exist_is_told_as_such(hand: Cshub) -> None:
    answer = call(hand, "delete", 1, "--account", "NOPE")
    assert answer.code == 1
    assert "Totango has no account NOPE" in answer.err


def test_a_retired_type_does_not_get_in_the_way_of_an_update(
    hand: Cshub, still: RunningSandbox, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_id = create(hand, account, "--type", "Web meeting")
    monkeypatch.setattr(TotangoClient, "touchpoint_types", lambda client: [])
    assert call(hand, "update", note_id, "--account", account, "--subject", "Part 2").code == 0
    assert "touchpointType" not in str(still.control.log("totango", writes=True)[-1])


def test_a_create_whose_answer_was_lost_tells_what_it_made(hand: Cshub, still: RunningSandbox, account: str) -> None:
    twin = create(hand, account)
    still.control.add_fault("drop_after_commit", service="totango", method="POST", path="/api/v3/touchpoints*", count=1)
    note_id = create(hand, account)
    still.control.clear_faults()
    assert note_id != twin
    assert notes_of(still, account)[-2:] == [twin, note_id]


def test_a_create_that_was_lost_before_it_did_anything_says_so_and_how_to_go_on(
    hand: Cshub, still: RunningSandbox, account: str
) -> None:
    create(hand, account)
    before = notes_of(still, account)
    still.control.add_fault("drop_before_commit", service="totango", method="POST", path="/api/v3/touchpoints*")
    answer = call(hand, "create", "--account", account, "--subject", "Review", "--content", TEXT)
    still.control.clear_faults()
    assert answer.code == 1
    assert f"cshub totango touchpoints list --account {account}" in answer.err
    assert "next run" not in answer.err
    assert notes_of(still, account) == before


@pytest.mark.parametrize("verb", ["create", "update"])
def test_a_text_over_the_limit_is_told_before_anything_is_sent(
    hand: Cshub, still: RunningSandbox, account: str, verb: str
) -> None:
    address = ["--account", account] if verb == "create" else [create(hand, account), "--account", account]
    still.control.clear_log()
    answer = call(hand, verb, *address, "--content", "x" * 12_001)
    assert answer.code == 2
    assert "--content" in answer.err and "12,001" in answer.err and "12,000" in answer.err
    assert "xxx" not in answer.out + answer.err
    assert still.control.log("totango", writes=True) == []


def test_a_long_text_is_shown_by_its_beginning_and_length(hand: Cshub, account: str) -> None:
    answer = call(hand, "create", "--account", account, "--content", "word " * 2_000)
    assert answer.code == 0
    assert len(answer.out.splitlines()) < 12
    assert "10,000 characters" in answer.out


def test_a_participant_that_totango_does_not_know_is_told_and_the_others_are_sent(
    hand: Cshub, still: RunningSandbox, account: str
) -> None:
    member = hand.json("totango", "users")["users"][0]["email"]
    people = ("--participant", "a@b.example", "--participant", member.upper())
    answer = call(hand, "create", "--account", account, "--subject", "Review", "--content", TEXT, *people)
    assert answer.code == 0
    assert "a@b.example" in answer.err and "left out" in answer.err
    made = stored(still, notes_of(still, account)[-1])
    assert made["internal_participants"] == [member]


def test_an_update_with_only_unknown_participants_leaves_those_there_are(
    hand: Cshub, still: RunningSandbox, account: str
) -> None:
    member = hand.json("totango", "users")["users"][0]["email"]
    note_id = create(hand, account, "--participant", member)
    answer = call(hand, "update", note_id, "--account", account, "--participant", "a@b.example")
    assert answer.code == 2
    assert "nothing is to be changed" in answer.err
    assert stored(still, note_id)["internal_participants"] == [member]


def test_a_reply_names_its_parent_and_what_it_follows_and_an_update_keeps_both(
    hand: Cshub, still: RunningSandbox, account: str
) -> None:
    parent = create(hand, account)
    reply = create(hand, account, "--parent", parent, "--follow-up", parent)
    assert (stored(still, reply)["parent_id"], stored(still, reply)["follow_up"]) == (parent, parent)
    assert call(hand, "update", reply, "--account", account, "--subject", "Re", "--sync").code == 0
    body = still.control.log("totango", writes=True)[-1]["body"]
    assert (body["parentId"], body["followUp"], body["disable_sync"]) == (parent, parent, False)


def test_a_refusal_speaks_to_the_person_who_typed(hand: Cshub) -> None:
    answer = call(hand, "create", "--account", "NOPE", "--subject", "x")
    assert answer.code == 1
    assert "Account not found" in answer.err
    assert "mapping" not in answer.err

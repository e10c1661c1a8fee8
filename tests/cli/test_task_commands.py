"""What a person may rely on who writes tasks by hand."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cli.conftest import Answer, Cshub

from cshub_sandbox.testing import RunningSandbox


@pytest.fixture
def hand(unhurried: Cshub, still: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Cshub:
    """The command line in a world whose clock moves when a command waits."""
    monkeypatch.setattr("cshub.cli.writing.sleep", still.control.advance)
    return unhurried


@pytest.fixture
def account(hand: Cshub) -> str:
    return str(hand.json("totango", "accounts")["accounts"][0]["id"])


def call(cshub: Cshub, verb: str, *arguments: str | int) -> Answer:
    return cshub("totango", "tasks", verb, *map(str, arguments), "--yes")


def create(cshub: Cshub, account: str, *more: str) -> int:
    words = ("--account", account, "--title", "Send the offer", "--due", "2026-11-30", *more)
    return int(cshub.json("totango", "tasks", "create", *words, "--yes")["created"]["task_id"])


def stored(sandbox: RunningSandbox, task_id: int) -> dict[str, Any]:
    return dict(next(task for task in sandbox.control.state("totango")["tasks"] if task["id"] == task_id))


def tasks_of(sandbox: RunningSandbox, account: str) -> list[int]:
    return [task["id"] for task in sandbox.control.state("totango")["tasks"] if task["account_id"] == account]


def listed(cshub: Cshub, account: str) -> list[int]:
    return [item["id"] for item in cshub.json("totango", "tasks", "list", "--account", account)["tasks"]]


@pytest.mark.parametrize("is_marked", [True, False])
def test_a_deleted_task_is_not_listed(hand: Cshub, still: RunningSandbox, account: str, is_marked: bool) -> None:
    before = still.control.switch("totango")["task_delete_event"]
    still.control.switch("totango", task_delete_event=is_marked)
    task_id = create(hand, account)
    assert task_id in listed(hand, account)
    assert call(hand, "delete", task_id).code == 0
    still.control.switch("totango", task_delete_event=before)
    assert task_id not in listed(hand, account)


def test_tasks_of_an_account_that_does_not_exist_are_not_an_empty_list(hand: Cshub) -> None:
    answer = hand("totango", "tasks", "list", "--account", "NOPE")
    assert answer.code == 1
    assert "Totango has no account NOPE" in answer.err


def test_the_list_shows_titles_and_words(hand: Cshub, account: str) -> None:
    create(hand, account, "--priority", "high")
    text = hand.ok("totango", "tasks", "list", "--account", account).out
    assert "Send the offer" in text and "high" in text


@pytest.mark.parametrize(
    ("option", "given"),
    [("--due", "01.12.2026"), ("--due", "2026-02-30"), ("--due", ""), ("--title", " "), ("--priority", "4"),
     ("--priority", "urgent"), ("--status", "done")],
)  # fmt: skip
def test_what_totango_would_refuse_is_told_by_its_option_and_not_sent(
    hand: Cshub, still: RunningSandbox, account: str, option: str, given: str
) -> None:
    task_id = create(hand, account)
    still.control.clear_log()
    fields = {"--title": "Send the offer", "--due": "2026-11-30", option: given}
    words = [word for pair in fields.items() for word in pair]
    for answer in (call(hand, "create", "--account", account, *words), call(hand, "update", task_id, option, given)):
        assert answer.code == 2
        assert option in answer.err
    assert still.control.log("totango", writes=True) == []


def test_a_task_needs_a_due_date(hand: Cshub, still: RunningSandbox, account: str) -> None:
    answer = call(hand, "create", "--account", account, "--title", "Send the offer")
    assert answer.code == 2
    assert "Missing option '--due'" in answer.err


@pytest.mark.parametrize("given", ["low", "Low", "3"])
def test_a_priority_is_a_word_or_its_number_and_is_shown_as_the_word(
    hand: Cshub, still: RunningSandbox, account: str, given: str
) -> None:
    task_id = create(hand, account)
    answer = call(hand, "update", task_id, "--priority", given)
    assert answer.code == 0
    assert ["priority", "low"] in [line.split() for line in answer.out.splitlines()]
    assert stored(still, task_id)["priority"] == 3
    assert ["priority", "low"] in [
        line.split() for line in hand.ok("totango", "tasks", "get", str(task_id)).out.splitlines()
    ]


@pytest.mark.parametrize(("verb", "state"), [("close", "closed"), ("reopen", "open")])
def test_a_task_that_is_so_already_is_left_alone(
    hand: Cshub, still: RunningSandbox, account: str, verb: str, state: str
) -> None:
    task_id = create(hand, account, "--status", state)
    still.control.clear_log()
    answer = call(hand, verb, task_id)
    assert answer.code == 0
    assert f"is {state} already" in answer.out
    assert still.control.log("totango", writes=True) == []


def test_a_task_has_every_documented_field(hand: Cshub, still: RunningSandbox, account: str) -> None:
    label = stored(still, create(hand, account))["status_label_id"]
    closed = create(hand, account, "--status", "closed")
    assert stored(still, closed)["status"] == "closed"
    assert call(hand, "update", closed, "--status-label", label).code == 0
    assert stored(still, closed)["status_label_id"] == label


def test_a_create_whose_answer_was_lost_tells_what_it_made(hand: Cshub, still: RunningSandbox, account: str) -> None:
    twin = create(hand, account)
    still.control.add_fault("drop_after_commit", service="totango", method="POST", path="/api/v3/tasks", count=1)
    task_id = create(hand, account)
    still.control.clear_faults()
    assert tasks_of(still, account)[-2:] == [twin, task_id]
    assert task_id != twin


def test_a_create_that_was_lost_before_it_did_anything_says_so_and_how_to_go_on(
    hand: Cshub, still: RunningSandbox, account: str
) -> None:
    still.control.add_fault("drop_before_commit", service="totango", method="POST", path="/api/v3/tasks")
    answer = call(hand, "create", "--account", account, "--title", "Send the offer", "--due", "2026-11-30")
    still.control.clear_faults()
    assert answer.code == 1
    assert f"cshub totango tasks list --account {account}" in answer.err
    assert "next run" not in answer.err


def test_a_refusal_speaks_to_the_person_who_typed(hand: Cshub) -> None:
    answer = call(hand, "create", "--account", "NOPE", "--title", "x", "--due", "2026-11-30")
    assert answer.code == 1
    assert "Account not found" in answer.err
    assert "mapping" not in answer.err

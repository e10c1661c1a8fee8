from __future__ import annotations

from typing import Any

import pytest
from tests.cli.conftest import WEEK, Cshub

from cshub_sandbox.testing import RunningSandbox


@pytest.fixture
def account(connected: Cshub) -> str:
    return str(connected.json("totango", "accounts")["accounts"][0]["id"])


def touchpoint(cshub: Cshub, account: str, *more: str) -> int:
    made = cshub.json(
        "totango", "touchpoints", "create", "--account", account, "--subject", "Review", "--content", "Met the team.",
        "--date", "2026-11-19T10:00Z", "--yes", *more,
    )  # fmt: skip
    return int(made["created"]["note_id"])


def notes(cshub: Cshub, account: str) -> dict[int, Any]:
    found = cshub.json("totango", "touchpoints", "list", "--account", account)["touchpoints"]
    return {item["note_id"]: item for item in found}


def test_a_touchpoint_is_created_listed_updated_and_deleted(connected: Cshub, account: str) -> None:
    note_id = touchpoint(connected, account, "--type", "web meeting", "--reason", "Onboarding")
    made = notes(connected, account)[note_id]
    assert (made["subject"], made["date"][:16]) == ("Review", "2026-11-19T10:00")
    connected.ok("totango", "touchpoints", "update", str(note_id), "--account", account, "--subject", "Part 2", "--yes")
    changed = notes(connected, account)[note_id]
    assert (changed["subject"], changed["content"].strip()) == ("Part 2", "Met the team.")
    connected.ok("totango", "touchpoints", "delete", str(note_id), "--account", account, "--yes")
    assert note_id not in notes(connected, account)


def test_a_touchpoint_is_found_without_its_account(connected: Cshub, sandbox: RunningSandbox, account: str) -> None:
    note_id = touchpoint(connected, account)
    sandbox.control.advance(120)
    connected.ok("totango", "touchpoints", "delete", str(note_id), "--yes")
    assert note_id not in notes(connected, account)


def test_creating_shows_what_is_sent_and_what_came_back(connected: Cshub, account: str) -> None:
    answer = connected.ok("totango", "touchpoints", "create", "--account", account, "--subject", "Review", "--yes")
    assert f"A touchpoint will be created in account {account}:" in answer.out
    assert "✓ Created: note id" in answer.out


def test_nothing_is_sent_when_nobody_can_be_asked(connected: Cshub, sandbox: RunningSandbox, account: str) -> None:
    answer = connected("totango", "touchpoints", "create", "--account", account, "--subject", "Review")
    assert answer.code == 2
    assert sandbox.control.log("totango", writes=True) == []


def test_a_type_that_does_not_exist_is_told_with_those_that_do(connected: Cshub, account: str) -> None:
    answer = connected(
        "totango", "touchpoints", "create", "--account", account, "--subject", "x", "--type", "Fax", "--yes"
    )
    assert answer.code == 1
    assert "no touchpoint type 'Fax'. There are: Web meeting" in answer.err


def test_a_touchpoint_that_is_not_there_is_told(connected: Cshub, account: str) -> None:
    answer = connected("totango", "touchpoints", "delete", "1", "--account", account, "--yes", "--json")
    assert (answer.code, answer.document["error"]["kind"]) == (1, "NotFound")


def test_a_task_is_created_changed_closed_reopened_and_deleted(connected: Cshub, account: str) -> None:
    task = connected.json(
        "totango", "tasks", "create", "--account", account, "--title", "Send the offer", "--due", "2026-11-30",
        "--priority", "high", "--description", "By e-mail", "--yes",
    )["created"]["task_id"]  # fmt: skip
    listed = {item["id"]: item for item in connected.json("totango", "tasks", "list", "--account", account)["tasks"]}
    assert (listed[task]["description"], listed[task]["due_date"]) == ("By e-mail", "2026-11-30")
    for verb in ("close", "reopen"):
        connected.ok("totango", "tasks", verb, str(task), "--yes")
    connected.ok("totango", "tasks", "update", str(task), "--due", "2026-12-04", "--yes")
    assert "2026-12-04" in str(connected.json("totango", "tasks", "get", str(task))["task"])
    connected.ok("totango", "tasks", "delete", str(task), "--yes")
    assert connected("totango", "tasks", "get", str(task)).code == 1


@pytest.mark.parametrize("name", ["types", "reasons", "flows"])
def test_catalogues_are_listed_with_id_and_name(connected: Cshub, name: str) -> None:
    entries = connected.json("totango", name)["entries"]
    assert all(entry["id"] and entry["name"] for entry in entries)
    assert entries[0]["name"] in connected.ok("totango", name).out


def test_accounts_are_searched_by_part_of_their_name(connected: Cshub) -> None:
    everyone = connected.json("totango", "accounts")["accounts"]
    part = everyone[0]["name"].split()[0].strip(",")
    found = connected.json("totango", "accounts", part)["accounts"]
    assert everyone[0] in found
    assert len(found) < len(everyone)


def test_one_account_is_shown_in_full(connected: Cshub, account: str) -> None:
    assert connected.json("totango", "accounts", "--id", account)["account"]
    assert account in connected.ok("totango", "accounts", "--id", account).out


def test_users_and_contacts_are_listed(connected: Cshub, account: str) -> None:
    assert connected.json("totango", "users")["users"]
    assert "contacts" in connected.json("totango", "users", "--account", account)


def test_events_of_an_account_are_its_timeline(connected: Cshub, account: str) -> None:
    touchpoint(connected, account)
    assert connected.json("totango", "events", "--account", account, "--kind", "note")["events"]


def test_the_token_may_come_from_the_environment_without_airflow(
    cshub: Cshub, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = cshub("totango", "types", "--url", sandbox.totango.url)
    assert (answer.code, "CSHUB_TOTANGO_TOKEN" in answer.err) == (1, True)
    monkeypatch.setenv("CSHUB_TOTANGO_TOKEN", sandbox.totango.token)
    monkeypatch.setenv("CSHUB_CHORUS_TOKEN", sandbox.chorus.token)
    assert cshub.json("totango", "types", "--url", sandbox.totango.url)["entries"]
    assert cshub.json("chorus", "me", "--url", sandbox.chorus.url)["me"]["email"]


def test_a_connection_that_does_not_exist_is_told_with_the_next_step(cshub: Cshub) -> None:
    answer = cshub("totango", "types", "--connection", "totango_nowhere")
    assert answer.code == 1
    assert "There is no connection totango_nowhere: add it" in answer.err
    assert "AIRFLOW_CONN_TOTANGO_NOWHERE" in answer.err and "--url" in answer.err


def test_an_account_that_does_not_exist_is_told(connected: Cshub) -> None:
    answer = connected("totango", "touchpoints", "list", "--account", "NOPE", "--json")
    assert (answer.code, answer.document["error"]["kind"]) == (1, "NotFound")
    assert "Totango has no account NOPE" in answer.err


def test_an_account_without_touchpoints_has_an_empty_list(connected: Cshub) -> None:
    accounts = [item["id"] for item in connected.json("totango", "accounts")["accounts"]]
    assert all(isinstance(notes(connected, account), dict) for account in accounts)


def test_an_answer_404_says_to_check_the_address_too(connected: Cshub, sandbox: RunningSandbox) -> None:
    sandbox.control.add_fault("status", service="totango", status=404)
    answer = connected("totango", "types")
    sandbox.control.clear_faults()
    assert answer.code == 1
    assert "check the address too" in answer.err


def test_engagements_of_a_window_are_listed_newest_first(connected: Cshub) -> None:
    rows = connected.json("chorus", "engagements", *WEEK)["engagements"]
    times = [row["date_time"] for row in rows]
    assert times == sorted(times, reverse=True) and times
    found = connected.json("chorus", "conversation", rows[0]["engagement_id"])
    assert found["conversation"]["id"] == rows[0]["engagement_id"]


@pytest.mark.parametrize("name", ["users", "teams", "emails"])
def test_the_other_lists_of_chorus_are_one_document(connected: Cshub, name: str) -> None:
    arguments = WEEK if name == "emails" else ()
    assert isinstance(connected.json("chorus", name, *arguments)[name], list)
    connected.ok("chorus", name, *arguments)


def test_emails_are_shown_with_their_subject(connected: Cshub) -> None:
    found = connected.json("chorus", "emails", *WEEK)["emails"]
    subjects = [row["attributes"]["name"] for row in found]
    assert subjects and all(subject.split()[0] in connected.ok("chorus", "emails", *WEEK).out for subject in subjects)

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

PATH = "/api/v3/tasks"
RECORD = {"title": "Call", "due_date": "2026-12-01", "account_id": "ACME-17", "activity_type_id": "support"}


def log_of(totango: Any, task_id: int) -> list[Any]:
    """Events of one task, oldest first."""
    return [e for e in totango.timeline() if e["type"] == "task" and e["task_content"]["task_id"] == task_id][::-1]


def read(totango: Any, task_id: int) -> Any:
    (task,) = totango.send("GET", PATH, query={"id": str(task_id)}).json
    return task


def test_a_created_task_answers_its_id_and_is_read_back_as_an_array(totango: Any) -> None:
    task_id = totango.task(description="v2", priority="1", assignee="BO@vendor.example")
    task = read(totango, task_id)
    assert isinstance(task_id, int)
    assert task["title"] == "Call"
    assert (task["priority"], task["status"], task["assignee"]) == (1, "open", "bo@vendor.example")
    assert (task["activity_type_id"], task["assigner"]) == ("support", "dana@vendor.example")


def test_the_reply_may_be_a_message_without_json(totango: Any) -> None:
    totango.switches.task_reply = "text"
    answer = totango.send("POST", PATH, json=RECORD)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert answer.text == "Task created successfully"


def test_a_due_date_may_be_unpadded(totango: Any) -> None:
    assert read(totango, totango.task(due_date="2026-2-3"))["due_date"] == "2026-02-03"


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"due_date": None},
        {"due_date": "2026-02-30"},
        {"due_date": "01.12.2026"},
        {"account_id": None},
        {"activity_type_id": None},
        {"priority": 4},
        {"status": "done"},
        {"status_label_id": "nope"},
    ],
)
def test_a_malformed_task_is_answered_400(totango: Any, wrong: dict[str, Any]) -> None:
    assert totango.send("POST", PATH, json={**RECORD, **wrong}).status == 400


def test_an_unknown_account_is_answered_400_with_the_message_in_both_places(totango: Any) -> None:
    answer = totango.send("POST", PATH, json={**RECORD, "account_id": "NOBODY"})
    assert answer.status == 400
    assert answer.json == {
        "error": {"type": "bad_request", "message": "Account not found"},
        "message": "Account not found",
    }


def test_an_assignee_may_be_a_uuid_and_an_unknown_one_is_kept_or_refused(totango: Any) -> None:
    uuid = next(user["uuid"] for user in totango.service.state()["users"] if user["first_name"] == "Bo")
    assert read(totango, totango.task(assignee=uuid))["assignee"] == "bo@vendor.example"
    assert read(totango, totango.task(assignee="x@else.example"))["assignee"] == "x@else.example"
    totango.switches.unknown_assignee = "reject"
    assert totango.send("POST", PATH, json={**RECORD, "assignee": "x@else.example"}).status == 400


@pytest.mark.parametrize("in_path", [True, False])
def test_an_update_takes_the_id_in_the_path_or_in_the_body(totango: Any, in_path: bool) -> None:
    task_id = totango.task()
    path = f"{PATH}/{task_id}" if in_path else PATH
    answer = totango.send("PUT", path, json={"id": task_id, "status": "closed"})
    assert (answer.status, answer.json) == (200, {"id": task_id})
    assert (read(totango, task_id)["status"], read(totango, task_id)["title"]) == ("closed", "Call")


def test_an_update_without_an_id_or_with_two_different_ones_is_answered_400(totango: Any) -> None:
    task_id = totango.task()
    assert totango.send("PUT", PATH, json={"status": "closed"}).status == 400
    assert totango.send("PUT", f"{PATH}/{task_id}", json={"id": task_id + 1}).status == 400


def test_a_task_cannot_move_to_another_account(totango: Any) -> None:
    path = f"{PATH}/{totango.task()}"
    assert totango.send("PUT", path, json={"account_id": "0015000000FgHiJAAX"}).status == 400


def test_a_task_that_is_not_there_reads_as_an_empty_array_and_cannot_be_changed(totango: Any) -> None:
    assert totango.send("GET", PATH, query={"id": "1"}).json == []
    assert totango.send("GET", PATH, query={"id": "x"}).json == []
    assert totango.send("GET", PATH).status == 400
    assert totango.send("PUT", f"{PATH}/1", json={"status": "closed"}).status == 404
    assert totango.send("DELETE", f"{PATH}/1").status == 404
    assert totango.send("DELETE", f"{PATH}/x").status == 404


def test_every_change_is_an_event_that_tells_what_was_and_what_is(totango: Any) -> None:
    task_id = totango.task(description="one")
    totango.wait(60)
    totango.send("PUT", f"{PATH}/{task_id}", json={"description": "two"})
    totango.wait(60)
    totango.send("PUT", f"{PATH}/{task_id}", json={"status": "closed"})
    totango.wait(60)
    totango.send("PUT", f"{PATH}/{task_id}", json={"status": "open"})
    created, edited, completed, reopened = log_of(totango, task_id)
    assert [e["task_content"]["action"] for e in (created, edited, completed, reopened)] == [
        "create",
        "update",
        "complete",
        "update",
    ]
    assert created["task_content"]["description"] == {"current": "one", "prev": None, "is_modified": True}
    assert edited["task_content"]["description"] == {"current": "two", "prev": "one", "is_modified": True}
    assert edited["task_content"]["status"] == {"current": "open", "prev": "open", "is_modified": False}
    assert completed["task_content"]["status"] == {"current": "closed", "prev": "open", "is_modified": True}
    assert completed["timestamp"] - created["timestamp"] == 120_000
    assert edited["properties"]["activity_type_id_is_modified"] is False
    assert "title" not in created["task_content"]


def test_completed_date_follows_the_status(totango: Any) -> None:
    task_id = totango.task(status="closed")
    assert read(totango, task_id)["completed_date"] == 1_795_161_600_000
    totango.send("PUT", f"{PATH}/{task_id}", json={"status": "open"})
    assert read(totango, task_id)["completed_date"] is None


def test_a_status_label_sets_the_legacy_status_which_keeps_a_label_that_fits(totango: Any) -> None:
    labels = {label["name"]: label["id"] for label in totango.service.state()["status_labels"]}
    task_id = totango.task()
    assert read(totango, task_id)["status_label_id"] == labels["Not Started"]
    totango.send("PUT", f"{PATH}/{task_id}", json={"status_label_id": labels["Cancelled"]})
    assert read(totango, task_id)["status"] == "closed"
    totango.send("PUT", f"{PATH}/{task_id}", json={"status": "closed"})
    assert read(totango, task_id)["status_label_id"] == labels["Cancelled"]
    totango.send("PUT", f"{PATH}/{task_id}", json={"status": "open"})
    assert read(totango, task_id)["status_label_id"] == labels["Not Started"]


def test_a_deleted_task_is_gone_and_leaves_an_event_only_by_a_switch(totango: Any) -> None:
    first, second = totango.task(), totango.task()
    assert totango.send("DELETE", f"{PATH}/{first}").json == {"success": True}
    assert totango.send("GET", PATH, query={"id": str(first)}).json == []
    assert [e["task_content"]["action"] for e in log_of(totango, first)] == ["create"]
    totango.switches.task_delete_event = True
    totango.wait(1)
    totango.send("DELETE", f"{PATH}/{second}")
    assert [e["task_content"]["action"] for e in log_of(totango, second)] == ["create", "delete"]


def test_a_deleted_task_is_listed_nowhere_as_open(totango: Any) -> None:
    gone, kept = totango.task(), totango.task()
    totango.send("DELETE", f"{PATH}/{gone}")
    rows = csv.DictReader(io.StringIO(totango.send("GET", f"{PATH}/export/csv", query={"fields": "id,status"}).text))
    assert {row["id"] for row in rows} & {str(gone), str(kept)} == {str(kept)}
    totango.switches.unknown_task = "not_found"
    assert totango.send("GET", PATH, query={"id": str(gone)}).status == 404


def test_the_export_is_csv_with_the_columns_asked_for(totango: Any) -> None:
    task_id = totango.task(title='Say "hi", twice')
    query = {"query": '{"orderBy":"id"}', "fields": "id,title,account_display_name,due_date", "fileName": "my tasks"}
    answer = totango.send("GET", f"{PATH}/export/csv", query=query)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my_tasks.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[-1] == {
        "id": str(task_id),
        "title": 'Say "hi", twice',
        "account_display_name": "Acme",
        "due_date": "2026-12-01",
    }
    assert len(rows) == len(totango.service.state()["tasks"])


def test_the_export_takes_all_columns_by_default_and_filters_by_automation_to_nothing(totango: Any) -> None:
    header = totango.send("GET", f"{PATH}/export/csv").text.splitlines()[0]
    assert header.startswith("id,name,title,description,account_display_name")
    filtered = totango.send("GET", f"{PATH}/export/csv", query={"query": '{"automation_id":["7"]}'})
    assert len(filtered.text.splitlines()) == 1


@pytest.mark.parametrize("query", [{"fields": "colour"}, {"query": "{"}, {"query": "[]"}, {"query": '{"orderBy":"x"}'}])
def test_an_export_that_cannot_be_read_is_answered_400(totango: Any, query: dict[str, str]) -> None:
    assert totango.send("GET", f"{PATH}/export/csv", query=query).status == 400


def test_a_read_by_id_may_show_little_of_a_task(totango: Any) -> None:
    task_id = totango.task()
    totango.switches.task_read = "sparse"
    assert read(totango, task_id) == {"id": task_id, "title": "Call", "status": "open"}


def test_a_task_that_is_not_there_may_be_answered_404(totango: Any) -> None:
    totango.switches.unknown_task = "not_found"
    assert totango.send("GET", PATH, query={"id": "1"}).status == 404
    assert read(totango, totango.task())["title"] == "Call"


def test_the_export_may_lack_ids_or_be_refused(totango: Any) -> None:
    totango.task()
    totango.switches.task_export = "without_ids"
    header = totango.send("GET", f"{PATH}/export/csv", query={"fields": "id,title,due_date"}).text.splitlines()[0]
    assert header == "title,due_date"
    totango.switches.task_export = "refused"
    assert totango.send("GET", f"{PATH}/export/csv").status == 400


def test_a_task_by_path_is_not_simulated_for_reading(totango: Any) -> None:
    assert totango.send("GET", f"{PATH}/{totango.task()}").status == 501

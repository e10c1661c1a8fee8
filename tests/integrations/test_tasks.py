"""Tasks of both sides: rows C7, C12 and C13, by the jobs of docs/integrations/tasks.md."""

from __future__ import annotations

import pytest

from tests.integrations.stage import Stage

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("integrations")]

INBOUND, OUTBOUND = "include/jobs/tasks_to_totango.yaml", "include/jobs/tasks_to_salesforce.yaml"
OWNERS = ("sherri.walters@brightwater.example", "tiffany.lucero@brightwater.example")


@pytest.fixture
def owners(stage: Stage) -> dict[str, str]:
    """E-mail → id of the users in the tables of both jobs, which are installed. Nobody else owns a task."""
    ids = {row["Email"]: row["Id"] for row in stage.records("salesforce", "users") if row["Email"] in OWNERS}
    put = {
        "0055g00000AbCd1AAF": ids[OWNERS[0]],
        "dana@vendor.example": OWNERS[0],
        "0055g00000AbCd2AAF": ids[OWNERS[1]],
        "lee@vendor.example": OWNERS[1],
    }
    stage.install(INBOUND, OUTBOUND, put=put)
    for task in stage.records("salesforce", "tasks"):
        if task["OwnerId"] not in ids.values():
            stage.act("salesforce", "delete_record", id=task["Id"])
    return ids


def new_task(stage: Stage, **fields: str | None) -> str:
    given = {"Subject": "Send the deck", "Status": "In Progress", "Priority": "High", "ActivityDate": "2026-12-01"}
    return stage.new("Task", **{**given, **fields})


def test_priority_status_and_owner_are_translated_by_tables_in_both_directions(
    stage: Stage, owners: dict[str, str]
) -> None:
    new_task(stage, OwnerId=owners[OWNERS[1]])
    stage.run("tasks_to_totango")
    task = stage.one("totango", "tasks", title="Send the deck")
    assert (str(task["priority"]), task["status"], task["assignee"]) == ("1", "open", OWNERS[1])

    made = stage.act(
        "totango",
        "create_task",
        account_id=stage.account["id"],
        title="Call the sponsor",
        due_date="2026-12-02",
        priority=3,
        assignee=OWNERS[0],
        activity_type_id="adoption",
    )
    stage.wait(minutes=1)
    stage.run("tasks_to_salesforce")
    twin = stage.one("salesforce", "tasks", Subject="Call the sponsor")
    assert (twin["Priority"], twin["Status"], twin["OwnerId"]) == ("Low", "Not Started", owners[OWNERS[0]])
    stage.act("totango", "edit_task", id=made["id"], assignee=OWNERS[1])
    stage.act("totango", "complete_task", id=made["id"])
    stage.wait(minutes=2)
    stage.run("tasks_to_salesforce")
    twin = stage.one("salesforce", "tasks", Subject="Call the sponsor")
    assert (twin["Status"], twin["OwnerId"]) == ("Completed", owners[OWNERS[1]])


def test_a_value_without_a_row_rejects_its_record_until_the_row_is_added(stage: Stage, owners: dict[str, str]) -> None:
    stranger = next(row["Id"] for row in stage.records("salesforce", "users") if row["Email"] not in OWNERS)
    statuses = ["Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred", "Blocked"]
    stage.act("salesforce", "set_picklist", object="Task", name="Status", values=statuses)
    new_task(stage, Subject="Owned by a stranger", OwnerId=stranger)
    new_task(stage, Subject="Waits", Status="Blocked", OwnerId=owners[OWNERS[0]])
    new_task(stage, Subject=None, OwnerId=owners[OWNERS[0]])
    stage.run("tasks_to_totango")
    mine = {"Owned by a stranger", "Waits"}
    assert mine.isdisjoint(task["title"] for task in stage.records("totango", "tasks"))
    rejects = stage.cshub_json("rejects", "tasks_to_totango", "--show-personal")["rejects"]
    told = {(row["attribute"], row["value"]): row["reason"] for row in rejects}
    assert "has no row in the translation table" in told["assigned_to", stranger]
    assert "'Blocked' has no row" in told["status", "Blocked"]
    assert any(attribute == "title" for attribute, _ in told)
    (fault,) = stage.cshub_json("validate", "tasks_to_totango", "--online", code=1)["jobs"][0]["faults"]
    assert "no row for Blocked of Status" in fault["reason"]

    stage.edit_job(
        "tasks_to_totango", "          In Progress: open", "          In Progress: open\n          Blocked: open"
    )
    assert stage.cshub_json("validate", "tasks_to_totango", "--online")["valid"]
    stage.wait(minutes=60 * 24)
    stage.run("tasks_to_totango")
    assert stage.one("totango", "tasks", title="Waits")["status"] == "open"


def test_each_job_has_its_schedule_and_the_preview_marks_what_its_rules_leave_out(
    stage: Stage, owners: dict[str, str]
) -> None:
    mine = {"OwnerId": owners[OWNERS[0]]}
    new_task(stage, Subject="Not before spring", Status="Deferred", **mine)
    new_task(stage, Subject="Now", **mine)
    shown = stage.cshub_json("preview", "tasks_to_totango", "--show-personal")
    fates = {row["fate"]: row for row in shown["records"]}
    assert fates["skip"]["reason"] == "deferred"
    assert "deferred" in stage.cshub("preview", "tasks_to_totango")
    assert stage.all("totango", "tasks", title="Now") == []

    ran = stage.run("tasks_to_totango")
    assert ran.counts()["skipped deferred"] >= 1
    assert stage.one("totango", "tasks", title="Now")
    assert stage.all("totango", "tasks", title="Not before spring") == []
    schedules = {row["job"]: row["schedule"] for row in stage.cshub_json("status")["jobs"]}
    assert "15 * * * *, Europe/Berlin" in schedules["tasks_to_totango"]
    assert "30 6 * * 1-5, Europe/Berlin" in schedules["tasks_to_salesforce"]

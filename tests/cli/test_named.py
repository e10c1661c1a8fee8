from __future__ import annotations

import pytest
from tests.cli.conftest import JOB, WEEK, Cshub

from cshub_sandbox.testing import RunningSandbox

TASKS = "salesforce_tasks_inbound"


def test_a_plan_of_named_records_is_about_these_only(connected: Cshub) -> None:
    keys = [row["source_key"] for row in connected.json("plan", JOB, *WEEK)["rows"][:2]]
    made = connected.json("plan", JOB, "--record", keys[0], "--record", keys[1], "--record", keys[0])
    assert sorted(row["source_key"] for row in made["rows"]) == sorted(keys)


def test_a_salesforce_record_may_be_named_in_any_form_of_its_id(connected_org: Cshub) -> None:
    soql = "SELECT Id FROM Task WHERE AccountId != null ORDER BY Id LIMIT 1"
    (task,) = connected_org.json("salesforce", "query", soql)["records"]
    for form in (task["Id"], task["Id"][:15], task["Id"].lower()):
        (row,) = connected_org.json("plan", TASKS, "--record", form)["rows"]
        assert row["source_key"] == task["Id"], form


def test_what_cannot_be_an_id_is_told_before_anything_is_started(cshub: Cshub) -> None:
    answer = cshub("run", TASKS, "--record", "55012", "--json")
    assert (answer.code, answer.document["error"]["kind"]) == (1, "SpecError")
    assert "'55012' is not the id of a record in Salesforce" in answer.document["error"]["message"]


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("beside", [("--full",), ("--from", "2026-11-01")])
def test_named_records_beside_a_window_are_a_usage_error(cshub: Cshub, command: str, beside: tuple[str, ...]) -> None:
    answer = cshub(command, JOB, "--record", "A", *beside)
    assert answer.code == 2
    assert "named records are read by their ids" in " ".join(answer.err.replace("│", " ").split())


@pytest.mark.live
@pytest.mark.timeout(300)
def test_a_run_of_a_named_record_goes_through_the_dag_as_a_retry(connected: Cshub, sandbox: RunningSandbox) -> None:
    made = connected.json("plan", JOB, *WEEK)
    key = next(row["source_key"] for row in made["rows"] if row["action"] == "create")
    done = connected.json("run", JOB, "--record", key)
    assert (done["outcome"], done["statistics"]["read"], done["statistics"]["created"]) == ("green", 1, 1)
    assert len(sandbox.control.log("totango", writes=True)) == 1
    assert connected.json("history", JOB)["runs"][0]["kind"] == "retry"
    assert connected.json("status", JOB)["jobs"][0]["watermark"] is None

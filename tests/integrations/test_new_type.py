"""A sixth type is one mapping file and one DAG file: those of docs/integrations/new-type.md, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integrations.stage import Stage

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("integrations")]

MAPPING, DAG = "include/mappings/salesforce_cases_inbound.yaml", "dags/salesforce_cases_inbound.py"
JOB = "include/jobs/cases_to_totango.yaml"


@pytest.fixture
def cases(stage: Stage) -> Iterator[Stage]:
    stage.install(MAPPING, DAG, JOB)
    yield stage
    (stage.airflow.dags / "salesforce_cases_inbound.py").unlink()


def test_the_files_of_the_page_are_valid_and_their_example_holds(cases: Stage) -> None:
    assert cases.cshub_json("validate", "cases_to_totango", "--online")["valid"]
    assert cases.cshub_json("test", "cases_to_totango")["passed"]


def test_cases_become_touchpoints_follow_their_edits_and_go_with_them(cases: Stage) -> None:
    key = cases.new("Case", AccountId=cases.account["sfid"], Subject="Login fails", Description="Since this morning.")
    cases.run("cases_to_totango")
    note = cases.one("totango", "touchpoints", subject="Login fails")
    assert (note["account_id"], note["content"].strip()) == (cases.account["id"], "Since this morning.")
    flows = {row["id"]: row["name"] for row in cases.records("totango", "flows")}
    assert flows[note["activity_type_id"]] == "Support"
    assert cases.run("cases_to_totango").writes == 0

    cases.edit(key, Description="Solved.")
    assert cases.run("cases_to_totango").statistics["updated"] == 1
    note = cases.one("totango", "touchpoints", subject="Login fails")
    assert note["content"].strip() == "Solved."

    cases.edit_job("cases_to_totango", "allow_new_records: true", "allow_new_records: true\non_source_delete: delete")
    cases.act("salesforce", "delete_record", id=key)
    cases.wait(minutes=2)
    cases.run("cases_to_totango")
    assert cases.all("totango", "touchpoints", subject="Login fails") == []

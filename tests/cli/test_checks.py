from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import JOB, Cshub

from cshub.settings import PROJECT
from cshub_sandbox.testing import RunningSandbox

DEMO = (PROJECT / "include" / "jobs" / f"{JOB}.yaml").read_text("utf-8")
BROKEN = """\
version: 1
id: broken
type: chorus_touchpoints_inbound
name: Broken
source: {connection: chorus_default}
target: {connection: totango_default}
schedule: {kind: hourly}
mapping:
  fields:
    - {source: account_id, target: account_id, key: true}
    - {source: engagement_id, target: touchpoint_id, key: true}
    - {source: subjekt, target: subject, locked: true}
    - {source: meeting_summary, target: content, locked: true}
"""
MAPPED = """\
    - {source: AccountId, target: account_id, key: true}
    - {source: Id, target: task_id, key: true}
    - {source: Nope__c, target: title}
"""


def draft(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(text, "utf-8")
    return str(path)


def test_the_jobs_that_come_with_it_are_valid(cshub: Cshub) -> None:
    answer = cshub.ok("validate")
    jobs = sorted(path.stem for path in (PROJECT / "include" / "jobs").glob("*.yaml"))
    assert all(f"✓ {job}" in answer.out for job in jobs)
    assert f"{len(jobs)} jobs checked, no faults." in answer.out


def test_a_file_where_a_job_is_meant_is_told_with_what_to_do(cshub: Cshub) -> None:
    file = draft(cshub.folder, "customer_calls", DEMO)
    for command in ("plan", "preview", "run"):
        answer = cshub(command, file)
        assert answer.code == 1
        assert "here a job is named by its id, not by a file" in answer.err and ".yaml.yaml" not in answer.err
        assert f"include/jobs and write `customer_calls`, or let CSHUB_JOBS_DIR={cshub.folder}" in answer.err
        assert f"`cshub validate {file}`" in answer.err
    assert f"Write `{JOB}`." in cshub("plan", str(PROJECT / "include" / "jobs" / f"{JOB}.yaml")).err
    assert "There is no such file either" in cshub("plan", "drafts/nope.yaml").err


def test_one_job_alone_is_told_as_one(alone: Cshub) -> None:
    assert alone.ok("validate").out.splitlines() == [f"✓ {JOB}", "1 job checked, no faults."]


def test_every_fault_of_a_file_anywhere_is_named_with_line_field_reason_and_remedy(cshub: Cshub) -> None:
    answer = cshub("validate", draft(cshub.folder, "broken", BROKEN), "--json")
    assert answer.code == 1
    faults = answer.document["jobs"][0]["faults"]
    assert [fault["line"] for fault in faults] == [7, 12, 12] or {fault["line"] for fault in faults} >= {7, 12}
    assert all(fault["field"] and fault["reason"] and fault["remedy"] for fault in faults)


def test_the_faults_are_a_table_for_people(cshub: Cshub) -> None:
    answer = cshub("validate", draft(cshub.folder, "broken", BROKEN))
    header = next(line for line in answer.out.splitlines() if line.startswith("place"))
    assert header.split() == ["place", "field", "reason", "remedy"]
    assert "broken.yaml:7" in answer.out
    assert "Did you mean subject?" in " ".join(answer.out.split())


def test_a_job_that_does_not_exist_is_a_fault_with_the_nearest_name(cshub: Cshub) -> None:
    answer = cshub("validate", "chorus_touchpoint_inbound", "--json")
    assert answer.code == 1
    assert answer.document["jobs"][0]["faults"][0]["remedy"] == f"Did you mean {JOB}?"


def test_online_validation_asks_both_services(connected: Cshub, sandbox: RunningSandbox) -> None:
    assert connected.json("validate", JOB, "--online")["valid"] is True
    assert {entry["service"] for entry in sandbox.control.log()} == {"chorus", "totango"}


def test_online_validation_names_a_flow_that_the_tenant_does_not_have(connected: Cshub) -> None:
    text = DEMO.replace("    account_match:", "    flow: Adopton\n    account_match:")
    answer = connected("validate", draft(connected.folder, JOB, text), "--online", "--json")
    assert answer.code == 1
    fault = answer.document["jobs"][0]["faults"][0]
    assert fault["field"] == "target.options.flow"
    assert "no flow called 'Adopton'" in fault["reason"]
    assert fault["remedy"] == "Did you mean Adoption?"


def test_online_validation_names_every_unknown_name_of_a_totango_target_at_once(connected: Cshub) -> None:
    wrong = "    flow: Adopton\n    touchpoint_type: Web meting\n    reasons: [Nope]\n    account_match:"
    file = draft(connected.folder, JOB, DEMO.replace("    account_match:", wrong))
    (found,) = connected("validate", file, "--online", "--json").document["jobs"]
    places = [f"target.options.{name}" for name in ("flow", "touchpoint_type", "reasons")]
    assert found["asked_services"] and [fault["field"] for fault in found["faults"]] == places


AUTHORED = """\
mapping:
  fields:
    - {source: account_id, target: account_id, key: true}
    - {source: engagement_id, target: touchpoint_id, key: true}
    - {source: subject, target: subject}
    - {source: meeting_summary, target: content}
    - {source: date_time, target: touchpoint_date, transforms: [epoch_s_to_datetime]}
    - {constant: nobody@nowhere.example, target: created_by}
"""


def test_online_validation_names_an_author_that_is_no_member_of_the_team_beside_other_faults(connected: Cshub) -> None:
    text = DEMO.replace("    account_match:", "    flow: Adopton\n    account_match:") + AUTHORED
    (found,) = connected("validate", draft(connected.folder, JOB, text), "--online", "--json").document["jobs"]
    told = {fault["field"]: fault["reason"] for fault in found["faults"]}
    assert told.keys() == {"target.options.flow", "mapping.fields[5].constant"}
    assert "no team member 'nobody@nowhere.example'" in told["mapping.fields[5].constant"]


def test_online_checks_wait_for_faults_of_the_files_and_that_is_told(connected: Cshub) -> None:
    file = draft(connected.folder, JOB, DEMO.replace("    account_match:", "    flwo: Adoption\n    account_match:"))
    answer = connected("validate", file, "--online", "--json")
    assert not answer.document["jobs"][0]["asked_services"]
    assert f"{JOB}: the services were not asked" in answer.err


def test_online_validation_names_a_foreign_key_that_is_no_attribute(connected: Cshub) -> None:
    text = DEMO.replace("attribute: sfid}", "attribute: sfidd}")
    answer = connected("validate", draft(connected.folder, JOB, text), "--online", "--json")
    fault = answer.document["jobs"][0]["faults"][0]
    assert fault["field"] == "target.options.account_match.attribute"
    assert fault["remedy"]


def test_online_validation_names_a_token_that_is_wrong(
    connected: Cshub, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = f'{{"conn_type": "chorus", "host": "{sandbox.chorus.url}", "password": "wrong-token"}}'
    monkeypatch.setenv("AIRFLOW_CONN_CHORUS_DEFAULT", wrong)
    answer = connected("validate", JOB, "--online", "--json")
    assert answer.code == 1
    assert [fault["field"] for fault in answer.document["jobs"][0]["faults"]] == ["source.connection"]
    assert "wrong-token" not in answer.out + answer.err


def test_online_validation_names_a_filter_and_a_field_that_the_org_does_not_have(connected_org: Cshub) -> None:
    job = "salesforce_tasks_inbound"
    text = (PROJECT / "include" / "jobs" / f"{job}.yaml").read_text("utf-8")
    filtered = text.replace(
        "  connection: salesforce_default", "  connection: salesforce_default\n  options: {filter: Nope__c = 1}", 1
    )
    mapped = text + "mapping:\n  fields:\n" + MAPPED
    for changed, place in ((filtered, "source.options.filter"), (mapped, "mapping.fields[2].source")):
        answer = connected_org("validate", draft(connected_org.folder, job, changed), "--online", "--json")
        assert "jobs" in answer.document, answer.out
        (fault,) = answer.document["jobs"][0]["faults"]
        assert fault["field"] == place and "Nope__c" in fault["reason"], answer


def test_online_validation_warns_of_a_value_that_the_list_does_not_have(connected_org: Cshub) -> None:
    job = "salesforce_touchpoints_inbound"
    text = (PROJECT / "include" / "jobs" / f"{job}.yaml").read_text("utf-8")
    chosen = """  connection: salesforce_default\n  options: {filter: "Type = 'Meting'"}"""
    file = draft(connected_org.folder, job, text.replace("  connection: salesforce_default", chosen, 1))
    answer = connected_org("validate", file, "--online", "--json")
    (found,) = answer.document["jobs"]
    (warning,) = found["warnings"]
    assert (answer.code, found["faults"]) == (0, [])
    assert warning["field"] == "source.options.filter" and "Type has no value 'Meting'" in warning["reason"]
    assert warning["remedy"] == "Did you mean Meeting?"
    assert f"{job}: warning: " in answer.err and "Meting" in answer.err


def test_the_examples_of_a_job_pass(cshub: Cshub) -> None:
    answer = cshub.ok("test", JOB)
    assert answer.out.splitlines() == [
        JOB,
        "  ✓ a meeting with its summary",
        "  ✓ a no-show",
        "  ✓ neither subject nor summary",
        "3 examples: 3 passed, 0 failed.",
    ]


def test_an_example_that_fails_shows_what_was_expected_and_what_came(cshub: Cshub) -> None:
    text = DEMO.replace("created_by: ada@seller.example", "created_by: bo@seller.example")
    answer = cshub("test", draft(cshub.folder, JOB, text))
    assert answer.code == 1
    line = next(line for line in answer.out.splitlines() if line.startswith("created_by"))
    assert line.split() == ["created_by", "bo@seller.example", "ada@seller.example"]
    assert "3 examples: 2 passed, 1 failed." in answer.out


def test_testing_a_broken_job_names_its_faults(cshub: Cshub) -> None:
    answer = cshub("test", draft(cshub.folder, "broken", BROKEN), "--json")
    assert answer.code == 1
    assert answer.document["error"]["kind"] == "JobFileError"
    assert answer.document["error"]["faults"]

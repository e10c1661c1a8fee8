"""What `cshub validate --online` finds by asking the org: every fault at once, each with field, reason and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cshub.settings import PROJECT
from tests.integrations.stage import Stage, documented_files, prepare_visits

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("integrations")]

OUTBOUND = """\
version: 1
id: outbound
type: salesforce_touchpoints_outbound
name: Outbound
source:
  connection: totango_default
target:
  connection: salesforce_default
  options: {external_id_field: Subject, type: Pigeon, default_owner: nobody@vendor.example}
allow_new_records: true
mapping:
  fields:
    - {source: account_id, target: AccountId, key: true}
    - {source: touchpoint_id, target: Id, key: true}
    - {source: touchpoint_id, target: Subject, key: true}
    - {source: touchpoint_date, target: ActivityDate, transforms: [date_in_zone: UTC]}
    - {source: content, target: Colour__c}
    - {source: flow, target: Location}
    - {source: flow, target: ShowAs}
    - {source: touchpoint_id, target: Partner__c}
    - {source: participants, target: Score__c}
    - {source: subject, target: Short__c}
    - {source: flow, target: Mood__c}
    - {source: flow, target: Level__c, translate: {table: {Adoption: Purple, Renewal: Red}}}
"""
INBOUND = """\
version: 1
id: inbound
type: salesforce_tasks_inbound
name: Inbound
source:
  connection: salesforce_default
  options: {filter: "Colour__c = 'red' AND Description LIKE '%a%' AND Status = 'Completed'"}
target:
  connection: totango_default
allow_new_records: true
mapping:
  fields:
    - {source: AccountId, target: account_id, key: true}
    - {source: Id, target: task_id, key: true}
    - {source: Subjekt, target: title}
    - {source: Ownr.Email, target: assigned_to, personal: true}
    - {source: Status, target: status, translate: {table: {Not Started: open, Completed: closed}}}
    - {source: Type, target: description}
    - {source: CallDisposition, target: last_updater}
  skip_when:
    - {reason: deferred, when: [{field: Status, equals: Deferred}]}
    - {reason: private, when: [{field: Colour__c, equals: red}]}
"""


def draft(stage: Stage, job_id: str, text: str) -> None:
    (stage.folder / "include" / "jobs" / f"{job_id}.yaml").write_text(text, "utf-8")


def faults(stage: Stage, job_id: str) -> list[Mapping[str, Any]]:
    """Faults found online in a job whose files alone show none."""
    assert stage.cshub_json("validate", job_id)["valid"]
    found: list[Mapping[str, Any]] = stage.cshub_json("validate", job_id, "--online", code=1)["jobs"][0]["faults"]
    assert all(fault["field"] and fault["reason"] and fault["remedy"] for fault in found)
    return found


def held(found: list[Mapping[str, Any]], field: str) -> str:
    """Reason and remedy of what is wrong with one field."""
    return " ".join(f"{fault['reason']} {fault['remedy']}" for fault in found if fault["field"] == field)


def test_everything_that_an_org_refuses_to_take_is_named_at_once(stage: Stage) -> None:
    for field in (
        {"name": "Partner__c", "type": "reference", "reference_to": ["Account"]},
        {"name": "Score__c", "type": "double"},
        {"name": "Short__c", "length": 10},
        {"name": "Mood__c", "type": "picklist", "values": ["Good", "Bad"]},
        {"name": "Level__c", "type": "picklist", "values": ["Red", "Green"]},
        {"name": "Must__c", "required": True},
    ):
        stage.act("salesforce", "add_custom_field", object="Event", **field)
    stage.act("salesforce", "set_field_permission", field="Event.Location", access="hidden")
    stage.act("salesforce", "set_field_permission", field="Event.ShowAs", access="read_only")
    draft(stage, "outbound", OUTBOUND)
    found = faults(stage, "outbound")

    assert "must be marked as External ID and as Unique" in held(found, "target.options.external_id_field")
    assert "no value Pigeon" in held(found, "target.options.type")
    assert "nobody@vendor.example" in held(found, "target.options.default_owner")
    assert "no attribute 'Colour__c'" in held(found, "mapping.fields[4].target")
    assert "no attribute 'Location'" in held(found, "mapping.fields[5].target")
    assert "give the signed-in user access" in held(found, "mapping.fields[5].target")
    assert "ShowAs cannot be written" in held(found, "mapping.fields[6].target")
    assert "ShowAs takes only Busy, OutOfOffice, Free" in held(found, "mapping.fields[6].target")
    assert "Partner__c is a reference field" in held(found, "mapping.fields[7].target")
    assert "does not fit Score__c, which is a number" in held(found, "mapping.fields[8].source")
    assert "values may have 255 characters, Short__c takes 10" in held(found, "mapping.fields[9].source")
    assert "truncate: 10" in held(found, "mapping.fields[9].source")
    assert "Mood__c takes only Good, Bad" in held(found, "mapping.fields[10].target")
    assert "'Purple' is not a value of Level__c" in held(found, "mapping.fields[11].translate")
    assert "the required attribute Must__c is not mapped" in held(found, "mapping.fields")
    assert len(found) == 13


def test_everything_that_an_org_does_not_show_is_named_at_once(stage: Stage) -> None:
    stage.sandbox.control.switch("salesforce", activity_type_field=False)
    draft(stage, "inbound", INBOUND)
    found = faults(stage, "inbound")
    condition = held(found, "source.options.filter")
    assert "no field Colour__c" in condition and "Description cannot be used in a condition" in condition
    assert "Did you mean Subject?" in held(found, "mapping.fields[2].source")
    assert "no field 'Ownr.Email'" in held(found, "mapping.fields[3].source")
    table = held(found, "mapping.fields[4].translate")
    assert "no row for In Progress, Waiting on someone else of Status" in table and "Deferred" not in table
    assert "no field 'Type'" in held(found, "mapping.fields[5].source")
    assert "no field 'Colour__c'" in held(found, "mapping.skip_when[1].when[0].field")


@pytest.mark.parametrize("side", ["source", "target"])
def test_an_object_that_the_org_does_not_have_is_told_once(stage: Stage, side: str) -> None:
    kind = "salesforce_touchpoints_outbound" if side == "target" else "salesforce_touchpoints_inbound"
    text = OUTBOUND if side == "target" else documented_files()["include/jobs/banking_meetings.yaml"]
    head = text.partition("mapping:")[0].replace("banking_meetings", "missing").replace("id: outbound", "id: missing")
    head = head.replace("    filter: Type = 'Meeting' AND Account.Industry = 'Banking'", "    object: Nothing__c")
    head = head.replace(
        "{external_id_field: Subject, type: Pigeon, default_owner: nobody@vendor.example}", "{object: Nothing__c}"
    )
    head = head.replace("  connection: salesforce_default", "  connection: salesforce_default\n  object: record")
    assert kind in head
    keys = {
        "source": [("AccountId", "account_id"), ("Id", "touchpoint_id"), ("Name", "subject")],
        "target": [("account_id", "AccountId"), ("touchpoint_id", "Id"), ("subject", "Name")],
    }[side]
    rows = [
        f"    - {{source: {one}, target: {two}, key: {str('ubject' not in one + two).lower()}}}" for one, two in keys
    ]
    draft(stage, "missing", f"{head}mapping:\n  fields:\n" + "\n".join(rows) + "\n")
    found = faults(stage, "missing")
    assert {fault["field"] for fault in found} == {f"{side}.options.object"}
    assert "no object Nothing__c" in found[0]["reason"]


def test_options_of_a_totango_source_are_checked_too(stage: Stage) -> None:
    text = documented_files()["include/jobs/calls_as_tasks.yaml"]
    draft(stage, "calls_as_tasks", text.replace("[Telephone call]", "[Carrier pigeon]"))
    found = faults(stage, "calls_as_tasks")
    assert "no touchpoint type called 'Carrier pigeon'" in held(found, "source.options")


def test_the_jobs_that_come_with_it_fit_an_org_as_it_is(stage: Stage) -> None:
    names = [path.stem for path in (PROJECT / "include" / "jobs").glob("salesforce_*.yaml")]
    for name in names:
        draft(stage, name, (PROJECT / "include" / "jobs" / f"{name}.yaml").read_text("utf-8"))
    assert len(names) == 5
    assert stage.cshub_json("validate", "--online")["valid"]


def test_every_job_of_the_pages_fits_an_org_that_has_its_objects_and_people(stage: Stage) -> None:
    prepare_visits(stage)
    people = [row for row in stage.records("salesforce", "users") if row["IsActive"]][1:3]
    names = {"0055g00000AbCd1AAF": people[0]["Id"], "0055g00000AbCd2AAF": people[1]["Id"]}
    stage.install("include/mappings/salesforce_cases_inbound.yaml")
    found = {}
    for path, text in documented_files().items():
        if path.startswith("include/jobs/"):
            job_id = path.removeprefix("include/jobs/").removesuffix(".yaml")
            stage.install(path, put={name: real for name, real in names.items() if name in text})
            answer = stage.cshub_json("validate", job_id, "--online")
            found[job_id] = answer["jobs"][0]["faults"]
            (stage.folder / path).unlink()
    assert len(found) > 10
    assert {job_id: faults for job_id, faults in found.items() if faults} == {}

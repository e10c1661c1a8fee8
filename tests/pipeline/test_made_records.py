"""Two pairs that share an object: what the hub made there is not carried on, what people made is."""

from __future__ import annotations

from pathlib import Path

import pytest

from cshub.cli.wording import explained_row
from cshub.core.jobs import BoundJob
from cshub.library import JobLibrary
from cshub.pipeline.run import Asked
from tests.pipeline.lab import Done
from tests.pipeline.two_way import TASKS, Sync, settled

ACTIONS = """\
version: 1
id: tasks_as_actions
type: salesforce_tasks_outbound
name: Tasks of Totango as actions
source: {connection: totango_default}
target:
  connection: salesforce_default
  object: record
  options: {object: Action__c, account_field: Account__c, external_id_field: Task_Key__c}
allow_new_records: true
mapping:
  fields:
    - {source: account_id, target: Account__c, key: true}
    - {source: task_id, target: Task_Key__c, key: true}
    - {source: title, target: Name, transforms: [truncate: 80]}
"""


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    """Tasks of both sides in step, and an object of the org for the other job."""
    sync = settled(tmp_path, TASKS)
    sync.lab.act("salesforce", "add_custom_object", name="Action__c")
    key = {"name": "Task_Key__c", "length": 40, "external_id": True, "unique": True}
    sync.lab.act("salesforce", "add_custom_field", object="Action__c", **key)
    return sync


@pytest.fixture
def actions(tmp_path: Path) -> BoundJob:
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "tasks_as_actions.yaml").write_text(ACTIONS)
    return JobLibrary(folder, JobLibrary.from_settings().mappings_dir).bound("tasks_as_actions")


def carry(sync: Sync, job: BoundJob) -> Done:
    sync.lab.wait(minutes=5)
    return sync.lab.sync(asked=Asked(full_sync=True), job=job)


def made_of(sync: Sync, job: BoundJob, key: str) -> bool:
    """Whether the other job has made something of this task of Totango."""
    return bool(sync.lab.ledger.links(sync.lab.new_run(job=job).pair, [key]))


def test_a_task_of_a_person_is_carried_on_though_another_job_made_a_twin_of_it(sync: Sync, actions: BoundJob) -> None:
    account = next(iter(sync.common_accounts()))
    person = sync.note(account, "Made by a person", "In Totango.")
    made = sync.event(Subject="Made in Salesforce")
    sync.lab.wait(minutes=5)
    sync.round()
    twin = sync.twin_of(made)
    done = carry(sync, actions)
    assert (made_of(sync, actions, person), made_of(sync, actions, twin)) == (True, False)
    assert done.statistics.created > 0
    assert done.statistics.skipped["made_by_other_job"] > 0
    row = sync.lab.ledger.decisions(done.run.pair, twin)[-1]
    assert explained_row("skip", row.rule, row.reason) == "another job of this hub made it (include_made_records)"


def test_all_are_carried_on_where_the_job_says_so(sync: Sync, actions: BoundJob) -> None:
    made = sync.event(Subject="Made in Salesforce")
    sync.round()
    wanting = actions.model_copy(update={"job": actions.job.model_copy(update={"include_made_records": True})})
    done = carry(sync, wanting)
    assert made_of(sync, wanting, sync.twin_of(made))
    assert "made_by_other_job" not in done.statistics.skipped


def test_a_task_that_an_undo_made_again_is_the_hubs_own(sync: Sync, actions: BoundJob) -> None:
    made = sync.event(Subject="Once more")
    sync.round()
    sync.delete_salesforce(made)
    sync.lab.wait(minutes=1)
    deleting = sync.inbound()
    assert deleting.statistics.deleted == 1
    assert sync.lab.take_back(deleting).created == 1
    carry(sync, actions)
    assert not made_of(sync, actions, sync.twin_of(made))

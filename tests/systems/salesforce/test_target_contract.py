from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from tests.systems.contract import TargetCase, TargetContract, _create, _creation
from tests.systems.salesforce.lab import NOW, VISIT, accounts, client_on, delete, make_sandbox, stored, switch

from cshub.core.window import Window
from cshub.systems.salesforce.catalog import EVENT, RECORD, TASK
from cshub.systems.salesforce.target import SalesforceTarget
from cshub_sandbox.faults import FaultRule
from cshub_sandbox.sandbox import Sandbox

EVENT_VALUES: Mapping[str, Any] = {
    "Subject": "Review: R&D",
    "Description": "Numbers < 10,\nand 'quotes' & terms.",
    "ActivityDate": "2026-11-18",
    "StartDateTime": "2026-11-18T14:00:00.000Z",
    "Location": "On site",
}
EVENT_CHANGED: Mapping[str, Any] = {
    **EVENT_VALUES,
    "Subject": "Review, moved",
    "Description": None,
    "ActivityDate": "2026-11-19",
    "StartDateTime": "2026-11-19T09:30:00.000Z",
}
TASK_VALUES: Mapping[str, Any] = {
    "Subject": "Send the deck",
    "Description": "Version 2,\nwith prices.",
    "ActivityDate": "2026-12-01",
    "Priority": "High",
    "Status": "In Progress",
}
TASK_CHANGED: Mapping[str, Any] = {
    **TASK_VALUES,
    "Subject": "Send it again",
    "ActivityDate": None,
    "Priority": "Low",
    "Status": "Completed",
}
VISIT_VALUES: Mapping[str, Any] = {"Name": "Visit", "Notes__c": "A\nB", "Held_At__c": "2026-11-18T14:00:00.000Z"}
VISIT_CHANGED: Mapping[str, Any] = {**VISIT_VALUES, "Name": "Second visit", "Notes__c": None}


class SalesforceTargetCase(TargetContract):
    object_name: ClassVar[str] = "Event"
    options: ClassVar[Any] = EVENT.options
    given: ClassVar[Mapping[str, Any]] = {}
    values: ClassVar[Mapping[str, Any]] = EVENT_VALUES
    changed: ClassVar[Mapping[str, Any]] = EVENT_CHANGED
    attributes: ClassVar[tuple[str, ...]] = ()
    switches: ClassVar[Mapping[str, Any]] = {}
    visits: ClassVar[int] = 0

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        sandbox = make_sandbox(visits=self.visits)
        switch(sandbox, **self.switches)
        return sandbox

    @pytest.fixture
    def case(self, sandbox: Sandbox) -> TargetCase:
        options = self.options.model_validate(self.given)
        account_id = accounts(sandbox)[0]
        return TargetCase(
            target=SalesforceTarget(client_on(sandbox), options, self.attributes),
            account_id=account_id,
            reference=account_id.lower(),
            values=self.values,
            changed=self.changed,
            window=Window(NOW - timedelta(days=60), NOW + timedelta(days=60)),
            held=lambda: {row["Id"] for row in stored(sandbox, self.object_name) if not row["IsDeleted"]},
            settle=lambda: sandbox.clock.advance(timedelta(seconds=5)),
            delete_by_hand=lambda key: delete(sandbox, key),
            fault=sandbox.faults.add,
            signed_in_with=lambda token: SalesforceTarget(client_on(sandbox, token), options, self.attributes),
            write_path="/services/data/v66.0/composite/sobjects",
            compared=list(self.values),
        )


class TestEvents(SalesforceTargetCase):
    """An ordinary org."""


class TestEventsAsATwoWayJobReadsThem(SalesforceTargetCase):
    attributes = (*EVENT_VALUES, "CreatedBy.Email", "Owner.Email", "participant_emails", "What.Name", "OwnerId")
    switches: ClassVar[Mapping[str, Any]] = {
        "shared_activities": True,
        "moved_event": "keep_end",
        "deleted_record_code": "NOT_FOUND",
        "unreadable_record": "call",
    }


class TestTasks(SalesforceTargetCase):
    object_name = "Task"
    options = TASK.options
    values = TASK_VALUES
    changed = TASK_CHANGED
    switches: ClassVar[Mapping[str, Any]] = {"activity_type_field": False, "shared_activities": True, "page_size": 10}


class TestRecordsOfACustomObject(SalesforceTargetCase):
    object_name = VISIT
    options = RECORD.options
    given: ClassVar[Mapping[str, Any]] = {"object": VISIT, "account_field": "Account__c"}
    values = VISIT_VALUES
    changed = VISIT_CHANGED
    visits = 3


class TestEventsWithAnExternalId(SalesforceTargetCase):
    """A create is an upsert then: a lost answer is asked for by sending it again."""

    given: ClassVar[Mapping[str, Any]] = {"external_id_field": "Totango_Id__c"}

    @pytest.mark.parametrize(
        "fault", [{"kind": "drop_before_commit"}, {"kind": "keep_alive_closed"}, {"kind": "status", "status": 500}]
    )
    def test_a_create_that_may_not_have_been_carried_out_is_left_to_recovery(
        self, case: TargetCase, fault: Mapping[str, Any]
    ) -> None:
        """Instead: it is sent again, and made once."""
        before = case.held()
        case.fault(FaultRule.parse({**fault, "only_writes": True, "nth": 1}))
        key = _create(case)
        assert case.held() - before == {key.key}

    def test_each_write_of_a_batch_has_its_verdict_in_order(self, case: TargetCase) -> None:
        """Every record has an external id of its own, so that the contract's three are three here too."""
        writes = [_creation(case), _creation(case, account_id="no-such-account"), _creation(case, case.changed)]
        verdicts = case.target.write(
            [replace(write, external_id=f"source-{number}") for number, write in enumerate(writes)]
        )
        assert [verdict.error is None for verdict in verdicts] == [True, False, True]
        assert len({verdict.key.key for verdict in verdicts if verdict.key}) == 2

    def test_many_hints_are_answered_in_their_order(self, case: TargetCase) -> None:
        writes = [replace(_creation(case), external_id=f"Source-{number}") for number in range(3)]
        made = [verdict.key.key for verdict in case.target.write(writes) if verdict.key]
        found = case.target.find([case.target.hint(write) for write in reversed(writes)])
        assert [items[0].record.key for items in found] == made[::-1]
        assert list(case.target.find([])) == []

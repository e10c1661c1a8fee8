from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from tests.systems.contract import SourceCase, SourceContract, keys_of
from tests.systems.salesforce.lab import NOW, VISIT, client_on, delete, make_sandbox, stored, switch

from cshub.core.records import RecordKey
from cshub.core.window import Window
from cshub.systems.salesforce.catalog import EVENT, RECORD, TASK
from cshub.systems.salesforce.source import SalesforceRecords
from cshub_sandbox.faults import FaultRule
from cshub_sandbox.sandbox import Sandbox

WINDOW = Window(NOW - timedelta(days=60), NOW + timedelta(minutes=1))


class RecordSourceCase(SourceContract):
    object_name: ClassVar[str]
    options: ClassVar[Any]
    given: ClassVar[Mapping[str, Any]] = {}
    fields: ClassVar[tuple[str, ...]] = ()
    switches: ClassVar[Mapping[str, Any]] = {}
    visits: ClassVar[int] = 0

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        sandbox = make_sandbox(visits=self.visits)
        switch(sandbox, **self.switches)
        return sandbox

    @pytest.fixture
    def case(self, sandbox: Sandbox) -> SourceCase:
        options = self.options.model_validate(self.given)
        keys = {row["Id"] for row in stored(sandbox, self.object_name) if _stamp(row) in WINDOW}
        assert len(keys) > 10
        return SourceCase(
            source=SalesforceRecords(client_on(sandbox), options, self.fields),
            window=WINDOW,
            keys=keys,
            fault=sandbox.faults.add,
            signed_in_with=lambda token: SalesforceRecords(client_on(sandbox, token), options, self.fields),
            unknown_key=RecordKey("00U5g00000ZZZZZEAA"),
            sample_calls=8,
            delete_by_hand=lambda key: delete(sandbox, key),
        )

    def test_a_token_that_expires_in_the_middle_ends_the_read(self, case: SourceCase) -> None:
        """Instead: this service is signed in to once more."""
        case.fault(FaultRule.parse({"kind": "token_expired", "nth": 3}))
        assert set(keys_of(case.source, case.window)) == case.keys


class TestEvents(RecordSourceCase):
    object_name = "Event"
    options = EVENT.source_options


class TestEventsWithTheirPeopleOnSmallPages(RecordSourceCase):
    object_name = "Event"
    options = EVENT.source_options
    fields = ("Subject", "AccountId", "CreatedBy.Email", "LastModifiedBy.Email", "participant_emails")
    switches: ClassVar[Mapping[str, Any]] = {"page_size": 7, "shared_activities": True, "delete_moves_stamp": False}


class TestArchivedEventsToo(RecordSourceCase):
    object_name = "Event"
    options = EVENT.source_options
    given: ClassVar[Mapping[str, Any]] = {"include_archived": True}
    switches: ClassVar[Mapping[str, Any]] = {"page_size": 10, "wrong_case_id": "tolerated"}


class TestTasks(RecordSourceCase):
    object_name = "Task"
    options = TASK.source_options
    switches: ClassVar[Mapping[str, Any]] = {"activity_type_field": False, "page_size": 10}


class TestRecordsOfACustomObject(RecordSourceCase):
    object_name = VISIT
    options = RECORD.source_options
    given: ClassVar[Mapping[str, Any]] = {"object": VISIT}
    fields = ("Name", "Account__c", "Notes__c", "Account__r.Name")
    visits = 12
    switches: ClassVar[Mapping[str, Any]] = {"page_size": 5}


def _stamp(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["SystemModstamp"])

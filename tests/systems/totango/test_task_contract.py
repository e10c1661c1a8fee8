from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from tests.systems.contract import SourceCase, SourceContract, TargetCase, TargetContract
from tests.systems.totango.lab import NOW, account_ids, client_on, make_sandbox, service_of, switch

from cshub.core.records import RecordKey
from cshub.core.window import Window
from cshub.systems.totango.models import to_ms
from cshub.systems.totango.task_catalog import TaskOptions, TaskSourceOptions
from cshub.systems.totango.task_source import TotangoTaskSource
from cshub.systems.totango.task_target import TotangoTasks
from cshub_sandbox.sandbox import Sandbox

VALUES: Mapping[str, Any] = {
    "task_id": "00T5g00000AbCdEEAV",
    "title": "Send the deck: R&D",
    "description": "Version 2,\nwith < 10 prices & terms.",
    "priority": "1",
    "status": "open",
    "due_date": "2026-12-01",
    "assigned_to": "nobody@seller.example",
}
CHANGED: Mapping[str, Any] = {
    **VALUES,
    "title": "Send it again",
    "description": "Version 3.",
    "priority": "3",
    "status": "closed",
    "due_date": "2026-12-05",
}


class TaskTargetCase(TargetContract):
    switches: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        sandbox = make_sandbox()
        switch(sandbox, **self.switches)
        return sandbox

    @pytest.fixture
    def case(self, sandbox: Sandbox) -> TargetCase:
        service = service_of(sandbox)
        account_id = account_ids(sandbox)[0]
        return TargetCase(
            target=TotangoTasks(client_on(sandbox), TaskOptions()),
            account_id=account_id,
            reference=account_id,
            values={**VALUES, "account_id": account_id},
            changed={**CHANGED, "account_id": account_id},
            window=Window(NOW - timedelta(days=60), NOW + timedelta(days=60)),
            held=lambda: {str(item["id"]) for item in service.state()["tasks"]},
            settle=lambda: sandbox.clock.advance(timedelta(seconds=5)),
            delete_by_hand=lambda key: service.act("delete_task", {"id": int(key.key)}),
            fault=sandbox.faults.add,
            signed_in_with=lambda token: TotangoTasks(client_on(sandbox, token), TaskOptions()),
            write_path="/api/v3/tasks",
            compared=("account_id", "title", "description", "priority", "status", "due_date", "assigned_to"),
        )


class TestTargetAsAssumed(TaskTargetCase):
    """The tenant behaves as is most likely."""


class TestTargetWithoutExport(TaskTargetCase):
    switches: ClassVar[Mapping[str, Any]] = {"task_export": "refused", "task_read": "sparse"}


class TestTargetOfOddShapes(TaskTargetCase):
    switches: ClassVar[Mapping[str, Any]] = {
        "task_export": "without_ids",
        "unknown_task": "not_found",
        "task_delete_event": True,
        "event_order": "shuffled",
        "upper_bound": "refused",
        "missing_optional_properties": True,
    }


class TaskSourceCase(SourceContract):
    options: ClassVar[Mapping[str, Any]] = {}
    switches: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        sandbox = make_sandbox()
        switch(sandbox, **self.switches)
        return sandbox

    @pytest.fixture
    def case(self, sandbox: Sandbox) -> SourceCase:
        service = service_of(sandbox)
        options = TaskSourceOptions.model_validate(self.options)
        window = Window(NOW - timedelta(days=200), NOW)

        def delete(key: RecordKey) -> None:
            service.act("delete_task", {"id": int(key.key)})
            sandbox.clock.advance(timedelta(seconds=10))

        stored = service.state()["tasks"]
        return SourceCase(
            source=TotangoTaskSource(client_on(sandbox), options),
            window=window,
            keys={str(task["id"]) for task in stored if task["create_date"] in range(to_ms(window.start), to_ms(NOW))},
            fault=sandbox.faults.add,
            signed_in_with=lambda token: TotangoTaskSource(client_on(sandbox, token), options),
            unknown_key=RecordKey("1", stored[0]["account_id"]),
            sample_calls=8,
            delete_by_hand=delete,
        )


class TestSourceAsAssumed(TaskSourceCase):
    """The tenant behaves as is most likely."""


class TestSourceWithoutExport(TaskSourceCase):
    options: ClassVar[Mapping[str, Any]] = {"account_reference": {"by": "account_id"}}
    switches: ClassVar[Mapping[str, Any]] = {"task_export": "refused", "task_read": "sparse"}


class TestSourceOfOddShapes(TaskSourceCase):
    options: ClassVar[Mapping[str, Any]] = {"check_deletions": False}
    switches: ClassVar[Mapping[str, Any]] = {
        "task_export": "without_ids",
        "unknown_task": "not_found",
        "task_delete_event": True,
        "event_order": "shuffled",
        "offset_reading": "record",
        "upper_bound": "ignored",
        "missing_optional_properties": True,
    }

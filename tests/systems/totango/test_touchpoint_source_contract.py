from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from tests.systems.contract import SourceCase, SourceContract
from tests.systems.totango.lab import NOW, client_on, make_sandbox, service_of, switch

from cshub.core.records import RecordKey
from cshub.core.window import Window
from cshub.systems.totango.catalog import TouchpointSourceOptions
from cshub.systems.totango.models import to_ms
from cshub.systems.totango.touchpoint_source import TotangoTouchpointSource
from cshub_sandbox.sandbox import Sandbox

WINDOW = Window(NOW - timedelta(days=200), NOW)


class TouchpointSourceCase(SourceContract):
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
        options = TouchpointSourceOptions.model_validate(self.options)

        def delete(key: RecordKey) -> None:
            service.act("delete_touchpoint", {"note_id": int(key.key)})
            sandbox.clock.advance(timedelta(seconds=10))

        stored = service.state()["touchpoints"]
        keys = {str(item["note_id"]) for item in stored if item["timestamp_ms"] in self.moments()}
        assert len(keys) > 10
        return SourceCase(
            source=TotangoTouchpointSource(client_on(sandbox), options),
            window=WINDOW,
            keys=keys,
            fault=sandbox.faults.add,
            signed_in_with=lambda token: TotangoTouchpointSource(client_on(sandbox, token), options),
            unknown_key=RecordKey("1", stored[0]["account_id"]),
            sample_calls=8,
            delete_by_hand=delete,
        )

    @staticmethod
    def moments() -> range:
        return range(to_ms(WINDOW.start), to_ms(WINDOW.end))


class TestAsAssumed(TouchpointSourceCase):
    """The tenant behaves as is most likely."""


class TestOffsetsCountRecords(TouchpointSourceCase):
    switches: ClassVar[Mapping[str, Any]] = {"offset_reading": "record", "upper_bound": "ignored"}


class TestUpperBoundRefused(TouchpointSourceCase):
    switches: ClassVar[Mapping[str, Any]] = {"upper_bound": "refused", "event_order": "shuffled"}


class TestOddShapes(TouchpointSourceCase):
    options: ClassVar[Mapping[str, Any]] = {"account_reference": {"by": "account_id"}}
    switches: ClassVar[Mapping[str, Any]] = {
        "catalogue_shape": "map",
        "account_participants_form": "object",
        "unknown_account_timeline": "not_found",
        "missing_optional_properties": True,
    }

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from tests.systems.contract import TargetCase, TargetContract
from tests.systems.totango.lab import NOW, account_ids, client_on, make_sandbox, service_of, switch

from cshub.core.records import TargetRecord
from cshub.core.text import normalise_text
from cshub.core.window import Window
from cshub.systems.totango.catalog import TouchpointOptions
from cshub.systems.totango.target import TotangoTouchpoints
from cshub_sandbox.sandbox import Sandbox

VALUES: Mapping[str, Any] = {
    "touchpoint_id": "7F3D90C1A2B34C5D8E6F708192A3B4C5",
    "subject": "Quarterly review: R&D",
    "content": "Met with the team.\nBudget < 10 & open.",
    "touchpoint_date": "2026-11-18T09:30:00.123Z",
    "created_by": "Nobody@Seller.example",
    "participants": [],
}


class TotangoCase(TargetContract):
    options: ClassVar[Mapping[str, Any]] = {}
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
        options = TouchpointOptions.model_validate(self.options)
        members = sorted(user["email"] for user in service.state()["users"])
        return TargetCase(
            target=TotangoTouchpoints(client_on(sandbox), options),
            account_id=account_id,
            reference=account_id,
            values={**VALUES, "account_id": account_id},
            changed={**VALUES, "account_id": account_id, "content": "Filled later.", "participants": members[:2]},
            window=Window(NOW - timedelta(days=60), NOW + timedelta(days=1)),
            held=lambda: {str(item["note_id"]) for item in service.state()["touchpoints"]},
            settle=lambda: sandbox.clock.advance(timedelta(seconds=5)),
            delete_by_hand=lambda key: service.act("delete_touchpoint", {"note_id": int(key.key)}),
            fault=sandbox.faults.add,
            signed_in_with=lambda token: TotangoTouchpoints(client_on(sandbox, token), options),
            write_path="/api/v3/touchpoints",
            compared=("account_id", "subject", "content", "touchpoint_date", "created_by", "participants"),
        )

    def assert_alike(self, record: TargetRecord, values: Mapping[str, Any], case: TargetCase) -> None:
        for name in case.compared:
            read, sent = record.values.get(name), values[name]
            if name == "content":
                read, sent = normalise_text(read), normalise_text(sent)
            assert read == sent, name


class TestAsAssumed(TotangoCase):
    """The tenant behaves as is most likely."""


class TestHtmlContent(TotangoCase):
    """Content is sent as wrapped HTML, which the service keeps."""

    options: ClassVar[Mapping[str, Any]] = {"content_format": "html"}


class TestOffsetsCountRecords(TotangoCase):
    switches: ClassVar[Mapping[str, Any]] = {"offset_reading": "record", "upper_bound": "ignored"}


class TestUpperBoundRefused(TotangoCase):
    switches: ClassVar[Mapping[str, Any]] = {"upper_bound": "refused", "event_order": "shuffled"}


class TestOddShapes(TotangoCase):
    switches: ClassVar[Mapping[str, Any]] = {
        "catalogue_shape": "map",
        "account_participants_form": "object",
        "unknown_account_timeline": "not_found",
        "put_omitted": "clear",
        "event_order": "shuffled",
    }

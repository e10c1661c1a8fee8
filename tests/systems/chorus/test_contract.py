from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.systems.contract import SourceCase, SourceContract, keys_of
from tests.systems.wire import FakeTime, GateAdapter

from cshub.core.errors import TransientError
from cshub.core.records import RecordKey
from cshub.core.window import Window
from cshub.systems.chorus.catalog import EngagementOptions
from cshub.systems.chorus.client import ChorusClient
from cshub.systems.chorus.source import ChorusEngagements
from cshub_sandbox.chorus.switches import EndOfList, UpperBound
from cshub_sandbox.faults import FaultRule
from cshub_sandbox.sandbox import Sandbox, WorldSize

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ALL_TYPES = EngagementOptions(engagement_types=())


@pytest.fixture
def sandbox() -> Sandbox:
    box = Sandbox(["chorus"], size=WorldSize(seed=5, accounts=8, meetings=60), now=NOW)
    box.clock.freeze(True)
    box.service("chorus").switches.page_size = 7
    return box


def source_on(sandbox: Sandbox, token: str, options: EngagementOptions = ALL_TYPES) -> ChorusEngagements:
    time = FakeTime(move=lambda seconds: sandbox.clock.advance(timedelta(seconds=seconds)))
    client = ChorusClient(token, base_url="http://chorus.test", wire=time.wire(GateAdapter(sandbox, "chorus")))
    return ChorusEngagements(client, options)


def visible_keys(sandbox: Sandbox, window: Window) -> set[str]:
    """What the token may see, by the simplest possible reading: one huge page."""
    service = sandbox.service("chorus")
    size, service.switches.page_size = service.switches.page_size, 1000
    reader = source_on(sandbox, service.token)
    page = reader._client.engagements_page(reader._queries()[0])
    service.switches.page_size = size
    rows = page.rows
    return {row["engagement_id"] for row in rows if datetime.fromtimestamp(row["date_time"], UTC) in window}


class ChorusCase(SourceContract):
    types: EngagementOptions = ALL_TYPES

    @pytest.fixture
    def case(self, sandbox: Sandbox) -> SourceCase:
        window = Window(NOW - timedelta(days=90), NOW)
        token = sandbox.service("chorus").token
        keys = visible_keys(sandbox, window)
        assert len(keys) > 30
        return SourceCase(
            source=source_on(sandbox, token),
            window=window,
            keys=keys,
            fault=sandbox.faults.add,
            signed_in_with=lambda other: source_on(sandbox, other),
            unknown_key=RecordKey("F" * 32),
        )


class TestManyPages(ChorusCase):
    """A window of many pages."""


class TestOnePage(ChorusCase):
    """A window that fits one page."""

    @pytest.fixture(autouse=True)
    def one_page(self, sandbox: Sandbox) -> None:
        sandbox.service("chorus").switches.page_size = 200


@pytest.mark.parametrize("end", list(EndOfList))
@pytest.mark.parametrize("bound", list(UpperBound))
@pytest.mark.parametrize("page_size", [1, 7, 100])
def test_every_form_of_the_end_of_the_list_is_understood(
    sandbox: Sandbox, end: EndOfList, bound: UpperBound, page_size: int
) -> None:
    window = Window(NOW - timedelta(days=40), NOW - timedelta(days=2))
    expected = visible_keys(sandbox, window)
    switches = sandbox.service("chorus").switches
    switches.end_of_list, switches.max_date, switches.page_size = end, bound, page_size
    keys = keys_of(source_on(sandbox, sandbox.service("chorus").token), window)
    assert set(keys) == expected
    assert len(keys) == len(expected)


def test_a_window_whose_bounds_meet_meetings_is_half_open(sandbox: Sandbox) -> None:
    whole = Window(NOW - timedelta(days=90), NOW)
    source = source_on(sandbox, sandbox.service("chorus").token)
    records = [record for page in source.read_window(whole) for record in page.records]
    moments = sorted(datetime.fromtimestamp((record.body or {})["date_time"], UTC) for record in records)
    window = Window(moments[3], moments[10])
    assert len(keys_of(source, window)) == sum(moment in window for moment in moments)


def test_more_equal_start_times_than_fit_on_a_page_are_all_read(sandbox: Sandbox) -> None:
    at = NOW - timedelta(days=3)
    account = sandbox.world.accounts[0]
    for number in range(20):
        arguments = {"starts_at": at.isoformat(), "subject": f"Same time {number}", "account": account.crm_id}
        sandbox.service("chorus").act("add_meeting", arguments)
    window = Window(at, at + timedelta(seconds=1))
    expected = visible_keys(sandbox, window)
    assert len(expected) >= 20
    assert set(keys_of(source_on(sandbox, sandbox.service("chorus").token), window)) == expected


def test_engagement_types_are_read_one_after_the_other(sandbox: Sandbox) -> None:
    window = Window(NOW - timedelta(days=90), NOW)
    options = EngagementOptions.model_validate({"engagement_types": ["meeting", "email"]})
    source = source_on(sandbox, sandbox.service("chorus").token, options)
    records = [record for page in source.read_window(window) for record in page.records]
    kinds = {str((record.body or {})["engagement_type"]) for record in records}
    assert kinds <= {"meeting", "email"}


@pytest.mark.parametrize("kind", ["empty_page", "repeated_page"])
def test_pages_that_stay_spoiled_are_never_taken_for_a_complete_window(sandbox: Sandbox, kind: str) -> None:
    window = Window(NOW - timedelta(days=90), NOW)
    expected = visible_keys(sandbox, window)
    source = source_on(sandbox, sandbox.service("chorus").token)
    sandbox.faults.add(FaultRule.parse({"kind": kind}))
    try:
        keys = keys_of(source, window)
    except TransientError:
        return
    assert set(keys) == expected

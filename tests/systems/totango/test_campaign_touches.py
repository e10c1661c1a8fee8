from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.systems.contract import SourceCase, SourceContract, records_of
from tests.systems.totango.lab import NOW, account_ids, client_on, make_sandbox, service_of, switch

from cshub.core.ids import to_18
from cshub.core.ports import Reading
from cshub.core.records import Presence, RecordKey, SourceRecord
from cshub.core.values import cast, iso_ms
from cshub.core.window import Window
from cshub.systems.totango.campaign_catalog import CAMPAIGN_TOUCH, CampaignTouchOptions
from cshub.systems.totango.campaign_touch_source import TotangoCampaignTouches
from cshub.systems.totango.campaign_touches import read_campaign_touch
from cshub.systems.totango.models import Event, EventType, from_ms, read_event
from cshub_sandbox.sandbox import Sandbox

YEAR = Window(NOW - timedelta(days=400), NOW + timedelta(hours=1))
DAY = Window(NOW - timedelta(hours=1), NOW + timedelta(hours=1))
SENT_MS = 1_795_082_400_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["campaign_name", "users_count", "from", "start_date", "is_ongoing", "campaign", "type"])


class CampaignCase(SourceContract):
    switches: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        sandbox = make_sandbox()
        switch(sandbox, **self.switches)
        return sandbox

    @pytest.fixture
    def case(self, sandbox: Sandbox) -> SourceCase:
        for number in range(3):
            arguments = {"name": f"News {number}", "at": (NOW - timedelta(days=20 * number)).isoformat()}
            service_of(sandbox).act("send_campaign", arguments)
        sandbox.clock.advance(timedelta(seconds=5))
        events = [event for event in service_of(sandbox).state()["events"] if event["type"] == "campaign_touch"]
        return SourceCase(
            source=TotangoCampaignTouches(client_on(sandbox)),
            window=YEAR,
            keys={event["id"] for event in events},
            fault=sandbox.faults.add,
            signed_in_with=lambda token: TotangoCampaignTouches(client_on(sandbox, token)),
            unknown_key=RecordKey("1b2c3d4ez0001z4a00z8000z0123456789ab", events[0]["account"]["id"]),
        )


class TestAsAssumed(CampaignCase):
    """The tenant behaves as is most likely."""


class TestOddShapes(CampaignCase):
    switches: ClassVar[Mapping[str, Any]] = {"upper_bound": "refused", "event_order": "shuffled"}


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sandbox()


def source_on(sandbox: Sandbox, *fields: str, **options: Any) -> TotangoCampaignTouches:
    return TotangoCampaignTouches(client_on(sandbox), CampaignTouchOptions.model_validate(options), fields)


def sent(sandbox: Sandbox, **arguments: Any) -> list[SourceRecord]:
    """Touches of a campaign that is sent now."""
    service_of(sandbox).act("send_campaign", {"name": "Launch", **arguments})
    sandbox.clock.advance(timedelta(seconds=5))
    return records_of(source_on(sandbox), DAY)


def event_with(**content: Any) -> Event:
    row = {"id": "e-1", "timestamp": SENT_MS, "type": "campaign_touch", "account": {"id": "ACME-17"}, **content}
    event = read_event(row)
    assert event is not None
    return event


def test_a_touch_is_told_as_the_native_job_tells_it(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    user = service_of(sandbox).state()["users"][0]["email"]
    for number in range(2):
        service_of(sandbox).act("add_contact", {"account_id": account, "email": f"c{number}@acme.example"})
    contacts = service_of(sandbox).state()["contacts"]
    count = sum(contact["account_id"] == account for contact in contacts)
    (record,) = sent(sandbox, account_ids=[account], user=user)
    (event,) = [
        event
        for event in service_of(sandbox).state()["events"]
        if event["type"] == "campaign_touch" and event["campaign_touch_content"]["campaign_name"] == "Launch"
    ]
    at = from_ms(event["timestamp"])
    assert record.body == {
        "account_id": to_18(account),
        "campaign_touch_id": event["id"],
        "subject": f'One time campaign "Launch" was sent to {count} users. From: {user}',
        "description": event["campaign_touch_content"]["description"],
        "start_date": iso_ms(at),
        "created_by": user,
        "from": user,
        "campaign_id": event["campaign_touch_content"]["campaign_id"],
        "campaign_name": "Launch",
        "campaign_subject": "Launch",
        "is_ongoing": False,
        "users_count": count,
    }
    assert record.body.keys() == CAMPAIGN_TOUCH.fields.keys()
    for name, value in record.body.items():
        cast(value, CAMPAIGN_TOUCH.fields[name].kind)
    assert (record.modified_at, record.dated_at, record.account_id) == (at, at, account)


def test_each_account_has_a_touch_of_its_own(sandbox: Sandbox) -> None:
    records = sent(sandbox, ongoing=True)
    assert sorted(record.account_id for record in records) == sorted(account_ids(sandbox))
    assert len({record.key for record in records}) == len(records)
    assert all(str((record.body or {})["subject"]).startswith('Ongoing campaign "Launch" was') for record in records)


def test_a_touch_is_read_by_change_and_its_absence_means_nothing(sandbox: Sandbox) -> None:
    assert source_on(sandbox).reading is Reading.BY_CHANGE


def test_touches_may_be_limited_to_accounts(sandbox: Sandbox) -> None:
    first = account_ids(sandbox)[0]
    sent(sandbox)
    source = source_on(sandbox, "subject", accounts=[first])
    assert [record.account_id for record in records_of(source, DAY)] == [first]
    assert [record.account_id for record in source.sample(DAY, 5)] == [first]
    assert source.calls == 2


def test_a_touch_whose_account_is_not_known_is_searched_for(sandbox: Sandbox) -> None:
    wanted = sent(sandbox)[0]
    (page,) = source_on(sandbox).read_keys([RecordKey(wanted.key), RecordKey("nope")])
    assert {record.key: record.presence for record in page.records} == {
        wanted.key: Presence.PRESENT,
        "nope": Presence.ABSENT,
    }


@pytest.mark.parametrize(
    ("users", "ongoing", "subject"),
    [
        (12, False, 'One time campaign "N" was sent to 12 users. From: x@y.example'),
        (12, True, 'Ongoing campaign "N" was sent to 12 users. From: x@y.example'),
        (1, True, 'Ongoing campaign "N" was sent to 1 user. From: x@y.example'),
        (0, False, 'One time campaign "N" was sent to 0 users. From: x@y.example'),
    ],
)
def test_the_subject_is_put_together(users: int, ongoing: bool, subject: str) -> None:
    content = {"campaign_name": "N", "users_count": users, "from": "x@y.example", "is_ongoing": ongoing}
    touch = read_campaign_touch(event_with(campaign_touch_content=content))
    assert touch is not None
    assert touch.subject == subject


@pytest.mark.parametrize(
    "content",
    [
        {"campaign_content": {"name": "N", "type": "Ongoing", "recipients": ["a", "b"], "sender": {"email": "x@y.z"}}},
        {"properties": {"campaignName": "N", "isOngoing": "true", "usersCount": "2", "fromEmail": "x@y.z"}},
        {"campaign_touch_content": {"campaign": {"name": "N", "type": "ONGOING"}, "users_count": 2.0, "from": "x@y.z"}},
        {
            "campaign_touch_content": None,
            "campaign_content": {"campaign_name": "N", "campaign_type": "ongoing"},
            "properties": {"number_of_users": 2, "created_by": "x@y.z", "name": "another"},
        },
    ],
)
def test_other_forms_of_the_event_are_understood(content: dict[str, Any]) -> None:
    touch = read_campaign_touch(event_with(**content))
    assert touch is not None
    assert (touch.name, touch.is_ongoing, touch.users, touch.sender) == ("N", True, 2, "x@y.z")
    assert touch.sent_at == from_ms(SENT_MS)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"campaign_touch_content": []},
        {"campaign_touch_content": "text", "properties": None},
        {"campaign_touch_content": {"users_count": True, "start_date": "soon", "from": [], "campaign_name": {}}},
        {"campaign_touch_content": {"users_count": "many", "start_date": 10**30, "from": {}, "campaign_name": " "}},
    ],
)
def test_what_cannot_be_made_out_is_left_out(content: dict[str, Any]) -> None:
    touch = read_campaign_touch(event_with(**content))
    assert touch is not None
    assert touch.subject == "One time campaign was sent."
    assert (touch.sent_at, touch.users, touch.sender) == (from_ms(SENT_MS), None, None)


@pytest.mark.parametrize("start", [SENT_MS, str(SENT_MS), "2026-11-19T10:00:00Z"])
def test_a_start_date_may_be_a_number_or_iso_text(start: Any) -> None:
    touch = read_campaign_touch(event_with(campaign_touch_content={"start_date": start}))
    assert touch is not None
    assert iso_ms(touch.sent_at) == "2026-11-19T10:00:00.000Z"


@given(content=st.dictionaries(NAMES, JSON), properties=JSON)
def test_no_form_of_the_event_is_an_error(content: dict[str, Any], properties: Any) -> None:
    touch = read_campaign_touch(event_with(campaign_touch_content=content, properties=properties))
    assert touch is not None
    assert touch.subject.startswith(("One time campaign", "Ongoing campaign"))
    assert iso_ms(touch.sent_at).endswith("Z")


def test_a_sender_that_is_no_address_is_no_author(sandbox: Sandbox) -> None:
    records = TotangoCampaignTouches(client_on(sandbox))._records(
        [event_with(campaign_touch_content={"from": "The Team"})]
    )
    body = records[0].body or {}
    assert (body["from"], body["created_by"]) == ("The Team", None)


def test_events_of_other_types_are_no_campaign_touches() -> None:
    event = Event("e-1", EventType.NOTE, SENT_MS, "ACME-17", {})
    assert read_campaign_touch(event) is None

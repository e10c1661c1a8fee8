from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.systems.contract import keys_of, records_of
from tests.systems.totango.lab import (
    NOW,
    account_ids,
    add_touchpoint,
    client_on,
    make_sandbox,
    service_of,
    switch,
    touchpoint,
)

from cshub.core.errors import SpecError
from cshub.core.ids import to_18
from cshub.core.objects import Kind
from cshub.core.ports import Reading, Write
from cshub.core.records import Operation, Presence, RecordKey, SourceRecord
from cshub.core.values import cast, fingerprint, iso_ms
from cshub.core.window import Window
from cshub.systems.totango.catalog import TOUCHPOINT, TouchpointOptions, TouchpointSourceOptions
from cshub.systems.totango.models import TouchpointFields, from_ms, to_ms
from cshub.systems.totango.target import TotangoTouchpoints
from cshub.systems.totango.touchpoint_source import TotangoTouchpointSource
from cshub_sandbox.sandbox import Sandbox

DAY = Window(NOW - timedelta(days=1), NOW + timedelta(hours=1))
YEAR = Window(NOW - timedelta(days=400), NOW + timedelta(hours=1))


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sandbox()


def source_on(sandbox: Sandbox, *fields: str, **options: Any) -> TotangoTouchpointSource:
    return TotangoTouchpointSource(client_on(sandbox), TouchpointSourceOptions.model_validate(options), fields)


def settle(sandbox: Sandbox) -> None:
    sandbox.clock.advance(timedelta(seconds=5))


def note_of(sandbox: Sandbox, account_id: str, **fields: Any) -> str:
    """The note id of a touchpoint that a user writes now."""
    given = {"account_id": account_id, "subject": "Lunch", "content": "Two lines\nof text", **fields}
    note_id = service_of(sandbox).act("create_touchpoint", given)["note_id"]
    settle(sandbox)
    return str(note_id)


def body_of(source: TotangoTouchpointSource, key: str, window: Window = YEAR) -> dict[str, Any]:
    (body,) = [dict(record.body or {}) for record in records_of(source, window) if record.key == key]
    return body


def by_key(source: TotangoTouchpointSource, *keys: RecordKey) -> dict[str, SourceRecord]:
    return {record.key: record for page in source.read_keys(keys) for record in page.records}


def test_it_is_read_by_date(sandbox: Sandbox) -> None:
    assert source_on(sandbox).reading is Reading.BY_DATE


def test_every_field_of_the_catalogue_that_totango_tells_is_in_the_body(sandbox: Sandbox) -> None:
    state = service_of(sandbox).state()
    account = account_ids(sandbox)[0]
    member = state["users"][0]["email"]
    service_of(sandbox).act("add_contact", {"account_id": account, "email": "Lee@Acme.example", "user_id": "lee-1"})
    kind, tag = state["touchpoint_types"][1], state["touchpoint_tags"][0]
    key = note_of(
        sandbox,
        account,
        user=member,
        create_date=to_ms(NOW - timedelta(days=3)),
        participantList=[{"userId": member}, {"userId": "lee-1"}],
        touchpointType=kind["id"],
        touchpoint_tags=[tag["id"]],
        activity_type_id="renewal",
    )
    written_at = touchpoint(sandbox, key)["creation_time"]
    body = body_of(source_on(sandbox), key)
    assert body == {
        "account_id": to_18(account),
        "touchpoint_id": key,
        "external_id": None,
        "note_id": key,
        "subject": "Lunch",
        "content": "Two lines\nof text",
        "touchpoint_date": iso_ms(NOW - timedelta(days=3)),
        "created_by": member,
        "participants": sorted([member, "lee-1"]),
        "participant_emails": sorted([member.lower(), "lee@acme.example"]),
        "last_update_date": iso_ms(from_ms(written_at)),
        "last_updater": member,
        "flow": "Renewal",
        "flow_id": "renewal",
        "touchpoint_type": kind["name"],
        "touchpoint_type_id": kind["id"],
        "reasons": [tag["name"]],
        "reason_ids": [tag["id"]],
        "origin": "user",
    }
    assert body.keys() == TOUCHPOINT.fields.keys()
    for name in body.keys() - {"participants"}:  # its ids need not be e-mails
        cast(body[name], TOUCHPOINT.fields[name].kind)


def test_a_record_tells_when_it_was_made_changed_and_dated_and_how_it_is_asked_for(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    editor = service_of(sandbox).state()["users"][1]["email"]
    key = note_of(sandbox, account, create_date=to_ms(NOW - timedelta(days=3)))
    sandbox.clock.advance(timedelta(hours=1))
    service_of(sandbox).act("edit_touchpoint", {"note_id": int(key), "content": "New", "user": editor})
    settle(sandbox)
    stored = touchpoint(sandbox, key)
    (record,) = [record for record in records_of(source_on(sandbox), YEAR) if record.key == key]
    assert record.created_at == from_ms(stored["creation_time"])
    assert record.modified_at == from_ms(stored["last_edit_time"])
    assert record.dated_at == NOW - timedelta(days=3)
    assert (record.account_id, record.extra["event_id"]) == (account, stored["event_id"])
    assert record.body is not None
    assert (record.body["last_updater"], record.body["content"]) == (editor, "New")
    assert record.body["last_update_date"] == iso_ms(from_ms(stored["last_edit_time"]))


@pytest.mark.parametrize("options", [{}, {"content_format": "html"}], ids=["text", "html"])
def test_what_the_target_shows_and_what_the_source_shows_have_the_same_fingerprints(
    sandbox: Sandbox, options: dict[str, Any]
) -> None:
    account = account_ids(sandbox)[0]
    member = service_of(sandbox).state()["users"][0]["email"]
    target = TotangoTouchpoints(client_on(sandbox), TouchpointOptions.model_validate(options))
    values = {
        "subject": " Spaced ",
        "content": "a < b &amp; c\n\n<b>bold</b>\n",
        "touchpoint_date": "2026-11-19T10:00:00.123Z",
        "created_by": "Somebody@Else.example",
        "participants": [member],
    }
    (verdict,) = target.write([Write(Operation.CREATE, None, account, values)])
    assert verdict.key is not None
    settle(sandbox)
    shown = target.read_keys([verdict.key])[verdict.key.key]
    assert shown is not None
    body = body_of(source_on(sandbox), verdict.key.key)
    assert {**body, "account_id": account}.items() >= shown.values.items()
    for name, value in shown.values.items():
        if name != "account_id":
            kind: Kind = TOUCHPOINT.fields[name].kind
            assert fingerprint(cast(body[name], kind), kind) == fingerprint(cast(value, kind), kind)


def test_an_external_id_of_an_import_is_the_touchpoint_id(sandbox: Sandbox) -> None:
    switch(sandbox, external_id_on_write="accept")
    fields = TouchpointFields(subject="Imported", content="x", more={"external_id": "00U5g000001AbCd"})
    key = str(client_on(sandbox).create_touchpoint(account_ids(sandbox)[0], fields))
    settle(sandbox)
    body = body_of(source_on(sandbox), key)
    assert (body["touchpoint_id"], body["external_id"], body["note_id"]) == ("00u5g000001abcd", "00u5g000001abcd", key)


def test_an_account_is_called_by_its_foreign_key_else_by_an_id_that_is_a_salesforce_id(sandbox: Sandbox) -> None:
    service = service_of(sandbox)
    keyed = {"id": "ACME-17", "name": "Acme", "attributes": {"sfid": "0015g00000xyz12aaf"}}
    for account in (keyed, {"id": "0015g00000QrS34", "name": "Short"}, {"id": "PLAIN-1", "name": "Plain"}):
        service.act("create_account", account)
    keys = {account: note_of(sandbox, account) for account in ("ACME-17", "0015g00000QrS34", "PLAIN-1")}
    source = source_on(sandbox)
    found = {account: body_of(source, key, DAY)["account_id"] for account, key in keys.items()}
    assert found["ACME-17"] == to_18("0015g00000xyz12aaf")
    assert found["0015g00000QrS34"] == to_18("0015g00000QrS34")
    assert found["PLAIN-1"] is None
    assert source.warnings["account_without_reference"] == 1


def test_an_account_may_be_called_by_another_attribute_or_its_own_id(sandbox: Sandbox) -> None:
    attributes = {"billing_key": "B-77"}
    service_of(sandbox).act("create_account", {"id": "ACME-17", "name": "Acme", "attributes": attributes})
    key = note_of(sandbox, "ACME-17")
    other = source_on(sandbox, account_reference={"by": "foreign_key", "attribute": "billing_key"})
    own = source_on(sandbox, account_reference={"by": "account_id"})
    assert body_of(other, key, DAY)["account_id"] == "b-77"
    assert body_of(own, key, DAY)["account_id"] == "ACME-17"


def test_accounts_and_people_are_looked_up_once_and_only_what_the_job_reads(sandbox: Sandbox) -> None:
    source = source_on(sandbox, "subject", "content")
    assert len(records_of(source, YEAR)) > 20
    assert source.calls == 1
    everything = source_on(sandbox)
    records_of(everything, YEAR)
    first = everything.calls
    records_of(everything, YEAR)
    assert (first, everything.calls) == (1 + 1 + 3, first + 1)


def test_a_participant_without_an_e_mail_is_left_out_and_counted(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    service_of(sandbox).act("add_contact", {"account_id": account, "email": " ", "user_id": "nameless"})
    key = note_of(sandbox, account, participantList=[{"userId": "nameless"}])
    source = source_on(sandbox)
    body = body_of(source, key, DAY)
    assert (body["participants"], body["participant_emails"]) == (["nameless"], [])
    assert source.warnings["person_without_email"] == 1


def test_what_an_event_does_not_carry_is_absent_not_empty(sandbox: Sandbox) -> None:
    key = note_of(sandbox, account_ids(sandbox)[0])
    switch(sandbox, missing_optional_properties=True)
    body = body_of(source_on(sandbox), key)
    assert not {"subject", "participants", "participant_emails"} & body.keys()
    assert body["last_update_date"] == body["touchpoint_date"]


@pytest.mark.parametrize(
    "options",
    [
        {"flows": ["renewal"]},
        {"touchpoint_types": ["Telephone call"]},
        {"reasons": ["Support", "renewal"]},
        {"authors": ["ADA"]},
        {"accounts": [0]},
        {"updated_within_days": 2},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_filter_chooses_what_a_window_shows_and_never_proves_a_deletion(
    sandbox: Sandbox, options: dict[str, Any]
) -> None:
    state = service_of(sandbox).state()
    first, second = account_ids(sandbox)[:2]
    author = state["users"][0]["email"]
    options = {"authors": [author.upper()]} if "authors" in options else options
    options = {"accounts": [first]} if "accounts" in options else options
    ids = {item["name"]: item["id"] for item in [*state["touchpoint_types"], *state["touchpoint_tags"]]}
    week = timedelta(days=7)
    sandbox.clock.advance(-week)
    out = note_of(sandbox, second, user=state["users"][1]["email"])
    sandbox.clock.advance(week)
    within = note_of(
        sandbox,
        first,
        user=author,
        activity_type_id="renewal",
        touchpointType=ids["Telephone call"],
        touchpoint_tags=[ids["Renewal"]],
    )
    source = source_on(sandbox, **options)
    source.check_options()
    keys = keys_of(source, Window(NOW - timedelta(days=8), NOW + timedelta(hours=1)))
    assert within in keys
    assert out not in keys
    calls = source.calls
    record = by_key(source, RecordKey(out, second))[out]
    assert record.presence is Presence.PRESENT
    assert record.body is not None
    assert source.calls <= calls + 3
    fresh = by_key(source_on(sandbox, **options), RecordKey(out, second))[out]
    assert fresh.presence is Presence.PRESENT


@pytest.mark.parametrize("option", [{"flows": ["Nope"]}, {"touchpoint_types": ["Nope"]}, {"reasons": ["Nope"]}])
def test_a_filter_that_names_nothing_known_is_refused(sandbox: Sandbox, option: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"called 'Nope'. There are: \w+.*Correct source.options"):
        source_on(sandbox, **option).check_options()
    with pytest.raises(SpecError, match="called 'Nope'"):
        keys_of(source_on(sandbox, **option), DAY)


def test_many_keys_of_one_account_need_one_timeline(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    keys = [RecordKey(note_of(sandbox, account), account) for _ in range(5)]
    source = source_on(sandbox, "subject")
    assert set(by_key(source, *keys, *keys)) == {key.key for key in keys}
    assert source.calls == 1


def test_many_deletions_are_proven_by_a_timeline_and_a_search_for_each_account(sandbox: Sandbox) -> None:
    accounts = account_ids(sandbox)
    keys = [RecordKey(note_of(sandbox, account), account) for account in accounts for _ in range(3)]
    for key in keys:
        service_of(sandbox).act("delete_touchpoint", {"note_id": int(key.key)})
    settle(sandbox)
    source = source_on(sandbox, "subject")
    assert {record.presence for record in by_key(source, *keys).values()} == {Presence.DELETED}
    assert source.calls == 2 * len(accounts) + 1


def test_a_touchpoint_whose_account_is_not_known_is_searched_for(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    key = note_of(sandbox, account)
    records = by_key(source_on(sandbox), RecordKey(key), RecordKey("1"))
    assert (records[key].account_id, records[key].presence) == (account, Presence.PRESENT)
    assert records["1"].presence is Presence.ABSENT


def test_nothing_is_proven_of_a_merged_account(sandbox: Sandbox) -> None:
    first, second = account_ids(sandbox)[:2]
    key = RecordKey(note_of(sandbox, first), first)
    service_of(sandbox).act("merge_account", {"account_id": first, "into": second})
    settle(sandbox)
    assert by_key(source_on(sandbox), key)[key.key].presence is Presence.ACCOUNT_GONE


def test_touchpoints_that_vanish_with_their_account_are_not_told_deleted(sandbox: Sandbox) -> None:
    first, second = account_ids(sandbox)[:2]
    lost, gone = RecordKey(note_of(sandbox, first), first), RecordKey(note_of(sandbox, second), second)
    service_of(sandbox).act("delete_touchpoint", {"note_id": int(gone.key)})
    service_of(sandbox).act("delete_account", {"account_id": first})
    settle(sandbox)
    assert by_key(source_on(sandbox), lost)[lost.key].presence is Presence.ACCOUNT_GONE
    assert by_key(source_on(sandbox), gone)[gone.key].presence is Presence.DELETED


def test_a_sample_holds_the_newest_in_order(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    for number in range(1200):
        add_touchpoint(sandbox, account, NOW - timedelta(minutes=number))
    settle(sandbox)
    source = source_on(sandbox, "subject")
    sample = source.sample(YEAR, 10)
    assert [record.dated_at for record in sample] == [NOW - timedelta(minutes=number) for number in range(10)]
    assert source.calls <= 3


def test_a_sample_of_a_filter_that_little_passes_is_short(sandbox: Sandbox) -> None:
    source = source_on(sandbox, "subject", accounts=["no-such-account"])
    assert source.sample(YEAR, 10) == []
    assert source.calls <= 5

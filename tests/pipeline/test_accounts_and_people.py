from __future__ import annotations

from tests.pipeline.cast import absent_account, case, meet, plain_account, touchpoint_of, touchpoints_of, writes_of
from tests.pipeline.lab import Lab
from tests.pipeline.oracle import made_by_hub


def test_an_account_is_found_by_an_attribute_whatever_its_own_id_is(lab: Lab) -> None:
    lab.sync()
    for item in case(lab, "account_by_foreign_key"):
        assert item.account is not None
        assert touchpoint_of(lab, item)["account_id"] == item.account.totango_id != item.account.crm_id


def test_an_account_is_found_by_its_own_id_in_the_short_form_too(lab: Lab) -> None:
    lab.configure_target(account_match={"by": "account_id"})
    lab.sync()
    for item in case(lab, "short_account_id"):
        assert item.account is not None
        assert touchpoint_of(lab, item)["account_id"] == item.account.crm_id
    assert not any(touchpoints_of(lab, item) for item in case(lab, "account_by_foreign_key"))


def test_a_meeting_waits_for_its_account_and_is_released_when_it_appears(quiet: Lab) -> None:
    account = absent_account(quiet)
    item = meet(quiet, account=account.crm_id)
    assert quiet.sync().statistics.parked == 1
    quiet.wait(days=5)
    quiet.sync()
    quiet.wait(days=5)
    waiting = quiet.sync()
    assert (waiting.statistics.parked, waiting.extracted.by_origin) == (1, {"parked": 1})
    quiet.act("totango", "create_account", crm_id=account.crm_id)
    quiet.wait(minutes=1)
    assert quiet.sync().statistics.created == 1
    assert touchpoint_of(quiet, item)["account_id"] == account.totango_id
    before = len(quiet.written())
    quiet.wait(hours=1)
    quiet.sync()
    assert writes_of(quiet, before) == []


def test_a_released_meeting_that_the_native_job_imported_meanwhile_is_adopted(quiet: Lab) -> None:
    account = absent_account(quiet)
    item = meet(quiet, account=account.crm_id)
    quiet.sync()
    quiet.act("totango", "create_account", crm_id=account.crm_id)
    quiet.sandbox.service("totango").switches.external_id_on_write = "accept"
    service = quiet.sandbox.service("totango")
    date = int(item.starts_at.timestamp() * 1000)
    body = {"account_id": account.totango_id, "subject": item.subject, "content": "x", "create_date": date}
    quiet.post_to_totango("/api/v3/touchpoints/", {**body, "external_id": item.id})
    service.switches.external_id_on_write = "ignore"
    quiet.wait(days=5)
    statistics = quiet.sync().statistics
    assert statistics.created == 0
    assert len(made_by_hub(quiet.sandbox)) == 1


def test_a_meeting_without_account_waits_until_somebody_links_it_in_chorus(quiet: Lab) -> None:
    item = meet(quiet, account=None)
    assert quiet.sync().statistics.parked == 1
    quiet.wait(days=3)
    quiet.act("chorus", "move_account", id=item.id, account=plain_account(quiet).crm_id)
    assert quiet.sync().statistics.created == 1
    assert len(touchpoints_of(quiet, item)) == 1


def test_a_meeting_linked_to_another_account_later_stays_where_it_is_with_a_warning(quiet: Lab) -> None:
    item = meet(quiet)
    quiet.sync()
    home = touchpoint_of(quiet, item)["account_id"]
    other = quiet.sandbox.world.accounts[1]
    quiet.act("chorus", "move_account", id=item.id, account=other.crm_id)
    quiet.wait(minutes=10)
    statistics = quiet.sync().statistics
    assert statistics.writes == 0
    assert statistics.warnings["account_changed_in_source"] == 1
    assert [held["account_id"] for held in made_by_hub(quiet.sandbox)] == [home]


def test_a_touchpoint_is_followed_into_the_account_that_its_own_was_merged_into(quiet: Lab) -> None:
    old, new = quiet.sandbox.world.accounts[:2]
    items = [meet(quiet), meet(quiet, summary=None, ended_ago_s=900)]
    quiet.sync()
    quiet.wait(days=3)
    quiet.sync()
    quiet.act("totango", "merge_account", account_id=old.totango_id, into=new.totango_id)
    quiet.act("chorus", "move_account", id=items[1].id, account=new.crm_id)
    quiet.act("chorus", "finish_summary", id=items[1].id, summary="All is well.")
    quiet.wait(minutes=10)
    statistics = quiet.sync().statistics
    assert (statistics.updated, statistics.failed) == (1, 0)
    held = made_by_hub(quiet.sandbox)
    assert {item["account_id"] for item in held} == {new.totango_id}
    assert "All is well." in {item["content"] for item in held}


def test_participants_are_matched_without_case_and_strangers_are_counted(quiet: Lab) -> None:
    account = plain_account(quiet)
    contact = account.contacts[0]
    owner = quiet.sandbox.service("chorus").people.users()[0]
    attendees = [owner.person.email.upper(), contact.email.upper(), "nobody@elsewhere.example"]
    item = meet(quiet, attendees=attendees)
    statistics = quiet.sync().statistics
    held = touchpoint_of(quiet, item)
    assert {name.lower() for name in held["participants"]} == {owner.person.email.lower(), contact.email.lower()}
    assert statistics.warnings["participant_unmatched"] == 1


def test_a_contact_stored_with_capitals_is_matched(lab: Lab) -> None:
    contacts = lab.sandbox.service("totango").state()["contacts"]
    odd = next(item for item in contacts if item["email"] != item["email"].lower())
    crm_id = next(item.crm_id for item in lab.sandbox.world.accounts if item.totango_id == odd["account_id"])
    item = meet(lab, account=crm_id, attendees=[odd["email"].lower()])
    lab.sync()
    assert touchpoint_of(lab, item)["external_participants"] == [odd["user_id"]]


def test_a_contact_added_later_joins_the_touchpoint(quiet: Lab) -> None:
    account = plain_account(quiet)
    item = meet(quiet, attendees=["late.comer@customer.example"])
    quiet.sync()
    assert touchpoint_of(quiet, item)["participants"] == []
    quiet.act("totango", "add_contact", account_id=account.totango_id, email="late.comer@customer.example")
    quiet.wait(minutes=10)
    assert quiet.sync().statistics.updated == 1
    assert touchpoint_of(quiet, item)["participants"] == ["late.comer@customer.example"]

from __future__ import annotations

from collections import Counter

import pytest
from tests.systems.totango.lab import account_ids, client_on, make_sandbox, service_of

from cshub.core.errors import ShortRead
from cshub.core.ids import is_salesforce_id, to_18
from cshub.systems.totango.account_options import AccountMatch
from cshub.systems.totango.people import AccountFinder, PeopleFinder
from cshub_sandbox.faults import FaultRule
from cshub_sandbox.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sandbox()


def finder(sandbox: Sandbox, warnings: Counter[str] | None = None, **match: str) -> AccountFinder:
    counted = Counter() if warnings is None else warnings
    return AccountFinder(client_on(sandbox), AccountMatch.model_validate(match), counted)


def test_a_salesforce_id_is_matched_in_every_form(sandbox: Sandbox) -> None:
    account = next(item for item in account_ids(sandbox) if is_salesforce_id(item))
    references = {account, account[:15], account.lower()}
    assert finder(sandbox).find(references) == dict.fromkeys(references, account)


def test_an_account_that_bears_a_short_id_is_found_by_the_long_one(sandbox: Sandbox) -> None:
    service_of(sandbox).act("create_account", {"id": "0015g00000XyZ12", "name": "Short"})
    assert finder(sandbox).find({"0015g00000XyZ12AAF"}) == {"0015g00000XyZ12AAF": "0015g00000XyZ12"}


def test_other_account_ids_keep_their_case(sandbox: Sandbox) -> None:
    service_of(sandbox).act("create_account", {"id": "ACME-17", "name": "Acme"})
    assert finder(sandbox).find({"ACME-17", "acme-17"}) == {"ACME-17": "ACME-17"}


def test_a_foreign_key_is_matched_without_case(sandbox: Sandbox) -> None:
    attributes = {"salesforce_key": "0015g00000XyZ12AAF"}
    service_of(sandbox).act("create_account", {"id": "K-1", "name": "Keyed", "attributes": attributes})
    found = finder(sandbox, by="foreign_key", attribute="salesforce_key").find(
        {"0015g00000XyZ12", "0015g00000XyZ12AAF", "unknown"}
    )
    assert found == {"0015g00000XyZ12": "K-1", "0015g00000XyZ12AAF": "K-1"}


def test_a_foreign_key_of_two_accounts_is_left_out_and_counted(sandbox: Sandbox) -> None:
    for number in (1, 2):
        attributes = {"billing_key": "B-1"}
        service_of(sandbox).act("create_account", {"id": f"K-{number}", "name": "Keyed", "attributes": attributes})
    warnings: Counter[str] = Counter()
    assert finder(sandbox, warnings, by="foreign_key", attribute="billing_key").find({"b-1"}) == {}
    assert warnings == {"ambiguous_account": 1}


def test_the_system_attribute_that_is_not_lowercased_is_matched_too(sandbox: Sandbox) -> None:
    attributes = {"sfid": "0015g00000XyZ12AAF"}
    service_of(sandbox).act("create_account", {"id": "K-1", "name": "Keyed", "attributes": attributes})
    reference = to_18("0015g00000XyZ12").lower()
    assert finder(sandbox, by="foreign_key", attribute="sfid").find({reference}) == {reference: "K-1"}


def test_many_references_are_asked_in_few_calls(sandbox: Sandbox) -> None:
    client = client_on(sandbox)
    references = {*account_ids(sandbox), *(f"unknown-{number}" for number in range(500))}
    found = AccountFinder(client, AccountMatch(), Counter()).find(references)
    assert set(found.values()) == set(account_ids(sandbox))
    assert client.calls <= 4


def test_a_foreign_key_match_needs_the_attributes_name() -> None:
    with pytest.raises(ValueError, match="give attribute together with by: foreign_key"):
        AccountMatch.model_validate({"by": "foreign_key"})


def test_people_of_both_sides_are_found_without_regard_to_case(sandbox: Sandbox) -> None:
    first, second = account_ids(sandbox)[:2]
    service = service_of(sandbox)
    service.act("add_contact", {"account_id": first, "email": "lee@acme.example", "user_id": "lee-1"})
    service.act("add_contact", {"account_id": second, "email": "lee@acme.example", "user_id": "lee-2"})
    member = service.state()["users"][0]["email"]
    wanted = {first: {"lee@acme.example", member.lower()}, second: {"LEE@acme.example", "stranger@acme.example"}}
    assert PeopleFinder(client_on(sandbox)).find(wanted) == {
        (first, "lee@acme.example"): "lee-1",
        (first, member.lower()): member,
        (second, "LEE@acme.example"): "lee-2",
    }


def test_a_contact_of_another_account_is_not_a_participant(sandbox: Sandbox) -> None:
    first, second = account_ids(sandbox)[:2]
    service_of(sandbox).act("add_contact", {"account_id": first, "email": "lee@acme.example", "user_id": "lee-1"})
    assert PeopleFinder(client_on(sandbox)).find({second: {"lee@acme.example"}}) == {}


def test_team_members_are_read_once(sandbox: Sandbox) -> None:
    client = client_on(sandbox)
    people = PeopleFinder(client)
    member = service_of(sandbox).state()["users"][0]["email"]
    account = account_ids(sandbox)[0]
    for _ in range(3):
        assert people.find({account: {member.lower()}})
    assert client.calls == 1


def test_a_search_whose_total_stays_wrong_is_a_short_read(sandbox: Sandbox) -> None:
    sandbox.faults.add(FaultRule.parse({"kind": "wrong_totals"}))
    with pytest.raises(ShortRead, match="only a scan reads all"):
        finder(sandbox).find(set(account_ids(sandbox)))


def test_all_accounts_are_scanned(sandbox: Sandbox) -> None:
    found = {row["id"] for rows in client_on(sandbox).scan_accounts() for row in rows}
    assert found == set(account_ids(sandbox))


def test_an_account_that_bears_an_id_of_15_characters_is_found_by_its_18(sandbox: Sandbox) -> None:
    attributes = {"sfid": "0015g00000XyZ12"}
    service_of(sandbox).act("create_account", {"id": "K-1", "name": "Keyed", "attributes": attributes})
    reference = to_18("0015g00000XyZ12")
    assert finder(sandbox, by="foreign_key", attribute="sfid").find({reference}) == {reference: "K-1"}

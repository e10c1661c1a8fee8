from __future__ import annotations

from typing import Any

EXTERNAL = "/api/v1/search/users"
INTERNAL = "/api/v1/search/users/internal"


def hits(answer: Any) -> list[Any]:
    assert answer.status == 200, answer.text
    found: list[Any] = answer.json["response"]["users"]["hits"]
    assert answer.json["response"]["users"]["total_hits"] >= len(found)
    return found


def attribute(name: str, **operator: Any) -> dict[str, Any]:
    return {"type": "string_attribute", "attribute": name, **operator}


def test_one_person_is_found_once_per_account(totango: Any) -> None:
    found = hits(totango.query(EXTERNAL, attribute("Email", in_list=["lee@acme.example"]), team_id="-1"))
    assert [(hit["name"], hit["display_name"]) for hit in found] == [("lee@acme.example", "Lee Wong")] * 2
    assert {hit["account"]["name"] for hit in found} == {"ACME-17", "0015000000FgHiJAAX"}
    assert {hit["account"]["display_name"] for hit in found} == {"Acme", "Bolt"}
    assert all(isinstance(hit["last_activity_time"], int) for hit in found)


def test_user_ids_and_e_mails_are_matched_by_exact_case(totango: Any) -> None:
    def found(email: str) -> list[str]:
        return [hit["name"] for hit in hits(totango.query(EXTERNAL, attribute("Email", eq=email)))]

    assert found("max.park@acme.example") == []
    assert found("Max.Park@acme.example") == ["Max.Park@acme.example"]
    by_id = totango.query(EXTERNAL, {"type": "string", "term": "identifier", "eq": "LEE@acme.example"})
    assert hits(by_id) == []


def test_contains_finds_an_e_mail_in_any_case(totango: Any) -> None:
    found = hits(totango.query(EXTERNAL, attribute("Email", contains="max.park@")))
    assert [hit["name"] for hit in found] == ["Max.Park@acme.example"]


def test_a_user_id_is_not_always_the_e_mail(totango: Any) -> None:
    (hit,) = hits(totango.query(EXTERNAL, attribute("Email", eq="pia.park@acme.example"), fields=[attribute("Email")]))
    assert (hit["name"], hit["selected_fields"]) == ("user-park-4", ["pia.park@acme.example"])


def test_users_of_one_account_are_found_through_their_parent_account(totango: Any) -> None:
    term = {"type": "parent_account", "terms": [{"type": "string", "term": "identifier", "eq": "ACME-17"}]}
    found = hits(totango.query(EXTERNAL, term))
    assert len(found) == 5
    assert {hit["account"]["name"] for hit in found} == {"ACME-17"}
    assert totango.query(EXTERNAL, {"type": "parent_account"}).status == 400


def test_users_are_paged_by_record_under_the_cap(totango: Any) -> None:
    everybody = hits(totango.query(EXTERNAL))
    assert len(everybody) == 6
    assert hits(totango.query(EXTERNAL, count=4, offset=4)) == everybody[4:]
    totango.switches.search_cap = 5
    assert len(hits(totango.query(EXTERNAL, count=4, offset=4))) == 1


def test_team_members_are_found_by_status_disabled_ones_too(totango: Any) -> None:
    statuses = attribute("__internal_status", in_list=["Active", "Created", "Disabled"])
    fields = [
        attribute(name)
        for name in ("First Name", "Last Name", "License", "__internal_status", "__internal_role", "__internal_teams")
    ]
    found = hits(totango.query(INTERNAL, statuses, fields=fields, team_id="-1"))
    assert {hit["name"]: hit["selected_fields"] for hit in found} == {
        "dana@vendor.example": ["Dana", "Reed", "Full", "Active", "Global Admin", "Success"],
        "bo@vendor.example": ["Bo", "Reed", "Full", "Active", "Team Member", "Success"],
        "cleo@vendor.example": ["Cleo", "Reed", "Full", "Disabled", "Team Member", "Success"],
        "dee@vendor.example": ["Dee", "Reed", "Full", "Created", "Team Member", "Success"],
    }
    active = hits(totango.query(INTERNAL, attribute("__internal_status", eq="Active")))
    assert {hit["name"] for hit in active} == {"dana@vendor.example", "bo@vendor.example"}

from __future__ import annotations

from typing import Any

import orjson
import pytest

SEARCH = "/api/v1/search/accounts"
SCROLL = "/api/v2/accounts/scan_and_scroll_search_accounts"
CRM_ID = "0015000000AbCdEAAX"


def hits(answer: Any) -> list[Any]:
    assert answer.status == 200, answer.text
    found: list[Any] = answer.json["response"]["accounts"]["hits"]
    return found


def attribute(name: str, **operator: Any) -> dict[str, Any]:
    return {"type": "string_attribute", "attribute": name, **operator}


def identifier(**operator: Any) -> dict[str, Any]:
    return {"type": "string", "term": "identifier", **operator}


def test_a_hit_calls_the_id_name_and_the_name_display_name(totango: Any) -> None:
    (hit,) = hits(totango.query(SEARCH, identifier(eq="ACME-17")))
    assert (hit["name"], hit["display_name"]) == ("ACME-17", "Acme")
    assert isinstance(hit["last_activity_time"], int)


def test_selected_fields_come_in_the_order_asked_for(totango: Any) -> None:
    fields = [
        {"type": "string_attribute", "attribute": "sfid", "field_display_name": "SF"},
        {"type": "string", "term": "identifier"},
        {"type": "string_attribute", "attribute": "No Such"},
        {"type": "string", "term": "search_name"},
        {"type": "date", "term": "last_activity_time"},
        {"type": "simple_date_attribute", "attribute": "Create Date"},
        {"type": "health_trend"},
    ]
    (hit,) = hits(totango.query(SEARCH, identifier(eq="ACME-17"), fields=fields))
    assert hit["selected_fields"][:4] == [CRM_ID, "ACME-17", None, "Acme"]
    assert hit["selected_fields"][4] == hit["last_activity_time"]
    assert len(hit["selected_fields"]) == 7


def test_an_account_is_found_by_its_salesforce_id_exactly_and_by_its_foreign_key_in_any_case(totango: Any) -> None:
    assert [hit["name"] for hit in hits(totango.query(SEARCH, attribute("sfid", eq=CRM_ID)))] == ["ACME-17"]
    assert hits(totango.query(SEARCH, attribute("sfid", eq=CRM_ID.lower()))) == []
    for key in (CRM_ID, CRM_ID.lower(), CRM_ID.upper()):
        found = hits(totango.query(SEARCH, attribute("salesforce_key", in_list=[key])))
        assert [hit["name"] for hit in found] == ["ACME-17"]


def test_a_foreign_key_is_stored_in_lower_case(totango: Any) -> None:
    (hit,) = hits(totango.query(SEARCH, identifier(eq="ACME-17"), fields=[attribute("salesforce_key")]))
    assert hit["selected_fields"] == [CRM_ID.lower()]


def test_the_account_id_is_case_sensitive(totango: Any) -> None:
    assert hits(totango.query(SEARCH, identifier(eq="acme-17"))) == []
    assert len(hits(totango.query(SEARCH, identifier(in_list=["ACME-17", "0015000000FgHiJAAX", "x"])))) == 2


def test_terms_are_joined_by_and_and_an_or_term_joins_by_or(totango: Any) -> None:
    either = {
        "type": "or",
        "or": [identifier(eq="ACME-17"), {"type": "string", "term": "search_name", "contains": "BOL"}],
    }
    assert [hit["display_name"] for hit in hits(totango.query(SEARCH, either))] == ["Acme", "Bolt"]
    assert hits(totango.query(SEARCH, either, {"type": "string", "term": "status_group", "eq": "lost"})) == []


def test_hits_are_sorted_and_paged_by_record(totango: Any) -> None:
    def names(**paging: Any) -> list[str]:
        return [hit["display_name"] for hit in hits(totango.query(SEARCH, **paging))]

    assert names(sort_by="display_name", sort_order="ASC") == ["Acme", "Bolt"]
    assert names(sort_by="display_name", sort_order="DESC") == ["Bolt", "Acme"]
    assert names(count=1, offset=1) == ["Bolt"]
    assert names(offset=2) == []
    totango.switches.search_cap = 1
    answer = totango.query(SEARCH)
    assert (answer.json["response"]["accounts"]["total_hits"], len(hits(answer))) == (2, 1)


def test_count_and_offset_may_be_left_out_and_team_id_is_tolerated(totango: Any) -> None:
    form = {"query": orjson.dumps({"terms": [], "fields": [], "scope": "all"}).decode(), "team_id": "-1"}
    assert len(hits(totango.send("POST", SEARCH, form=form))) == 2


def test_a_search_by_what_nobody_knows_is_refused(totango: Any) -> None:
    assert totango.query(SEARCH, {"type": "string", "term": "colour", "eq": "red"}).status == 400
    assert totango.query(SEARCH, {"type": "string", "eq": "red"}).status == 400
    assert totango.query(SEARCH, identifier(in_list="ACME-17")).status == 400
    assert totango.query(SEARCH, sort_by="colour").status == 400
    assert totango.query(SEARCH, count=1001).status == 400
    assert totango.query(SEARCH, {"type": "totango_user_scope", "eq": "x"}).status == 501
    assert totango.query(SEARCH, identifier(gte=1)).status == 501


@pytest.mark.parametrize(
    ("relative", "days_ago", "found"), [("current", 1, True), ("previous", 1, False), ("previous", 31, True)]
)
def test_accounts_with_touchpoints_in_a_month_are_found_by_a_collection_term(
    totango: Any, relative: str, days_ago: int, found: bool
) -> None:
    totango.switches.search_lag_s = 0
    for note in totango.service.state()["touchpoints"]:
        totango.act("delete_touchpoint", note_id=note["note_id"])
    totango.create(create_date=1_795_161_600_000 - days_ago * 86_400_000)
    term = {
        "type": "with_collection",
        "collection_type": "touchpoint_collection",
        "parent_entity_type": "account",
        "terms": [
            {
                "type": "simple_date_attribute",
                "attribute": "created",
                "subscription_period": {"granularity": "month", "relative_period": relative},
            }
        ],
    }
    assert [hit["name"] for hit in hits(totango.query(SEARCH, term))] == (["ACME-17"] if found else [])
    assert totango.query(SEARCH, {**term, "collection_type": "orders"}).status == 501
    assert totango.query(SEARCH, {"type": "with_collection"}).status == 501


def test_a_scroll_walks_all_accounts_whatever_the_offset_says(totango: Any) -> None:
    first = totango.query(SCROLL, count=1).json
    assert set(first) == {"scroll-id", "accounts", "total_hits"}
    second = totango.query(SCROLL, count=1, offset=5, scroll_id=first["scroll-id"]).json
    third = totango.query(SCROLL, count=1, scroll_id=first["scroll-id"]).json
    assert [[a["id"] for a in step["accounts"]] for step in (first, second, third)] == [
        ["ACME-17"],
        ["0015000000FgHiJAAX"],
        [],
    ]
    assert first["total_hits"] == third["total_hits"] == 2


def test_a_scrolled_account_bears_attributes_health_and_metrics(totango: Any) -> None:
    account = totango.query(SCROLL).json["accounts"][0]
    assert account["attributes"]["sfid"]["val"] == CRM_ID
    assert set(account) == {"id", "display_name", "status", "status_group", "health", "attributes", "metrics"}
    assert set(account["health"]) == {"curr"}


def test_a_scroll_expires_after_five_minutes_without_use(totango: Any) -> None:
    scroll_id = totango.query(SCROLL, count=1).json["scroll-id"]
    totango.wait(300)
    assert totango.query(SCROLL, count=1, scroll_id=scroll_id).status == 200
    totango.wait(301)
    assert totango.query(SCROLL, count=1, scroll_id=scroll_id).status == 404
    assert totango.query(SCROLL, scroll_id="never").status == 404


def test_one_account_shows_its_attributes_with_business_types_and_its_owner(totango: Any) -> None:
    account = totango.send("GET", "/api/v2/accounts/ACME-17/").json["account"]
    assert account["attributes"]["sfid"] == {
        "val": CRM_ID,
        "display_name": "CRM System Account Id",
        "business_type": "string",
    }
    assert account["attributes"]["success_manager"]["business_type"] == "owner"
    assert account["attributes"]["success_manager___tid"]["val"].endswith("@vendor.example")
    assert {"status", "status_group", "health", "metrics"} <= set(account)


def test_an_account_that_is_not_there_is_answered_404_with_errors(totango: Any) -> None:
    answer = totango.send("GET", "/api/v2/accounts/LATER-1")
    assert (answer.status, answer.json["errors"]) == (404, ["Account not found"])


def test_the_attribute_list_names_every_attribute_and_its_type(totango: Any) -> None:
    kinds = {row["key_name"]: row["type"] for row in totango.send("GET", "/api/v1/attributes.json").json["list"]}
    assert kinds["sfid"] == "string"
    assert kinds["salesforce_key"] == kinds["billing_key"] == "foreign_key"
    assert kinds["success_manager"] == "owner"


def hub(totango: Any, accounts: Any, **headers: str) -> Any:
    sent = {"authorization": f"app-token {totango.service.token}", "service_id": str(totango.service.service_id)}
    return totango.send("POST", "/api/v1/accounts", json={"accounts": accounts}, headers={**sent, **headers})


def test_an_account_sent_to_the_hub_exists_some_seconds_later(totango: Any) -> None:
    attributes = {"Name": "New", "salesforce_key": "ABC", "Tier": 1}
    answer = hub(
        totango, [{"id": "NEW-1", "attributes": attributes}, {"id": "ACME-17", "attributes": {"Name": "Acme 2"}}]
    )
    assert (answer.status, answer.json["status"]) == (200, "success")
    assert answer.json["time_received"] == "2026-11-20T08:00:00.000Z"
    assert totango.send("GET", "/api/v2/accounts/NEW-1").status == 404
    totango.wait(5)
    account = totango.send("GET", "/api/v2/accounts/NEW-1").json["account"]
    assert account["display_name"] == "New"
    assert (account["attributes"]["salesforce_key"]["val"], account["attributes"]["Tier"]["val"]) == ("abc", "1")
    assert totango.send("GET", "/api/v2/accounts/ACME-17").json["account"]["display_name"] == "Acme 2"


@pytest.mark.parametrize(
    "accounts", [None, [], ["x"], [{"id": "a b"}], [{"id": 1}], [{"id": "x" * 481}], [{"id": "x", "attributes": 1}]]
)
def test_a_malformed_batch_is_refused_whole(totango: Any, accounts: Any) -> None:
    assert hub(totango, accounts).status == 400


def test_the_hub_wants_its_own_headers_and_does_not_count_calls(totango: Any) -> None:
    assert hub(totango, [{"id": "X"}], authorization=totango.service.token).status == 401
    assert hub(totango, [{"id": "X"}], authorization="app-token nonsense").status == 401
    assert hub(totango, [{"id": "X"}], service_id="1").status == 401
    answer = hub(totango, [{"id": "X"}])
    assert answer.status == 200
    assert "RateLimit-Remaining" not in answer.headers

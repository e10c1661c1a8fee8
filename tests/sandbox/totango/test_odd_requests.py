from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["ACME-17", "note", "identifier", "event_type", "date", "Email", "900001"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
TERM_KEYS = st.sampled_from(
    [
        "type",
        "term",
        "name",
        "attribute",
        "eq",
        "in_list",
        "contains",
        "gte",
        "lte",
        "joker",
        "or",
        "terms",
        "subscription_period",
    ]
)
TERM_TYPES = st.sampled_from(
    [
        "string",
        "string_attribute",
        "date",
        "event_property",
        "or",
        "with_collection",
        "parent_account",
        "simple_date_attribute",
    ]
)
TERMS = st.builds(lambda kind, rest: {**rest, "type": kind}, TERM_TYPES, st.dictionaries(TERM_KEYS, VALUES, max_size=5))
QUERY_KEYS = st.sampled_from(["terms", "fields", "count", "offset", "sort_by", "sort_order"])
SEARCHES = st.sampled_from(
    [
        "/api/v2/events/search",
        "/api/v1/search/accounts",
        "/api/v1/search/users",
        "/api/v1/search/users/internal",
        "/api/v2/accounts/scan_and_scroll_search_accounts",
    ]
)
RECORD_KEYS = st.sampled_from(
    [
        "account_id",
        "content",
        "subject",
        "create_date",
        "participantList",
        "touchpoint_tags",
        "touchpointType",
        "disable_sync",
        "created_by",
        "parentId",
        "note_id",
        "event_id",
        "id",
        "title",
        "due_date",
        "priority",
        "status",
        "assignee",
        "activity_type_id",
        "accounts",
    ]
)
WRITES = st.sampled_from(
    [
        ("POST", "/api/v3/touchpoints"),
        ("PUT", "/api/v3/touchpoints/900001"),
        ("DELETE", "/api/v3/touchpoints/900001"),
        ("POST", "/api/v3/tasks"),
        ("PUT", "/api/v3/tasks"),
        ("PUT", "/api/v3/tasks/55001"),
    ]
)
ANSWERS = {200, 400, 404, 501}
each_on_the_same_tenant = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@each_on_the_same_tenant
@given(path=SEARCHES, terms=st.lists(TERMS, max_size=3), more=st.dictionaries(QUERY_KEYS, VALUES, max_size=3))
def test_no_search_however_odd_goes_unanswered(totango: Any, path: str, terms: Any, more: Any) -> None:
    totango.switches.rate_limit = 10**6
    query = {"terms": terms, "fields": terms, "count": 10, "offset": 0, **more}
    assert totango.send("POST", path, form={"query": orjson.dumps(query).decode()}).status in ANSWERS


@each_on_the_same_tenant
@given(call=WRITES, record=st.dictionaries(RECORD_KEYS, VALUES, max_size=8))
def test_no_write_however_odd_goes_unanswered(totango: Any, call: tuple[str, str], record: Any) -> None:
    totango.switches.rate_limit = 10**6
    method, path = call
    complete = {"account_id": "ACME-17", "content": "x", **record}
    assert totango.send(method, path, json=complete).status in ANSWERS
    assert totango.service.state()["touchpoints"]


@each_on_the_same_tenant
@given(body=st.binary(max_size=40), media_type=st.sampled_from(["", "text/plain", "application/json", "text/html"]))
def test_no_body_however_broken_goes_unanswered(totango: Any, body: bytes, media_type: str) -> None:
    totango.switches.rate_limit = 10**6
    for path in ("/api/v3/touchpoints", "/api/v2/events/search"):
        assert totango.send("POST", path, body=body, media_type=media_type).status in ANSWERS

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

SEARCH = "/api/v2/events/search"
NOTES = {"type": "event_property", "name": "event_type", "eq": "note"}
NOW_MS = 1_795_161_600_000
SINCE_NOW = {"type": "date", "term": "date", "gte": NOW_MS}


def note_ids(events: list[Any]) -> list[int]:
    return [event["note_content"]["note_id"] for event in events]


def test_an_event_id_is_a_uuid_with_the_letter_z_for_dashes(totango: Any) -> None:
    event_id = totango.event(totango.create())["id"]
    assert re.fullmatch(r"[0-9a-f]{8}z[0-9a-f]{4}z[0-9a-f]{4}z[0-9a-f]{4}z[0-9a-f]{12}", event_id)


def test_the_timeline_is_a_plain_array_with_the_newest_first(totango: Any) -> None:
    totango.create(create_date=NOW_MS - 1)
    totango.create(create_date=NOW_MS + 1)
    times = [event["timestamp"] for event in totango.timeline()]
    assert times == sorted(times, reverse=True)
    assert {event["type"] for event in totango.timeline()} <= {"note", "task", "alert", "campaign_touch"}


def test_an_event_names_its_account_and_is_new_null(totango: Any) -> None:
    event = totango.event(totango.create())
    assert (event["account"]["id"], event["account"]["display_name"], event["is_new"]) == ("ACME-17", "Acme", None)


def test_the_timeline_needs_an_account_id(totango: Any) -> None:
    assert totango.send("GET", "/api/v2/events/").status == 400


def test_the_timeline_of_an_unknown_account_is_empty_or_404(totango: Any) -> None:
    assert totango.timeline("NOBODY") == []
    assert totango.timeline("acme-17") == []
    totango.switches.unknown_account_timeline = "not_found"
    assert totango.send("GET", "/api/v2/events", query={"account_id": "NOBODY"}).status == 404


def test_a_timeline_can_be_capped_to_its_newest_entries(totango: Any) -> None:
    newest = [event["id"] for event in totango.timeline()][:2]
    totango.switches.timeline_cap = 2
    assert [event["id"] for event in totango.timeline()] == newest


def test_a_share_of_the_events_can_vanish_from_the_search_alone_or_from_every_read(totango: Any) -> None:
    for step in range(40):
        totango.create(create_date=NOW_MS + step)
    totango.wait(2)
    whole, found = len(totango.timeline()), len(totango.events(NOTES))
    totango.switches.vanished_share = 0.4
    totango.switches.vanished_from = "search"
    assert 0.4 * found < len(totango.events(NOTES)) < 0.8 * found
    assert len(totango.timeline()) == whole
    totango.switches.vanished_from = "everywhere"
    assert 0.4 * whole < len(totango.timeline()) < 0.8 * whole
    totango.switches.vanished_share = 0
    assert (len(totango.timeline()), len(totango.events(NOTES))) == (whole, found)


def test_shuffling_changes_the_order_of_both_reads_and_loses_nothing(totango: Any) -> None:
    for step in range(8):
        totango.create(create_date=NOW_MS + step)
    totango.wait(2)
    timeline, found = totango.timeline(), totango.events(NOTES)
    totango.switches.event_order = "shuffled"
    for before, after in ((timeline, totango.timeline()), (found, totango.events(NOTES))):
        assert [e["id"] for e in before] != [e["id"] for e in after]
        assert {e["id"] for e in before} == {e["id"] for e in after}
    paged = [event for page in range(4) for event in totango.events(NOTES, SINCE_NOW, count=2, offset=page)]
    assert len({event["id"] for event in paged}) == 8


def test_search_lags_behind_creates_edits_and_deletes_while_the_timeline_does_not(totango: Any) -> None:
    note_id = totango.create()
    assert totango.events(NOTES, SINCE_NOW) == []
    totango.wait(1.9)
    assert totango.events(NOTES, SINCE_NOW) == []
    totango.wait(0.1)
    assert note_ids(totango.events(NOTES, SINCE_NOW)) == [note_id]
    totango.send("PUT", f"/api/v3/touchpoints/{note_id}", json={"content": "Changed"})
    assert totango.event(note_id)["note_content"]["text"] == "Changed\n"
    assert totango.events(NOTES, SINCE_NOW)[0]["note_content"]["text"] == "Met.\n"
    totango.wait(2)
    assert totango.events(NOTES, SINCE_NOW)[0]["note_content"]["text"] == "Changed\n"
    totango.send("DELETE", f"/api/v3/touchpoints/{note_id}", json={"event_id": totango.event(note_id)["id"]})
    assert note_id not in [event.get("note_content", {}).get("note_id") for event in totango.timeline()]
    assert note_ids(totango.events(NOTES, SINCE_NOW)) == [note_id]
    totango.wait(2)
    assert totango.events(NOTES, SINCE_NOW) == []


@pytest.mark.parametrize("lag", [0, 60])
def test_the_lag_is_a_switch(totango: Any, lag: int) -> None:
    totango.switches.search_lag_s = lag
    note_id = totango.create()
    totango.wait(lag)
    assert note_ids(totango.events(NOTES, SINCE_NOW)) == [note_id]


def test_an_index_ahead_of_a_clock_that_was_set_back_still_shows_what_was_written(totango: Any) -> None:
    note_id = totango.create()
    totango.wait(-3600)
    assert note_ids(totango.events(NOTES, SINCE_NOW)) == [note_id]


def test_both_reads_show_an_event_alike(totango: Any) -> None:
    note_id = totango.create()
    totango.wait(2)
    assert totango.events(NOTES, SINCE_NOW) == [totango.event(note_id)]


def test_search_finds_every_type_of_event_and_each_alone(totango: Any) -> None:
    kinds = {event["type"] for event in totango.events()}
    assert kinds == {"note", "task", "alert", "campaign_touch"}
    for kind in kinds:
        found = totango.events({"type": "event_property", "name": "event_type", "eq": kind})
        assert {event["type"] for event in found} == {kind}


def test_an_or_term_holds_when_one_of_its_terms_holds(totango: Any) -> None:
    tasks = {"type": "event_property", "name": "event_type", "eq": "task"}
    found = totango.events({"type": "or", "or": [NOTES, tasks]})
    assert {event["type"] for event in found} == {"note", "task"}
    early = {"type": "date", "term": "date", "gte": NOW_MS}
    assert totango.events({"type": "or", "or": [{"type": "or", "or": [early]}]}) == []


def test_the_form_key_account_id_narrows_to_one_account(totango: Any) -> None:
    totango.create()
    other = totango.create("0015000000FgHiJAAX")
    totango.wait(2)
    assert note_ids(totango.events(NOTES, SINCE_NOW, account_id="0015000000FgHiJAAX")) == [other]
    assert totango.events(NOTES, account_id="NOBODY") == []


def test_date_bounds_are_closed_for_gte_and_lte_and_open_for_gt_and_lt(totango: Any) -> None:
    notes = {at: totango.create(create_date=NOW_MS + at) for at in (0, 1, 2)}
    totango.wait(2)

    def found(**bounds: int) -> set[int]:
        term = {"type": "date", "term": "date", **{name: NOW_MS + at for name, at in bounds.items()}}
        return set(note_ids(totango.events(NOTES, term)))

    assert found(gte=0, lte=1) == {notes[0], notes[1]}
    assert found(gt=0, lt=2) == {notes[1]}
    assert found(eq=2) == {notes[2]}
    assert found(gte=3) == set()


def test_an_upper_bound_may_be_ignored_or_refused_by_a_switch(totango: Any) -> None:
    first, second = totango.create(create_date=NOW_MS), totango.create(create_date=NOW_MS + 9)
    totango.wait(2)
    bound = {"type": "date", "term": "date", "gte": NOW_MS, "lte": NOW_MS}
    assert note_ids(totango.events(NOTES, bound)) == [first]
    totango.switches.upper_bound = "ignored"
    assert note_ids(totango.events(NOTES, bound)) == [second, first]
    assert note_ids(totango.events(NOTES, {"type": "or", "or": [bound]})) == [second, first]
    totango.switches.upper_bound = "refused"
    assert totango.query(SEARCH, bound).status == 400


def test_the_joker_yesterday_is_the_day_before_in_utc(totango: Any) -> None:
    midnight = NOW_MS - 8 * 3_600_000
    day = 86_400_000
    totango.create(create_date=midnight)
    last, first = totango.create(create_date=midnight - 1), totango.create(create_date=midnight - day)
    totango.wait(2)
    yesterday = {"type": "date", "term": "date", "joker": "yesterday"}
    assert note_ids(totango.events(NOTES, yesterday)) == [last, first]


def test_the_offset_counts_pages_or_by_a_switch_records(totango: Any) -> None:
    made = [totango.create(create_date=NOW_MS + step) for step in range(5)][::-1]
    totango.wait(2)
    assert note_ids(totango.events(NOTES, SINCE_NOW, count=2, offset=1)) == made[2:4]
    assert note_ids(totango.events(NOTES, SINCE_NOW, count=2, offset=2)) == made[4:]
    totango.switches.offset_reading = "record"
    assert note_ids(totango.events(NOTES, SINCE_NOW, count=2, offset=1)) == made[1:3]


def test_more_equal_timestamps_than_a_page_holds_are_all_reached_once(totango: Any) -> None:
    made = {totango.create(create_date=NOW_MS) for _ in range(7)}
    totango.wait(2)
    pages = [note_ids(totango.events(NOTES, SINCE_NOW, count=3, offset=page)) for page in range(4)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert {note for page in pages for note in page} == made


def test_nothing_is_reached_beyond_the_cap_although_it_is_counted(totango: Any) -> None:
    for _ in range(5):
        totango.create(create_date=NOW_MS)
    totango.wait(2)
    totango.switches.search_cap = 3
    answer = totango.query(SEARCH, NOTES, SINCE_NOW, count=2, offset=1).json["response"]["events"]
    assert (answer["total_hits"], len(answer["hits"])) == (5, 1)
    totango.switches.search_cap = 0
    assert len(totango.events(NOTES, SINCE_NOW, count=2, offset=1)) == 2


def test_a_back_dated_note_is_found_by_its_date_not_by_when_it_was_made(totango: Any) -> None:
    note_id = totango.create(create_date=NOW_MS - 60 * 86_400_000)
    totango.wait(2)
    assert totango.events(NOTES, SINCE_NOW) == []
    assert note_id in note_ids(totango.events(NOTES))


def test_properties_that_are_not_certain_may_be_missing(totango: Any) -> None:
    note_id = totango.create()
    totango.switches.missing_optional_properties = True
    assert set(totango.event(note_id)["properties"]) == {"activity_type_id", "touchpoint_tags"}
    task = next(event for event in totango.events() if event["type"] == "task")
    assert set(task["properties"]) == {"activity_type_id"}


def test_a_skewed_clock_stamps_records_but_not_the_search_lag(totango: Any) -> None:
    totango.switches.clock_skew_s = -600
    note_id = totango.create()
    event = totango.event(note_id)
    assert event["timestamp"] == event["properties"]["creation_time"] == NOW_MS - 600_000
    totango.wait(2)
    assert note_id in note_ids(totango.events(NOTES))


@pytest.mark.parametrize(
    "query",
    [
        {"terms": [], "fields": [], "count": 1001, "offset": 0},
        {"terms": [], "fields": [], "count": 0, "offset": 0},
        {"terms": [], "fields": [], "count": 1, "offset": -1},
        {"terms": [], "fields": [], "count": 1},
        {"terms": [], "fields": [], "offset": 0},
        {"terms": [], "count": 1, "offset": 0},
        {"terms": {}, "fields": [], "count": 1, "offset": 0},
        {"terms": ["note"], "fields": [], "count": 1, "offset": 0},
        {"terms": [{"type": "date", "term": "date"}], "fields": [], "count": 1, "offset": 0},
        {"terms": [{"type": "date", "term": "date", "gte": "2026-01-01"}], "fields": [], "count": 1, "offset": 0},
        {"terms": [{"type": "date", "term": "date", "joker": "someday"}], "fields": [], "count": 1, "offset": 0},
        {"terms": [{"type": "date", "term": "date", "joker": []}], "fields": [], "count": 1, "offset": 0},
        {"terms": [{"type": "date", "term": "created", "gte": 1}], "fields": [], "count": 1, "offset": 0},
        {"terms": [{**NOTES, "eq": "meeting"}], "fields": [], "count": 1, "offset": 0},
        {"terms": [{"type": "event_property", "name": "event_type"}], "fields": [], "count": 1, "offset": 0},
        [],
    ],
)
def test_a_malformed_query_is_answered_400(totango: Any, query: Any) -> None:
    assert totango.send("POST", SEARCH, form={"query": orjson.dumps(query).decode()}).status == 400


@pytest.mark.parametrize("form", [{}, {"query": ""}, {"query": "{not json"}])
def test_a_query_that_is_missing_or_no_json_is_answered_400(totango: Any, form: dict[str, str]) -> None:
    assert totango.send("POST", SEARCH, form=form).status == 400


def test_a_term_that_is_not_simulated_is_answered_501(totango: Any) -> None:
    for term in ({"type": "usage"}, {**NOTES, "starts_with": "n"}, {}):
        assert totango.query(SEARCH, term).status == 501


def test_or_terms_nested_without_end_are_refused(totango: Any) -> None:
    term: Any = NOTES
    for _ in range(30):
        term = {"type": "or", "or": [term]}
    assert totango.query(SEARCH, term).status == 400


def test_a_query_without_terms_is_answered_400_or_by_a_switch_401(totango: Any) -> None:
    form = {"query": '{"fields":[],"count":1,"offset":0}'}
    assert totango.send("POST", SEARCH, form=form).status == 400
    totango.switches.terms_missing_status = 401
    answer = totango.send("POST", SEARCH, form=form)
    assert (answer.status, answer.json["error"]["type"]) == (401, "authentication_failed")


def test_the_query_may_also_be_text_in_a_json_object(totango: Any) -> None:
    query = orjson.dumps({"terms": [NOTES], "fields": [], "count": 3, "offset": 0}).decode()
    assert len(totango.send("POST", SEARCH, json={"query": query}).json["response"]["events"]["hits"]) == 3


def test_a_campaign_touch_tells_campaign_sender_and_number_of_users(totango: Any) -> None:
    touch = next(event for event in totango.events() if event["type"] == "campaign_touch")
    assert set(touch["campaign_touch_content"]) == {
        "campaign_id",
        "campaign_name",
        "campaign_type",
        "subject",
        "description",
        "from",
        "users_count",
        "start_date",
    }

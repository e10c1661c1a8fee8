"""Both directions of one pair: rows C3, C4, C5, C10, A11, A12 and A17, by the jobs of docs/integrations/two-way.md."""

from __future__ import annotations

from collections import Counter

import pytest
import requests

from tests.integrations.stage import Record, Stage

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("integrations")]

INBOUND, OUTBOUND = "include/jobs/events_to_totango.yaml", "include/jobs/totango_to_events.yaml"
IN, OUT = "events_to_totango", "totango_to_events"
BROUGHT = "Brought by the connector"


@pytest.fixture
def pair(stage: Stage) -> Stage:
    stage.install(INBOUND, OUTBOUND)
    return stage


def rounds(stage: Stage) -> int:
    """Both directions once; how many records they wrote."""
    return stage.run(IN).writes + stage.run(OUT).writes


def event(stage: Stage, subject: str) -> Record:
    found: Record = stage.one("salesforce", "events", Subject=subject)
    return found


def note(stage: Stage, subject: str) -> Record:
    found: Record = stage.one("totango", "touchpoints", subject=subject)
    return found


def test_two_jobs_with_the_same_keys_keep_both_sides_alike_and_write_nothing_twice(pair: Stage) -> None:
    pair.run(IN, full_sync=True)
    pair.run(OUT, full_sync=True)
    accounts = {row["id"]: row["attributes"]["sfid"] for row in pair.records("totango", "accounts")}
    left = Counter(
        (row["AccountId"], row["Subject"] or "")
        for row in pair.records("salesforce", "events")
        if row["AccountId"] in accounts.values()
    )
    right = Counter((accounts[row["account_id"]], row["subject"]) for row in pair.records("totango", "touchpoints"))
    assert left == right and len(left) > 30
    assert rounds(pair) == 0


def test_edits_of_both_sides_are_merged_the_policy_decides_and_the_loser_is_told(pair: Stage) -> None:
    key = pair.new("Event", Subject="Review", Description="Agreed.")
    rounds(pair)
    note_id = note(pair, "Review")["note_id"]
    pair.edit(key, Subject="Review of spring")
    pair.edit_note(note_id, subject="Review in March", content="They want a quote.")
    pair.run(IN)
    pair.run(OUT)
    both = event(pair, "Review of spring"), note(pair, "Review of spring")
    assert (both[0]["Description"], both[1]["content"].strip()) == ("They want a quote.", "They want a quote.")
    assert rounds(pair) == 0
    story = pair.cshub("why", IN, key, "--show-personal")
    assert "Review in March" in story and "Review of spring" in story


def test_the_later_edit_of_one_field_wins_where_no_policy_says_otherwise(pair: Stage) -> None:
    key = pair.new("Event", Subject="Review", Description="Agreed.")
    rounds(pair)
    pair.edit_note(note(pair, "Review")["note_id"], content="Earlier words.")
    pair.edit(key, Description="Later words.")
    rounds(pair)
    assert note(pair, "Review")["content"].strip() == event(pair, "Review")["Description"] == "Later words."


def imported(stage: Stage, key: str) -> int:
    """Totango's own connector has brought this event over; its note id."""
    totango = stage.sandbox.totango
    stage.sandbox.control.switch("totango", external_id_on_write="accept")
    made = requests.post(
        f"{totango.url}/api/v3/touchpoints",
        headers={"app-token": totango.token},
        json={"account_id": stage.account["id"], "subject": BROUGHT, "content": "Text.", "external_id": key},
        timeout=10,
    )
    stage.sandbox.control.switch("totango", external_id_on_write="ignore")
    stage.wait(minutes=1)
    return int(made.json()["note"]["id"])


@pytest.mark.parametrize("first", [IN, OUT])
def test_a_touchpoint_that_carries_the_events_id_in_lower_case_is_recognised_whichever_job_runs_first(
    pair: Stage, first: str
) -> None:
    key = pair.new("Event", Subject="Named otherwise since", Description="Other words.")
    note_id = imported(pair, key)
    assert note(pair, BROUGHT)["external_id"] == key.lower()
    pair.run(first)
    rounds(pair)
    subject = pair.one("salesforce", "events", Id=key)["Subject"]
    assert note(pair, subject)["note_id"] == note_id
    assert event(pair, subject)["Id"] == key
    pair.edit(key, Subject="Known by its id")
    rounds(pair)
    assert note(pair, "Known by its id")["note_id"] == note_id


def test_ids_of_15_and_18_characters_name_one_record_and_one_account(pair: Stage) -> None:
    sfid = pair.account["sfid"]
    pair.act("totango", "set_attributes", account_id=pair.account["id"], attributes={"sfid": sfid[:15]})
    key = pair.new("Event", Subject="By a short id", Description="Text.")
    rounds(pair)
    assert note(pair, "By a short id")["account_id"] == pair.account["id"]
    for form in (key[:15], key.lower()):
        assert pair.run(IN, records=[form]).counts() == {"unchanged": 1}
    pair.note(subject="Back by a short id", content="Text.")
    pair.run(OUT)
    assert event(pair, "Back by a short id")["AccountId"] == sfid


def test_the_database_id_of_totango_serves_as_key_of_the_record_and_of_its_account(pair: Stage) -> None:
    note_id = pair.note(subject="From Totango", content="Text.")
    rounds(pair)
    assert pair.run(OUT, records=[str(note_id)]).counts() == {"unchanged": 1}
    pair.edit(event(pair, "From Totango")["Id"], Description="More.")
    pair.run(IN)
    assert note(pair, "From Totango")["content"].strip() == "More."


def test_a_record_deleted_on_one_side_is_deleted_on_the_other(pair: Stage) -> None:
    for subject in ("First", "Second"):
        pair.new("Event", Subject=subject, Description="Text.")
    pair.edit_job(IN, "share: 0.05", "share: 0.5")
    rounds(pair)
    pair.act("salesforce", "delete_record", id=event(pair, "First")["Id"])
    pair.act("totango", "delete_touchpoint", note_id=note(pair, "Second")["note_id"])
    pair.wait(minutes=2)
    assert pair.run(IN).statistics["deleted"] == 1
    assert pair.run(OUT).statistics["deleted"] == 1
    assert pair.all("totango", "touchpoints", subject="First") == []
    assert pair.all("salesforce", "events", Subject="Second") == []
    assert rounds(pair) == 0


def test_what_totango_merely_does_not_show_is_never_deleted(pair: Stage) -> None:
    rounds(pair)
    before = len(pair.records("salesforce", "events"))
    pair.sandbox.control.switch("totango", vanished_share=0.4, vanished_from="search")
    ran = pair.run(OUT)
    assert (ran.statistics["deleted"], ran.asked) == (0, {})
    assert len(pair.records("salesforce", "events")) == before


def test_many_deletions_wait_for_a_person_who_sees_which_and_refuses_or_approves(pair: Stage) -> None:
    keys = [pair.new("Event", Subject=f"Deleted {number}", Description="Text.") for number in range(4)]
    rounds(pair)
    held = len(pair.records("totango", "touchpoints"))
    for key in keys:
        pair.act("salesforce", "delete_record", id=key)
    pair.wait(minutes=2)

    refused = pair.run(IN, answer="Reject")
    assert refused.tasks["load"] == "skipped"
    assert "4 deletes" in refused.asked["subject"] and "| delete | 4 |" in refused.asked["body"]
    assert "Deleted 2" in refused.asked["body"]
    assert len(pair.records("totango", "touchpoints")) == held

    approved = pair.run(IN, answer="Approve")
    assert (approved.statistics["deleted"], approved.asked["subject"][:9]) == (4, f"{IN}:"[:9])
    assert len(pair.records("totango", "touchpoints")) == held - 4
    assert not any(row["subject"].startswith("Deleted") for row in pair.records("totango", "touchpoints"))


def test_a_full_sync_reads_what_the_watermark_has_passed_and_named_records_are_read_alone(pair: Stage) -> None:
    old = pair.now
    key = pair.new("Event", Subject="Old", Description="Text.")
    pair.wait(minutes=60 * 24 * 40)
    pair.run(IN)
    assert pair.all("totango", "touchpoints", subject="Old") == []
    assert pair.run(IN).statistics["created"] == 0

    other = pair.new("Event", Subject="Not named", Description="Text.")
    named = pair.run(IN, records=[key])
    assert (named.statistics["read"], named.statistics["created"]) == (1, 1)
    assert note(pair, "Old")
    assert pair.all("totango", "touchpoints", subject="Not named") == []
    assert pair.run(IN).statistics["created"] == 1

    everything = pair.run(IN, full_sync=True)
    assert everything.statistics["read"] >= len(pair.records("salesforce", "events"))
    assert everything.returned["extract"]["window"]["start"] < old.isoformat()
    assert note(pair, "Not named") and other


def test_a_run_is_taken_back_but_for_what_was_changed_since(pair: Stage) -> None:
    pair.new("Event", Subject="Kept", Description="Text.")
    rounds(pair)
    pair.edit(event(pair, "Kept")["Id"], Description="New text.")
    pair.new("Event", Subject="Made", Description="Text.")
    pair.new("Event", Subject="Made and edited", Description="Text.")
    ran = pair.run(IN)
    assert (ran.statistics["created"], ran.statistics["updated"]) == (2, 1)
    pair.edit_note(note(pair, "Made and edited")["note_id"], content="By a person.")

    plan = pair.cshub_json("undo", ran.run_id)
    assert (plan["counts"]["delete"], plan["counts"]["update"]) == (1, 1)
    pair.cshub("apply", plan["plan_id"], "--yes")
    assert pair.all("totango", "touchpoints", subject="Made") == []
    assert note(pair, "Kept")["content"].strip() == "Text."
    assert note(pair, "Made and edited")["content"].strip() == "By a person."
    assert event(pair, "Made") and event(pair, "Kept")["Description"] == "New text."

    pair.run(OUT)
    pair.run(IN)
    assert pair.all("totango", "touchpoints", subject="Made") == []
    assert event(pair, "Made")["Description"] == "Text."
    pair.edit(event(pair, "Made")["Id"], Description="Wanted after all.")
    assert pair.run(IN).statistics["created"] == 0
    pair.run(IN, records=[event(pair, "Made")["Id"]])
    assert note(pair, "Made")["content"].strip() == "Wanted after all."

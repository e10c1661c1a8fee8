"""What the commands tell of a pair that two jobs keep in step."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import JOB, Cshub

from cshub.cli.asking import opened_ledger
from cshub.cli.plan_rows import csv_rows, row_document
from cshub.cli.planning import mask_of
from cshub.cli.story import Sighting
from cshub.core.planning import PlanRow, Rule
from cshub.core.records import (
    Action,
    Change,
    DecisionEntry,
    Link,
    LinkSide,
    LinkState,
    Origin,
    Outcome,
    Pair,
    RejectEntry,
    RunKind,
    RunOutcome,
)
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.ledger import PlanKind
from cshub.library import JobLibrary
from cshub.settings import PROJECT

INBOUND, OUTBOUND = "salesforce_touchpoints_inbound", "salesforce_touchpoints_outbound"
EVENT, NOTE, ACCOUNT = "00U5g00000XyZ12EAF", "900123", "CUST-1"
BEGAN = datetime(2026, 11, 18, 23, tzinfo=UTC)


def tell(
    night: int, job: str, run: str, pair: Pair, entry: DecisionEntry, link: Link | None = None, *rejects: RejectEntry
) -> None:
    """One run, nights after the first, in which one thing happened."""
    at = BEGAN + timedelta(days=night)
    run_id = f"{job}:{run}"
    with opened_ledger() as ledger:
        ledger.open_run(
            run_id, job_id=job, pair=pair, kind=RunKind.SCHEDULED, window=Window(BEGAN, at + timedelta(hours=1)),
            job_digest="", now=at,
        )  # fmt: skip
        fence = ledger.acquire_lock("pair", holder="test", run_id=run_id, now=at, ttl=timedelta(minutes=1))
        links = [] if link is None else [link]
        ledger.record(fence, run_id, links=links, decisions=[entry], rejects=rejects, now=at)
        ledger.release(fence)
        ledger.close_run(run_id, RunOutcome.GREEN, RunStatistics(), now=at)


@pytest.fixture
def told(cshub: Cshub) -> Cshub:
    """A record that was made in Totango, edited on both sides, and deleted by an undo."""
    with opened_ledger() as ledger:
        pair = ledger.bind_pair(
            "salesforce_touchpoints",
            source=("salesforce", "event", "org"),
            target=("totango", "touchpoint", "tenant"),
            now=BEGAN,
        )
    back = Pair(pair.number, mirrored=True)
    made = [Change("subject", None, "Review"), Change("created_by", None, "dana@vendor.example")]
    first = Link(pair, LinkSide(EVENT), LinkSide(NOTE, ACCOUNT), first_seen_at=BEGAN, written_at=BEGAN)
    tell(0, INBOUND, "r0", pair, DecisionEntry(EVENT, Outcome.CREATED, "new", target_key=NOTE, changes=made), first)
    lost = [Change("Subject", "Review, moved", "Review, part 2", "target")]
    entry = DecisionEntry(NOTE, Outcome.CONFLICT_KEPT, "conflict_target_kept", target_key=EVENT, changes=lost)
    tell(1, OUTBOUND, "r1", back, entry)
    won = [Change("subject", "Review, part 2", "Review, moved")]
    entry = DecisionEntry(EVENT, Outcome.UPDATED, "conflict_source_wins", target_key=NOTE, changes=won)
    tell(2, INBOUND, "r2", pair, entry)
    reject = RejectEntry(NOTE, "load", "(record)", "the org refused it", "Correct it.")
    failed = DecisionEntry(NOTE, Outcome.FAILED, "changed_in_source", target_key=EVENT, answer="FIELD_INTEGRITY")
    tell(3, OUTBOUND, "r3", back, failed, None, reject)
    gone = [Change("subject", "Review, moved", None)]
    with opened_ledger() as ledger:
        stored = ledger.links(pair, [EVENT])[EVENT]
        ledger.save_plan(
            "plan-1", job_id=INBOUND, pair_id=pair.number, run_id="x", window=None, reference={}, counts={"delete": 1},
            now=BEGAN, kind=PlanKind.UNDO, undoes=f"{INBOUND}:r0",
        )  # fmt: skip
        ledger.mark_applied("plan-1", f"{INBOUND}:r4", BEGAN)
    ended = stored.having(source={"state": LinkState.DELETED}, target={"state": LinkState.DELETED})
    entry = DecisionEntry(EVENT, Outcome.DELETED, "undone", target_key=NOTE, changes=gone)
    tell(4, INBOUND, "r4", pair, entry, ended)
    return cshub


@pytest.mark.parametrize(("job", "key"), [(INBOUND, EVENT), (OUTBOUND, NOTE), (INBOUND, NOTE), (OUTBOUND, EVENT[:15])])
def test_both_jobs_tell_the_same_story_by_the_key_of_either_side(told: Cshub, job: str, key: str) -> None:
    story = told.json("why", job, key)
    assert [(entry["job"], entry["from"], entry["rule"]) for entry in story["decisions"]] == [
        (INBOUND, "Salesforce", "new"),
        (OUTBOUND, "Totango", "conflict_target_kept"),
        (INBOUND, "Salesforce", "conflict_source_wins"),
        (OUTBOUND, "Totango", "changed_in_source"),
        (INBOUND, "Salesforce", "undone"),
    ]
    assert {(way["job"], way["source_key"], way["state"]) for way in story["directions"]} == {
        (INBOUND, EVENT, "deleted"),
        (OUTBOUND, NOTE, "deleted"),
    }
    assert [item["job"] for item in story["rejects"]] == [OUTBOUND]
    assert story["decisions"][-1]["undoes"] == f"{INBOUND}:r0"


def test_the_story_names_job_direction_winner_loser_and_what_an_undo_took_back(told: Cshub) -> None:
    lines = told.ok("why", INBOUND, EVENT).out.splitlines()
    text = "\n".join(" ".join(line.split()) for line in lines)
    assert f"Salesforce: record {EVENT}\n{INBOUND}, Salesforce → Totango: set aside: " in text
    assert f"Totango: record {NOTE} in account {ACCOUNT}\n{OUTBOUND}, Totango → Salesforce: set aside: " in text
    assert f"CONFLICT KEPT 2026-11-19 23:00 {OUTBOUND} r1\nTotango → Salesforce: changed on both sides" in text
    assert "field in Totango (lost) in Salesforce (stands)" in text
    assert "Subject Review, part 2 Review, moved" in text
    assert "field in Totango (lost) from Salesforce (stands)" in text
    assert "subject Review, part 2 Review, moved" in text
    assert f"a change of an earlier run was taken back: {INBOUND}:r0" in " ".join(text.split())
    assert "dana@vendor.example" not in text and "d•••" in text


def test_a_record_that_an_undo_took_away_is_told_so_and_how_it_is_made_again(told: Cshub) -> None:
    text = " ".join(told.ok("why", INBOUND, EVENT).out.split())
    assert "set aside: gone from Totango by an undo" in text
    assert f"`cshub run {INBOUND} --record {EVENT}` does" in text
    assert "by a person" not in text


@pytest.mark.parametrize("has_partner", [True, False])
def test_a_record_that_an_undo_made_again_is_not_told_as_deleted(
    cshub: Cshub, monkeypatch: pytest.MonkeyPatch, has_partner: bool
) -> None:
    jobs = cshub.folder / "jobs"
    jobs.mkdir()
    for name in (INBOUND, OUTBOUND) if has_partner else (INBOUND,):
        shutil.copy(PROJECT / "include" / "jobs" / f"{name}.yaml", jobs)
    monkeypatch.setenv("CSHUB_JOBS_DIR", str(jobs))
    with opened_ledger() as ledger:
        sides = ("salesforce", "event", "org"), ("totango", "touchpoint", "tenant")
        pair = ledger.bind_pair("salesforce_touchpoints", source=sides[0], target=sides[1], now=BEGAN)
    ended = {"state": LinkState.GONE}
    first = Link(pair, LinkSide(EVENT), LinkSide("1", ACCOUNT), first_seen_at=BEGAN).having(source=ended, target=ended)
    tell(0, INBOUND, "r0", pair, DecisionEntry(EVENT, Outcome.DELETED, "deleted_in_source", target_key="1"), first)
    assert cshub.json("why", INBOUND, EVENT)["link"]["meaning"].startswith("deleted on both sides")
    with opened_ledger() as ledger:
        stored = ledger.links(pair, [EVENT])[EVENT]
    aside = {"state": LinkState.DELETED}
    again = stored.having(source=aside, target={**aside, "key": NOTE})
    tell(1, INBOUND, "r1", pair, DecisionEntry(EVENT, Outcome.CREATED, "undone", target_key=NOTE), again)
    story = cshub.json("why", INBOUND, NOTE)
    assert "an undo made it again in Totango" in story["link"]["meaning"]
    told = [f"`cshub run {OUTBOUND} --record {NOTE}` makes it there" in way["meaning"] for way in story["directions"]]
    assert told == ([True, True] if has_partner else [False])
    text = " ".join(cshub.ok("why", INBOUND, EVENT).out.split())
    assert "set aside: an undo made it again in Totango" in text
    assert ("while it is gone from Salesforce" in text) is has_partner
    assert "by a person" not in text and "deleted on both sides" not in text


def test_runs_that_pass_by_what_an_undo_set_aside_are_told_so() -> None:
    seen = Sighting(INBOUND, "r2", BEGAN, Rule.BOTH_DELETED)
    assert seen.why.startswith("deleted on both sides")
    assert replace(seen, aside=True).why.startswith("an undo has set it aside")


PEOPLE = {"Owner.Email": "dana@vendor.example", "Who.Phone": "020 1234", "Private_Email__c": "d@home.example"}


def told_changes() -> list[Change]:
    return [Change(name, value, None) for name, value in PEOPLE.items()]


def test_what_the_other_direction_reads_of_people_is_masked_in_the_story_of_a_record(told: Cshub) -> None:
    with opened_ledger() as ledger:
        found = ledger.find_pair(
            "salesforce_touchpoints", source=("totango", "touchpoint"), target=("salesforce", "event")
        )
    assert found is not None
    entry = DecisionEntry(NOTE, Outcome.DELETED, "deleted_in_source", target_key=EVENT, changes=told_changes())
    rejects = [RejectEntry(NOTE, "load", name, "refused", "Correct it.", value) for name, value in PEOPLE.items()]
    tell(5, OUTBOUND, "r5", found, entry, None, *rejects)
    for command in (("why", OUTBOUND, NOTE), ("rejects", OUTBOUND)):
        for answer in (told.ok(*command).out, str(told.json(*command))):
            assert not [value for value in PEOPLE.values() if value in answer]
        assert all(value in str(told.json(*command, "--show-personal")) for value in PEOPLE.values())


def test_what_the_other_direction_reads_of_people_is_masked_in_plans(cshub: Cshub) -> None:
    mask = mask_of(JobLibrary.from_settings().bound(OUTBOUND), show_personal=False)
    row = PlanRow(NOTE, Origin.WINDOW, Action.DELETE, Rule.DELETED_IN_SOURCE, changes=told_changes())
    seen = f"{row_document(row, mask)} {list(csv_rows([row], mask))}"
    assert not [value for value in PEOPLE.values() if value in seen]
    assert "d•••" in seen


def test_a_record_that_only_the_other_direction_knows_is_told(cshub: Cshub) -> None:
    with opened_ledger() as ledger:
        pair = ledger.bind_pair(
            "salesforce_touchpoints",
            source=("salesforce", "event", "org"),
            target=("totango", "touchpoint", "tenant"),
            now=BEGAN,
        )
    back = Pair(pair.number, mirrored=True)
    waits = Link(back, LinkSide(NOTE, ACCOUNT, state=LinkState.PARKED), LinkSide(), first_seen_at=BEGAN)
    tell(0, OUTBOUND, "r0", back, DecisionEntry(NOTE, Outcome.PARKED, "no_account", "no_account"), waits)
    answer = cshub.ok("why", INBOUND, NOTE).out
    assert "Salesforce: no record" in answer
    assert f"{OUTBOUND}, Totango → Salesforce: parked: waits for its account" in answer


def test_the_status_of_a_job_names_the_job_of_the_other_direction(cshub: Cshub) -> None:
    (job,) = cshub.json("status", INBOUND)["jobs"]
    assert job["partner"] == OUTBOUND
    assert f"two-way with {OUTBOUND}" in " ".join(cshub.ok("status", INBOUND).out.split())
    assert cshub.json("status", JOB)["jobs"][0]["partner"] is None


def test_deletions_and_kept_conflicts_of_a_run_are_in_the_history(told: Cshub) -> None:
    numbers = RunStatistics(read=3, mapped=3, deleted=2, conflicts_kept=1)
    with opened_ledger() as ledger:
        ledger.close_run(f"{INBOUND}:r4", RunOutcome.GREEN, numbers, now=BEGAN)
    text = " ".join(told.ok("history", INBOUND).out.split())
    assert "2 deleted" in text and "1 conflicts kept" in text


@pytest.fixture
def drafts(cshub: Cshub, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A jobs folder with the two jobs of one pair."""
    jobs = cshub.folder / "jobs"
    jobs.mkdir()
    for job in (INBOUND, OUTBOUND):
        shutil.copy(PROJECT / "include" / "jobs" / f"{job}.yaml", jobs)
    monkeypatch.setenv("CSHUB_JOBS_DIR", str(jobs))
    return jobs


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def fault_of(cshub: Cshub, job: str) -> dict[str, Any]:
    (found,) = cshub("validate", job, "--json").document["jobs"]
    (fault,) = found["faults"]
    return dict(fault)


def test_a_valid_pair_is_told_with_its_partner(cshub: Cshub, drafts: Path) -> None:
    assert f"✓ {INBOUND}  two-way with {OUTBOUND}" in cshub.ok("validate").out
    assert {job["partner"] for job in cshub.json("validate")["jobs"]} == {INBOUND, OUTBOUND}


def test_two_directions_without_a_common_pair_are_told_as_rivals(cshub: Cshub, drafts: Path) -> None:
    change(drafts / f"{OUTBOUND}.yaml", "pair: salesforce_touchpoints", "pair: another")
    fault = fault_of(cshub, INBOUND)
    assert (fault["field"], OUTBOUND in fault["reason"]) == ("pair", True)


def test_jobs_of_one_pair_that_lead_elsewhere_are_told(cshub: Cshub, drafts: Path) -> None:
    change(drafts / f"{OUTBOUND}.yaml", "connection: salesforce_default", "connection: salesforce_eu")
    fault = fault_of(cshub, INBOUND)
    assert fault["field"] == "pair"
    assert f"the job {OUTBOUND} has the same pair and other connections or objects" in fault["reason"]
    assert fault["remedy"] and fault["line"]


def test_one_pair_for_two_custom_objects_is_refused_with_both_named(cshub: Cshub, drafts: Path) -> None:
    path = drafts / f"{OUTBOUND}.yaml"
    for job_id, name in (("visits", "Visit__c"), ("steps", "Step__c")):
        text = path.read_text("utf-8").replace(f"id: {OUTBOUND}", f"id: {job_id}", 1)
        chosen = f"connection: salesforce_default\n  object: record\n  options: {{object: {name}}}"
        text = text.replace("connection: salesforce_default", chosen).replace(
            "pair: salesforce_touchpoints", "pair: mine"
        )
        (drafts / f"{job_id}.yaml").write_text(text, "utf-8")
    (found,) = cshub("validate", "steps", "--json").document["jobs"]
    (fault,) = [fault for fault in found["faults"] if fault["field"] == "pair"]
    assert "the job visits has the same pair" in fault["reason"]
    assert "salesforce visit__c" in fault["reason"] and "salesforce step__c" in fault["reason"]
    assert "give one of them another pair" in fault["remedy"]


def test_a_pair_without_a_job_of_the_other_direction_is_told_beside_the_answer(cshub: Cshub, drafts: Path) -> None:
    (drafts / f"{OUTBOUND}.yaml").unlink()
    answer = cshub.ok("validate")
    assert f"{INBOUND}: no other job has the pair salesforce_touchpoints: it syncs one way." in answer.err

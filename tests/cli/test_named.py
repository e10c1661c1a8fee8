from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.cli.conftest import JOB, WEEK, Cshub

from cshub.cli.asking import opened_ledger
from cshub.core.ids import to_18
from cshub.core.records import DecisionEntry, Link, LinkSide, Outcome, RunKind
from cshub.core.window import Window
from cshub_sandbox.testing import RunningSandbox

TASKS = "salesforce_tasks_inbound"


def test_a_plan_of_named_records_is_about_these_only(connected: Cshub) -> None:
    keys = [row["source_key"] for row in connected.json("plan", JOB, *WEEK)["rows"][:2]]
    made = connected.json("plan", JOB, "--record", keys[0], "--record", keys[1], "--record", keys[0])
    assert sorted(row["source_key"] for row in made["rows"]) == sorted(keys)


def test_a_salesforce_record_may_be_named_in_any_form_of_its_id(connected_org: Cshub) -> None:
    soql = "SELECT Id FROM Task WHERE AccountId != null ORDER BY Id LIMIT 1"
    (task,) = connected_org.json("salesforce", "query", soql)["records"]
    for form in (task["Id"], task["Id"][:15], task["Id"].lower()):
        (row,) = connected_org.json("plan", TASKS, "--record", form)["rows"]
        assert row["source_key"] == task["Id"], form


def test_what_cannot_be_an_id_is_told_before_anything_is_started(cshub: Cshub) -> None:
    answer = cshub("run", TASKS, "--record", "55012", "--json")
    assert (answer.code, answer.document["error"]["kind"]) == (1, "SpecError")
    assert "'55012' is not the id of a record in Salesforce" in answer.document["error"]["message"]


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("beside", [("--full",), ("--from", "2026-11-01")])
def test_named_records_beside_a_window_are_a_usage_error(cshub: Cshub, command: str, beside: tuple[str, ...]) -> None:
    answer = cshub(command, JOB, "--record", "A", *beside)
    assert answer.code == 2
    assert "named records are read by their ids" in " ".join(answer.err.replace("│", " ").split())


@pytest.mark.live
@pytest.mark.timeout(300)
def test_a_run_of_a_named_record_goes_through_the_dag_as_a_retry(connected: Cshub, sandbox: RunningSandbox) -> None:
    made = connected.json("plan", JOB, *WEEK)
    key = next(row["source_key"] for row in made["rows"] if row["action"] == "create")
    done = connected.json("run", JOB, "--record", key)
    assert (done["outcome"], done["statistics"]["read"], done["statistics"]["created"]) == ("green", 1, 1)
    assert len(sandbox.control.log("totango", writes=True)) == 1
    assert connected.json("history", JOB)["runs"][0]["kind"] == "retry"
    assert connected.json("status", JOB)["jobs"][0]["watermark"] is None


TWIN, OTHER, LOWERED = "00T5g0000103cY7", "00T5g0000103CY7", "00t5g0000103cy7"


def link_of(*keys: str) -> None:
    """The ledger remembers these tasks, each linked to one of Totango."""
    now = datetime(2026, 11, 19, tzinfo=UTC)
    ends = {"source": ("salesforce", "task", "org"), "target": ("totango", "task", "tenant")}
    with opened_ledger() as ledger:
        pair = ledger.bind_pair("salesforce_tasks", **ends, now=now)
        window = Window(now, now + timedelta(hours=1))
        ledger.open_run("r", job_id=TASKS, pair=pair, kind=RunKind.SCHEDULED, window=window, job_digest="", now=now)
        fence = ledger.acquire_lock("pair", holder="test", run_id="r", now=now, ttl=timedelta(minutes=1))
        for number, key in enumerate(keys):
            link = Link(pair, LinkSide(to_18(key)), LinkSide(str(number), "CUST-1"), first_seen_at=now)
            made = DecisionEntry(link.source_key, Outcome.CREATED, "new", target_key=link.target_key)
            ledger.record(fence, "r", links=[link], decisions=[made], now=now)
        ledger.release(fence)


def test_why_finds_the_one_record_that_an_id_without_its_capitals_fits(cshub: Cshub) -> None:
    link_of(TWIN)
    for job in (TASKS, "salesforce_tasks_outbound"):
        story = cshub.json("why", job, LOWERED)
        assert {way["source_key"] for way in story["directions"]} == {to_18(TWIN), "0"}
        assert len(story["decisions"]) == 1


@pytest.mark.parametrize("keys", [(TWIN, OTHER), ()])
def test_why_says_that_an_id_of_15_characters_needs_its_capitals(cshub: Cshub, keys: tuple[str, ...]) -> None:
    link_of(*keys)
    answer = cshub("why", TASKS, LOWERED, "--json")
    assert answer.code == 1
    assert "an id of 15 characters needs its capitals" in answer.document["error"]["message"]


def test_a_linked_record_may_be_named_without_its_capitals_and_another_may_not(connected_org: Cshub) -> None:
    soql = "SELECT Id FROM Task WHERE AccountId != null ORDER BY Id LIMIT 2"
    linked, other = (row["Id"] for row in connected_org.json("salesforce", "query", soql)["records"])
    connected_org.json("plan", TASKS, "--record", linked)
    with opened_ledger() as ledger:
        pair = ledger.find_pair("salesforce_tasks", source=("salesforce", "task"), target=("totango", "task"))
        assert pair is not None
        now = datetime(2026, 11, 20, tzinfo=UTC)
        fence = ledger.acquire_lock("pair", holder="test", run_id="r", now=now, ttl=timedelta(minutes=1))
        run_id = ledger.runs(TASKS)[0].run_id
        link = Link(pair, LinkSide(linked), LinkSide("55012", "CUST-1"), first_seen_at=now)
        made = DecisionEntry(linked, Outcome.CREATED, "new", target_key="55012")
        ledger.record(fence, run_id, links=[link], decisions=[made], now=now)
        ledger.release(fence)
    (row,) = connected_org.json("plan", TASKS, "--record", linked[:15].lower())["rows"]
    assert row["source_key"] == linked
    answer = connected_org("plan", TASKS, "--record", other[:15].lower(), "--json")
    assert answer.code == 1
    assert "an id of 15 characters needs its capitals" in answer.document["error"]["message"]

"""`cshub ledger rebuild` as people and machines see it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from tests.cli.conftest import JOB, WEEK, Cshub

from cshub_sandbox.testing import RunningSandbox


@pytest.fixture
def lost(unhurried: Cshub, sandbox: RunningSandbox) -> Cshub:
    """The touchpoints of a week were made, two of one account cannot be told apart, and the ledger is gone."""
    account = sandbox.control.state("totango")["accounts"][0]["attributes"]["sfid"]
    for _ in range(2):
        sandbox.control.act(
            "chorus", "add_meeting", account=account, subject="Weekly call", summary="As always.",
            starts_at="2026-11-20T09:00:00Z",
        )  # fmt: skip
    unhurried.json("apply", unhurried.json("plan", JOB, *WEEK)["plan_id"], "--yes")
    (unhurried.folder / "ledger.db").unlink()
    sandbox.control.clear_log()
    return unhurried


def made(sandbox: RunningSandbox) -> int:
    return sum(note["by_api"] for note in sandbox.control.state("totango")["touchpoints"])


def test_a_dry_look_shows_the_same_table_and_keeps_nothing(lost: Cshub) -> None:
    looked = lost.json("ledger", "rebuild", JOB, "--dry-run")
    assert (looked["run_id"], lost.json("history", JOB)["runs"]) == (None, [])
    text = " ".join(lost.ok("ledger", "rebuild", JOB, "--dry-run").out.split())
    assert "would be linked; nothing was kept" in text
    assert f"Keep it with: cshub ledger rebuild {JOB}" in text
    kept = lost.json("ledger", "rebuild", JOB)
    assert {name: kept[name] for name in ("matched", "pairs", "unmatched")} == {
        name: looked[name] for name in ("matched", "pairs", "unmatched")
    }


def test_what_belongs_together_is_linked_again_the_rest_is_listed_and_the_next_run_makes_nothing(
    lost: Cshub, sandbox: RunningSandbox
) -> None:
    before = made(sandbox)
    text = " ".join(lost.ok("ledger", "rebuild", JOB).out.split())
    assert f"{before - 2} pairs linked; nothing was sent" in text
    assert "the same account, date, texts and all else" in text
    assert "several records may be its own, or too little tells that one is" in text
    assert f"`cshub plan {JOB} --full`" in text
    assert sandbox.control.log(writes=True) == []
    plan = lost.json("plan", JOB, *WEEK)
    assert (plan["counts"]["create"], plan["counts"]["update"], plan["counts"]["delete"]) == (0, 0, 0)


def test_a_record_that_nothing_was_chosen_for_tells_why_and_both_ways_out(lost: Cshub) -> None:
    rest = lost.json("ledger", "rebuild", JOB)["unmatched"]
    held = [item for item in rest if item["why"] == "several_fit"]
    assert [len(item["fits"]) for item in held] == [2, 2]
    key = held[0]["record"]
    assert f"cshub run {JOB} --record {key}" in held[0]["next_step"]
    story = lost.json("why", JOB, key)
    assert (story["link"]["state"], story["decisions"][-1]["rule"]) == ("held", "fits_several")
    text = " ".join(lost.ok("why", JOB, key).out.split())
    assert "`cshub ledger rebuild JOB --add` looks again" in text
    assert all(fit in text for fit in held[0]["fits"])


def test_all_that_was_not_matched_can_be_written_as_csv_with_the_next_step_of_each(lost: Cshub) -> None:
    lines = list(csv.DictReader(io.StringIO(lost.ok("ledger", "rebuild", JOB, "--dry-run", "--unmatched", "-").out)))
    assert all(line["why"] and line["next_step"] and line["job"] == JOB for line in lines)
    file = lost.folder / "unmatched.csv"
    answer = lost.ok("ledger", "rebuild", JOB, "--unmatched", str(file))
    assert f"{len(lines)} records written to {file}" in answer.err
    assert len(list(csv.DictReader(io.StringIO(Path(file).read_text())))) == len(lines)


def test_a_ledger_that_is_there_is_kept_and_add_is_named(lost: Cshub) -> None:
    lost.json("ledger", "rebuild", JOB)
    answer = lost("ledger", "rebuild", JOB)
    assert (answer.code, "it is not lost" in answer.err, "--add" in answer.err) == (1, True, True)
    again = lost.json("ledger", "rebuild", JOB, "--add")
    assert (again["pairs"], again["linked_before"] > 20) == (0, True)


def test_standard_output_holds_one_document(lost: Cshub) -> None:
    answer = lost("ledger", "rebuild", JOB, "--unmatched", "-", "--json")
    assert (answer.code, "--unmatched" in answer.err) == (2, True)

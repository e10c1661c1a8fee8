from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import pytest
from tests.cli.conftest import JOB, WEEK, Cshub

from cshub.cli.screen import Screen
from cshub.core.errors import StateError
from cshub_sandbox.testing import RunningSandbox


def held(sandbox: RunningSandbox) -> dict[int, dict[str, Any]]:
    """What the hub made in Totango and is still there, by note id."""
    notes = sandbox.control.state("totango")["touchpoints"]
    return {note["note_id"]: note for note in notes if note["by_api"]}


@pytest.fixture
def applied(unhurried: Cshub, sandbox: RunningSandbox) -> Mapping[str, Any]:
    """How the run ended that created the touchpoints of a week."""
    done = unhurried.json("apply", unhurried.json("plan", JOB, *WEEK)["plan_id"], "--yes")
    assert done["statistics"]["created"] == len(held(sandbox)) > 20
    sandbox.control.clear_log()
    return dict(done)


def edit(sandbox: RunningSandbox) -> int:
    """A person edits one touchpoint in Totango; its note id."""
    note_id = next(iter(held(sandbox)))
    sandbox.control.act("totango", "edit_touchpoint", note_id=note_id, subject="Edited by hand")
    return int(note_id)


def test_taking_back_a_run_is_shown_as_a_plan_and_kept_and_nothing_is_sent(
    unhurried: Cshub, sandbox: RunningSandbox, applied: Mapping[str, Any]
) -> None:
    made = unhurried.json("undo", applied["run_id"])
    assert made["counts"]["delete"] == applied["statistics"]["created"]
    assert (made["undoes"], made["rows"][0]["why"]) == (
        applied["run_id"],
        "the run created it: it is deleted again",
    )
    assert sandbox.control.log("totango", writes=True) == []
    (kept, _) = unhurried.json("plans", JOB)["plans"]
    assert (kept["plan_id"], kept["undoes"]) == (made["plan_id"], applied["run_id"])
    assert "takes back" in unhurried.ok("plans", JOB).out
    newest = unhurried.json("history", JOB)["runs"][0]
    assert (newest["kind"], newest["outcome"]) == ("dry", "planned")


def test_the_plan_of_an_undo_is_sent_by_apply_without_what_was_edited_since(
    unhurried: Cshub, sandbox: RunningSandbox, applied: Mapping[str, Any]
) -> None:
    made = unhurried.json("undo", applied["run_id"].partition(":")[2])
    edited = edit(sandbox)
    done = unhurried.json("apply", made["plan_id"], "--deletions", str(made["counts"]["delete"]))
    assert (done["outcome"], done["undoes"]) == ("green", applied["run_id"])
    assert done["statistics"]["deleted"] == made["counts"]["delete"] - 1
    assert done["statistics"]["skipped"] == {"moved_since_plan": 1}
    assert list(held(sandbox)) == [edited]


def test_a_record_that_changed_since_the_run_is_shown_as_left_out_with_the_reason(
    unhurried: Cshub, sandbox: RunningSandbox, applied: Mapping[str, Any]
) -> None:
    edit(sandbox)
    text = unhurried.ok("undo", applied["run_id"], "--all").out
    assert "changed since the run: it stays as it is" in " ".join(text.split())
    assert "1 changed since the run" in text
    assert f"Takes back what {applied['run_id']} wrote" in text
    assert "Nothing was sent. Apply it with: cshub apply" in text


def test_yes_sends_it_at_once_and_the_records_are_not_made_again_by_themselves(
    unhurried: Cshub, sandbox: RunningSandbox, applied: Mapping[str, Any]
) -> None:
    done = unhurried.json("undo", applied["run_id"], "--deletions", str(applied["statistics"]["created"]))
    assert (done["outcome"], done["statistics"]["deleted"]) == ("green", applied["statistics"]["created"])
    assert held(sandbox) == {}
    again = unhurried.json("plan", JOB, *WEEK)
    assert (again["counts"]["create"], again["skipped"]["deleted_in_target"]) == (0, done["statistics"]["deleted"])
    text = unhurried.ok("undo", done["run_id"], "--all").out
    assert "the run deleted it: it is made again, with an id of its own" in " ".join(text.split())


def test_an_undo_can_itself_be_taken_back(
    unhurried: Cshub, sandbox: RunningSandbox, applied: Mapping[str, Any]
) -> None:
    before = sorted(note["subject"] for note in held(sandbox).values())
    undone = unhurried.json("undo", applied["run_id"], "--deletions", str(applied["statistics"]["created"]))
    back = unhurried.json("undo", undone["run_id"], "--yes")
    assert back["statistics"]["created"] == applied["statistics"]["created"]
    assert sorted(note["subject"] for note in held(sandbox).values()) == before


def test_a_plan_of_an_undo_as_csv_has_one_line_per_field(unhurried: Cshub, applied: Mapping[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(unhurried.ok("undo", applied["run_id"], "--csv", "-").out)))
    assert {row["rule"] for row in rows} == {"undone"}
    assert all(row["before"] and not row["after"] for row in rows if row["field"] == "subject")


@pytest.mark.parametrize(("typed", "sent"), [("{number}\n", True), ("y\n", False), ("\n", False)])
def test_deletions_beyond_the_guard_are_sent_only_when_their_number_is_typed(
    unhurried: Cshub,
    sandbox: RunningSandbox,
    applied: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    sent: bool,
) -> None:
    monkeypatch.setattr(Screen, "can_ask", True)
    number = applied["statistics"]["created"]
    answer = unhurried("undo", applied["run_id"], typed=typed.format(number=number))
    assert answer.code == 0
    assert f"{number} records would be deleted; the job's guard allows" in answer.err
    assert (held(sandbox) == {}) is sent
    assert ("Nothing was sent. Apply it with: cshub apply" in answer.out) is not sent


def test_a_run_that_wrote_nothing_has_nothing_to_take_back_and_leaves_no_run(
    unhurried: Cshub, applied: Mapping[str, Any]
) -> None:
    dry = unhurried.json("plan", JOB, *WEEK)["run_id"]
    answer = unhurried("undo", dry)
    assert (answer.code, "wrote nothing, so there is nothing to take back" in answer.err) == (1, True)
    assert unhurried.json("history", JOB)["runs"][0]["run_id"] == dry


def test_an_unknown_run_is_told_with_the_way_to_the_list(unhurried: Cshub) -> None:
    answer = unhurried("undo", "manual__nowhere", "--json")
    assert answer.document["error"]["kind"] == StateError.__name__
    assert "`cshub history JOB` lists the runs" in answer.document["error"]["message"]

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from tests.cli.conftest import JOB, WEEK, Cshub

from cshub.systems.http import HttpPolicy
from cshub.systems.retry import RetryPolicy
from cshub_sandbox.testing import RunningSandbox


def writes(sandbox: RunningSandbox) -> int:
    return len(sandbox.control.log("totango", writes=True))


def test_a_preview_shows_source_and_target_values_and_writes_nothing(connected: Cshub, sandbox: RunningSandbox) -> None:
    found = connected.json("preview", JOB, *WEEK, "--limit", "5")
    assert len(found["records"]) == 5
    assert {field["target"] for field in found["records"][0]["fields"]} >= {"subject", "content", "participants"}
    assert writes(sandbox) == 0


def test_a_preview_marks_what_will_not_arrive_with_its_reason(connected: Cshub) -> None:
    found = connected.json("preview", JOB, *WEEK, "--limit", "100")
    fates = {record["fate"]: record["reason"] for record in found["records"]}
    assert {"create", "skip"} <= set(fates)
    assert fates["skip"] in {"no_show", "unrecorded", "email"}


def test_a_preview_is_readable(connected: Cshub) -> None:
    answer = connected.ok("preview", JOB, *WEEK, "--limit", "2")
    assert "source field" in answer.out
    assert "will be created" in answer.out
    assert max(len(line) for line in answer.out.splitlines()) <= 100


def test_personal_values_are_masked_unless_asked_for(connected: Cshub) -> None:
    masked = connected.json("preview", JOB, *WEEK, "--limit", "3")
    told = connected.json("preview", JOB, *WEEK, "--limit", "3", "--show-personal")
    authors = [field["target_value"] for record in masked["records"] for field in record["fields"]
               if field["target"] == "created_by" and field["target_value"]]  # fmt: skip
    assert authors and all(author[1:] == "•••" for author in authors)
    assert "@" in str(told["records"])
    text = str(masked["records"])
    assert "@brightwater" not in text


def test_a_plan_is_kept_shown_again_listed_and_applied_once(connected: Cshub, sandbox: RunningSandbox) -> None:
    made = connected.json("plan", JOB, *WEEK)
    assert made["counts"]["create"] > 0
    assert made["forecast"]["calls"] >= made["counts"]["create"]
    assert writes(sandbox) == 0
    shown = connected.json("plan", "--show", made["plan_id"])
    assert shown["rows"] == made["rows"]
    assert [item["plan_id"] for item in connected.json("plans", JOB)["plans"]] == [made["plan_id"]]
    done = connected.json("apply", made["plan_id"], "--yes")
    assert done["outcome"] == "green"
    assert done["statistics"]["created"] == made["counts"]["create"]
    assert writes(sandbox) == made["counts"]["create"]
    again = connected("apply", made["plan_id"], "--yes", "--json")
    assert again.code == 1
    assert "was applied by run" in again.document["error"]["message"]
    assert [item["finished"] for item in connected.json("plans", JOB)["plans"]] == [True]
    assert writes(sandbox) == made["counts"]["create"]


def test_a_second_plan_after_applying_changes_nothing(connected: Cshub) -> None:
    connected.ok("apply", connected.json("plan", JOB, *WEEK)["plan_id"], "--yes")
    again = connected.json("plan", JOB, *WEEK)
    assert (again["counts"]["create"], again["counts"]["update"], again["counts"]["delete"]) == (0, 0, 0)


def test_a_plan_for_people_shows_each_change_before_and_after(connected: Cshub) -> None:
    answer = connected.ok("plan", JOB, *WEEK)
    assert "CREATE" in answer.out
    assert "Nothing was sent. Apply it with: cshub apply" in answer.out
    assert "field" in answer.out and "before" in answer.out and "after" in answer.out
    assert "@brightwater" not in answer.out


def test_a_plan_as_csv_has_one_line_per_changed_field(connected: Cshub) -> None:
    answer = connected.ok("plan", JOB, *WEEK, "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert {"action", "source_key", "field", "before", "after"} <= set(rows[0])
    assert {row["field"] for row in rows if row["action"] == "create"} >= {"subject", "touchpoint_date"}


def test_a_plan_of_a_run_can_be_looked_at(connected: Cshub) -> None:
    made = connected.json("plan", JOB, *WEEK)
    shown = connected.json("plan", JOB, "--run", made["run_id"])
    assert (shown["rows"], shown["plan_id"]) == (made["rows"], None)


def test_nobody_to_ask_means_a_usage_error_and_nothing_sent(connected: Cshub, sandbox: RunningSandbox) -> None:
    plan_id = connected.json("plan", JOB, *WEEK)["plan_id"]
    answer = connected("apply", plan_id)
    assert answer.code == 2
    assert "add --yes" in answer.err
    assert writes(sandbox) == 0


def test_more_deletions_than_the_guard_allows_need_their_number_though_nobody_is_asked(
    connected: Cshub, sandbox: RunningSandbox
) -> None:
    connected.ok("apply", connected.json("plan", JOB, *WEEK)["plan_id"], "--yes")
    run_id = connected.json("history", JOB)["runs"][0]["run_id"]
    before = writes(sandbox)
    undo = connected.json("undo", run_id)
    number, plan_id = undo["counts"]["delete"], undo["plan_id"]
    refused = connected("apply", plan_id, "--yes")
    assert (refused.code, writes(sandbox)) == (2, before)
    assert f"add --deletions {number}" in " ".join(refused.err.replace("│", "").split())
    wrong = connected("apply", plan_id, "--deletions", str(number + 1))
    assert (wrong.code, writes(sandbox)) == (2, before)
    assert f"this plan deletes {number} records" in " ".join(wrong.err.replace("│", "").split())
    assert connected.json("apply", plan_id, "--deletions", str(number))["statistics"]["deleted"] == number


def test_the_number_of_deletions_is_taken_where_the_guard_would_allow_them_too(
    connected: Cshub, sandbox: RunningSandbox
) -> None:
    plan_id = connected.json("plan", JOB, *WEEK)["plan_id"]
    wrong = connected("apply", plan_id, "--deletions", "1")
    assert (wrong.code, writes(sandbox)) == (2, 0)
    assert "this plan deletes 0 records" in " ".join(wrong.err.replace("│", "").split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "2026-11-08"), "give --from too"),
        (("--from", "yesterday"), "no date or time"),
        (("--from", "2026-11-08", "--to", "2026-11-08"), "not after its start"),
    ],
)
def test_a_window_that_makes_no_sense_is_a_usage_error(cshub: Cshub, arguments: tuple[str, ...], message: str) -> None:
    answer = cshub("plan", JOB, *arguments)
    assert answer.code == 2
    assert message in " ".join(answer.err.replace("│", " ").split())


def test_a_csv_file_that_cannot_be_written_is_told(connected: Cshub, tmp_path: Path) -> None:
    answer = connected("plan", JOB, *WEEK, "--csv", str(tmp_path / "no" / "plan.csv"))
    assert answer.code == 1
    assert "cannot be written" in answer.err


def test_a_service_that_is_away_is_exit_status_three(
    connected: Cshub, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cshub.systems.chorus.hook.POLICY", HttpPolicy(retry=RetryPolicy(attempts=1)))
    sandbox.control.add_fault("status", service="chorus", status=503)
    answer = connected("preview", JOB, *WEEK, "--json")
    sandbox.control.clear_faults()
    assert answer.code == 3
    assert answer.document["error"]["kind"] == "ServiceUnavailable"

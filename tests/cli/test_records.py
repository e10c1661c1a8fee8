from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.cli.conftest import JOB, WEEK, Cshub

from cshub.cli.asking import opened_ledger
from cshub.cli.job_status import next_run
from cshub.cli.screen import Screen
from cshub.cli.story import Direction, Story
from cshub.cli.story_report import show_story
from cshub.core.records import Change, Outcome, Pair, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.ledger import DecisionRow
from cshub.library import JobLibrary
from cshub.systems.http import HttpPolicy
from cshub.systems.retry import RetryPolicy
from cshub_sandbox.testing import RunningSandbox


@pytest.fixture
def applied(connected: Cshub) -> Mapping[str, Any]:
    """The plan of a week that was applied."""
    made = connected.json("plan", JOB, *WEEK)
    connected.ok("apply", made["plan_id"], "--yes")
    return dict(made)


def test_jobs_that_never_ran_have_a_status(cshub: Cshub) -> None:
    jobs = cshub.json("status")["jobs"]
    assert JOB in [job["job"] for job in jobs]
    assert {(job["last_run"], str(job["waiting"]), job["open_intents"]) for job in jobs} == {(None, "{}", 0)}
    assert "never" in cshub.ok("status").out


def test_the_status_tells_the_last_run_and_what_waits(connected: Cshub, applied: Mapping[str, Any]) -> None:
    (job,) = connected.json("status", JOB)["jobs"]
    assert job["last_run"]["outcome"] == "green"
    assert job["links"]["in_step"] > 0
    text = connected.ok("status", JOB).out
    assert "green" in text and "next run" in text and "created" in text


def test_the_last_run_is_the_last_that_could_write_and_a_later_plan_is_told_apart(
    connected: Cshub, applied: Mapping[str, Any]
) -> None:
    later = connected.json("plan", JOB, *WEEK)
    (job,) = connected.json("status", JOB)["jobs"]
    assert (job["last_run"]["kind"], job["last_plan"]["run_id"]) == ("apply", later["run_id"])
    assert "nothing was sent" in connected.ok("status").out
    assert "nothing was sent" in connected.ok("status", JOB).out


def test_a_red_run_tells_its_reason_in_status_and_history(connected: Cshub, applied: Mapping[str, Any]) -> None:
    error = "Totango refused the token. " + "Put a new one into the connection. " * 9
    run_id = connected.json("history", JOB)["runs"][0]["run_id"]
    with opened_ledger() as ledger:
        ledger.close_run(run_id, RunOutcome.RED, RunStatistics(), error=error, now=datetime.now(UTC))
    (job,) = connected.json("status", JOB)["jobs"]
    assert job["last_run"]["error"] == error == connected.json("history", JOB)["runs"][0]["error"]
    whole = " ".join(connected.ok("status", JOB).out.split())
    assert error.strip() in whole
    for command in (("status",), ("history", JOB)):
        text = connected.ok(*command).out
        assert "Totango refused the token." in text and "…" in text


def test_the_next_run_is_told_in_the_zone_of_the_hub() -> None:
    bound = JobLibrary.from_settings().bound(JOB)
    berlin = ZoneInfo("Europe/Berlin")
    assert next_run(bound, datetime(2026, 11, 20, 12, tzinfo=UTC), berlin) == datetime(2026, 11, 20, 22, tzinfo=UTC)


def test_the_ledger_is_named_when_nobody_chose_it(cshub: Cshub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ledger:" not in cshub.ok("status").err
    monkeypatch.delenv("CSHUB_LEDGER_URL")
    assert f"ledger: sqlite:///{cshub.folder}/.cshub/ledger.db" in cshub.ok("status").err


def test_a_job_that_waits_to_be_switched_on_has_no_next_run(connected: Cshub, applied: Mapping[str, Any]) -> None:
    (job,) = connected.json("status", JOB)["jobs"]
    assert (job["enabled"], job["next_run_at"]) == (False, None)
    assert "when switched on" in connected.ok("status").out


def test_an_unknown_job_has_no_status(cshub: Cshub) -> None:
    answer = cshub("status", "chorus_touchpoint_inbound")
    assert answer.code == 1
    assert f"Did you mean {JOB}?" in answer.err


def test_the_history_of_a_job_that_does_not_exist_names_the_nearest_one(connected: Cshub) -> None:
    answer = connected("history", JOB[:-3])
    assert answer.code == 1
    assert "there is no such job" in answer.err and f"Did you mean {JOB}?" in answer.err


def test_the_history_lists_the_runs_newest_first(connected: Cshub, applied: Mapping[str, Any]) -> None:
    runs = connected.json("history", JOB)["runs"]
    assert [run["kind"] for run in runs] == ["apply", "dry"]
    assert "planned" in connected.ok("history", JOB).out


def test_rejects_have_reason_remedy_and_attempts(connected: Cshub, applied: Mapping[str, Any]) -> None:
    found = connected.json("rejects", JOB)["rejects"]
    assert len(found) == len(applied["rejects"])
    assert all(item["reason"] and item["remedy"] and item["attempts"] >= 1 for item in found)
    answer = connected.ok("rejects", JOB, "--csv", "-")
    assert [row["reason"] for row in csv.DictReader(io.StringIO(answer.out))] == [item["reason"] for item in found]


def test_why_explains_a_record_by_its_source_key_and_by_its_target_key(
    connected: Cshub, applied: Mapping[str, Any]
) -> None:
    row = next(row for row in applied["rows"] if row["action"] == "create")
    story = connected.json("why", JOB, row["source_key"].lower())
    assert story["link"]["state"] in {"in_step", "empty"}
    assert [decision["rule"] for decision in story["decisions"]] == ["new"]
    assert [item["field"] for item in story["decisions"][0]["changes"]] == [item["field"] for item in row["changes"]]
    by_target = connected.json("why", JOB, story["link"]["target_key"])
    assert by_target["source_key"] == row["source_key"]


def test_why_tells_the_runs_that_left_a_record_as_it_was(connected: Cshub, applied: Mapping[str, Any]) -> None:
    again = connected.json("plan", JOB, *WEEK)
    row = next(row for row in again["rows"] if row["rule"] == "nothing_changed")
    story = connected.json("why", JOB, row["source_key"])
    assert [item["run_id"] for item in story["unchanged"]] == [again["run_id"]]
    text = connected.ok("why", JOB, row["source_key"]).out
    assert "nothing has changed since both sides agreed" in " ".join(text.split())
    assert "@brightwater" not in text


def test_why_tells_a_repeated_decision_once_with_its_reason(connected: Cshub, applied: Mapping[str, Any]) -> None:
    connected.ok("apply", connected.json("plan", JOB, *WEEK)["plan_id"], "--yes")
    key = applied["rejects"][0]["source_key"]
    assert len(connected.json("why", JOB, key)["decisions"]) == 2
    text = connected.ok("why", JOB, key).out
    assert "REJECTED in 2 runs, first" in text
    assert f"  {applied['rejects'][0]['field']}: {applied['rejects'][0]['reason']}" in text
    assert "never changed in the target" in text


def test_why_shows_a_kept_conflict_as_both_sides_have_it(cshub: Cshub, capsys: pytest.CaptureFixture[str]) -> None:
    change = Change("subject", "Edited by hand", "Renamed in Chorus", "target")
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    row = DecisionRow(
        1, Pair(1), JOB, f"{JOB}:r1", now, "M-1", "900", Outcome.CONFLICT_KEPT, "conflict_target_kept", "", [change], ""
    )
    show_story(Screen(), Story(Direction(JOB, Pair(1), "Chorus", "Totango"), "M-1", None, [row]))
    cells = [list(re.split(r"\s{2,}", line.strip())) for line in capsys.readouterr().out.splitlines()]
    assert ["field", "in the source", "in the target (kept)"] in cells
    assert ["subject", "Renamed in Chorus", "Edited by hand"] in cells


def test_a_record_that_waits_for_its_account_says_so(connected: Cshub, applied: Mapping[str, Any]) -> None:
    parked = [row["source_key"] for row in applied["rows"] if row["action"] == "park"]
    assert parked
    assert connected.json("why", JOB, parked[0])["link"]["state"] == "parked"


def test_a_record_nobody_has_seen_is_told_with_the_next_step(connected: Cshub, applied: Mapping[str, Any]) -> None:
    answer = connected("why", JOB, "no-such-record")
    assert answer.code == 1
    assert "has never seen a record no-such-record" in answer.err


def test_the_ledger_is_upgraded_and_tells_its_revision(cshub: Cshub) -> None:
    assert cshub.json("ledger", "revision")["revision"] is None
    upgraded = cshub.json("ledger", "upgrade")["revision"]
    told = cshub.json("ledger", "revision")
    assert upgraded == told["revision"] == told["newest"]


def test_no_command_ever_shows_a_token(
    connected: Cshub, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = [sandbox.chorus.token, sandbox.totango.token]
    monkeypatch.setenv("CSHUB_TOTANGO_TOKEN", sandbox.totango.token)
    plan_id = connected.json("plan", JOB, *WEEK)["plan_id"]
    commands = [
        ("validate", "--online"), ("test",), ("preview", JOB, *WEEK), ("plan", "--show", plan_id, "--all"),
        ("apply", plan_id, "--yes"), ("plans", JOB), ("status",), ("status", JOB), ("history", JOB), ("rejects", JOB),
        ("why", JOB, "nothing"), ("ledger", "revision"), ("totango", "users"), ("totango", "accounts"),
        ("totango", "types", "--url", sandbox.totango.url), ("totango", "types", "--url", "http://127.0.0.1:9"),
        ("chorus", "me"), ("chorus", "engagements", *WEEK), ("chorus", "users"), ("chorus", "conversation", "x"),
    ]  # fmt: skip
    monkeypatch.setattr("cshub.systems.totango.client.POLICY", HttpPolicy(retry=RetryPolicy(attempts=1)))
    for command in commands:
        for extra in ((), ("--json",)):
            answer = connected(*command, *extra)
            assert not any(token in answer.out + answer.err for token in tokens), command

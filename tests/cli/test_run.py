from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import JOB, WEEK, Cshub

from cshub.settings import PROJECT
from cshub_sandbox.testing import RunningSandbox

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def writes(sandbox: RunningSandbox) -> int:
    return len(sandbox.control.log("totango", writes=True))


def job_with(folder: Path, monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, str]) -> None:
    """The demo's job with some of its text replaced, as the only job of a folder of its own."""
    text = (PROJECT / "include" / "jobs" / f"{JOB}.yaml").read_text("utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    jobs = folder / "jobs"
    jobs.mkdir()
    (jobs / f"{JOB}.yaml").write_text(text, "utf-8")
    monkeypatch.setenv("CSHUB_JOBS_DIR", str(jobs))


def test_a_run_goes_through_the_dag_and_a_second_one_writes_nothing(connected: Cshub, sandbox: RunningSandbox) -> None:
    sandbox.control.freeze()  # no summary is finished between the two runs
    first = connected.json("run", JOB, *WEEK)
    assert (first["outcome"], first["statistics"]["failed"]) == ("green", 0)
    assert first["statistics"]["created"] == writes(sandbox) > 0
    second = connected.json("run", JOB, *WEEK)
    assert (second["outcome"], second["statistics"]["created"]) == ("green", 0)
    assert writes(sandbox) == first["statistics"]["created"]
    kinds: list[Any] = [run["kind"] for run in connected.json("history", JOB)["runs"]]
    assert kinds == ["manual", "manual"]


def test_a_dry_run_keeps_a_plan_and_sends_nothing(connected: Cshub, sandbox: RunningSandbox) -> None:
    done = connected.json("run", JOB, *WEEK, "--dry-run")
    assert done["outcome"] == "planned"
    assert connected.json("plan", "--show", done["plan_id"])["counts"]["create"] > 0
    assert writes(sandbox) == 0


def test_a_plan_that_passes_the_guard_is_refused_with_the_next_step(
    connected: Cshub, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_with(connected.folder, monkeypatch, {"tags: [demo]": "tags: [demo]\nguard: {create: {count: 1}}"})
    answer = connected("run", JOB, *WEEK, "--json")
    assert (answer.code, answer.document["outcome"]) == (1, "refused")
    assert "creates (limit 1). Nobody can be asked here" in answer.document["error"]
    assert f"`cshub plan {JOB} --from " in answer.document["error"]
    assert "cshub apply" in answer.document["error"]
    assert writes(sandbox) == 0


def test_a_token_that_is_wrong_ends_red_with_the_reason(
    connected: Cshub, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"conn_type": "chorus", "host": sandbox.chorus.url, "password": "wrong-token"}
    monkeypatch.setenv("AIRFLOW_CONN_CHORUS_DEFAULT", json.dumps(wrong))
    answer = connected("run", JOB, *WEEK, "--json")
    assert (answer.code, answer.document["outcome"]) == (1, "red")
    assert "Chorus (connection chorus_default)" in answer.document["error"]
    assert "wrong-token" not in answer.out + answer.err

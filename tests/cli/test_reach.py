from __future__ import annotations

import pytest
from tests.cli.conftest import JOB, Cshub


def test_an_airflow_that_does_not_answer_is_exit_status_three(cshub: Cshub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSHUB_AIRFLOW_TOKEN", "secret-token")
    answer = cshub("run", JOB, "--airflow", "http://127.0.0.1:9", "--json")
    assert (answer.code, answer.document["error"]["kind"]) == (3, "ServiceUnavailable")
    assert "secret-token" not in answer.out + answer.err


def test_an_airflow_without_access_is_told_with_the_variables(cshub: Cshub) -> None:
    answer = cshub("run", JOB, "--airflow", "http://127.0.0.1:9")
    assert answer.code == 1
    assert "CSHUB_AIRFLOW_TOKEN" in answer.err


def test_a_backfill_without_an_airflow_is_a_usage_error(cshub: Cshub) -> None:
    answer = cshub("backfill", JOB, "--from", "2026-11-01", "--to", "2026-11-08")
    assert answer.code == 2
    assert "needs a running Airflow" in " ".join(answer.err.replace("│", " ").split())


def test_a_run_of_a_job_that_does_not_exist_is_told_at_once(cshub: Cshub) -> None:
    answer = cshub("run", "chorus_touchpoint_inbound")
    assert answer.code == 1
    assert f"Did you mean {JOB}?" in answer.err

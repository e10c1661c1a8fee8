from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.cli.conftest import JOB, Cshub

from cshub.cli.asking import opened_ledger
from cshub.core.records import RunKind


def test_a_run_that_was_broken_off_while_it_wrote_is_not_shown_as_running(cshub: Cshub) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=10)
    with opened_ledger() as ledger:
        for run_id, kind in (("reads", RunKind.MANUAL), ("writes", RunKind.APPLY)):
            ledger.open_run(run_id, job_id=JOB, pair=None, kind=kind, window=None, job_digest="", now=long_ago)
    runs = {run["run_id"]: run["outcome"] for run in cshub.json("history", JOB)["runs"]}
    assert runs == {"reads": "running", "writes": "interrupted"}
    (job,) = cshub.json("status", JOB)["jobs"]
    assert job["last_run"]["outcome"] == "interrupted"
    assert "interrupted" in cshub.ok("history", JOB).out and "interrupted" in cshub.ok("status", JOB).out

"""Who is signed in: another user of the same org is never taken in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from cshub.pipeline.extract import extract
from cshub.pipeline.run import Asked
from tests.pipeline.two_way import settled


def test_another_user_of_the_same_org_is_told_once_in_both_directions_alike(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sync = settled(tmp_path)
    state = sync.lab.sandbox.service("salesforce").state()
    before = sync.lab.new_run().source.user()
    other = next(row["Id"] for row in state["users"] if row["IsActive"] and row["Id"] != before)
    sync.lab.act("salesforce", "run_as", user=other)
    sync.lab.wait(minutes=10)
    there, back = sync.lab.new_run(job=sync.lab.back), sync.lab.new_run()
    extract(there, Asked())
    assert there.warnings() == {"salesforce_user_changed": 1}
    assert f"salesforce is signed in as another user: {other}, before {before}." in caplog.text
    extract(back, Asked())
    assert back.warnings() == {}

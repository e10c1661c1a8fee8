"""One simulated world on a fixed day, and a command line with a ledger, staging and Airflow home of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cshub.cli.app import app
from cshub.pipeline import readback
from cshub.settings import PROJECT
from cshub_sandbox.testing import RunningSandbox, start_sandbox

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
JOB = "chorus_touchpoints_inbound"
WEEK = ("--from", "2026-11-16", "--to", "2026-11-20T12:00Z")


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit status."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


class Cshub:
    """Runs commands in this process, each as if typed in a terminal of 100 columns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runner = CliRunner()

    def __call__(self, *arguments: str, typed: str | None = None) -> Answer:
        """``typed``: what a person answers to questions."""
        result = self._runner.invoke(app, list(arguments), prog_name="cshub", input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def ok(self, *arguments: str) -> Answer:
        """The answer of a command that must succeed."""
        answer = self(*arguments)
        assert answer.code == 0, answer
        return answer

    def json(self, *arguments: str) -> Any:
        """The document of a command that must succeed."""
        return self.ok(*arguments, "--json").document


@pytest.fixture(scope="session")
def world() -> Iterator[RunningSandbox]:
    with start_sandbox(seed=7, accounts=10, meetings=40, now=NOW) as running:
        yield running


@pytest.fixture
def sandbox(world: RunningSandbox) -> RunningSandbox:
    """The world as it was made. Its clock moves on, so that the calls of other tests do not count."""
    world.control.freeze(False)
    world.control.reset(seed=7, accounts=10, meetings=40, now=NOW.isoformat())
    world.control.clear_log()
    return world


@pytest.fixture
def cshub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cshub]:
    """The command line in an empty folder, without any service."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("CSHUB_", "AIRFLOW_CONN_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("CSHUB_LEDGER_URL", f"sqlite:///{tmp_path}/ledger.db")
    monkeypatch.setenv("CSHUB_STAGING_URL", (tmp_path / "staging").as_uri())
    yield Cshub(tmp_path)
    for name in set(os.environ) - set(before):
        del os.environ[name]


@pytest.fixture
def alone(cshub: Cshub, monkeypatch: pytest.MonkeyPatch) -> Cshub:
    """The command line with a jobs folder that holds the demo's Chorus job only."""
    jobs = cshub.folder / "jobs"
    jobs.mkdir()
    shutil.copy(PROJECT / "include" / "jobs" / f"{JOB}.yaml", jobs)
    monkeypatch.setenv("CSHUB_JOBS_DIR", str(jobs))
    return cshub


@pytest.fixture
def connected(cshub: Cshub, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Cshub:
    """The command line with connections to the simulated services."""
    for name, endpoint in (("chorus", sandbox.chorus), ("totango", sandbox.totango)):
        fields = {"conn_type": name, "host": endpoint.url, "password": endpoint.token}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}_DEFAULT", json.dumps(fields))
    return cshub


@pytest.fixture
def still(sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    """The world with a clock that stands: no summary is finished meanwhile. Its Totango shows writes at once."""
    before = sandbox.control.switch("totango")
    sandbox.control.switch("totango", rate_limit=1_000_000, search_lag_s=0.0)
    sandbox.control.freeze()
    yield sandbox
    sandbox.control.freeze(False)
    sandbox.control.switch("totango", **{name: before[name] for name in ("rate_limit", "search_lag_s")})


@pytest.fixture
def unhurried(connected: Cshub, still: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Cshub:
    """The command line with such a world, and calls to Totango that are not held up."""
    fields = {"conn_type": "totango", "host": still.totango.url, "password": still.totango.token}
    extra = {"calls_per_minute": 10_000}
    monkeypatch.setenv("AIRFLOW_CONN_TOTANGO_DEFAULT", json.dumps({**fields, "extra": extra}))
    monkeypatch.setattr(readback, "SEARCH_LAG_S", 0.0)
    return connected


@pytest.fixture
def connected_org(connected: Cshub, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Cshub:
    """The command line with connections to all three services."""
    login = sandbox.salesforce_login
    extra = {
        "domain": login["domain"],
        "consumer_key": login["client_id"],
        "consumer_secret": login["client_secret"],
        "endpoint_override": sandbox.salesforce.url,
    }
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_DEFAULT", json.dumps({"conn_type": "salesforce", "extra": extra}))
    return connected

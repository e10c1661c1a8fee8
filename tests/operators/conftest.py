"""The operators of the demo's job against a real sandbox, a ledger in a file and connections from the environment."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from cshub.dag_factory import build_dag
from cshub.ledger import Ledger, RunRow
from cshub.library import JobLibrary
from cshub.pipeline import readback
from cshub.settings import Settings
from cshub_sandbox.testing import RunningSandbox, start_sandbox

JOB = "chorus_touchpoints_inbound"
STEPS = ("extract", "map", "diff", "approve", "load")


@dataclass
class TaskInstance:
    """The part of a task instance that operators use: XCom, kept as the JSON that Airflow would store."""

    task_id: str
    kept: dict[tuple[str, str], str]
    map_index: int = -1

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        text = self.kept.get((task_ids, key))
        return None if text is None else json.loads(text)

    def xcom_push(self, key: str, value: Any) -> None:
        self.kept[self.task_id, key] = json.dumps(value)


@dataclass
class HandMadeRun:
    """A DAG run without Airflow: runs one task after the other with a context made by hand."""

    operators: dict[str, Any]
    dag_id: str = JOB
    run_id: str = "manual__1"
    run_type: str = "manual"
    interval: tuple[datetime, datetime] | None = None
    logical_date: datetime | None = None
    params: dict[str, Any] = field(default_factory=dict)
    kept: dict[tuple[str, str], str] = field(default_factory=dict)
    events: dict[Any, Any] = field(default_factory=lambda: defaultdict(SimpleNamespace))
    progress: dict[str, Any] = field(default_factory=dict)

    def context(self, task_id: str) -> Any:
        start, end = self.interval or (None, None)
        return {
            "dag_run": SimpleNamespace(
                dag_id=self.dag_id,
                run_id=self.run_id,
                run_type=self.run_type,
                logical_date=self.logical_date,
                data_interval_start=start,
                data_interval_end=end,
            ),
            "params": self.params,
            "ti": TaskInstance(task_id, self.kept),
            "task_instance": SimpleNamespace(id=f"{self.run_id}-{task_id}"),
            "task": self.operators.get(task_id),
            "outlet_events": self.events,
            "task_state_store": SimpleNamespace(set=self.progress.__setitem__),
        }

    def execute(self, task_id: str) -> Any:
        """What one task returns, after its way through JSON."""
        context = self.context(task_id)
        value = self.operators[task_id].execute(context)
        context["ti"].xcom_push("return_value", value)
        return json.loads(self.kept[task_id, "return_value"])

    def until(self, last: str) -> dict[str, Any]:
        """What the tasks up to this one return, by task id."""
        return {task_id: self.execute(task_id) for task_id in STEPS[: STEPS.index(last) + 1]}


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with start_sandbox(seed=5, accounts=8, meetings=40) as running:
        running.control.switch("totango", rate_limit=1_000_000, search_lag_s=0.0)
        yield running


@pytest.fixture
def settings(sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The environment of a worker: connections, ledger and staging of this test only."""
    ExecutorSafeguard.test_mode = True
    for name, service in (("chorus", sandbox.chorus), ("totango", sandbox.totango)):
        connection = {"conn_type": name, "host": service.url, "password": service.token}
        extra = {"extra": {"calls_per_minute": 10_000}} if name == "totango" else {}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}_DEFAULT", json.dumps({**connection, **extra}))
    monkeypatch.setenv("CSHUB_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("CSHUB_STAGING_URL", (tmp_path / "staging").as_uri())
    monkeypatch.setenv("CSHUB_TIMEZONE", "Europe/Berlin")
    monkeypatch.delenv("CSHUB_JOBS_DIR", raising=False)
    monkeypatch.setattr(readback, "SEARCH_LAG_S", 0.0)  # as the sandbox above is set
    return Settings.from_environment()


@pytest.fixture
def operators(settings: Settings) -> dict[str, Any]:
    bound = JobLibrary.from_settings(settings).bound(JOB)
    return dict(build_dag(bound, settings).task_dict)


@pytest.fixture
def run(operators: dict[str, Any]) -> HandMadeRun:
    return HandMadeRun(operators)


def ledger_run(settings: Settings, run: HandMadeRun) -> RunRow | None:
    """The run's row in the ledger."""
    with Ledger.open(settings.ledger_url) as ledger:
        return ledger.run(f"{JOB}:{run.run_id}")

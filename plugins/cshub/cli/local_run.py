"""A run of a job's DAG without a running Airflow: ``dag.test()`` in a child process with a small home of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from cshub.cli.airflow_home import local_home
from cshub.cli.asking import opened_ledger
from cshub.cli.child import passing_signals
from cshub.cli.progress import counts_text, progress_text
from cshub.cli.run_report import finish_run
from cshub.cli.screen import Screen
from cshub.cli.wording import INTERRUPTED
from cshub.core.records import RunOutcome
from cshub.core.stats import RunStatistics
from cshub.ledger import Ledger
from cshub.library import JobLibrary
from cshub.settings import PROJECT, Settings

POLL_S = 0.25
STOP_S = 3.0


@dataclass
class _Told:
    """What the child has told so far."""

    run_id: str | None = None
    step: str = ""
    retries: list[str] = field(default_factory=list)
    failure: dict[str, Any] | None = None
    plan_id: str | None = None
    refused: list[str] = field(default_factory=list)
    ended: bool = False

    def learn(self, event: Mapping[str, Any]) -> None:
        self.run_id = event.get("run_id", self.run_id)
        self.step = event.get("step", self.step)
        self.plan_id = event.get("plan_id", self.plan_id)
        self.failure = event.get("failure", self.failure)
        self.refused = event.get("refused", self.refused)
        self.ended = self.ended or bool(event.get("ended"))
        if "retry" in event:
            self.retries.append(str(event["retry"]))


def run_here(screen: Screen, job: str, params: Mapping[str, Any]) -> NoReturn:
    """Run the DAG, follow it by the ledger, and end the command by its outcome."""
    JobLibrary.from_settings().bound(job)
    home = local_home()
    (home / "logs").mkdir(parents=True, exist_ok=True)
    name = f"{job}-{uuid.uuid4().hex[:8]}"
    log, events = home / "logs" / f"{name}.log", home / "logs" / f"{name}.events"
    events.touch()
    command = [sys.executable, "-m", "cshub.cli.dag_child", job, json.dumps(dict(params)), str(events)]
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, env=environment(home), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        with passing_signals(child) as signals, opened_ledger() as ledger:
            told = _follow(screen, child, events, ledger, signals)
            if signals and not told.ended:
                _close_interrupted(ledger, told.run_id)
                events.unlink()
                raise KeyboardInterrupt
            row = ledger.run(told.run_id) if told.run_id else None
    events.unlink()
    if told.plan_id:
        screen.show(f"The plan is kept: cshub plan --show {told.plan_id}")
    statistics = row.statistics if row is not None else None
    outcome = row.outcome.value if row is not None and told.ended else "red"
    failure = told.failure or {}
    noted = row.error if row is not None else None
    error = (noted or failure.get("message")) if outcome != "green" else None
    if outcome == "red" and error is None:
        error = f"The run ended without saying why; its log is {log}."
    elif told.refused:
        error = (
            f"The plan exceeds the guard of {job}: {', '.join(told.refused)}. Nobody can be asked here, so nothing was "
            f"sent. Look at it with `cshub plan {job}{_flags(params)}` and send it with `cshub apply`."
        )
    later = outcome == "red" and bool(failure.get("transient"))
    extra = {"plan_id": told.plan_id} if told.plan_id else {}
    finish_run(screen, job, told.run_id or job, outcome, statistics, error=error, extra=extra, later=later)


def _flags(params: Mapping[str, Any]) -> str:
    """The options with which `cshub plan` reads the same as the run did."""
    given = (
        ("--full", params.get("full_sync")),
        ("--from", params.get("window_start")),
        ("--to", params.get("window_end")),
    )
    named = [("--record", key) for key in params.get("records") or ()]
    return "".join(f" {name}" if value is True else f" {name} {value}" for name, value in (*given, *named) if value)


def environment(home: Path) -> dict[str, str]:
    """The environment of the child: the caller's, with an Airflow of its own below ``home``."""
    settings = Settings.from_environment()
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__") and key != "PYTHONPATH"},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": str(settings.timezone),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs" / "tasks"),
        "CSHUB_TIMEZONE": str(settings.timezone),
        "CSHUB_STAGING_URL": settings.staging_url,
        "CSHUB_JOBS_DIR": str(settings.jobs_dir.resolve()),
        "CSHUB_MAPPINGS_DIR": str(settings.mappings_dir.resolve()),
    }


def _close_interrupted(ledger: Ledger, run_id: str | None) -> None:
    row = ledger.run(run_id) if run_id else None
    if row is not None and row.outcome is RunOutcome.RUNNING:
        numbers = row.statistics or RunStatistics()
        ledger.close_run(row.run_id, RunOutcome.RED, numbers, error=INTERRUPTED, now=datetime.now(UTC))


def _follow(
    screen: Screen, child: subprocess.Popen[bytes], events: Path, ledger: Ledger, signals: Sequence[int]
) -> _Told:
    """What the child told until its end. After a signal it has ``STOP_S`` to end; its tasks would try again."""
    told, seen = _Told(), 0
    stop_by: float | None = None
    with screen.err.status("Starting Airflow…") as status:
        while True:
            running = child.poll() is None
            if running and signals:
                stop_by = stop_by or time.monotonic() + STOP_S
                if time.monotonic() >= stop_by:
                    os.killpg(child.pid, signal.SIGKILL)
            seen = _read_events(events, seen, told)
            for retry in told.retries:
                screen.note(f"Tries again: {retry}")
            told.retries.clear()
            row = ledger.run(told.run_id) if told.run_id else None
            if row is not None and row.progress.get("step") == "load" and told.step == "load":
                done, total = row.progress.get("done", 0), row.progress.get("total", 0)
                status.update(f"Loading… {done} of {total}  {counts_text(row.progress)}")
            elif told.step:
                status.update(progress_text({"step": told.step}))
            if not running:
                return told
            time.sleep(POLL_S)


def _read_events(events: Path, seen: int, told: _Told) -> int:
    """Learn the whole lines after byte ``seen``; how far was read."""
    with events.open("rb") as file:
        file.seek(seen)
        for line in file:
            if not line.endswith(b"\n"):
                break
            told.learn(json.loads(line))
            seen += len(line)
    return seen

"""Rounds of syncs on a running Airflow: every job once, and those that write back only when the others have ended."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cshub_runtime.rest import AirflowRest, RestError, RunState
from cshub_runtime.run_report import STATISTICS_TASK, RunReport, progress_line

RUN_LIMIT_S = 600.0
SCHEDULE_LIMIT_S = 15.0
POLL_S = 0.5
PROGRESS_EVERY_S = 5.0
LOG_LINES = 25
_OUTBOUND = "_outbound"


def waves(jobs: Sequence[str], jobs_dir: Path) -> list[list[str]]:
    """The jobs in the order of a round: first those into Totango, then those out of it, by the type in their files.

    Two jobs of one pair would wait for one another; so each wave has one direction.
    """
    outbound = {job for job in jobs if _type_of(jobs_dir / f"{job}.yaml").endswith(_OUTBOUND)}
    return [wave for wave in (sorted(set(jobs) - outbound), sorted(outbound)) if wave]


class Rounds:
    """Runs rounds and tells of them. `say` is given lines of text; the reports of all runs are in `reports`."""

    def __init__(self, rest: AirflowRest, waves: Sequence[Sequence[str]], say: Callable[[str], None]) -> None:
        self.reports: list[RunReport] = []
        self._rest = rest
        self._waves = waves
        self._say = say

    def by_schedule(self, title: str) -> None:
        """Switch every DAG on, and follow the run that its schedule starts by itself."""
        self._round(title, self._switched_on)

    def by_hand(self, title: str) -> None:
        """Start a run of every DAG, and follow it."""
        self._round(title, self._rest.trigger)

    def _round(self, title: str, start: Callable[[str], str]) -> None:
        self._say(title)
        for wave in self._waves:
            self._say(f"  ▸ {', '.join(wave)}")
            self._follow({job: start(job) for job in wave}, title)

    def _switched_on(self, job: str) -> str:
        """The run that the schedule starts when a DAG is switched on; of a job without schedule, one by hand."""
        self._rest.unpause(job)
        deadline = time.monotonic() + SCHEDULE_LIMIT_S
        while time.monotonic() < deadline:
            if runs := self._rest.runs(job):
                return str(runs[-1]["dag_run_id"])
            time.sleep(POLL_S)
        return self._rest.trigger(job)

    def _follow(self, started: Mapping[str, str], title: str) -> None:
        ended: dict[str, RunReport] = {}
        shown, shown_at = "", time.monotonic()
        deadline = time.monotonic() + RUN_LIMIT_S
        while len(ended) < len(started):
            running = {job: run_id for job, run_id in started.items() if job not in ended}
            if time.monotonic() > deadline:
                raise RestError(f"Not ended after {RUN_LIMIT_S:.0f} s: {', '.join(sorted(running))}")
            for job, run_id in running.items():
                if self._rest.run_state(job, run_id).finished:
                    ended[job] = self._ended(job, run_id, title)
            if time.monotonic() - shown_at > PROGRESS_EVERY_S:
                line = progress_line(
                    {
                        job: self._rest.progress(job, running[job], STATISTICS_TASK)
                        for job in running
                        if job not in ended
                    }
                )
                if line and line != shown:
                    self._say(f"    {line}")
                shown, shown_at = line, time.monotonic()
            time.sleep(POLL_S)
        self.reports += [ended[job] for job in started]

    def _ended(self, job: str, run_id: str, title: str) -> RunReport:
        run = self._rest.run(job, run_id)
        succeeded = RunState(run["state"]) is RunState.SUCCESS
        found = self._rest.xcom(job, run_id, STATISTICS_TASK)
        report = RunReport.of(job, title, succeeded=succeeded, seconds=_seconds(run), report=found)
        self._say(f"  {'✓' if succeeded else '✗'} {job}: {report.summary()}")
        if not succeeded:
            self._explain(job, run_id)
        return report

    def _explain(self, job: str, run_id: str) -> None:
        for task, state in self._rest.task_states(job, run_id).items():
            if state == RunState.FAILED:
                self._say(f"{job}: the task {task} failed; the end of its log:")
                for line in self._rest.task_log(job, run_id, task).strip().splitlines()[-LOG_LINES:]:
                    self._say(f"    {line}")


def _type_of(job_file: Path) -> str:
    try:
        found = YAML(typ="safe").load(job_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    return str(found.get("type", "")) if isinstance(found, dict) else ""


def _seconds(run: Mapping[str, Any]) -> float:
    if not run.get("start_date") or not run.get("end_date"):
        return 0.0
    return (datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["start_date"])).total_seconds()

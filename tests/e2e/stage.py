"""A real Airflow for the end-to-end tests, and one simulated world per scene of a test."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cshub.ledger import Ledger
from cshub_runtime.connections import connection_to
from cshub_runtime.ports import any_free_port
from cshub_runtime.rest import AirflowRest, RestError
from cshub_runtime.sandbox_process import SandboxProcess
from cshub_runtime.supervisor import LocalAirflow
from cshub_sandbox.testing import ControlClient

TYPE = "chorus_touchpoints_inbound"
CALLS = 10_000
"""Calls a minute of a scene that is not about the limit: the most the connection form takes."""
PATIENCE_S = 180.0


def job_text(job_id: str, scene: str, *, kind: str = TYPE, **settings: Any) -> str:
    """The file of a job that keeps two systems of a scene in step; ``kind`` is its integration type."""
    source, target = systems_of(kind)
    by_crm_id = {"options": {"account_match": {"by": "foreign_key", "attribute": "sfid"}}} if kind == TYPE else {}
    job = {
        "version": 1,
        "id": job_id,
        "type": kind,
        "name": job_id.replace("_", " ").capitalize(),
        "source": {"connection": f"{source}_{scene}"},
        "target": {"connection": f"{target}_{scene}", **by_crm_id},
        "allow_new_records": True,
        "enabled": False,
        **settings,
    }
    return json.dumps(job, indent=2)


def systems_of(kind: str) -> tuple[str, str]:
    """Source and target of an integration type, whose name begins with the system that is not Totango."""
    other = kind.partition("_")[0]
    return ("totango", other) if kind.endswith("_outbound") else (other, "totango")


@dataclass
class Scene:
    """One sandbox process, and the two connections that lead to it."""

    name: str
    process: SandboxProcess
    rest: AirflowRest

    @cached_property
    def control(self) -> ControlClient:
        return ControlClient(self.process.addresses.control_url)

    @property
    def tokens(self) -> list[str]:
        """Every secret of the scene's services, and what each session that is opened later begins with."""
        services = self.process.addresses.services
        secrets = [secret for service in services.values() for secret in service.secrets]
        return [*secrets, services["salesforce"].token.partition("!")[0] + "!"]

    def connect(self, calls_per_minute: int | None = CALLS, *, totango_token: str | None = None) -> None:
        """Store the scene's connections."""
        for system, service in self.process.addresses.services.items():
            is_totango = system == "totango"
            given = replace(service, token=totango_token) if is_totango and totango_token else service
            limit = {"calls_per_minute": calls_per_minute} if is_totango and calls_per_minute else None
            connection_id = f"{system}_{self.name}"
            self.rest.store_connection(connection_to(given, system=system, connection_id=connection_id, more=limit))

    def unlimited(self) -> None:
        self.control.switch("totango", rate_limit=1_000_000)

    def writes(self, service: str = "totango") -> int:
        """Writes that reached a service so far."""
        calls = self.control.log(service, writes=True)
        return len(calls)

    def written(self) -> Counter[tuple[Any, ...]]:
        """Touchpoints made through the API: account, moment and texts, with how often each is there."""
        return Counter(
            (note["account_id"], note["timestamp_ms"], note["subject"], note["content"].strip())
            for note in self.control.state("totango")["touchpoints"]
            if note["by_api"]
        )

    def expected(self, start: datetime, end: datetime) -> Counter[tuple[str, int, str]]:
        """What the meetings of a window must become: account, moment in epoch milliseconds, subject.

        Left out are those without subject and summary, which a touchpoint cannot be made of.
        """
        accounts = {
            account["attributes"]["sfid"][:15]: account["id"] for account in self.control.state("totango")["accounts"]
        }
        return Counter(
            (accounts[meeting["account_id"][:15]], _epoch_ms(meeting["starts_at"]), meeting["subject"].strip())
            for meeting in self.control.state("chorus")["engagements"]
            if meeting["kind"] in {"recorded", "call"}
            and meeting["stage"] == "done"
            and not meeting["private"]
            and (meeting["subject"].strip() or meeting["summary"])
            and meeting["account_id"]
            and meeting["account_id"][:15] in accounts
            and start <= datetime.fromisoformat(meeting["starts_at"]) < end
        )

    def held(self) -> Counter[tuple[str, int, str]]:
        """What Totango holds of it, in the form of :meth:`expected`."""
        found: Counter[tuple[str, int, str]] = Counter()
        for (account, moment, subject, _), count in self.written().items():
            found[account, moment, subject] += count
        return found


@dataclass
class Stage:
    """The Airflow of the session, with helpers that read what a run did."""

    airflow: LocalAirflow
    folder: Path
    scenes: dict[str, Scene] = field(default_factory=dict)
    running: ExitStack = field(default_factory=ExitStack)

    @property
    def rest(self) -> AirflowRest:
        return self.airflow.rest

    def scene(
        self, name: str, *, seed: int = 11, accounts: int = 12, meetings: int = 80, now: datetime | None = None
    ) -> Scene:
        """A sandbox of its own with connections that lead to it; started at once."""
        arguments = [f"--seed={seed}", f"--accounts={accounts}", f"--meetings={meetings}"]
        scene = self.prepared_scene(name, [*arguments, *([f"--now={now.isoformat()}"] if now else [])])
        scene.process.start()
        scene.unlimited()
        scene.connect()
        return scene

    def prepared_scene(self, name: str, arguments: list[str]) -> Scene:
        """A sandbox that is not started yet, on ports that stay the same."""
        for service in ("chorus", "totango", "salesforce", "control"):
            arguments = [*arguments, f"--{service}-port={any_free_port()}"]
        process = SandboxProcess(arguments, environment=os.environ, log_path=self.folder / f"sandbox-{name}.log")
        self.running.callback(process.stop)
        self.scenes[name] = Scene(name, process, self.rest)
        return self.scenes[name]

    def start(self, job_id: str, **params: Any) -> str:
        """Trigger a run, before a schedule could begin one of its own; its id."""
        conf = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in params.items()}
        run_id = self.rest.trigger(job_id, conf)
        self.rest.unpause(job_id)
        return run_id

    def run(self, job_id: str, **params: Any) -> str:
        """A run from trigger to its green end; its id."""
        run_id = self.start(job_id, **params)
        self.finish(job_id, run_id)
        return run_id

    def finish(self, job_id: str, run_id: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait for a run, which must end green."""
        state = self.rest.wait(job_id, run_id, timeout_s)
        if state != "success":
            raise AssertionError(f"{job_id} {run_id} is {state}\n{self.story(job_id, run_id)}")

    def story(self, job_id: str, run_id: str) -> str:
        """Tasks of a run with their tries, and the end of the log of the one that failed."""
        lines = []
        for task in self.tasks(job_id, run_id):
            lines.append(f"{task['task_id']}: {task['state']}, try {task['try_number']}")
            if task["state"] == "failed":
                log = self.rest.task_log(job_id, run_id, task["task_id"], task["try_number"])
                lines.append(log[-3000:])
        return "\n".join(lines)

    def tasks(self, job_id: str, run_id: str) -> list[dict[str, Any]]:
        path = f"dags/{job_id}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        return list(self.rest.call("GET", path)["task_instances"])

    def task(self, job_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        return next(task for task in self.tasks(job_id, run_id) if task["task_id"] == task_id)

    def statistics(self, job_id: str, run_id: str) -> dict[str, Any]:
        return dict(self.rest.xcom(job_id, run_id, "load")["stats"])

    def answer(self, path: str) -> str:
        """What Airflow's REST API answers, as text, an error included."""
        try:
            return json.dumps(self.rest.call("GET", path))
        except RestError as error:
            return str(error)

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        with Ledger.open(self.airflow.environment()["CSHUB_LEDGER_URL"]) as ledger:
            yield ledger


def await_true(what: str, check: Callable[[], Any], timeout_s: float = 60.0, every_s: float = 0.3) -> Any:
    """The first true answer of ``check``. Raises ``AssertionError`` when none comes."""
    deadline = time.monotonic() + timeout_s
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(every_s)
    return answer


def settled_counts(statistics: Mapping[str, Any]) -> int:
    """The right side of the law: read = created + updated + … + kept conflicts."""
    names = ("created", "updated", "deleted", "unchanged", "parked", "rejected", "failed", "conflicts_kept")
    return int(sum(statistics[name] for name in names) + sum(statistics["skipped"].values()))


def _epoch_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)

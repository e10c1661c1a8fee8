"""A small client of Airflow's REST API, for the demo and for tests that drive a running Airflow."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import requests

TIMEOUT_S = 30.0
POLL_S = 0.3


class RestError(RuntimeError):
    """Airflow answered a call with an error, or not at all in the given time."""


class RunState(StrEnum):
    """State of a DAG run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        """Whether the run has ended."""
        return self in (RunState.SUCCESS, RunState.FAILED)


@dataclass(frozen=True, kw_only=True)
class StoredConnection:
    """An Airflow connection to be stored: `host` is the service's url, `password` its token, `extra` a JSON text."""

    connection_id: str
    conn_type: str
    host: str | None = None
    password: str | None = None
    extra: str | None = None
    description: str | None = None


class AirflowRest:
    """Airflow's REST API v2 as one signed-in user. Signs in at the first call and again when a token has expired.

    Every method raises RestError with Airflow's own explanation when the call is refused.
    """

    def __init__(self, base_url: str, name: str, password: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._name = name
        self._password = password
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def call(self, method: str, path: str, *, json: object = None, params: Mapping[str, str] | None = None) -> Any:
        """Send one request to `/api/v2/<path>`; returns the parsed answer, None when it has no body."""
        answer = self._send(method, path, json, params)
        if answer.status_code == 401:
            self.sign_in()
            answer = self._send(method, path, json, params)
        if not answer.ok:
            raise RestError(f"{method} {path} was answered {answer.status_code}: {answer.text[:1000]}")
        return answer.json() if answer.content else None

    def sign_in(self) -> None:
        """Get a new token."""
        credentials = {"username": self._name, "password": self._password}
        answer = self._session.post(f"{self.base_url}/auth/token", json=credentials, timeout=TIMEOUT_S)
        if not answer.ok:
            raise RestError(f"Signing in as {self._name} was answered {answer.status_code}: {answer.text[:500]}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def unhealthy(self, since: datetime) -> list[str]:
        """Names of the components that have not reported themselves healthy after `since` (with time zone)."""
        health = self.call("GET", "monitor/health")
        return [name for name, report in health.items() if report and not _healthy(name, report, since)]

    def silent(self, since: datetime) -> list[str]:
        """Names of the components whose last heartbeat is older than `since` (with time zone)."""
        health = self.call("GET", "monitor/health")
        last = {name: (report or {}).get(f"latest_{name}_heartbeat") for name, report in health.items()}
        return [name for name, heartbeat in last.items() if heartbeat and datetime.fromisoformat(heartbeat) < since]

    def warm_up(self) -> None:
        """Make Airflow build the interface its tasks talk to, which would delay the first task by seconds."""
        requests.get(f"{self.base_url}/execution/health", timeout=TIMEOUT_S, proxies={"http": ""})

    def store_connection(self, connection: StoredConnection) -> None:
        """Create a connection, or overwrite the one that bears its id."""
        body = {
            "connection_id": connection.connection_id,
            "conn_type": connection.conn_type,
            "host": connection.host,
            "password": connection.password,
            "extra": connection.extra,
            "description": connection.description,
        }
        path = f"connections/{quote(connection.connection_id)}"
        if self._send("GET", path, None, None).status_code == 200:
            self.call("PATCH", path, json=body)
        else:
            self.call("POST", "connections", json=body)

    def store_pool(self, name: str, slots: int) -> None:
        """Create a pool of `slots` slots, or resize the one that bears its name."""
        body = {"name": name, "slots": slots, "include_deferred": False}
        if self._send("GET", f"pools/{quote(name)}", None, None).status_code == 200:
            self.call("PATCH", f"pools/{quote(name)}", json=body)
        else:
            self.call("POST", "pools", json=body)

    def dag_ids(self) -> list[str]:
        """Ids of all DAGs Airflow has read so far."""
        return sorted(dag["dag_id"] for dag in self.call("GET", "dags", params={"limit": "500"})["dags"])

    def import_errors(self) -> list[str]:
        """One text per DAG file Airflow could not read: file name and what went wrong."""
        found = self.call("GET", "importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip()}" for error in found]

    def await_dags(self, dag_ids: Iterable[str], timeout_s: float = 60.0) -> None:
        """Wait until Airflow has read all of these DAGs; raises RestError with the import errors otherwise."""
        wanted = set(dag_ids)
        deadline = time.monotonic() + timeout_s
        while missing := wanted - set(self.dag_ids()):
            if time.monotonic() > deadline:
                reasons = "\n".join(self.import_errors()) or "no file was refused; look for the id in the DAGs folder"
                raise RestError(f"Airflow has not read {', '.join(sorted(missing))}: {reasons}")
            time.sleep(POLL_S)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG."""
        self.call("PATCH", f"dags/{quote(dag_id)}", json={"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Keep the scheduler from starting runs of a DAG."""
        self.call("PATCH", f"dags/{quote(dag_id)}", json={"is_paused": True})

    def trigger(
        self, dag_id: str, conf: Mapping[str, object] | None = None, *, logical_date: datetime | None = None
    ) -> str:
        """Start a run by hand, with `conf` as its params; returns the run id. The DAG must not be paused to run."""
        moment = logical_date.isoformat() if logical_date else None
        body = {"logical_date": moment, "conf": dict(conf or {})}
        return str(self.call("POST", f"dags/{quote(dag_id)}/dagRuns", json=body)["dag_run_id"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """All runs of a DAG (at most 500), oldest first, as Airflow describes them."""
        answer = self.call("GET", f"dags/{quote(dag_id)}/dagRuns", params={"limit": "500", "order_by": "run_after"})
        return list(answer["dag_runs"])

    def run_state(self, dag_id: str, run_id: str) -> RunState:
        """State of one run."""
        return RunState(self.run(dag_id, run_id)["state"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run as Airflow describes it: state, start_date, end_date, conf and more."""
        return dict(self.call("GET", _run_path(dag_id, run_id)))

    def wait(
        self,
        dag_id: str,
        run_id: str,
        timeout_s: float = 120.0,
        *,
        on_poll: Callable[[Mapping[str, str | None]], None] | None = None,
    ) -> RunState:
        """Wait until a run has ended; returns its state. `on_poll` is given the tasks' states each time.

        Raises RestError with the tasks' states when the run has not ended after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while not (state := self.run_state(dag_id, run_id)).finished:
            if on_poll:
                on_poll(self.task_states(dag_id, run_id))
            if time.monotonic() > deadline:
                states = self.task_states(dag_id, run_id)
                raise RestError(f"{dag_id} {run_id} is {state} after {timeout_s:.0f} s; its tasks: {states}")
            time.sleep(POLL_S)
        return state

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """State of each task of a run, None for one that waits; a mapped task's id ends in its index."""
        found = self.call("GET", f"{_run_path(dag_id, run_id)}/taskInstances", params={"limit": "1000"})
        return {
            task["task_id"] + ("" if task["map_index"] < 0 else f"[{task['map_index']}]"): task["state"]
            for task in found["task_instances"]
        }

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """Log of one try of a task, one event per line."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/logs/{try_number}"
        events = self.call("GET", path, params={"full_content": "true"})["content"]
        return "\n".join(event if isinstance(event, str) else _log_line(event) for event in events)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """A value a task has left behind; None when there is none."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/xcomEntries/{quote(key)}"
        answer = self._send("GET", path, None, {"deserialize": "true"})
        if answer.status_code == 404:
            return None
        return self.call("GET", path, params={"deserialize": "true"})["value"]

    def progress(self, dag_id: str, run_id: str, task_id: str) -> Mapping[str, Any] | None:
        """What a running task last said of its progress; None when it has said nothing."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/state-store/progress"
        answer = self._send("GET", path, None, None)
        if answer.status_code != 200:
            return None
        value = answer.json()["value"]
        return value if isinstance(value, Mapping) else None

    def clear(self, dag_id: str, run_id: str, task_ids: Collection[str] = ()) -> None:
        """Run a run's tasks again: the named ones with what follows them, or all."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "only_failed": False,
            "include_downstream": True,
            "reset_dag_runs": True,
            **({"task_ids": list(task_ids)} if task_ids else {}),
        }
        self.call("POST", f"dags/{quote(dag_id)}/clearTaskInstances", json=body)

    def backfill(
        self,
        dag_id: str,
        start: datetime,
        end: datetime,
        *,
        conf: Mapping[str, object] | None = None,
        max_active_runs: int = 1,
        reprocess: str = "none",
    ) -> int:
        """Start a backfill of the runs whose interval begins in [start, end], both included; returns its id.

        `reprocess` is Airflow's behaviour towards runs that exist: none, completed or failed.
        """
        body = {
            "dag_id": dag_id,
            "from_date": start.isoformat(),
            "to_date": end.isoformat(),
            "dag_run_conf": dict(conf or {}),
            "max_active_runs": max_active_runs,
            "reprocess_behavior": reprocess,
        }
        return int(self.call("POST", "backfills", json=body)["id"])

    def wait_backfill(self, backfill_id: int, timeout_s: float = 300.0) -> None:
        """Wait until Airflow has closed a backfill (up to half a minute after its last run)."""
        deadline = time.monotonic() + timeout_s
        while not self.call("GET", f"backfills/{backfill_id}")["completed_at"]:
            if time.monotonic() > deadline:
                raise RestError(f"Backfill {backfill_id} has not ended after {timeout_s:.0f} s")
            time.sleep(1)

    def _send(self, method: str, path: str, json: object, params: Mapping[str, str] | None) -> requests.Response:
        if "Authorization" not in self._session.headers:
            self.sign_in()
        url = f"{self.base_url}/api/v2/{path}"
        headers = {"Accept": "application/json"}
        return self._session.request(
            method, url, json=json, params=dict(params or {}), timeout=TIMEOUT_S, headers=headers
        )


def _healthy(name: str, report: Mapping[str, str | None], since: datetime) -> bool:
    if name == "metadatabase":
        return report.get("status") == "healthy"
    heartbeat = report.get(f"latest_{name}_heartbeat")
    return report.get("status") == "healthy" and bool(heartbeat) and datetime.fromisoformat(str(heartbeat)) >= since


def _run_path(dag_id: str, run_id: str) -> str:
    return f"dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def _log_line(event: Mapping[str, Any]) -> str:
    details = event.get("error_detail")
    return f"{event.get('timestamp') or ''} {event.get('event', '')}{f' {details}' if details else ''}"

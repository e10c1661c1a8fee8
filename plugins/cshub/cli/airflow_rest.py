"""The REST API of a running Airflow: sign in, start runs and backfills, and look at them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import requests

from cshub.core.errors import (
    AuthenticationFailed,
    ConnectionSpecError,
    NotFound,
    PermissionDenied,
    ProtocolFault,
    RequestRefused,
    ServiceUnavailable,
)

URL = "CSHUB_AIRFLOW_URL"
TOKEN, USER, PASSWORD = "CSHUB_AIRFLOW_TOKEN", "CSHUB_AIRFLOW_USER", "CSHUB_AIRFLOW_PASSWORD"
TIMEOUT_S = 30.0


class RunState(StrEnum):
    """State of a DAG run in Airflow."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        return self in {RunState.SUCCESS, RunState.FAILED}


@dataclass(frozen=True, slots=True)
class Access:
    """How to sign in: a token, or user and password. Never shown."""

    token: str = ""
    user: str = ""
    password: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Access:
        return cls(environment.get(TOKEN, ""), environment.get(USER, ""), environment.get(PASSWORD, ""))

    def __repr__(self) -> str:
        return "Access(***)"


class AirflowRest:
    """Airflow's REST API v2. Every method raises the errors of :mod:`cshub.core.errors`; no message holds a secret."""

    def __init__(self, base_url: str, access: Access) -> None:
        self.base_url = base_url.rstrip("/")
        self._access = access
        self._session = requests.Session()

    def close(self) -> None:
        self._session.close()

    def dag(self, dag_id: str) -> dict[str, Any]:
        """What Airflow knows of a DAG; ``is_paused`` among it."""
        return self._get(f"dags/{quote(dag_id)}")

    def schedule(self, dag_id: str) -> tuple[str, str]:
        """Cron expression of a DAG, or other words when it has none, and the name of its time zone."""
        found = self._get(f"dags/{quote(dag_id)}/details")
        return str(found.get("timetable_summary") or ""), str(found.get("timezone") or "")

    def unpause(self, dag_id: str) -> None:
        self._call("PATCH", f"dags/{quote(dag_id)}", json={"is_paused": False})

    def trigger(self, dag_id: str, params: Mapping[str, Any]) -> str:
        """Start a run without data interval; its id."""
        body = {"logical_date": None, "conf": dict(params)}
        return str(self._call("POST", f"dags/{quote(dag_id)}/dagRuns", json=body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> RunState:
        return RunState(self._get(_run(dag_id, run_id))["state"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """State of each task by its id; None for one that has not begun."""
        found = self._get(f"{_run(dag_id, run_id)}/taskInstances", {"limit": "100"})
        return {task["task_id"]: task["state"] for task in found["task_instances"]}

    def last_error(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        """The message of the exception that ended the last try of a task, by its log; None when the log has none."""
        place = f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id)}"
        tries = self._get(place)["try_number"]
        log = self._optional(f"{place}/logs/{tries}", {"full_content": "true"}) or {}
        return error_in(log.get("content") or [])

    def progress(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """What a task last told of its progress; empty before it has."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id)}/state-store/progress"
        value = (self._optional(path) or {}).get("value")
        return value if isinstance(value, dict) else {}

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any] | None:
        """What a task returned; None when it returned nothing."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id)}/xcomEntries/return_value"
        value = (self._optional(path, {"deserialize": "true"}) or {}).get("value")
        return value if isinstance(value, dict) else None

    def backfill_dates(self, body: Mapping[str, Any]) -> list[str]:
        """Logical dates of the runs that a backfill would create."""
        found = self._call("POST", "backfills/dry_run", json=dict(body))
        return [str(item["logical_date"]) for item in found["backfills"]]

    def start_backfill(self, body: Mapping[str, Any]) -> int:
        return int(self._call("POST", "backfills", json=dict(body))["id"])

    def backfill(self, backfill_id: int) -> dict[str, Any]:
        return self._get(f"backfills/{backfill_id}")

    def runs_between(self, dag_id: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Runs whose logical date lies in [start, end], at most 1,000, oldest first."""
        query = {
            "logical_date_gte": start.isoformat(),
            "logical_date_lte": end.isoformat(),
            "limit": "1000",
            "order_by": "logical_date",
        }
        return list(self._get(f"dags/{quote(dag_id)}/dagRuns", query)["dag_runs"])

    def running(self, dag_id: str) -> list[str]:
        """Ids of the runs of a DAG that are at work or wait for an answer, the oldest first."""
        query = {"state": RunState.RUNNING.value, "limit": "100", "order_by": "run_after"}
        found = self._get(f"dags/{quote(dag_id)}/dagRuns", query)
        return [str(run["dag_run_id"]) for run in found["dag_runs"]]

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        return dict(self._call("GET", path, params=params))

    def _optional(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        try:
            return self._get(path, params)
        except NotFound:
            return None

    def _call(self, method: str, path: str, *, json: Any = None, params: Mapping[str, str] | None = None) -> Any:
        if "Authorization" not in self._session.headers:
            self._sign_in()
        return self._answer(method, f"/api/v2/{path}", json, params)

    def _sign_in(self) -> None:
        token = self._access.token
        if not token:
            if not self._access.user:
                raise ConnectionSpecError(
                    f"There is no access to Airflow: set {TOKEN}, or {USER} and {PASSWORD}, in the environment."
                )
            body = {"username": self._access.user, "password": self._access.password}
            token = str(self._answer("POST", "/auth/token", body, None)["access_token"])
        self._session.headers["Authorization"] = f"Bearer {token}"

    def _answer(self, method: str, path: str, json: Any, params: Mapping[str, str] | None) -> Any:
        place = f"Airflow at {self.base_url}: {method} {path}"
        try:
            answer = self._session.request(
                method, f"{self.base_url}{path}", json=json, params=dict(params or {}), timeout=TIMEOUT_S
            )
        except requests.RequestException as error:
            raise ServiceUnavailable(
                f"{place}: no answer ({type(error).__name__}). Check the address and that Airflow runs, then try again."
            ) from error
        if answer.ok:
            return _parsed(answer, place)
        raise _refusal(answer, place)


def error_in(lines: Sequence[Any]) -> str | None:
    """The last exception in the lines of a task's log, as Airflow's REST API gives them; None without one."""
    found = [line["error_detail"] for line in lines if isinstance(line, dict) and line.get("error_detail")]
    if not found:
        return None
    raised = found[-1][0]
    return str(raised.get("exc_value") or raised.get("exc_type") or "") or None


def _run(dag_id: str, run_id: str) -> str:
    return f"dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def _parsed(answer: requests.Response, place: str) -> Any:
    try:
        return answer.json() if answer.content else {}
    except ValueError as error:
        raise ProtocolFault(f"{place}: the answer is no JSON. Is this the address of an Airflow 3?") from error


def _refusal(answer: requests.Response, place: str) -> Exception:
    status = answer.status_code
    if status == 401:
        return AuthenticationFailed(f"{place}: signing in was refused. Check {TOKEN}, or {USER} and {PASSWORD}.")
    if status == 403:
        return PermissionDenied(f"{place}: this user may not do that. Use one whose role may trigger DAGs.")
    if status >= 500:
        return ServiceUnavailable(f"{place}: answered {status}. Try again later.")
    verdict = _verdict(answer)
    kind = NotFound if status == 404 else RequestRefused
    return kind(f"{place}: answered {status}: {verdict}", status=status, verdict=verdict)


def _verdict(answer: requests.Response) -> str:
    try:
        detail = answer.json().get("detail", "")
    except (ValueError, AttributeError):
        detail = ""
    return str(detail or answer.reason)[:500]

"""Runs one DAG with ``dag.test()``: ``python -m cshub.cli.dag_child JOB PARAMS_JSON EVENTS_FILE``.

Airflow logs to the standard streams, so what the parent must know is appended to a file, one JSON object a line.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cshub.core.errors import StateError, TransientError

if TYPE_CHECKING:
    from airflow.sdk import DAG


class Events:
    """Tells the parent, one line at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def tell(self, **facts: Any) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")


def main(job: str, params: Mapping[str, Any], events: Events) -> int:
    """0 when the DAG run ended in success, 1 otherwise."""
    _prepare_database()
    dag = _dag(job)
    _watch(dag, events)
    run = dag.test(logical_date=None, run_conf=dict(params))
    events.tell(ended=True, run_id=f"{run.dag_id}:{run.run_id}")
    return 0 if str(run.state) == "success" else 1


def _prepare_database() -> None:
    """Airflow's metadata tables, made on first use; only one process at a time."""
    home = Path(os.environ["AIRFLOW_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        from airflow import __version__
        from airflow.utils.db import initdb

        mark = home / ".prepared"
        if not mark.exists() or mark.read_text() != __version__:
            initdb()
            mark.write_text(__version__)


def _dag(job: str) -> DAG:
    """Raises :class:`StateError` when no file of the DAGs folder makes this DAG."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    dag = bag.dags.get(job)
    if dag is None:
        reasons = "; ".join(text.strip().splitlines()[-1] for text in bag.import_errors.values())
        raise StateError(
            f"No file of the DAGs folder makes a DAG for {job}. {reasons or 'Is there one for its integration type?'}"
        )
    return dag


def _watch(dag: DAG, events: Events) -> None:
    from cshub.cli.unattended import UnattendedApprove
    from cshub.operators.steps import APPROVE, DIFF

    def begun(context: Any) -> None:
        events.tell(step=context["ti"].task_id, run_id=f"{context['dag_run'].dag_id}:{context['dag_run'].run_id}")

    def done(context: Any) -> None:
        if context["ti"].task_id == DIFF:
            planned = context["ti"].xcom_pull(task_ids=DIFF)
            if isinstance(planned, dict) and "plan_id" in planned:
                events.tell(plan_id=planned["plan_id"])

    def failed(context: Any) -> None:
        error = context.get("exception")
        events.tell(failure={"message": str(error), "transient": isinstance(error, TransientError)})

    def retried(context: Any) -> None:
        events.tell(retry=str(context.get("exception")))

    for task in dag.tasks:
        task.on_execute_callback = [begun]
        task.on_success_callback = [done]
        task.on_failure_callback = [failed]
        task.on_retry_callback = [retried]
    approve = dag.get_task(APPROVE)
    approve.__class__ = UnattendedApprove
    UnattendedApprove.refused = lambda excesses: events.tell(refused=list(excesses))


if __name__ == "__main__":
    told = Events(Path(sys.argv[3]))
    try:
        status = main(sys.argv[1], json.loads(sys.argv[2]), told)
    except Exception as error:
        told.tell(failure={"message": str(error), "transient": isinstance(error, TransientError)})
        raise
    sys.exit(status)

"""An Airflow of its own that runs whole DAGs by ``dag.test()``, and commands of ``cshub``: one for each line given.

A line of standard input is a JSON object: ``environment`` (replaces all variables of the hub), ``now`` (the moment that
it is for the hub) and either ``command``, or ``dag`` with ``conf`` and the ``answer`` that a person gives when the run
asks. The answer is a line of standard output.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, TextIO

import time_machine
from airflow.configuration import conf as airflow_conf
from airflow.utils.db import initdb

from cshub.pipeline import readback

OURS = ("CSHUB_", "AIRFLOW_CONN_")
LOOK_EVERY_S = 0.2


class Person:
    """Answers the question of one run as Airflow's REST route does it. ``asked``: subject and body of the question."""

    def __init__(self, dag_id: str, answer: str) -> None:
        self._dag_id = dag_id
        self._answer = answer
        self._gone = threading.Event()
        self.asked: dict[str, str] = {}

    @contextmanager
    def at_the_desk(self) -> Iterator[None]:
        thread = threading.Thread(target=self._wait)
        thread.start()
        try:
            yield
        finally:
            self._gone.set()
            thread.join()

    def _wait(self) -> None:
        while not self.asked and not self._gone.wait(LOOK_EVERY_S):
            self._look()

    def _look(self) -> None:
        from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
        from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from airflow.utils.state import TaskInstanceState

        with create_session() as session:
            waits = (TaskInstance.dag_id == self._dag_id, TaskInstance.state == TaskInstanceState.AWAITING_INPUT)
            task = session.query(TaskInstance).filter(*waits).first()
            if task is None:
                return
            ana: Any = SimpleNamespace(get_id=lambda: "ana", get_name=lambda: "ana")
            payload = UpdateHITLDetailPayload(chosen_options=[self._answer], params_input={})
            update_hitl_detail(task.dag_id, task.run_id, task.task_id, payload, ana, session)
            self.asked = {"subject": task.hitl_detail.subject, "body": task.hitl_detail.body or ""}


def run_dag(dag_id: str, conf: Mapping[str, Any], answer: str) -> dict[str, Any]:
    """One whole run of a DAG: states of run and tasks, what they returned, what a person was asked."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(airflow_conf.get("core", "dags_folder"))
    dag = bag.dags.get(dag_id)
    if dag is None:
        return {"state": "missing", "trace": json.dumps(bag.import_errors), "dags": sorted(bag.dags)}
    person = Person(dag_id, answer)
    with person.at_the_desk():
        run = dag.test(logical_date=datetime.now(UTC), run_conf=dict(conf))
    return {
        "state": str(run.state),
        "run_id": f"{dag_id}:{run.run_id}",
        "tasks": {task.task_id: str(task.state) for task in run.get_task_instances()},
        "returned": _returned(run),
        "asked": person.asked,
    }


def run_command(words: list[str]) -> dict[str, Any]:
    """A command of ``cshub`` as if typed in a terminal of 160 columns."""
    from typer.testing import CliRunner

    from cshub.cli.app import app

    done = CliRunner(env={"COLUMNS": "160", "NO_COLOR": "1"}).invoke(app, words, prog_name="cshub")
    trace = done.exception is not None and not isinstance(done.exception, SystemExit)
    shown = "".join(traceback.format_exception(done.exception)) if trace else ""
    return {"code": done.exit_code, "out": done.stdout, "err": done.stderr, "trace": shown}


def _returned(run: Any) -> dict[str, Any]:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        mine = (XComModel.dag_id == run.dag_id, XComModel.run_id == run.run_id, XComModel.key == "return_value")
        rows = session.query(XComModel).filter(*mine).all()
        return {row.task_id: XComModel.deserialize_value(row) for row in rows}


def answer_to(asked: Mapping[str, Any]) -> dict[str, Any]:
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    os.environ.update(asked["environment"])
    with time_machine.travel(datetime.fromisoformat(asked["now"]), tick=True):
        if "command" in asked:
            return run_command(asked["command"])
        return run_dag(asked["dag"], asked["conf"], asked["answer"])


def serve(lines: TextIO, answers: TextIO) -> None:
    """Answers until the lines end."""
    readback.SEARCH_LAG_S = 0.0  # as the simulated Totango is set
    initdb()
    answers.write("{}\n")
    answers.flush()
    for line in lines:
        try:
            answer = answer_to(json.loads(line))
        except Exception:
            answer = {"trace": traceback.format_exc()}
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()


if __name__ == "__main__":
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.stdin, told)

"""The whole DAG by ``dag.test()``, as somebody would run it in a debugger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cshub.settings import PROJECT, Settings
from cshub_sandbox.testing import RunningSandbox
from tests.operators.conftest import JOB

SCRIPT = f"""
import json
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.dagbag import DagBag
run = DagBag("{PROJECT / "dags"}").dags["{JOB}"].test(run_conf={{"full_sync": False}})
states = {{ti.task_id: str(ti.state) for ti in run.get_task_instances()}}
print("\\n" + json.dumps({{"run": str(run.state), "tasks": states}}))
"""


@pytest.mark.live
def test_the_whole_dag_runs_green_by_dag_test(sandbox: RunningSandbox, settings: Settings, tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["run"] == "success", done.stdout[-3000:]
    assert set(told["tasks"].values()) == {"success"}
    notes = sandbox.control.state("totango")["touchpoints"]
    assert sum(note["by_api"] for note in notes) > 5

"""DAGs of the project's own files, read without any database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cshub.settings import PROJECT

DAGS = PROJECT / "dags"
PROBE = Path(__file__).parent / "dag_probe.py"

BARE = """\
from airflow.sdk import DAG, task

with DAG("bare"):

    @task
    def nothing():
        pass

    nothing()
"""

Probe = Callable[..., dict[str, Any]]


def _probed(home: Path, *arguments: str, environment: Mapping[str, str]) -> dict[str, Any]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "CSHUB_"))}
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody@/none?host=/nonexistent",
    }
    command = [sys.executable, str(PROBE), *arguments]
    done = subprocess.run(
        command, env={**kept, **settings, **environment}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    """Reads the project's DAG files in a process of its own, with these settings; what Airflow makes of them."""
    home, bare = tmp_path_factory.mktemp("airflow-home"), tmp_path_factory.mktemp("bare")
    (bare / "bare.py").write_text(BARE, encoding="utf-8")

    def run(**environment: str) -> dict[str, Any]:
        return _probed(home, str(DAGS), str(bare), environment=environment)

    return run


@pytest.fixture(scope="session")
def read(probe: Probe) -> dict[str, Any]:
    """What Airflow makes of the project's DAG files with the project's jobs, for a hub in Berlin."""
    return probe(CSHUB_TIMEZONE="Europe/Berlin")

"""Where Airflow finds its settings when the command line uses its library outside of a running Airflow."""

from __future__ import annotations

import os
from pathlib import Path

from cshub.settings import PROJECT, Settings


def local_home() -> Path:
    """The small Airflow home of the command line, below the current folder."""
    return Path.cwd() / ".cshub" / "airflow"


def settle_airflow() -> None:
    """Name Airflow's home before its library is imported, so that it writes nothing outside ``.cshub``.

    An ``AIRFLOW_HOME`` of the environment stays, and with it that Airflow's connections.
    """
    environment = os.environ
    if "AIRFLOW_HOME" in environment or "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in environment:
        environment.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")  # connections of the metadata database count
    environment.setdefault("AIRFLOW_HOME", str(local_home()))
    environment.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    environment.setdefault("AIRFLOW__CORE__DAGS_FOLDER", str(PROJECT / "dags"))
    environment.setdefault("AIRFLOW__CORE__PLUGINS_FOLDER", str(PROJECT / "plugins"))
    environment.setdefault("AIRFLOW__CORE__DEFAULT_TIMEZONE", str(Settings.from_environment().timezone))
    environment.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")

"""Reads a folder of DAG files as Airflow's DAG processor does, and prints what it found as one line of JSON.

Usage: dag_probe.py FOLDER BARE, where BARE is a folder with the simplest possible DAG file, to compare with. No
metadata database is needed or touched.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

HEAVY = ("pandas", "pandera", "pyarrow", "numpy", "psycopg2", "sqlalchemy", "simple_salesforce", "lark", "zeep")
OURS_HEAVY = ("cshub.ledger", "cshub.pipeline", "cshub.staging")
NIGHTS = 200
"""From 20 October on: both changes of daylight-saving time in Europe and in America."""


def main(folder: str, bare: str) -> None:
    with contextlib.redirect_stdout(sys.stderr):
        began = time.process_time()
        from airflow.dag_processing.dagbag import DagBag
        from airflow.plugins_manager import ensure_plugins_loaded
        from airflow.serialization.serialized_objects import DagSerialization

        ensure_plugins_loaded()
        DagBag(bare)
        airflow_s = time.process_time() - began
        before = set(sys.modules)
        bag = DagBag(folder)
        hub_s = time.process_time() - began - airflow_s
        came = set(sys.modules) - before
        serialized = {dag_id: DagSerialization.to_dict(dag) for dag_id, dag in bag.dags.items()}
        found = {
            "dags": {dag_id: described(dag) for dag_id, dag in bag.dags.items()},
            "errors": bag.import_errors,
            "airflow_s": airflow_s,
            "hub_s": hub_s,
            "heavy": sorted(name for name in came if name.split(".")[0] in HEAVY or name.startswith(OURS_HEAVY)),
            "bare": sorted(name for name, module in list(sys.modules.items()) if is_bare(name, module)),
            "serialized": serialized,
            "nights": {
                dag_id: nights(DagSerialization.from_dict(plain).timetable) for dag_id, plain in serialized.items()
            },
        }
    print(json.dumps(found, default=str))


def is_bare(name: str, module: Any) -> bool:
    """Whether a file of the hub's package was loaded under a name outside of the package."""
    return "/plugins/cshub/" in (getattr(module, "__file__", None) or "") and name.split(".")[0] != "cshub"


def described(dag: Any) -> dict[str, Any]:
    return {
        "display_name": dag.dag_display_name,
        "tags": sorted(dag.tags),
        "doc_md": dag.doc_md,
        "timetable": type(dag.timetable).__name__,
        "catchup": dag.catchup,
        "paused": dag.is_paused_upon_creation,
        "form": {name: dag.params.get_param(name).serialize() for name in dag.params},
        "tasks": {
            task.task_id: {
                "display_name": task.task_display_name,
                "doc_md": task.doc_md,
                "retries": task.retries,
                "retry_delay_s": task.retry_delay.total_seconds(),
                "downstream": sorted(task.downstream_task_ids),
            }
            for task in dag.tasks
        },
    }


def nights(timetable: Any) -> list[tuple[str, str]]:
    """The first data intervals the timetable gives, as the scheduler would make them."""
    import pendulum
    from airflow.timetables.base import TimeRestriction

    zone = getattr(timetable, "_timezone", None)
    if zone is None:
        return []
    earliest = pendulum.instance(datetime(2026, 10, 20, tzinfo=ZoneInfo(zone.name)))
    restriction = TimeRestriction(earliest=earliest, latest=None, catchup=True)
    intervals: list[tuple[str, str]] = []
    last = None
    while len(intervals) < NIGHTS:
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        last = info.data_interval
        intervals.append((last.start.isoformat(), last.end.isoformat()))
    return intervals


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

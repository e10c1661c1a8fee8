"""Jobs of the documentation, run as whole DAGs against a sandbox, and what both services hold afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from cshub.settings import PROJECT
from cshub_sandbox.testing import RunningSandbox

DOCS = PROJECT / "docs" / "integrations"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SEED, ACCOUNTS = 5, 8
_BLOCK = re.compile(r"^```(?:yaml|python)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
Record = Mapping[str, Any]


def documented_files() -> dict[str, str]:
    """Path → text of every file that the pages show: a block of YAML or Python whose first line is a path."""
    found: dict[str, str] = {}
    for page in sorted(DOCS.glob("*.md")):
        for path, text in _BLOCK.findall(page.read_text("utf-8")):
            assert found.setdefault(path, text) == text, f"{path} is shown twice, and differs"
    return found


class AirflowChild:
    """An Airflow in a process and a home of its own; see ``airflow_child.py``. Its DAG files can be added to."""

    def __init__(self, home: Path) -> None:
        self.dags = home / "dags"
        shutil.copytree(PROJECT / "dags", self.dags, ignore=shutil.ignore_patterns("__pycache__", "job_files.py"))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CSHUB_", "AIRFLOW_"))},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        self._log = (home / "child.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("airflow_child.py"))],
            cwd=home,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._answer()

    def ask(self, **asked: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def story(self) -> str:
        """The end of what Airflow has logged."""
        self._log.flush()
        return Path(self._log.name).read_text("utf-8", errors="replace")[-6000:]

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        self._log.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the child is gone\n{self.story()}")
        answer: dict[str, Any] = json.loads(line)
        assert not answer.get("trace"), answer["trace"]
        return answer


@dataclass(frozen=True)
class Ran:
    """One run of a DAG. ``asked``: what a person was asked, {} when nobody was."""

    state: str
    run_id: str
    tasks: Mapping[str, str]
    returned: Mapping[str, Any]
    asked: Mapping[str, str]

    @property
    def statistics(self) -> Mapping[str, Any]:
        return dict(self.returned["load"]["stats"])

    def counts(self) -> dict[str, int]:
        """Numbers above 0 of what became of the records that were read."""
        names = ("created", "updated", "deleted", "unchanged", "parked", "rejected", "failed", "conflicts_kept")
        found = {name: int(self.statistics[name]) for name in names if self.statistics[name]}
        return {**found, **{f"skipped {reason}": count for reason, count in self.statistics["skipped"].items()}}

    @property
    def writes(self) -> int:
        return sum(self.counts().get(name, 0) for name in ("created", "updated", "deleted"))


@dataclass
class Stage:
    """A folder of jobs, a ledger and staging of one test, and the simulated services."""

    sandbox: RunningSandbox
    airflow: AirflowChild
    folder: Path

    @classmethod
    def set(cls, sandbox: RunningSandbox, airflow: AirflowChild, folder: Path) -> Self:
        """A new world with two weeks between now and the first event that tests make, and no limit of calls."""
        sandbox.control.reset(seed=SEED, accounts=ACCOUNTS, meetings=0, now=NOW.isoformat())
        for service in ("salesforce", "totango"):
            sandbox.control.switch(service, **_DEFAULTS[service])
        shutil.copytree(PROJECT / "include" / "mappings", folder / "include" / "mappings")
        (folder / "include" / "jobs").mkdir(parents=True)
        return cls(sandbox, airflow, folder)

    def install(self, *paths: str, put: Mapping[str, str] | None = None) -> None:
        """Write files that the documentation shows; ``put``: a name in them → what the sandbox calls it."""
        shown = documented_files()
        for path in paths:
            text = shown[path]
            for name, real in (put or {}).items():
                assert name in text, f"{path} does not name {name}"
                text = text.replace(name, real)
            place = self.airflow.dags / Path(path).name if path.startswith("dags/") else self.folder / path
            place.write_text(text, "utf-8")

    def edit_job(self, job_id: str, old: str, new: str) -> None:
        """A person edits a job file."""
        path = self.folder / "include" / "jobs" / f"{job_id}.yaml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    def run(self, job_id: str, *, answer: str = "Approve", green: bool = True, **conf: Any) -> Ran:
        """The job's whole DAG, a minute later than what was before it."""
        self.wait(minutes=1)
        told = self.airflow.ask(**self._where, dag=job_id, conf=conf, answer=answer)
        assert told["state"] != "missing", told
        ran = Ran(**told)
        if green:
            assert ran.state == "success", self.airflow.story()
        self.wait(minutes=1)
        return ran

    def cshub(self, *words: str, code: int = 0) -> str:
        """What the command prints."""
        told = self.airflow.ask(**self._where, command=list(words))
        assert told["code"] == code, told
        return str(told["out"])

    def cshub_json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.cshub(*words, "--json", code=code))

    def wait(self, *, minutes: float) -> None:
        self.sandbox.control.advance(minutes * 60)

    @property
    def now(self) -> datetime:
        return self.sandbox.control.now()

    def act(self, service: str, action: str, **arguments: Any) -> Any:
        return self.sandbox.control.act(service, action, **arguments)

    def records(self, service: str, name: str) -> list[Any]:
        """Records that are not deleted."""
        held = self.sandbox.control.state(service)[name]
        return [row for row in held if not row.get("IsDeleted") and not row.get("deleted")]

    def one(self, service: str, name: str, **holds: Any) -> Any:
        """The one record that holds these values."""
        found = self.all(service, name, **holds)
        assert len(found) == 1, (holds, [{key: row.get(key) for key in holds} for row in self.records(service, name)])
        return found[0]

    def all(self, service: str, name: str, **holds: Any) -> list[Any]:
        rows = self.records(service, name)
        return [row for row in rows if all(row.get(key) == value for key, value in holds.items())]

    @cached_property
    def account(self) -> Record:
        """A customer whose id in Totango is not its id in Salesforce; ``sfid`` is the latter."""
        row = next(row for row in self.records("totango", "accounts") if row["id"].startswith("CUST-"))
        return {**row, "sfid": row["attributes"]["sfid"]}

    def new(self, object_name: str, **fields: Any) -> str:
        """A user of Salesforce makes a record of :attr:`account`; its id."""
        if object_name in ("Event", "Task"):
            fields = {"WhatId": self.account["sfid"], **fields}
        if object_name == "Event" and "StartDateTime" not in fields:
            fields = {"IsAllDayEvent": True, "ActivityDate": "2026-11-19", **fields}
        row = self.act("salesforce", "create_record", object=object_name, fields=fields)
        self.wait(minutes=1)
        return str(row["Id"])

    def edit(self, record_id: str, **fields: Any) -> None:
        """A user of Salesforce edits a record."""
        self.act("salesforce", "edit_record", id=record_id, fields=fields)
        self.wait(minutes=2)

    def note(self, *, at: datetime | None = None, **fields: Any) -> int:
        """A team member writes a touchpoint of :attr:`account`, dated ``at``; its note id."""
        dated = {} if at is None else {"create_date": round(at.timestamp() * 1000)}
        row = self.act("totango", "create_touchpoint", **{"account_id": self.account["id"], **dated, **fields})
        self.wait(minutes=1)
        return int(row["note_id"])

    def edit_note(self, note_id: int, **fields: Any) -> None:
        self.act("totango", "edit_touchpoint", note_id=note_id, **fields)
        self.wait(minutes=2)

    @property
    def _where(self) -> dict[str, Any]:
        return {"environment": self._environment(), "now": self.now.isoformat()}

    def _environment(self) -> dict[str, str]:
        login, totango = self.sandbox.salesforce_login, self.sandbox.totango
        salesforce = {
            "domain": login["domain"],
            "consumer_key": login["client_id"],
            "consumer_secret": login["client_secret"],
            "endpoint_override": self.sandbox.salesforce.url,
        }
        connections: Mapping[str, Mapping[str, Any]] = {
            "SALESFORCE": {"conn_type": "salesforce", "extra": salesforce},
            "TOTANGO": {
                "conn_type": "totango",
                "host": totango.url,
                "password": totango.token,
                "extra": {"calls_per_minute": 10_000},
            },
        }
        return {
            "CSHUB_JOBS_DIR": str(self.folder / "include" / "jobs"),
            "CSHUB_MAPPINGS_DIR": str(self.folder / "include" / "mappings"),
            "CSHUB_LEDGER_URL": f"sqlite:///{self.folder / 'ledger.db'}",
            "CSHUB_STAGING_URL": (self.folder / "staging").as_uri(),
            "CSHUB_TIMEZONE": "Europe/Berlin",
            "CSHUB_RETRY_DELAY_S": "1",
            **{f"AIRFLOW_CONN_{name}_DEFAULT": json.dumps(told) for name, told in connections.items()},
        }


_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "salesforce": {"activity_type_field": True, "shared_activities": False},
    "totango": {"rate_limit": 1_000_000, "search_lag_s": 0.0},
}


def prepare_visits(stage: Stage) -> None:
    """The org gets the custom object that the page on touchpoints writes to."""
    stage.act("salesforce", "add_custom_object", name="Visit__c", parent="Account")
    fields: list[dict[str, Any]] = [
        {"name": "Totango_Key__c", "length": 40, "external_id": True, "unique": True},
        {"name": "Notes__c"},
        {"name": "Visited_On__c", "type": "date"},
    ]
    for field in fields:
        stage.act("salesforce", "add_custom_field", object="Visit__c", **field)

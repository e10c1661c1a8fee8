"""Looks for the secrets of connections wherever the hub leaves text: logs, errors, returns, ledger, staged frames."""

from __future__ import annotations

import logging
import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from random import Random
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq

from cshub_sandbox.kernel import Reply, Request
from tests.campaigns.fuzz_findings import Count, Findings
from tests.pipeline.lab import Course, Lab

REFUSALS = (400, 403, 404, 409, 422, 429, 500, 502, 503)


class Watch:
    """Knows secrets and searches texts for them."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._secrets: set[str] = set()

    def guard(self, *secrets: str) -> None:
        self._secrets |= {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}

    def guard_lab(self, lab: Lab) -> None:
        """Tokens of all services, and what Salesforce's sign-in takes and gives."""
        services = [lab.sandbox.service(name) for name in lab.sandbox.names]
        login = lab.sandbox.service("salesforce").login
        names = ("client_secret", "password", "security_token")
        self.guard(*(str(service.token) for service in services), *(str(login.get(name, "")) for name in names))

    def look(self, place: str, text: str) -> None:
        self._findings.counts[Count.PLACES] += 1
        found = next((secret for secret in self._secrets if secret in text), None)
        if found is not None:
            at = text.index(found)
            hidden = text.replace(found, f"{found[:4]}…(a secret)")
            self._findings.wrong(Count.LEAKS, f"{place}: …{hidden[max(0, at - 200) : at + 100]}…")

    def look_at_error(self, place: str, error: BaseException) -> None:
        self.look(f"{place}, error", "".join(traceback.format_exception(error)))

    def look_at_course(self, place: str, course: Course) -> None:
        """What the steps of a run return to Airflow."""
        self.look(f"{place}, returns", repr((course.extracted, course.mapped, course.planned)))
        if course.done is not None:
            self.look(f"{place}, returns", repr(course.done.loaded))

    def look_at_stores(self, place: str, lab: Lab) -> None:
        """Every table of the ledger, every staged frame and every file's name."""
        with closing(sqlite3.connect(lab.folder / "ledger.db")) as ledger:
            for (table,) in ledger.execute("select name from sqlite_master where type = 'table'").fetchall():
                rows = ledger.execute(f'select * from "{table}"').fetchall()
                self.look(f"{place}, table {table}", repr(rows))
        for path in sorted(lab.folder.rglob("*.parquet")):
            table = pq.read_table(path)
            self.look(f"{place}, frame {path.name}", f"{path}{table.schema}{table.to_pylist()}")

    @contextmanager
    def listening(self, place: str) -> Iterator[None]:
        """Every line logged meanwhile, however unimportant, is looked at."""
        ear, root = _Ear(), logging.getLogger()
        level = root.level
        root.addHandler(ear)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.setLevel(level)
            root.removeHandler(ear)
            self.look(f"{place}, log", "\n".join(ear.lines))


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def repeating_what_they_hear(lab: Lab, rng: Random, share: float) -> Iterator[None]:
    """Meanwhile the services refuse this share of calls, and tell the headers and body of the call back."""
    services = [lab.sandbox.service(name) for name in lab.sandbox.names]

    def stubborn(service: Any) -> Any:
        honest = service.handle

        def handle(request: Request) -> Reply:
            if rng.random() >= share:
                reply: Reply = honest(request)
                return reply
            told = f"refused: {dict(request.headers)} {request.body.decode('utf-8', 'replace')[:2000]}"
            status = rng.choice(REFUSALS)
            if service.name == "salesforce":
                return Reply.json(status, [{"message": told, "errorCode": "ODD"}])
            return Reply.json(status, {"error": {"message": told}, "message": told})

        return handle

    for service in services:
        service.handle = stubborn(service)
    try:
        yield
    finally:
        for service in services:
            service.__dict__.pop("handle", None)

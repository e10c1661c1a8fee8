"""A whole hub and its services in one process under one clock: no sockets, no waiting."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from cshub.core.jobs import BoundJob
from cshub.core.records import RunKind
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.ledger import Ledger
from cshub.library import JobLibrary
from cshub.pipeline.diff import Planned, diff
from cshub.pipeline.extract import Extracted, extract
from cshub.pipeline.load import Loaded, LoadOrder, load
from cshub.pipeline.map import Mapped, map_records
from cshub.pipeline.run import Asked, Run
from cshub.settings import PROJECT
from cshub.staging import Staging
from cshub.systems import registry
from cshub.systems.chorus.catalog import EngagementOptions
from cshub.systems.chorus.client import ChorusClient
from cshub.systems.chorus.source import ChorusEngagements
from cshub.systems.http import Wire
from cshub.systems.totango.catalog import TouchpointOptions
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.target import TotangoTouchpoints
from cshub_sandbox.inprocess import AnswerLost, AnswerTooSlow, AnswerTruncated, ConnectTimeout, call
from cshub_sandbox.kernel import Request
from cshub_sandbox.sandbox import Sandbox, WorldSize
from requests.adapters import BaseAdapter

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
JOB_ID = "chorus_touchpoints_inbound"


class GateAdapter(BaseAdapter):
    """Carries requests to a service of the sandbox, and its transport faults back, without a socket."""

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        super().__init__()
        self._sandbox = sandbox
        self._name = name

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        body = request.body or b""
        asked = Request(
            method=request.method or "GET",
            path=parts.path,
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): str(value) for name, value in request.headers.items()},
            body=body.encode() if isinstance(body, str) else bytes(body),  # type: ignore[arg-type]
        )
        try:
            reply = call(self._sandbox.gates[self._name], asked)
        except ConnectTimeout as error:
            raise requests.ConnectTimeout(str(error)) from error
        except AnswerTooSlow as error:
            raise requests.ReadTimeout(str(error)) from error
        except AnswerTruncated as error:
            raise requests.exceptions.ChunkedEncodingError(str(error)) from error
        except AnswerLost as error:
            raise requests.ConnectionError(
                urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, str(error)))
            ) from error
        response = requests.Response()
        response.status_code = reply.status
        response.headers.update(reply.headers)
        response.url = request.url or ""
        response.request = request
        response.raw = urllib3.HTTPResponse(
            body=io.BytesIO(reply.body), headers=dict(reply.headers), status=reply.status, preload_content=False
        )
        return response

    def close(self) -> None:
        """Nothing is kept open."""


@dataclass
class LabClock:
    """The sandbox's frozen clock as the hub's: sleeping moves it."""

    sandbox: Sandbox

    def now(self) -> datetime:
        return self.sandbox.clock.now()

    def sleep(self, seconds: float) -> None:
        self.sandbox.clock.advance(timedelta(seconds=seconds))


@dataclass
class Crash(BaseException):
    """Stands for kill -9: nothing of the hub catches it."""


@dataclass
class Done:
    """One run from end to end, as far as it came."""

    run: Run
    extracted: Extracted
    mapped: Mapped
    planned: Planned
    loaded: Loaded

    @property
    def statistics(self) -> RunStatistics:
        return self.loaded.statistics


@dataclass
class Lab:
    """``sandbox``, ``ledger`` and files of one test. ``job`` may be replaced between runs."""

    sandbox: Sandbox
    ledger: Ledger
    folder: Path
    job: BoundJob = field(default_factory=lambda: JobLibrary.from_settings().bound(JOB_ID))
    numbers: Any = field(default_factory=count)

    @classmethod
    def make(cls, folder: Path, *, seed: int = 3, accounts: int = 10, meetings: int = 40, cases: bool = True) -> Lab:
        size = WorldSize(seed=seed, accounts=accounts, meetings=meetings, cases=cases)
        sandbox = Sandbox(size=size, now=NOW)
        sandbox.clock.freeze(True)
        sandbox.service("totango").switches.rate_limit = 1_000_000
        ledger = Ledger.open(f"sqlite:///{folder / 'ledger.db'}")
        return cls(sandbox, ledger, folder)

    @property
    def clock(self) -> LabClock:
        return LabClock(self.sandbox)

    def wire(self, name: str) -> Wire:
        return Wire(adapter=GateAdapter(self.sandbox, name), sleep=self.clock.sleep)

    def configure(self, **changes: Any) -> None:
        """Change settings of the job, as its file would."""
        self.job = self.job.model_copy(update={"job": self.job.job.model_copy(update=changes)})

    def new_run(self, kind: RunKind = RunKind.MANUAL, *, run_id: str | None = None) -> Run:
        template = self.job.template
        return Run(
            run_id=run_id or f"lab-{next(self.numbers)}",
            kind=kind,
            bound=self.job,
            source_spec=registry.object_spec(template.source),
            target_spec=registry.object_spec(template.target),
            ledger=self.ledger,
            staging=Staging((self.folder / "staging").as_uri()),
            open_source=self._source,
            open_target=self._target,
            clock=self.clock,
        )

    def sync(self, kind: RunKind = RunKind.MANUAL, *, asked: Asked | None = None) -> Done:
        """One whole run."""
        run = self.new_run(kind)
        return self.finish(run, *self.prepare(run, asked=asked))

    def prepare(self, run: Run, *, asked: Asked | None = None) -> tuple[Extracted, Mapped, Planned]:
        """Everything before load."""
        extracted = extract(run, asked or Asked(), only_waiting=run.kind is RunKind.RETRY)
        mapped = map_records(run, extracted.ref)
        return extracted, mapped, diff(run, mapped.ref)

    def finish(self, run: Run, extracted: Extracted, mapped: Mapped, planned: Planned) -> Done:
        """Load; may be called again with a fresh run of the same id after a crash."""
        order = LoadOrder(
            plan=planned.ref,
            rejects=mapped.rejects,
            mapped=mapped.statistics + RunStatistics(warnings=planned.warnings),
            planned_at=self.clock.now(),
            window=extracted.window,
            first_run=extracted.first_run,
        )
        return Done(run, extracted, mapped, planned, load(run, order))

    def backfill(self, start: datetime, end: datetime) -> list[Done]:
        """One run a day, as Airflow's backfill makes them."""
        days = Window(start, end).split(timedelta(days=1))
        return [self.sync(RunKind.BACKFILL, asked=Asked(interval=day)) for day in days]

    def wait(self, **duration: float) -> None:
        self.sandbox.clock.advance(timedelta(**duration))

    def touchpoints(self) -> list[dict[str, Any]]:
        """What Totango holds that is not deleted, hidden fields included."""
        return [item for item in self.sandbox.service("totango").state()["touchpoints"] if not item.get("deleted")]

    def written(self) -> list[Any]:
        """Writing calls Totango received so far."""
        return [entry for entry in self.sandbox.log.entries if entry.service == "totango" and is_write(entry)]

    def act(self, service: str, action: str, **arguments: Any) -> Any:
        return self.sandbox.service(service).act(action, arguments)

    def _source(self) -> ChorusEngagements:
        client = ChorusClient(self._token("chorus"), base_url="http://chorus.test", wire=self.wire("chorus"))
        return ChorusEngagements(client, EngagementOptions.model_validate(self.job.source_options))

    def _target(self) -> TotangoTouchpoints:
        client = TotangoClient(self._token("totango"), base_url="http://totango.test", wire=self.wire("totango"))
        return TotangoTouchpoints(client, TouchpointOptions.model_validate(self.job.target_options))

    def _token(self, name: str) -> str:
        return str(self.sandbox.service(name).token)


def is_write(entry: Any) -> bool:
    return entry.method in {"POST", "PUT", "DELETE"} and "/search" not in entry.path and "scroll" not in entry.path


Maker = Callable[..., Lab]

"""A hub that talks to a sandbox over real sockets and keeps a real ledger, rebuilt in any process from plain values."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from cshub.core.records import RunKind
from cshub.core.stats import RunStatistics
from cshub.ledger import Ledger, SharedQuota
from cshub.library import JobLibrary
from cshub.pipeline.diff import diff
from cshub.pipeline.extract import extract
from cshub.pipeline.guard import GuardedQuota, SendGuard
from cshub.pipeline.load import Loaded, LoadOrder, load
from cshub.pipeline.map import map_records
from cshub.pipeline.run import Asked, Run
from cshub.staging import Staging
from cshub.systems import registry
from cshub.systems.chorus.catalog import EngagementOptions
from cshub.systems.chorus.client import ChorusClient
from cshub.systems.chorus.source import ChorusEngagements
from cshub.systems.http import Wire
from cshub.systems.totango.catalog import TouchpointOptions
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.target import TotangoTouchpoints

HURRY = 100.0
JOB_ID = "chorus_touchpoints_inbound"


class HurriedClock:
    """Real time, but waits take a hundredth."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds) / HURRY)


@dataclass(frozen=True)
class Site:
    """Addresses and tokens. Picklable."""

    ledger_url: str
    staging_url: str
    chorus: tuple[str, str]
    totango: tuple[str, str]

    def run(self, run_id: str, ledger: Ledger, kind: RunKind = RunKind.MANUAL) -> Run:
        bound, guard, clock = JobLibrary.from_settings().bound(JOB_ID), SendGuard(), HurriedClock()
        quota = GuardedQuota(SharedQuota(ledger, name="token", limit=100_000), guard)
        return Run(
            run_id=run_id,
            kind=kind,
            bound=bound,
            source_spec=registry.object_spec(bound.source),
            target_spec=registry.object_spec(bound.target),
            ledger=ledger,
            staging=Staging(self.staging_url),
            open_source=lambda: ChorusEngagements(
                ChorusClient(self.chorus[1], base_url=self.chorus[0], wire=Wire(sleep=clock.sleep)),
                EngagementOptions.model_validate(bound.source_options),
            ),
            open_target=lambda: TotangoTouchpoints(
                TotangoClient(self.totango[1], base_url=self.totango[0], wire=Wire(sleep=clock.sleep, quota=quota)),
                TouchpointOptions.model_validate(bound.target_options),
            ),
            clock=clock,
            guard=guard,
        )

    def plan(self, run_id: str) -> LoadOrder:
        """Everything before load."""
        with Ledger.open(self.ledger_url) as ledger:
            run = self.run(run_id, ledger)
            extracted = extract(run, Asked())
            mapped = map_records(run, extracted.ref)
            planned_at = run.clock.now()
            planned = diff(run, mapped.ref, beside_lost=extracted.beside_lost)
            return LoadOrder(
                plan=planned.ref,
                rejects=mapped.rejects,
                mapped=mapped.statistics + RunStatistics(warnings=planned.warnings),
                planned_at=planned_at,
                window=extracted.window,
                first_run=extracted.first_run,
                is_whole=extracted.is_whole,
            )

    def load(self, run_id: str, order: LoadOrder) -> Loaded:
        with Ledger.open(self.ledger_url) as ledger:
            return load(self.run(run_id, ledger), order)

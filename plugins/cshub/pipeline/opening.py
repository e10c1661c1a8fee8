"""Everything a run needs, opened from the environment: job file, ledger, staging, and both systems by connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cshub.core.errors import SpecError
from cshub.core.jobs import BoundJob
from cshub.core.quota import Quota
from cshub.core.records import RunKind
from cshub.ledger import Ledger, SharedQuota, quota_name
from cshub.library import JobLibrary
from cshub.pipeline.guard import GuardedQuota, SendGuard
from cshub.pipeline.run import Clock, OnProgress, Run, SystemClock, no_progress
from cshub.settings import Settings
from cshub.staging import Staging
from cshub.systems import registry

WAIT_TOLD_FROM_S = 2.0  # shorter waits for the call budget are not worth a word


@contextmanager
def opened_run(
    job_id: str,
    run_id: str,
    kind: RunKind,
    *,
    settings: Settings | None = None,
    clock: Clock | None = None,
    on_progress: OnProgress = no_progress,
) -> Iterator[Run]:
    """The run of a job; its ledger is closed when the block ends. Calls nothing before a step needs it.

    Raises :class:`~cshub.core.errors.JobFileError` with every fault of the job's files.
    """
    settings = settings or Settings.from_environment()
    library = JobLibrary.from_settings(settings)
    bound = library.bound(job_id)
    with Ledger.open(settings.ledger_url) as ledger:
        refuse_rival(library, bound, ledger)
        yield run_of(bound, run_id, kind, ledger, settings, library=library, clock=clock, on_progress=on_progress)


def refuse_rival(library: JobLibrary, bound: BoundJob, ledger: Ledger) -> None:
    """Raise :class:`SpecError` before the first run of a job whose records another job has made already."""
    if ledger.pair_id(bound.pair_name) is not None:
        return
    for rival in library.rivals(bound):
        if ledger.pair_id(rival.pair_name) is not None:
            raise SpecError(
                f"The job {rival.id} moves the same records between the same connections already; {bound.id} would "
                f"make every one of them again. Write `pair: {rival.pair_name}` in the file of {bound.id}, so that "
                "both know what was made, or use other connections."
            )


def run_of(
    bound: BoundJob,
    run_id: str,
    kind: RunKind,
    ledger: Ledger,
    settings: Settings,
    *,
    library: JobLibrary,
    clock: Clock | None = None,
    on_progress: OnProgress = no_progress,
    guard: SendGuard | None = None,
) -> Run:
    """A run of a job over an open ledger. ``guard``: that of the run whose lock this one works under."""
    job = bound.job
    guard = guard or SendGuard()

    shared = quotas_of(ledger, sleep=telling_waits(lambda text: run.note(text)))

    def quotas(token: str, calls_per_minute: int) -> Quota:
        return GuardedQuota(shared(token, calls_per_minute), guard)

    run = Run(
        run_id=run_id,
        kind=kind,
        bound=bound,
        source_spec=registry.object_spec(bound.source),
        target_spec=registry.object_spec(bound.target),
        ledger=ledger,
        staging=Staging(settings.staging_url),
        open_source=lambda: registry.open_source(
            bound.source, job.source.connection, bound.source_options, quotas, run.mapping.source_fields
        ),
        open_target=lambda: registry.open_target(
            bound.target, job.target.connection, bound.target_options, quotas, run.attributes
        ),
        clock=clock or SystemClock(),
        on_progress=on_progress,
        guard=guard,
        partner=_partner(library, bound, run_id, kind, ledger, settings, clock, guard),
        source_is_written=registry.is_writable(bound.source),
    )
    return run


def _partner(
    library: JobLibrary,
    bound: BoundJob,
    run_id: str,
    kind: RunKind,
    ledger: Ledger,
    settings: Settings,
    clock: Clock | None,
    guard: SendGuard,
) -> Callable[[], Run] | None:
    other = library.partner(bound)
    if other is None:
        return None
    return lambda: run_of(other, run_id, kind, ledger, settings, library=library, clock=clock, guard=guard)


def telling_waits(note: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> Callable[[float], None]:
    """A sleep for call budgets that notes what it waits for."""

    def wait(seconds: float) -> None:
        if seconds >= WAIT_TOLD_FROM_S:
            note(f"waiting {seconds:.0f} s for the call budget")
        sleep(seconds)

    return wait


def quotas_of(ledger: Ledger, *, sleep: Callable[[float], None] = time.sleep) -> Callable[[str, int], Quota]:
    """Token and calls a minute → the budget that all processes of this ledger share for that token."""

    def shared(token: str, calls_per_minute: int) -> Quota:
        return SharedQuota(ledger, name=quota_name(token), limit=calls_per_minute, sleep=sleep)

    return shared

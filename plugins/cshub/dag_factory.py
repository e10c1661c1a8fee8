"""Job → DAG: extract ▸ map ▸ diff ▸ approve ▸ load. Light: no pandas, pandera or SQLAlchemy at parse time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow.sdk import (
    DAG,
    Asset,
    CronDataIntervalTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    get_parsing_context,
)

from cshub.core.errors import JobFileError
from cshub.core.jobs import BoundJob
from cshub.library import JobLibrary
from cshub.operators.approve import ApproveOperator
from cshub.operators.steps import (
    APPROVE,
    DIFF,
    EXTRACT,
    LOAD,
    MAP,
    DiffOperator,
    ExtractOperator,
    LoadOperator,
    MapOperator,
)
from cshub.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk.definitions.deadline import DeadlineAlert

ERRORS = "cshub.core.errors"
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=f"{ERRORS}.SpecError", action=RetryAction.FAIL, reason="a file or setting must be corrected"
        ),
        RetryRule(
            exception=f"{ERRORS}.QuotaSpent", action=RetryAction.FAIL, reason="the day's allowance of calls is used up"
        ),
        RetryRule(exception=f"{ERRORS}.PermanentError", action=RetryAction.FAIL, reason="the service refuses"),
        RetryRule(exception=f"{ERRORS}.IdentityChanged", action=RetryAction.FAIL, reason="another org or tenant"),
        RetryRule(exception=f"{ERRORS}.FencedOut", action=RetryAction.FAIL, reason="a newer try has taken over"),
        RetryRule(
            exception=f"{ERRORS}.StagingCorrupt", action=RetryAction.FAIL, reason="an earlier task must run again"
        ),
        RetryRule(
            exception=f"{ERRORS}.StatisticsMismatch", action=RetryAction.FAIL, reason="the numbers do not add up"
        ),
        RetryRule(
            exception=f"{ERRORS}.RateLimited",
            action=RetryAction.RETRY,
            retry_delay=timedelta(seconds=60),
            reason="the call budget is used up",
        ),
    ]
)
SELDOM = "Seldom needed"


@dataclass(frozen=True, slots=True)
class Notices:
    """Who is told when a run of a DAG goes wrong, by Airflow's own means; see ``docs/airflow.md``.

    ``on_failure`` is called with the context of a run that has failed; ``when_late`` watches for runs that take long.
    """

    on_failure: Callable[[Any], None] | None = None
    when_late: DeadlineAlert | None = None


def build_dags(
    integration_type: str, library: JobLibrary | None = None, *, notices: Notices | None = None
) -> Iterator[DAG]:
    """One DAG for each enabled or disabled job of the type.

    Broken job files are left out: an error here would take the DAGs of the good ones with it. They are told by
    :func:`refuse_broken_jobs`, in a DAG file of its own. A task that is about to run gets the DAG of its job only.
    """
    settings = Settings.from_environment()
    library = library or JobLibrary.from_settings(settings)
    wanted = get_parsing_context().dag_id
    for path in library.job_paths():
        if wanted not in (None, path.stem):
            continue
        try:
            loaded = library.load(path)
        except JobFileError:
            continue
        if loaded.bound.job.type == integration_type and not loaded.faults():
            yield build_dag(loaded.bound, settings, notices=notices)


def refuse_broken_jobs(library: JobLibrary | None = None) -> None:
    """Raise :class:`JobFileError` with every fault of every job file, of any type; nothing when all are well."""
    library = library or JobLibrary.from_settings()
    faults = dict.fromkeys(fault for found in library.check().values() for fault in found)
    if faults:
        raise JobFileError(list(faults))


def build_dag(bound: BoundJob, settings: Settings, *, notices: Notices | None = None) -> DAG:
    """The DAG of one job; its id is the job's."""
    job, timezone = bound.job, settings.timezone
    notices = notices or Notices()
    cron = bound.schedule.as_cron()
    target_asset = Asset(
        name=f"{job.id}",
        uri=f"cshub://{bound.target.system}/{bound.target.object}/{job.id}",
        group="cshub",
    )
    dag = DAG(
        dag_id=job.id,
        dag_display_name=job.name,
        description=job.description or bound.template.title,
        doc_md=_doc(bound, timezone),
        schedule=CronDataIntervalTimetable(cron, timezone=str(timezone)) if cron else None,
        start_date=datetime(2020, 1, 1, tzinfo=timezone),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=not job.enabled,
        tags=sorted({"cshub", bound.source.system, bound.target.system, *job.tags}),
        params=_params(),
        default_args={
            "owner": "cshub",
            "retries": job.retries,
            "retry_delay": settings.retry_delay,
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=10),
            "retry_policy": RETRY_POLICY,
        },
        on_failure_callback=notices.on_failure,
        deadline=notices.when_late,
    )
    with dag:
        extract = ExtractOperator(
            task_id=EXTRACT, job_id=job.id, task_display_name="Extract", doc_md=_STEP_DOCS[EXTRACT]
        )
        mapped = MapOperator(task_id=MAP, job_id=job.id, task_display_name="Map", doc_md=_STEP_DOCS[MAP])
        diff = DiffOperator(task_id=DIFF, job_id=job.id, task_display_name="Diff", doc_md=_STEP_DOCS[DIFF])
        approve = ApproveOperator(
            task_id=APPROVE,
            job_id=job.id,
            task_display_name="Approve",
            doc_md=_STEP_DOCS[APPROVE],
            response_timeout=timedelta(hours=job.guard.wait_hours),
        )
        load = LoadOperator(
            task_id=LOAD,
            job_id=job.id,
            task_display_name="Load",
            doc_md=_STEP_DOCS[LOAD],
            outlets=[target_asset],
            max_active_tis_per_dag=1,
        )
        extract >> mapped >> diff >> approve >> load
    return dag


def _params() -> dict[str, Param]:
    """The fields of the trigger form. Those without a section are seen at once, the others after a click."""
    return {
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description="Stop after the plan. Nothing is sent; the plan can be reviewed and applied later.",
        ),
        "window_start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Window start",
            description="Read exactly this stretch of time. Empty: from the last green run up to now.",
        ),
        "window_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Window end",
            description="The end is not part of the window. Give both bounds or neither.",
        ),
        "full_sync": Param(
            False,
            type="boolean",
            title="Full sync",
            description="Forget what was read before, and read as far back as the job allows. Linked records that the "
            "source no longer lists are asked for by id, so that deletions which it can still prove are found too.",
            section=SELDOM,
        ),
        "only_waiting": Param(
            False,
            type="boolean",
            title="Only what waits",
            description="Try parked, empty, rejected, failed and missing records again, and read no window.",
            section=SELDOM,
        ),
        "records": Param(
            [],
            type=["null", "array"],
            items={"type": "string"},
            title="Only these records",
            description="Ids of the source, one a line. Only these are read and brought into step; one that was "
            "deleted in the target is made again.",
            section=SELDOM,
        ),
    }


_STEP_DOCS = {
    EXTRACT: "Reads the records of the window, and by id those that wait: empty, parked, rejected or failed before.",
    MAP: "Renames, transforms, casts and validates. A row that fails leaves with every reason; the others go on.",
    DIFF: "Compares with the target and with what was last agreed, and plans each record. A dry run ends here.",
    APPROVE: "Passes at once while the plan is within the job's guard; otherwise waits for a person.",
    LOAD: "Carries out the plan. May be interrupted at any point: the next try goes on, nothing is sent twice.",
}


def _doc(bound: BoundJob, timezone: ZoneInfo) -> str:
    rows = "\n".join(
        f"| {f'`{row.source}`' if row.source else f'constant {row.constant!r}'} | `{row.target}` "
        f"| {'key' if row.key else ''} {'locked' if row.locked else ''} |"
        for row in bound.fields
    )
    cron = bound.schedule.as_cron()
    when = f"`{cron}` in {timezone}" if cron else "by hand"
    skips = ", ".join(dict.fromkeys(rule.reason for rule in bound.skip_when)) or "nothing"
    return f"""\
### {bound.job.name}

{bound.job.description or bound.template.description}

| | |
|---|---|
| integration type | `{bound.job.type}` |
| from | {bound.source.system} {bound.source.object}, connection `{bound.job.source.connection}` |
| to | {bound.target.system} {bound.target.object}, connection `{bound.job.target.connection}` |
| runs | {when} |
| new records | {"created" if bound.job.allow_new_records else "not created (allow_new_records is off)"} |
| edits made in the target | {bound.on_target_edit.value} |
| left out and counted | {skips} |
| pair | {_pair(bound)} |

| source field | target attribute | |
|---|---|---|
{rows}

**Backfill:** Trigger ▸ Backfill, or `airflow backfill create --dag-id {bound.id} --from-date … --to-date …`.
Repeating a window changes nothing that is right already. **Statistics:** XCom of the task *Load*.
"""


def _pair(bound: BoundJob) -> str:
    if bound.job.pair is None:
        return "of this job alone"
    return f"`{bound.pair_name}`; with a job of the other direction of the same pair it is a two-way sync"

"""Bulk API 2.0 query jobs: results as pages of CSV (docs/vendors/salesforce.md §3.2, §3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cshub_sandbox.salesforce.actors import Actor
from cshub_sandbox.salesforce.bulk_csv import Delimiter, LineEnding, write_csv
from cshub_sandbox.salesforce.bulk_jobs import JOB_PREFIX, JobState
from cshub_sandbox.salesforce.cursors import row_of
from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.query_runs import check_query, run_query
from cshub_sandbox.salesforce.rows import json_value
from cshub_sandbox.salesforce.soql import Query, Result, parse

QUERY, QUERY_ALL = "query", "queryAll"


@dataclass(slots=True)
class QueryJob:
    """A job that reads. ``result`` is there once it is complete."""

    id: str
    actor: Actor
    query: Query
    operation: str
    delimiter: Delimiter
    line_ending: LineEnding
    version: str
    created_at: datetime
    state: JobState = JobState.UPLOAD_COMPLETE
    result: Result | None = None
    error: str | None = None

    def info(self, *, whole: bool) -> dict[str, Any]:
        """The job as JSON; ``whole`` adds the counts that only its own address tells."""
        rows = len(self.result.ids) if self.result else 0
        counts = {"jobType": "V2Query", "numberRecordsProcessed": rows, "retries": 0, "totalProcessingTime": rows}
        return {
            "id": self.id,
            "operation": self.operation,
            "object": str(self.query.object_name),
            "createdById": self.actor.user_id,
            "createdDate": json_value(self.created_at),
            "systemModstamp": json_value(self.created_at),
            "state": self.state.value,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
            "lineEnding": self.line_ending.value,
            "columnDelimiter": self.delimiter.value,
            **(counts if whole else {}),
            **({"errorMessage": self.error} if self.error else {}),
        }


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page: its CSV, how many rows it has, and the locator of the next one, ``null`` at the end."""

    text: str
    rows: int
    locator: str


class QueryJobs:
    """The query jobs of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.by_id: dict[str, QueryJob] = {}

    def create(
        self, actor: Actor, text: str, operation: str, *, delimiter: Delimiter, line_ending: LineEnding, version: str
    ) -> QueryJob:
        """A new job. Raises what the query is refused for, or API_ERROR for what no bulk query may contain."""
        query = parse(text)
        if unfit := query.unfit_for_bulk:
            raise SalesforceError("API_ERROR", f"Bulk API 2.0 queries do not support {unfit}")
        check_query(self._org, query, view=actor.view, user_id=actor.user_id, version=version)
        job_id = self._org.ids.new(JOB_PREFIX)
        job = QueryJob(job_id, actor, query, operation, delimiter, line_ending, version, self._org.now())
        self.by_id[job_id] = job
        return job

    def find(self, job_id: str) -> QueryJob:
        """The job. Raises the 404 of an unknown one."""
        job = self.by_id.get(job_id)
        if job is None:
            raise SalesforceError("NOT_FOUND", "The requested resource does not exist", status=404)
        return job

    def settle(self) -> None:
        """Carries out every job whose time has come."""
        org = self._org
        for job in self.by_id.values():
            if job.state not in (JobState.UPLOAD_COMPLETE, JobState.IN_PROGRESS):
                continue
            if org.now() < job.created_at + timedelta(seconds=org.switches.bulk_delay_s):
                job.state = JobState.IN_PROGRESS
                continue
            actor, deleted = job.actor, job.operation == QUERY_ALL
            try:
                job.result = run_query(
                    org, job.query, view=actor.view, user_id=actor.user_id, version=job.version, deleted=deleted
                )
                job.state = JobState.JOB_COMPLETE
            except SalesforceError as refusal:
                job.error, job.state = f"{refusal.code}: {refusal.message}", JobState.FAILED

    def page(self, job: QueryJob, locator: str, most: int) -> ResultPage:
        """A page of results. Raises INVALIDJOBSTATE before the job is complete, and for a wrong locator."""
        if job.result is None:
            raise SalesforceError("INVALIDJOBSTATE", f"The job is {job.state.value}: there are no results yet")
        start = row_of(locator, len(job.result.ids)) if locator else 0
        size = min(most, self._org.switches.bulk_page_size)
        rows = [[_cell(value) for value in cells] for cells in job.result.cells(start, size)]
        following = str(start + size) if start + size < len(job.result.ids) else "null"
        text = write_csv(job.result.columns, rows, delimiter=job.delimiter, line_ending=job.line_ending)
        return ResultPage(text, len(rows), following)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    if isinstance(value, list):
        return ";".join(value)
    return str(json_value(value))

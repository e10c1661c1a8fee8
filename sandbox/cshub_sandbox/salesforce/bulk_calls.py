"""The addresses of Bulk API 2.0 (docs/vendors/salesforce.md §3.3)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from cshub_sandbox.kernel import Reply
from cshub_sandbox.salesforce.bulk_csv import Delimiter, LineEnding, Sheet
from cshub_sandbox.salesforce.bulk_jobs import JOB_PREFIX, IngestJob, JobState, Operation
from cshub_sandbox.salesforce.bulk_queries import QUERY, QUERY_ALL
from cshub_sandbox.salesforce.calls import NO_CONTENT, Behaviour, Call
from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.record_calls import key_field

LARGEST_UPLOAD = 150_000_000  # bytes, docs/vendors/salesforce.md §3.2
LARGEST_RESULT_PAGE = 50_000  # rows; what the client asks for by default, docs/vendors/salesforce.md §3.3
_CSV = "text/csv"
_FINISHED = frozenset({JobState.ABORTED, JobState.JOB_COMPLETE, JobState.FAILED})
_RESULTS = {
    "successfulresults": IngestJob.successes,
    "failedresults": IngestJob.failures,
    "unprocessedrecords": IngestJob.unprocessed,
}
_Choice = TypeVar("_Choice", bound=StrEnum)


def create_ingest_job(on: Behaviour, call: Call) -> Any:
    body = call.object_body()
    operation = _choice(Operation, body, "operation")
    kind = call.actor.view.get(str(body.get("object", "")))
    if kind is None:
        raise SalesforceError("INVALIDENTITY", f"Entity '{body.get('object')}' is not supported by the Bulk API.")
    named = body.get("externalIdFieldName")
    key = key_field(kind, str(named)) if named else None
    if operation is Operation.UPSERT and key is None:
        raise _invalid_job(f"Invalid external id field: {named}")
    job = IngestJob(
        id=on.org.ids.new(JOB_PREFIX),
        actor=call.actor,
        kind=kind,
        operation=operation,
        key=key,
        delimiter=_choice(Delimiter, body, "columnDelimiter", default=Delimiter.COMMA),
        line_ending=_choice(LineEnding, body, "lineEnding", default=LineEnding.LF),
        version=call.version,
        created_at=on.org.now(),
    )
    on.jobs.by_id[job.id] = job
    return job.info(whole=False)


def upload(on: Behaviour, call: Call) -> Any:
    job = on.jobs.find(call.parts[0])
    if job.state is not JobState.OPEN or job.text is not None:
        raise SalesforceError("INVALIDJOBSTATE", f"Data cannot be added to a job that is {job.state.value}")
    if call.request.media_type != _CSV:
        raise SalesforceError("UNSUPPORTED_MEDIA_TYPE", "The content type must be text/csv", status=415)
    if len(call.request.body) > LARGEST_UPLOAD:
        raise SalesforceError("REQUEST_TOO_LARGE", f"More than {LARGEST_UPLOAD} bytes", status=413)
    try:
        text = call.request.body.decode("utf-8")
        Sheet.read(text, job.delimiter)
    except (UnicodeDecodeError, csv.Error) as problem:
        raise SalesforceError("INVALIDBATCH", f"The file cannot be read as CSV in UTF-8: {problem}") from problem
    job.text = text
    return Reply(201)


def set_ingest_state(on: Behaviour, call: Call) -> Any:
    job = on.jobs.find(call.parts[0])
    wanted = call.object_body().get("state")
    if wanted == JobState.ABORTED and job.state not in _FINISHED:
        job.state = JobState.ABORTED
    elif wanted == JobState.UPLOAD_COMPLETE and job.state is JobState.OPEN:
        if job.text is None:
            raise SalesforceError("INVALIDJOBSTATE", "No data was uploaded to this job")
        job.state, job.closed_at = JobState.UPLOAD_COMPLETE, on.org.now()
    else:
        raise SalesforceError("INVALIDJOBSTATE", f"A job that is {job.state.value} cannot become {wanted}")
    return job.info(whole=False)


def read_ingest_job(on: Behaviour, call: Call) -> Any:
    return on.jobs.find(call.parts[0]).info(whole=True)


def list_ingest_jobs(on: Behaviour, call: Call) -> Any:
    return {"done": True, "records": [job.info(whole=False) for job in on.jobs.by_id.values()], "nextRecordsUrl": None}


def delete_ingest_job(on: Behaviour, call: Call) -> Any:
    job = on.jobs.find(call.parts[0])
    _check_deletable(job.state)
    del on.jobs.by_id[job.id]
    return NO_CONTENT


def read_ingest_results(on: Behaviour, call: Call) -> Any:
    job = on.jobs.find(call.parts[0])
    write = _RESULTS[call.parts[1].lower()]
    if job.state not in _FINISHED:
        raise SalesforceError("INVALIDJOBSTATE", f"The job is {job.state.value}: there are no results yet")
    return _table(write(job))


def create_query_job(on: Behaviour, call: Call) -> Any:
    body = call.object_body()
    operation = str(body.get("operation"))
    if operation not in (QUERY, QUERY_ALL):
        raise _invalid_job(f"Unsupported operation: {operation}")
    job = on.query_jobs.create(
        call.actor,
        str(body.get("query", "")),
        operation,
        delimiter=_choice(Delimiter, body, "columnDelimiter", default=Delimiter.COMMA),
        line_ending=_choice(LineEnding, body, "lineEnding", default=LineEnding.LF),
        version=call.version,
    )
    return job.info(whole=False)


def read_query_job(on: Behaviour, call: Call) -> Any:
    return on.query_jobs.find(call.parts[0]).info(whole=True)


def list_query_jobs(on: Behaviour, call: Call) -> Any:
    jobs = on.query_jobs.by_id.values()
    return {"done": True, "records": [job.info(whole=False) for job in jobs], "nextRecordsUrl": None}


def abort_query_job(on: Behaviour, call: Call) -> Any:
    job = on.query_jobs.find(call.parts[0])
    wanted = call.object_body().get("state")
    if wanted != JobState.ABORTED or job.state in _FINISHED:
        raise SalesforceError("INVALIDJOBSTATE", f"A job that is {job.state.value} cannot become {wanted}")
    job.state = JobState.ABORTED
    return job.info(whole=True)


def delete_query_job(on: Behaviour, call: Call) -> Any:
    job = on.query_jobs.find(call.parts[0])
    _check_deletable(job.state)
    del on.query_jobs.by_id[job.id]
    return NO_CONTENT


def read_query_results(on: Behaviour, call: Call) -> Any:
    job = on.query_jobs.find(call.parts[0])
    page = on.query_jobs.page(job, call.request.param("locator") or "", _most_records(call.request.param("maxRecords")))
    return _table(page.text, {"Sforce-Locator": page.locator, "Sforce-NumberOfRecords": str(page.rows)})


def _most_records(text: str | None) -> int:
    """Rows of a page as the caller wants them. Raises API_ERROR for what is no number of them."""
    if text is None:
        return LARGEST_RESULT_PAGE
    if not (text.isascii() and text.isdecimal()) or not text.strip("0"):
        raise SalesforceError("API_ERROR", f"maxRecords must be a whole number above 0: {text}")
    return LARGEST_RESULT_PAGE if len(text) > len(str(LARGEST_RESULT_PAGE)) else int(text)


def _table(text: str, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(200, text.encode(), {"Content-Type": f"{_CSV};charset=UTF-8", **(headers or {})})


def _choice(kind: type[_Choice], body: Mapping[str, Any], name: str, *, default: _Choice | None = None) -> _Choice:
    given = body.get(name, default)
    try:
        return kind(given)
    except ValueError as problem:
        raise _invalid_job(f"Unsupported {name}: {given}") from problem


def _check_deletable(state: JobState) -> None:
    if state not in _FINISHED:
        raise SalesforceError("INVALIDJOBSTATE", f"A job that is {state.value} cannot be deleted")


def _invalid_job(message: str) -> SalesforceError:
    return SalesforceError("INVALIDJOB", message)

"""Bulk 2.0: thousands of rows in one job, read or written as CSV, each result matched to its row by a key column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import requests

from cshub.core.errors import (
    AmbiguousWrite,
    DataError,
    HubError,
    ProtocolFault,
    RequestRefused,
    ServiceUnavailable,
    ShortRead,
    TransientError,
)
from cshub.core.ids import to_18
from cshub.systems.salesforce.bulk_csv import cell, key_of, keys_of, table, uploads
from cshub.systems.salesforce.soql import name_of
from cshub.systems.salesforce.verdicts import RowVerdict, row_error

PAGE_ROWS = 50_000
FIRST_WAIT_S, LONGEST_WAIT_S, WAIT_GROWTH = 1.0, 20.0, 1.5
LONGEST_JOB_S = 6 * 3600.0
_SENT_STATES = ("UploadComplete", "InProgress", "JobComplete")
_ENDED_STATES = ("JobComplete", "Failed", "Aborted")


class Operation(StrEnum):
    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"


class Caller(Protocol):
    """What sends the calls, signed in anew where that is needed."""

    def rest(self, method: str, path: str, **more: Any) -> Any: ...

    def raw(self, method: str, path: str, *, headers: Mapping[str, str], **more: Any) -> requests.Response: ...


class BulkJobs:
    """Bulk jobs of one client. ``sleep`` waits seconds, ``clock`` counts them."""

    def __init__(self, caller: Caller, *, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._caller = caller
        self._sleep, self._clock = sleep, clock

    def query(
        self, soql: str, *, include_deleted: bool = False, page_rows: int = PAGE_ROWS
    ) -> Iterator[list[dict[str, str | None]]]:
        """All rows of a query, page by page: column → text, None for no value; parents as ``Owner.Email``.

        No TYPEOF, GROUP BY, OFFSET, subqueries; leave ORDER BY and LIMIT out. Complete or :class:`ShortRead`.
        """
        operation = "queryAll" if include_deleted else "query"
        job = _job_id(self._caller.rest("POST", "jobs/query", json={"operation": operation, "query": soql}))
        ended = self._ended(f"jobs/query/{job}")
        if ended.get("state") != "JobComplete":
            raise _failed(ended, "The query was not carried out")
        yield from self._pages(job, page_rows)
        self._tidy(f"jobs/query/{job}")

    def ingest(
        self,
        object_name: str,
        operation: Operation,
        rows: Sequence[Mapping[str, Any]],
        *,
        key_column: str,
        external_id_field: str | None = None,
    ) -> list[RowVerdict]:
        """Write rows in as few jobs as hold them; a verdict for each, in order.

        ``key_column``: a field that every row has, with a value of its own; results come in any order and are matched
        by it. For update and delete, ``Id``. A field that a row lacks is left as it is; None and "" clear it.
        ``external_id_field``: of an upsert. Raises :class:`DataError` when the key column does not tell rows apart.
        """
        verdicts: dict[int, RowVerdict] = {}
        keys = keys_of(rows, key_column)
        columns = list(dict.fromkeys(name for row in rows for name in row))
        cells: dict[int, list[str]] = {}
        for index, row in enumerate(rows):
            try:
                cells[index] = [cell(row, name) for name in columns]
            except DataError as error:
                verdicts[index] = RowVerdict(cause=error)
        head = {"object": name_of(object_name), "operation": operation.value, "contentType": "CSV", "lineEnding": "LF"}
        if external_id_field is not None:
            head["externalIdFieldName"] = name_of(external_id_field)
        stopped: HubError | None = None
        for indexes, text in uploads(columns, cells):
            found: Mapping[str, RowVerdict] = {}
            cause = stopped or ServiceUnavailable("The bulk job left the row out. Run again.")
            if stopped is None:
                try:
                    found = self._run(head, text, key_column)
                except AmbiguousWrite as error:
                    cause = error
                except HubError as error:
                    if not verdicts:
                        raise
                    stopped = cause = error
            verdicts.update({index: found.get(keys[index], RowVerdict(cause=cause)) for index in indexes})
        return [verdicts[index] for index in range(len(rows))]

    def _run(self, head: Mapping[str, str], text: bytes, key_column: str) -> Mapping[str, RowVerdict]:
        """Key → verdict of one job. Before the upload is complete, nothing is written and errors stay as they are."""
        path = f"jobs/ingest/{_job_id(self._caller.rest('POST', 'jobs/ingest', json=dict(head)))}"
        try:
            self._caller.raw("PUT", f"{path}/batches", headers={"Content-Type": "text/csv; charset=UTF-8"}, data=text)
        except HubError:
            self._tidy(path, abort=True)
            raise
        try:
            self._hand_over(path)
            ended = self._ended(path)
            found = self._results(path, key_column)
        except TransientError as error:
            if head["operation"] == Operation.INSERT:
                raise _lost(path, error) from error
            raise
        if ended.get("state") != "JobComplete":
            failure = _failed(ended, "The job ended before all its rows")
            return {
                key: verdict if verdict.cause is None else RowVerdict(cause=failure) for key, verdict in found.items()
            }
        self._tidy(path)
        return found

    def _hand_over(self, path: str) -> None:
        """From here on rows are written. A job that says it was handed over already is no error."""
        try:
            self._caller.rest("PATCH", path, json={"state": "UploadComplete"})
        except (TransientError, RequestRefused):
            if self._caller.rest("GET", path).get("state") not in _SENT_STATES:
                self._tidy(path, abort=True)
                raise

    def _ended(self, path: str) -> Mapping[str, Any]:
        """The job once it has ended, well or not. Raises :class:`ServiceUnavailable` when it takes too long."""
        deadline = self._clock() + LONGEST_JOB_S
        wait = FIRST_WAIT_S
        while True:
            job = self._caller.rest("GET", path)
            if not isinstance(job, Mapping) or "state" not in job:
                raise ProtocolFault("Salesforce told a bulk job in a form that is not known. Run again.")
            if job["state"] in _ENDED_STATES:
                return job
            if self._clock() >= deadline:
                raise ServiceUnavailable(
                    f"The bulk job {path.rsplit('/', 1)[1]} is still {job['state']} after {LONGEST_JOB_S / 3600:.0f} "
                    "hours. See Setup, Bulk Data Load Jobs."
                )
            self._sleep(wait)
            wait = min(wait * WAIT_GROWTH, LONGEST_WAIT_S)

    def _pages(self, job: str, page_rows: int) -> Iterator[list[dict[str, str | None]]]:
        locator = ""
        followed = set[str]()
        while True:
            params = {"maxRecords": str(page_rows), **({"locator": locator} if locator else {})}
            answer = self._caller.raw("GET", f"jobs/query/{job}/results", headers={"Accept": "text/csv"}, params=params)
            rows = [{name: value or None for name, value in row.items()} for row in table(answer.content)]
            stated = answer.headers.get("Sforce-NumberOfRecords", "")
            if stated.isdigit() and int(stated) != len(rows):
                raise ShortRead(f"The bulk query states {stated} rows on a page, {len(rows)} came. Run again.")
            if rows:
                yield rows
            locator = answer.headers.get("Sforce-Locator", "").replace("null", "")
            if not locator:
                return
            if locator in followed:
                raise ShortRead("The bulk query gives the same page again and again. Run again.")
            followed.add(locator)

    def _results(self, path: str, key_column: str) -> dict[str, RowVerdict]:
        found: dict[str, RowVerdict] = {}
        left_out = RowVerdict(cause=ServiceUnavailable("The job ended before this row. Run again."))
        for kind in ("successfulResults", "failedResults", "unprocessedrecords"):
            answer = self._caller.raw("GET", f"{path}/{kind}", headers={"Accept": "text/csv"})
            for row in table(answer.content):
                key = key_of(key_column, row.get(key_column) or row.get("sf__Id") or "")
                found[key] = left_out if kind == "unprocessedrecords" else _verdict(row)
        return found

    def _tidy(self, path: str, *, abort: bool = False) -> None:
        """Remove a job that is not needed any more; Salesforce does it after seven days otherwise."""
        try:
            if abort:
                self._caller.rest("PATCH", path, json={"state": "Aborted"})
            else:
                self._caller.rest("DELETE", path)
        except (TransientError, RequestRefused):
            return


def _verdict(row: Mapping[str, str]) -> RowVerdict:
    record_id = to_18(row["sf__Id"]) if row.get("sf__Id") else None
    if error := row.get("sf__Error"):
        code, _, rest = error.partition(":")
        message, _, fields = rest.rpartition(":")
        names = [name.strip() for name in fields.removesuffix("--").split(",") if name.strip()]
        return RowVerdict(errors=(row_error({"statusCode": code, "message": message or rest, "fields": names}),))
    return RowVerdict(record_id, row.get("sf__Created", "").lower() == "true")


def _job_id(answer: Any) -> str:
    job = answer.get("id") if isinstance(answer, Mapping) else None
    if not (isinstance(job, str) and job.isalnum()):
        raise ProtocolFault("Salesforce made a bulk job and told no id. Run again.")
    return job


def _failed(job: Mapping[str, Any], what: str) -> HubError:
    words = str(job.get("errorMessage") or job.get("state"))
    return RequestRefused(f"{what}: {words}. Correct the job's fields or condition.", status=400, verdict=words)


def _lost(path: str, error: HubError) -> AmbiguousWrite:
    return AmbiguousWrite(
        f"The bulk job {path.rsplit('/', 1)[1]} was handed over, and its results did not come ({error}) Its records "
        "may or may not have been made: look for them before they are sent again."
    )

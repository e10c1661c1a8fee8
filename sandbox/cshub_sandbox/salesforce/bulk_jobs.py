"""Bulk API 2.0 jobs: their life, their rows and their results (docs/vendors/salesforce.md §3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any

from cshub_sandbox.salesforce.actors import Actor
from cshub_sandbox.salesforce.bulk_csv import Delimiter, LineEnding, Sheet, write_csv
from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.incoming import ATTRIBUTES
from cshub_sandbox.salesforce.objects import FieldType, ObjectType
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.rows import json_value
from cshub_sandbox.salesforce.uniqueness import live_rows
from cshub_sandbox.salesforce.values import read_text
from cshub_sandbox.salesforce.writer import Writer

JOB_PREFIX = "750"
NULL_MARK = "#N/A"  # clears a field; an empty cell leaves it alone (docs/vendors/salesforce.md §3.3)


class JobState(StrEnum):
    OPEN = "Open"
    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    ABORTED = "Aborted"
    JOB_COMPLETE = "JobComplete"
    FAILED = "Failed"


class Operation(StrEnum):
    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    HARD_DELETE = "hardDelete"


REMOVALS = frozenset({Operation.DELETE, Operation.HARD_DELETE})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one row: ``error`` is empty when it was written."""

    cells: Sequence[str]
    record_id: str
    created: bool
    error: str


@dataclass(slots=True)
class IngestJob:
    """A job that writes. ``actor`` is who made it; ``sheet`` what was uploaded."""

    id: str
    actor: Actor
    kind: ObjectType
    operation: Operation
    key: FieldType | None
    delimiter: Delimiter
    line_ending: LineEnding
    version: str
    created_at: datetime
    state: JobState = JobState.OPEN
    text: str | None = None
    closed_at: datetime | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    header: Sequence[str] = ()
    error: str | None = None

    def info(self, *, whole: bool) -> dict[str, Any]:
        """The job as JSON; ``whole`` adds the counts that only a single job's address tells."""
        key = {"externalIdFieldName": self.key.name} if self.key else {}
        counts = {
            "numberRecordsProcessed": len(self.verdicts),
            "numberRecordsFailed": sum(1 for verdict in self.verdicts if verdict.error),
            "retries": 0,
            "totalProcessingTime": len(self.verdicts),
            "apiActiveProcessingTime": len(self.verdicts),
            "apexProcessingTime": 0,
        }
        return {
            "id": self.id,
            "operation": self.operation.value,
            "object": self.kind.name,
            "createdById": self.actor.user_id,
            "createdDate": json_value(self.created_at),
            "systemModstamp": json_value(self.closed_at or self.created_at),
            "state": self.state.value,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
            "jobType": "V2Ingest",
            "contentUrl": f"services/data/v{self.version}/jobs/ingest/{self.id}/batches",
            "lineEnding": self.line_ending.value,
            "columnDelimiter": self.delimiter.value,
            **key,
            **(counts if whole else {}),
            **({"errorMessage": self.error} if self.error else {}),
        }

    def successes(self) -> str:
        rows = [[v.record_id, str(v.created).lower(), *v.cells] for v in self.verdicts if not v.error]
        return self._sheet(["sf__Id", "sf__Created", *self.header], rows)

    def failures(self) -> str:
        rows = [[v.record_id, v.error, *v.cells] for v in self.verdicts if v.error]
        return self._sheet(["sf__Id", "sf__Error", *self.header], rows)

    def unprocessed(self) -> str:
        if self.text is None:
            return ""
        sheet = Sheet.read(self.text, self.delimiter)
        rows = [] if self.state is JobState.JOB_COMPLETE else sheet.rows
        return self._sheet(sheet.header, rows)

    def _sheet(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        return write_csv(header, rows, delimiter=self.delimiter, line_ending=self.line_ending)


class BulkJobs:
    """The ingest jobs of one org."""

    def __init__(self, org: Org, writer: Writer) -> None:
        self._org = org
        self._writer = writer
        self.by_id: dict[str, IngestJob] = {}

    def find(self, job_id: str) -> IngestJob:
        """The job. Raises the 404 of an unknown one."""
        job = self.by_id.get(job_id)
        if job is None:
            raise SalesforceError("NOT_FOUND", "The requested resource does not exist", status=404)
        return job

    def settle(self) -> None:
        """Carries out every job whose time has come."""
        now = self._org.now()
        for job in self.by_id.values():
            if job.state in (JobState.UPLOAD_COMPLETE, JobState.IN_PROGRESS) and job.closed_at is not None:
                if now >= job.closed_at + timedelta(seconds=self._org.switches.bulk_delay_s):
                    self._carry_out(job)
                else:
                    job.state = JobState.IN_PROGRESS

    def _carry_out(self, job: IngestJob) -> None:
        sheet = Sheet.read(job.text or "", job.delimiter)
        job.header = sheet.header
        job.error = _unfit(job, sheet)
        job.state = JobState.FAILED if job.error else JobState.JOB_COMPLETE
        if job.error:
            return
        job.verdicts = [self._row(job, cells) for cells in sheet.rows]
        Random(job.id).shuffle(job.verdicts)

    def _row(self, job: IngestJob, cells: Sequence[str]) -> Verdict:
        values = dict(zip(job.header, cells, strict=False))
        record_id = next((text for name, text in values.items() if name.lower() == "id"), "")
        try:
            with self._org.records.transaction():
                record_id, created = self._write(job, record_id, values)
        except SalesforceError as refusal:
            return Verdict(cells, record_id, False, refusal.text())
        return Verdict(cells, record_id, created, "")

    def _write(self, job: IngestJob, record_id: str, values: Mapping[str, str]) -> tuple[str, bool]:
        writer, actor, kind = self._writer, job.actor, job.kind
        if job.operation in REMOVALS:
            gone = writer.delete(actor, kind, record_id, in_row=True)
            if job.operation is Operation.HARD_DELETE:
                self._org.records.remove(kind.table, gone)
            return gone, False
        body = _body(kind, values)
        if job.operation is Operation.INSERT:
            return writer.insert(actor, kind, body), True
        if job.operation is Operation.UPDATE:
            return writer.update(actor, kind, record_id, body, in_row=True), False
        assert job.key is not None
        key = next((text for name, text in values.items() if name.lower() == job.key.key), "")
        if job.key.key == "id":
            if key:
                return writer.update(actor, kind, key, body, in_row=True), False
            return writer.insert(actor, kind, body), True
        if not key:
            raise SalesforceError("MISSING_ARGUMENT", f"{job.key.name} not specified", fields=[job.key.name])
        rows = list(live_rows(self._org, kind, job.key, read_text(job.key, key)))
        if len(rows) > 1:
            raise SalesforceError("DUPLICATE_EXTERNAL_ID", f"{job.key.name}: more than one record found: {key}")
        if not rows:
            return writer.insert(actor, kind, body), True
        edited = {name: value for name, value in body.items() if name.lower() != job.key.key}
        return writer.update(actor, kind, rows[0]["Id"], edited), False


def _body(kind: ObjectType, values: Mapping[str, str]) -> dict[str, Any]:
    """A row of cells as a record: empty cells are left out, marked ones are null, dotted columns name a parent.

    A parent that may be of several objects is named with its own: ``Account:What.Code__c``.
    """
    body: dict[str, Any] = {}
    for name, text in values.items():
        if text == "" or name.lower() == "id":
            continue
        value = None if text == NULL_MARK else text
        relation, dot, column = name.partition(".")
        if dot:
            target, typed, relation = relation.rpartition(":")
            body[relation] = {column: value, **({ATTRIBUTES: {"type": target}} if typed else {})}
            continue
        field_type = kind.field(name)
        body[name] = value if value is None or field_type is None else read_text(field_type, text)
    return {name: json_value(value) for name, value in body.items()}


def _unfit(job: IngestJob, sheet: Sheet) -> str | None:
    """Why the whole upload cannot be worked on, or None."""
    if not sheet.header:
        return "InvalidBatch : The file is empty"
    for name in sheet.header:
        relation, dot, _ = name.partition(".")
        known = (
            job.kind.relationship(relation.rpartition(":")[2]) is not None if dot else job.kind.field(name) is not None
        )
        if not known:
            return f"InvalidBatch : Field name not found : {name}"
    if job.operation in REMOVALS and [name.lower() for name in sheet.header] != ["id"]:
        return "InvalidBatch : The 'delete' batch must contain only ids"
    if job.operation is Operation.UPDATE and "id" not in [name.lower() for name in sheet.header]:
        return "InvalidBatch : The column Id is missing"
    return None

"""Every simulated call below ``/services/data/vNN.0``: docs/vendors/salesforce.md §6.1."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cshub_sandbox.salesforce.bulk_calls import (
    abort_query_job,
    create_ingest_job,
    create_query_job,
    delete_ingest_job,
    delete_query_job,
    list_ingest_jobs,
    list_query_jobs,
    read_ingest_job,
    read_ingest_results,
    read_query_job,
    read_query_results,
    set_ingest_state,
    upload,
)
from cshub_sandbox.salesforce.calls import Handler, Route
from cshub_sandbox.salesforce.change_lists import list_deleted, list_updated
from cshub_sandbox.salesforce.collection_calls import (
    create_records,
    delete_records,
    retrieve_records,
    update_records,
    upsert_records,
)
from cshub_sandbox.salesforce.composite_calls import batch, composite
from cshub_sandbox.salesforce.org_calls import list_resources, read_limits
from cshub_sandbox.salesforce.query_calls import next_page, query, query_all
from cshub_sandbox.salesforce.record_calls import (
    create_record,
    delete_by_external_id,
    delete_record,
    describe_object,
    list_objects,
    read_by_external_id,
    read_object,
    read_record,
    update_record,
    upsert_record,
)

_PARTS = {
    "{object}": "([A-Za-z]\\w*)",
    "{field}": "([A-Za-z]\\w*)",
    "{id}": "([^/]+)",
    "{locator}": "([^/]+)",
    "{job}": "([^/]+)",
    "{value}": "(.+)",
    "{results}": "(successfulResults|failedResults|unprocessedRecords|unprocessedrecords)",
}


def _route(method: str, template: str, handler: Handler) -> Route:
    pattern = re.escape(template)
    for name, part in _PARTS.items():
        pattern = pattern.replace(re.escape(name), part)
    return Route(method, template, re.compile(pattern if template.endswith("{value}") else f"{pattern}/?"), handler)


ROUTES: Sequence[Route] = (
    _route("GET", "", list_resources),
    _route("GET", "/limits", read_limits),
    _route("GET", "/query", query),
    _route("GET", "/queryAll", query_all),
    _route("GET", "/query/{locator}", next_page),
    _route("GET", "/queryAll/{locator}", next_page),
    _route("GET", "/sobjects", list_objects),
    _route("GET", "/sobjects/{object}", read_object),
    _route("POST", "/sobjects/{object}", create_record),
    _route("GET", "/sobjects/{object}/describe", describe_object),
    _route("GET", "/sobjects/{object}/deleted", list_deleted),
    _route("GET", "/sobjects/{object}/updated", list_updated),
    _route("GET", "/sobjects/{object}/{id}", read_record),
    _route("PATCH", "/sobjects/{object}/{id}", update_record),
    _route("DELETE", "/sobjects/{object}/{id}", delete_record),
    _route("GET", "/sobjects/{object}/{field}/{value}", read_by_external_id),
    _route("PATCH", "/sobjects/{object}/{field}/{value}", upsert_record),
    _route("DELETE", "/sobjects/{object}/{field}/{value}", delete_by_external_id),
    _route("POST", "/composite", composite),
    _route("POST", "/composite/batch", batch),
    _route("POST", "/composite/sobjects", create_records),
    _route("PATCH", "/composite/sobjects", update_records),
    _route("DELETE", "/composite/sobjects", delete_records),
    _route("GET", "/composite/sobjects/{object}", retrieve_records),
    _route("POST", "/composite/sobjects/{object}", retrieve_records),
    _route("PATCH", "/composite/sobjects/{object}/{field}", upsert_records),
    _route("POST", "/jobs/ingest", create_ingest_job),
    _route("GET", "/jobs/ingest", list_ingest_jobs),
    _route("GET", "/jobs/ingest/{job}", read_ingest_job),
    _route("PATCH", "/jobs/ingest/{job}", set_ingest_state),
    _route("DELETE", "/jobs/ingest/{job}", delete_ingest_job),
    _route("PUT", "/jobs/ingest/{job}/batches", upload),
    _route("GET", "/jobs/ingest/{job}/{results}", read_ingest_results),
    _route("POST", "/jobs/query", create_query_job),
    _route("GET", "/jobs/query", list_query_jobs),
    _route("GET", "/jobs/query/{job}", read_query_job),
    _route("PATCH", "/jobs/query/{job}", abort_query_job),
    _route("DELETE", "/jobs/query/{job}", delete_query_job),
    _route("GET", "/jobs/query/{job}/results", read_query_results),
)

"""Queries and their pages (docs/vendors/salesforce.md §2.1)."""

from __future__ import annotations

import re
from typing import Any

from cshub_sandbox.salesforce.calls import Behaviour, Call
from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.query_runs import check_query, run_query
from cshub_sandbox.salesforce.soql import Query, Result, parse

SMALLEST_PAGE, LARGEST_PAGE = 200, 2_000  # batchSize of Sforce-Query-Options, docs/vendors/salesforce.md §2.1
_BATCH_SIZE = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)


def query(on: Behaviour, call: Call) -> Any:
    return _query(on, call, include_deleted=False)


def query_all(on: Behaviour, call: Call) -> Any:
    return _query(on, call, include_deleted=True)


def next_page(on: Behaviour, call: Call) -> Any:
    locator, result, start = on.cursors.open(call.parts[0], call.session.user_id)
    return _page(on, call, result, start, locator)


def _query(on: Behaviour, call: Call, *, include_deleted: bool) -> Any:
    explained = call.request.param("explain")
    text = call.request.param("q") or explained
    if not text:
        raise SalesforceError("MALFORMED_QUERY", "The parameter q is missing")
    parsed, view, user_id = parse(text), call.actor.view, call.session.user_id
    if explained is not None:
        check_query(on.org, parsed, view=view, user_id=user_id, version=call.version)
        return _plan(on, parsed)
    result = run_query(on.org, parsed, view=view, user_id=user_id, version=call.version, deleted=include_deleted)
    return _page(on, call, result, 0, None)


def _page(on: Behaviour, call: Call, result: Result, start: int, locator: str | None) -> Any:
    size = _page_size(on, call)
    with on.org.records.as_seen_at(on.org.now()):
        records = result.page(start, size)
    done = result.first_batch_only or start + size >= len(result.ids)
    answer: dict[str, Any] = {"totalSize": result.total, "done": done}
    if not done:
        locator = locator or on.cursors.keep(result, call.session.user_id)
        answer["nextRecordsUrl"] = call.address(f"query/{locator}-{start + size}")
    return {**answer, "records": records}


def _page_size(on: Behaviour, call: Call) -> int:
    wanted = _BATCH_SIZE.search(call.request.headers.get("sforce-query-options", ""))
    size = int(wanted[1]) if wanted else LARGEST_PAGE
    return min(max(size, SMALLEST_PAGE), LARGEST_PAGE, on.org.switches.page_size)


def _plan(on: Behaviour, query: Query) -> Any:
    kind = on.org.schema.object(str(query.object_name))
    count = len(on.org.store.table(kind.table))
    return {
        "plans": [
            {
                "cardinality": count,
                "fields": [],
                "leadingOperationType": "TableScan",
                "notes": [],
                "relativeCost": 1.0,
                "sobjectCardinality": count,
                "sobjectType": kind.name,
            }
        ],
        "sourceQuery": query.text,
    }

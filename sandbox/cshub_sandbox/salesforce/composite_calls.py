"""Several calls in one: ``composite`` (with references to earlier answers) and ``composite/batch`` (§3.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from cshub_sandbox.kernel import Reply, Request
from cshub_sandbox.salesforce.calls import Behaviour, Call
from cshub_sandbox.salesforce.errors import SalesforceError, bad_json

MOST_PARTS = 25
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


class _Undone(Exception):
    """All or none: one part failed."""


def composite(on: Behaviour, call: Call) -> Any:
    body = call.object_body()
    parts = _parts(body, "compositeRequest")
    count_parts(on, len(parts))
    answers: list[dict[str, Any]] = []
    try:
        with on.org.records.transaction():
            for part in parts:
                answers.append(_answer(on, call, part, {str(each["referenceId"]): each["body"] for each in answers}))
            if body.get("allOrNone") and any(answer["httpStatusCode"] >= 400 for answer in answers):
                raise _Undone
    except _Undone:
        for answer in answers:
            if answer["httpStatusCode"] < 400:
                answer["httpStatusCode"] = 400
                answer["body"] = [
                    {
                        "errorCode": "PROCESSING_HALTED",
                        "message": "The transaction was rolled back since another operation in the same transaction "
                        "failed.",
                    }
                ]
    return {"compositeResponse": answers}


def batch(on: Behaviour, call: Call) -> Any:
    body = call.object_body()
    parts = _parts(body, "batchRequests")
    count_parts(on, len(parts))
    results: list[dict[str, Any]] = []
    failed = False
    for part in parts:
        if failed and body.get("haltOnError"):
            halted = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted by an error"}]
            results.append({"statusCode": 412, "result": halted})
            continue
        url = "/services/data/" + str(part.get("url", "")).lstrip("/")
        try:
            request = _request(call, str(part.get("method", "")), url, part.get("richInput"))
        except ValueError as problem:
            raise bad_json(f"{url} is no address") from problem
        reply = on.perform(request, call.session)
        failed = failed or reply.status >= 400
        results.append({"statusCode": reply.status, "result": _value(reply)})
    return {"hasErrors": failed, "results": results}


def count_parts(on: Behaviour, count: int) -> None:
    """Counts the parts as calls when the org does so."""
    if on.org.switches.subrequests_count and count > 1:
        on.org.quota.take(on.org.now(), limit=on.org.switches.api_limit, calls=count - 1)


def _parts(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    parts = body.get(name)
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise bad_json(f"'{name}' must be a list of objects")
    if len(parts) > MOST_PARTS:
        raise SalesforceError("LIMIT_EXCEEDED", f"More than {MOST_PARTS} requests in one call")
    return parts


def _answer(on: Behaviour, call: Call, part: dict[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    reference = part.get("referenceId")
    try:
        url, body = _filled(str(part.get("url", "")), earlier), _filled(part.get("body"), earlier)
        request = _request(call, str(part.get("method", "")), url, body)
    except (LookupError, ValueError):
        halted = [{"errorCode": "PROCESSING_HALTED", "message": f"Invalid reference or address in {reference}"}]
        return {"body": halted, "httpHeaders": {}, "httpStatusCode": 400, "referenceId": reference}
    reply = on.perform(request, call.session)
    headers = {name: value for name, value in reply.headers.items() if name == "Location"}
    return {
        "body": _value(reply),
        "httpHeaders": headers,
        "httpStatusCode": reply.status,
        "referenceId": reference,
    }


def _request(call: Call, method: str, url: str, body: Any) -> Request:
    address = urlsplit(url)
    return Request(
        method.upper(),
        unquote(address.path),
        parse_qsl(address.query, keep_blank_values=True),
        {**call.request.headers, "content-type": "application/json"},
        b"" if body is None else orjson.dumps(body),
    )


def _value(reply: Reply) -> Any:
    return orjson.loads(reply.body) if reply.body else None


def _filled(value: Any, earlier: Mapping[str, Any]) -> Any:
    """The value with every ``@{reference.path}`` replaced. Raises ``LookupError`` for one that leads nowhere."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: str(_reached(earlier, found)), value)
    if isinstance(value, dict):
        return {key: _filled(item, earlier) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, earlier) for item in value]
    return value


def _reached(earlier: Mapping[str, Any], found: re.Match[str]) -> Any:
    value = earlier[found[1]]
    for name, index in _STEP.findall(found[2]):
        if isinstance(value, dict) and name:
            value = value[name]
        elif isinstance(value, list) and index:
            value = value[int(index)]
        else:
            raise LookupError(found[0])
    return value

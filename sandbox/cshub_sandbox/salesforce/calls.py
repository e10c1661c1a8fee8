"""What a call is: its route, who makes it, and the behaviour it reaches."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from cshub_sandbox.kernel import Reply, Request
from cshub_sandbox.salesforce.actors import Actor
from cshub_sandbox.salesforce.bulk_jobs import BulkJobs
from cshub_sandbox.salesforce.bulk_queries import QueryJobs
from cshub_sandbox.salesforce.cursors import Cursors
from cshub_sandbox.salesforce.errors import MEDIA_TYPE, SalesforceError, bad_json
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.sessions import Session
from cshub_sandbox.salesforce.writer import Writer


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Everything a handler may use of one org. ``perform`` answers one part of a composite call."""

    org: Org
    writer: Writer
    cursors: Cursors
    jobs: BulkJobs
    query_jobs: QueryJobs
    perform: Callable[[Request, Session], Reply]


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted call: what was asked, by whom, in which version (``59.0``), and the parts found in its path."""

    request: Request
    session: Session
    actor: Actor
    version: str
    parts: Sequence[str]

    def json(self) -> Any:
        """The JSON body. Raises JSON_PARSER_ERROR, or 415 for another media type."""
        if self.request.media_type not in ("", "application/json"):
            raise SalesforceError(
                "UNSUPPORTED_MEDIA_TYPE", f"Content type not supported: {self.request.media_type}", status=415
            )
        try:
            return orjson.loads(self.request.body)
        except orjson.JSONDecodeError as problem:
            raise bad_json(f"The HTTP entity body cannot be read: {problem}") from problem

    def object_body(self) -> Mapping[str, Any]:
        """The JSON body, which must be an object. Raises JSON_PARSER_ERROR."""
        body = self.json()
        if not isinstance(body, dict):
            raise bad_json("The HTTP entity body must be one JSON object")
        return body

    def address(self, rest: str) -> str:
        """An address below this version of the API."""
        return f"/services/data/v{self.version}/{rest}"


Handler = Callable[[Behaviour, Call], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """``path`` is what follows ``/services/data/vNN.0``; the handler gives a Reply or the JSON value of a 200."""

    method: str
    template: str
    path: re.Pattern[str]
    handler: Handler


def as_reply(value: Any) -> Reply:
    return value if isinstance(value, Reply) else Reply.json(200, value, media_type=MEDIA_TYPE)


NO_CONTENT = Reply(204)

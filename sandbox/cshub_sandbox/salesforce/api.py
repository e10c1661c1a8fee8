"""The door of the org: admit, count, route, answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from cshub_sandbox.kernel import Reply, Request
from cshub_sandbox.salesforce.actors import Actor
from cshub_sandbox.salesforce.bulk_jobs import BulkJobs
from cshub_sandbox.salesforce.bulk_queries import QueryJobs
from cshub_sandbox.salesforce.calls import Behaviour, Call, as_reply
from cshub_sandbox.salesforce.cursors import Cursors
from cshub_sandbox.salesforce.errors import MEDIA_TYPE, SalesforceError, not_found, not_simulated
from cshub_sandbox.salesforce.login import identity, issue_token, revoke_token, user_info
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.org_calls import FIRST_VERSION, LAST_VERSION, RETIRED, versions
from cshub_sandbox.salesforce.routes import ROUTES
from cshub_sandbox.salesforce.sessions import Session
from cshub_sandbox.salesforce.soap import answer_soap
from cshub_sandbox.salesforce.writer import Writer

LONGEST_URI = 16_384  # bytes of URI and headers, docs/vendors/salesforce.md §2.1
_DATA = re.compile(r"/services/data/([^/]*)(/.*)?")
_VERSION = re.compile(r"v([0-9]{1,3})\.0")
_SOAP = re.compile(r"/services/Soap/([^/]+)/([^/]+)(?:/.*)?")
_BULK_1 = "/services/async/"
_IDENTITY = re.compile(r"/id/([^/]+)/([^/]+)/?")
_ALLOW_SAVE = re.compile(r"allowSave\s*=\s*true", re.IGNORECASE)


class Api:
    """All addresses of one org, on one host."""

    def __init__(self, org: Org, writer: Writer) -> None:
        self.behaviour = Behaviour(org, writer, Cursors(org), BulkJobs(org, writer), QueryJobs(org), self._perform_part)
        self._org = org

    def answer(self, request: Request) -> Reply:
        """The answer to any call. Every refusal has the vendor's own form."""
        try:
            reply = self._dispatch(request)
        except SalesforceError as refusal:
            reply = refusal.reply()
        return self._with_headers(reply)

    def settle(self) -> None:
        """What comes by itself: bulk jobs end, old deletions leave the bin, a new feature reaches old records."""
        self.behaviour.jobs.settle()
        self.behaviour.query_jobs.settle()
        self.behaviour.writer.bin.empty_old()
        self.behaviour.writer.relations.catch_up()

    def _dispatch(self, request: Request) -> Reply:
        if _request_bytes(request) > LONGEST_URI:
            raise SalesforceError("URI_TOO_LONG", "The URI and headers are longer than 16,384 bytes", status=414)
        self.settle()
        opened = _OPEN.get((request.method, request.path.rstrip("/")))
        if opened is not None:
            return opened(self._org, request)
        if soap := _SOAP.fullmatch(request.path):
            return answer_soap(self._org, request, soap[1], soap[2])
        if named := _IDENTITY.fullmatch(request.path):
            return identity(self._org, request, named[1], named[2])
        if _DATA.fullmatch(request.path) is None:
            raise _left_out(request)
        session = self._org.session_of(request)
        self._org.quota.take(self._org.now(), limit=self._org.switches.api_limit)
        return self._perform(request, session)

    def _perform_part(self, request: Request, session: Session) -> Reply:
        """One part of a composite call: a refusal is its answer."""
        try:
            with self._org.records.transaction():
                return self._perform(request, session)
        except SalesforceError as refusal:
            return refusal.reply()

    def _perform(self, request: Request, session: Session) -> Reply:
        found = _DATA.fullmatch(request.path)
        if found is None:
            raise _left_out(request)
        number = _checked_version(found[1])
        path, allowed = found[2] or "", []
        method = request.param("_HttpMethod") or request.method
        for route in ROUTES:
            match = route.path.fullmatch(path)
            if match is None:
                continue
            if route.method == method.upper():
                call = Call(request, session, self._actor(request, session, number), f"{number}.0", match.groups())
                return as_reply(route.handler(self.behaviour, call))
            allowed.append(route.method)
        if allowed:
            raise SalesforceError(
                "METHOD_NOT_ALLOWED",
                f"HTTP Method '{method}' not allowed. Allowed are {','.join(dict.fromkeys(allowed))}",
                status=405,
            )
        raise not_found()

    def _actor(self, request: Request, session: Session, number: int) -> Actor:
        return Actor(
            session.user_id,
            session.token,
            self._org.view(session.user_id),
            api_version=float(number),
            allow_duplicates=bool(_ALLOW_SAVE.search(request.headers.get("sforce-duplicate-rule-header", ""))),
        )

    def _with_headers(self, reply: Reply) -> Reply:
        now, limit = self._org.now(), self._org.switches.api_limit
        headers: Mapping[str, Any] = {
            "Date": format_datetime(now, usegmt=True),
            "Sforce-Limit-Info": self._org.quota.header(now, limit=limit),
        }
        return Reply(reply.status, reply.body, {**reply.headers, **headers})


def _list_versions(org: Org, request: Request) -> Reply:
    return Reply.json(200, versions(), media_type=MEDIA_TYPE)


_OPEN: Mapping[tuple[str, str], Callable[[Org, Request], Reply]] = {
    ("POST", "/services/oauth2/token"): issue_token,
    ("POST", "/services/oauth2/revoke"): revoke_token,
    ("GET", "/services/oauth2/userinfo"): user_info,
    ("GET", "/services/data"): _list_versions,
}
OPEN_CALLS = (
    *(f"{method} {path}" for method, path in _OPEN),
    "GET /id/{org}/{user}",
    "POST /services/Soap/u/{version}",
)


def _left_out(request: Request) -> SalesforceError:
    what = f"{request.method} {request.path}"
    if request.path.startswith(_BULK_1):
        return not_simulated(f"Bulk API 1.0 ({what}); use Bulk API 2.0, in simple-salesforce sf.bulk2")
    return not_simulated(what)


def _checked_version(text: str) -> int:
    """The number of a version such as ``v59.0``. Raises the 410 of a retired one, the 404 of an unknown one."""
    match = _VERSION.fullmatch(text)
    number = int(match[1]) if match else 0
    if number in RETIRED:
        raise SalesforceError("GONE", "The requested resource is no longer available", status=410)
    if not FIRST_VERSION <= number <= LAST_VERSION:
        raise not_found()
    return number


def _request_bytes(request: Request) -> int:
    path = request.path.encode("utf-8", "surrogatepass")
    uri = len(path) + 1 + len(urlencode(request.query, errors="surrogatepass"))
    return uri + sum(len(name) + len(value) + 4 for name, value in request.headers.items())

"""The door of the API host and the ingestion hub: route, count, admit, do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from cshub_sandbox.kernel import Reply, Request
from cshub_sandbox.totango.calls import SERVICE_ID, Access, Behaviour, Call, Route
from cshub_sandbox.totango.errors import ApiError, not_simulated, unauthenticated
from cshub_sandbox.totango.limiter import RateLimiter
from cshub_sandbox.totango.records import TeamUser
from cshub_sandbox.totango.routes import ROUTES
from cshub_sandbox.totango.switches import HtmlBody
from cshub_sandbox.totango.tenant import Tenant
from cshub_sandbox.totango.tokens import Tokens, require_global_admin

_HTML = b"<!DOCTYPE html><html><head><title>Totango</title></head><body><h1>Please try again</h1></body></html>"
_HUB_SCHEME = "app-token "


class Api:
    """The API host and the ingestion hub of one tenant, on one address."""

    def __init__(self, tenant: Tenant, tokens: Tokens) -> None:
        self.behaviour = Behaviour(tenant)
        self._tenant = tenant
        self._tokens = tokens
        self._limiter = RateLimiter(tenant.clock)

    def answer(self, request: Request) -> Reply:
        """Route, count, admit, do. Every refusal is the vendor's own error answer."""
        self.behaviour.hub.settle()
        path = request.path.rstrip("/")
        found = ((route, match) for route in ROUTES if (match := route.path.fullmatch(path)))
        route, match = next(((r, m) for r, m in found if r.method == request.method.upper()), (None, None))
        ids = [unquote(group) for group in match.groups()] if match else []
        if route is not None and route.access in (Access.OPEN, Access.HUB):
            return self._answer_uncounted(route, request, ids)
        token = request.headers.get("app-token", "").strip()
        if not token:
            return unauthenticated("The header app-token is missing").reply()
        allowance = self._limiter.take(token, self._tenant.switches.rate_limit)
        if not allowance.granted:
            return allowance.refusal(self._tenant.switches)
        try:
            user = self._tokens.check(token)
            if route is None:
                raise not_simulated(f"{request.method} {request.path}")
            if route.access is Access.GLOBAL_ADMIN:
                require_global_admin(user)
            reply = _reply(route.handler(self.behaviour, Call(request, user.email, ids)))
        except ApiError as error:
            reply = error.reply()
        reply = self._disguised(reply)
        return Reply(reply.status, reply.body, {**reply.headers, **allowance.headers})

    def _answer_uncounted(self, route: Route, request: Request, ids: Sequence[str]) -> Reply:
        try:
            actor = self._hub_user(request).email if route.access is Access.HUB else ""
            return _reply(route.handler(self.behaviour, Call(request, actor, ids)))
        except ApiError as error:
            return error.reply()

    def _hub_user(self, request: Request) -> TeamUser:
        given = request.headers.get("authorization", "")
        if not given.startswith(_HUB_SCHEME):
            raise unauthenticated("The header Authorization must be: app-token <token>")
        user = self._tokens.check(given[len(_HUB_SCHEME) :].strip())
        if request.headers.get("service_id", "").strip() != str(SERVICE_ID):
            raise unauthenticated("The header service_id is missing or wrong")
        return user

    def _disguised(self, reply: Reply) -> Reply:
        kind = self._tenant.switches.html_body
        if kind is HtmlBody.NEVER:
            return reply
        return Reply(200 if kind is HtmlBody.WITH_200 else 502, _HTML, {"Content-Type": "text/html; charset=utf-8"})


def _reply(value: Any) -> Reply:
    return value if isinstance(value, Reply) else Reply.json(200, value)

"""HTTP in, HTTP out: which call goes where, and who may make it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote

import orjson

from cshub_sandbox.kernel import Reply, Request
from cshub_sandbox.totango.accounts import Accounts, IngestionHub, render_attribute_list
from cshub_sandbox.totango.bodies import Payload, parse_body
from cshub_sandbox.totango.catalogues import render_flows, render_items
from cshub_sandbox.totango.errors import ApiError, bad_request, not_found, not_simulated, unauthenticated
from cshub_sandbox.totango.event_search import read_timeline, search_events
from cshub_sandbox.totango.limiter import RateLimiter
from cshub_sandbox.totango.people import search_contacts, search_team
from cshub_sandbox.totango.query import parse_query
from cshub_sandbox.totango.records import TeamUser
from cshub_sandbox.totango.rendering import render_task
from cshub_sandbox.totango.switches import HtmlBody, Omitted, Region, TaskReply
from cshub_sandbox.totango.tasks import Tasks
from cshub_sandbox.totango.tenant import Tenant
from cshub_sandbox.totango.tokens import Tokens, require_global_admin
from cshub_sandbox.totango.touchpoints import Touchpoints

SERVICE_ID = 4242  # the middle number of SP-4242-01
EU_SITE = "t11"
US_SITE = "t1"
_HTML = b"<!DOCTYPE html><html><head><title>Totango</title></head><body><h1>Please try again</h1></body></html>"
_HUB_SCHEME = "app-token "


class Access(Enum):
    OPEN = auto()
    ANY_TOKEN = auto()
    GLOBAL_ADMIN = auto()
    HUB = auto()


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted call: what was asked, by whom (e-mail; "" for open calls), and the ids found in its path."""

    request: Request
    actor: str
    ids: Sequence[str]

    def payload(self) -> Payload:
        return Payload(parse_body(self.request))


Handler = Callable[["Api", Call], Any]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: re.Pattern[str]
    access: Access
    handler: Handler


class Api:
    """The API host and the ingestion hub of one tenant, on one address."""

    def __init__(self, tenant: Tenant, tokens: Tokens) -> None:
        self.tenant = tenant
        self.tokens = tokens
        self.limiter = RateLimiter(tenant.clock)
        self.touchpoints = Touchpoints(tenant)
        self.tasks = Tasks(tenant)
        self.accounts = Accounts(tenant)
        self.hub = IngestionHub(tenant)

    def answer(self, request: Request) -> Reply:
        """Route, count, admit, do. Every refusal is the vendor's own error answer."""
        self.hub.settle()
        path = request.path.rstrip("/")
        found = ((route, match) for route in ROUTES if (match := route.path.fullmatch(path)))
        route, match = next(((r, m) for r, m in found if r.method == request.method.upper()), (None, None))
        ids = [unquote(group) for group in match.groups()] if match else []
        if route is not None and route.access in (Access.OPEN, Access.HUB):
            return self._answer_uncounted(route, request, ids)
        token = request.headers.get("app-token", "").strip()
        if not token:
            return unauthenticated("The header app-token is missing").reply()
        allowance = self.limiter.take(token, self.tenant.switches.rate_limit)
        if not allowance.granted:
            return allowance.refusal(self.tenant.switches)
        try:
            user = self.tokens.check(token)
            if route is None:
                raise not_simulated(f"{request.method} {request.path}")
            if route.access is Access.GLOBAL_ADMIN:
                require_global_admin(user)
            reply = _reply(route.handler(self, Call(request, user.email, ids)))
        except ApiError as error:
            reply = error.reply()
        reply = self._disguised(reply)
        return Reply(reply.status, reply.body, {**reply.headers, **allowance.headers})

    def _answer_uncounted(self, route: Route, request: Request, ids: Sequence[str]) -> Reply:
        try:
            actor = self._hub_user(request).email if route.access is Access.HUB else ""
            return _reply(route.handler(self, Call(request, actor, ids)))
        except ApiError as error:
            return error.reply()

    def _hub_user(self, request: Request) -> TeamUser:
        given = request.headers.get("authorization", "")
        if not given.startswith(_HUB_SCHEME):
            raise unauthenticated("The header Authorization must be: app-token <token>")
        user = self.tokens.check(given[len(_HUB_SCHEME) :].strip())
        if request.headers.get("service_id", "").strip() != str(SERVICE_ID):
            raise unauthenticated("The header service_id is missing or wrong")
        return user

    def _disguised(self, reply: Reply) -> Reply:
        kind = self.tenant.switches.html_body
        if kind is HtmlBody.NEVER:
            return reply
        return Reply(200 if kind is HtmlBody.WITH_200 else 502, _HTML, {"Content-Type": "text/html; charset=utf-8"})


def _reply(value: Any) -> Reply:
    return value if isinstance(value, Reply) else Reply.json(200, value)


def _number(text: str, what: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise not_found(f"{what} not found")
    return int(text)


def create_touchpoint(api: Api, call: Call) -> Any:
    touchpoint = api.touchpoints.create(call.payload(), actor=call.actor)
    return {"note": {"id": touchpoint.note_id}}


def update_touchpoint(api: Api, call: Call) -> Any:
    clear = api.tenant.switches.put_omitted is Omitted.CLEAR
    note_id = _number(call.ids[0], "Touchpoint")
    touchpoint = api.touchpoints.update(note_id, call.payload(), actor=call.actor, clear_omitted=clear)
    return {"note": {"id": touchpoint.note_id}}


def delete_touchpoint(api: Api, call: Call) -> Any:
    api.touchpoints.delete(_number(call.ids[0], "Touchpoint"), call.payload().required_text("event_id"))
    return {"success": True}


def read_events(api: Api, call: Call) -> Any:
    account_id = call.request.param("account_id")
    if not account_id:
        raise bad_request("account_id is required")
    return read_timeline(api.tenant, account_id)


def find_events(api: Api, call: Call) -> Any:
    body = parse_body(call.request)
    query = parse_query(body, api.tenant.switches, paging_required=True)
    return search_events(api.tenant, query, Payload(body).text("account_id"))


def list_flows(api: Api, call: Call) -> Any:
    uses = Counter(touchpoint.activity_type_id for touchpoint in api.tenant.touchpoints.values())
    uses.update(task.activity_type_id for task in api.tenant.tasks.values())
    return render_flows(api.tenant.catalogues.flows, uses)


def list_types(api: Api, call: Call) -> Any:
    used = {touchpoint.touchpoint_type for touchpoint in api.tenant.touchpoints.values()}
    return render_items(api.tenant.catalogues.types, used, api.tenant.switches.catalogue_shape)


def list_tags(api: Api, call: Call) -> Any:
    used = {tag for touchpoint in api.tenant.touchpoints.values() for tag in touchpoint.tags}
    return render_items(api.tenant.catalogues.tags, used, api.tenant.switches.catalogue_shape)


def create_task(api: Api, call: Call) -> Any:
    task = api.tasks.create(call.payload(), actor=call.actor)
    return _task_reply(api, task.id, "Task created successfully")


def update_task(api: Api, call: Call) -> Any:
    payload = call.payload()
    in_body = payload.integer("id")
    in_path = _number(call.ids[0], "Task") if call.ids else in_body
    if in_path is None:
        raise bad_request("id is required")
    if in_body not in (None, in_path):
        raise bad_request("id differs from the one in the address")
    task = api.tasks.update(in_path, payload, actor=call.actor)
    return _task_reply(api, task.id, "Task updated successfully")


def _task_reply(api: Api, task_id: int, message: str) -> Any:
    if api.tenant.switches.task_reply is TaskReply.TEXT:
        return Reply(200, message.encode(), {"Content-Type": "text/plain; charset=utf-8"})
    return {"id": task_id}


def delete_task(api: Api, call: Call) -> Any:
    api.tasks.delete(_number(call.ids[0], "Task"), actor=call.actor)
    return {"success": True}


def read_task(api: Api, call: Call) -> Any:
    given = call.request.param("id")
    if not given:
        raise bad_request("id is required")
    task = api.tenant.tasks.get(int(given)) if re.fullmatch(r"[0-9]{1,18}", given) else None
    return [] if task is None else [render_task(task)]


def export_tasks(api: Api, call: Call) -> Any:
    text = call.request.param("query") or "{}"
    try:
        query = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"query is not valid JSON: {error}") from error
    columns = [column.strip(' "[]') for column in (call.request.param("fields") or "").split(",")]
    table = api.tasks.export_csv(query, [column for column in columns if column])
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", call.request.param("fileName") or "tasks") + ".csv"
    headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}"'}
    return Reply(200, table.encode(), headers)


def find_accounts(api: Api, call: Call) -> Any:
    return api.accounts.search(parse_query(parse_body(call.request), api.tenant.switches))


def scroll_accounts(api: Api, call: Call) -> Any:
    body = parse_body(call.request)
    return api.accounts.scroll(parse_query(body, api.tenant.switches), Payload(body).text("scroll_id"))


def read_account(api: Api, call: Call) -> Any:
    return api.accounts.one(call.ids[0])


def find_contacts(api: Api, call: Call) -> Any:
    return search_contacts(api.tenant, parse_query(parse_body(call.request), api.tenant.switches))


def find_team(api: Api, call: Call) -> Any:
    return search_team(api.tenant, parse_query(parse_body(call.request), api.tenant.switches))


def list_attributes(api: Api, call: Call) -> Any:
    return render_attribute_list(api.tenant)


def look_up_region(api: Api, call: Call) -> Any:
    if call.request.param("service_id") != str(SERVICE_ID):
        raise not_found("Unknown service_id")
    return {"site": EU_SITE if api.tenant.switches.region is Region.EU else US_SITE}


def ingest_accounts(api: Api, call: Call) -> Any:
    return api.hub.accept(parse_body(call.request).get("accounts"))


def _route(method: str, path: str, access: Access, handler: Handler) -> Route:
    return Route(method, re.compile(path), access, handler)


ROUTES: Sequence[Route] = (
    _route("POST", r"/api/v3/touchpoints", Access.GLOBAL_ADMIN, create_touchpoint),
    _route("PUT", r"/api/v3/touchpoints/([^/]+)", Access.GLOBAL_ADMIN, update_touchpoint),
    _route("DELETE", r"/api/v3/touchpoints/([^/]+)", Access.GLOBAL_ADMIN, delete_touchpoint),
    _route("GET", r"/api/v2/events", Access.GLOBAL_ADMIN, read_events),
    _route("POST", r"/api/v2/events/search", Access.GLOBAL_ADMIN, find_events),
    _route("GET", r"/api/v3/touchpoint-types", Access.GLOBAL_ADMIN, list_types),
    _route("GET", r"/api/v3/touchpoint-tags", Access.GLOBAL_ADMIN, list_tags),
    _route("GET", r"/api/v3/activity-types", Access.GLOBAL_ADMIN, list_flows),
    _route("POST", r"/api/v3/tasks", Access.GLOBAL_ADMIN, create_task),
    _route("PUT", r"/api/v3/tasks", Access.GLOBAL_ADMIN, update_task),
    _route("PUT", r"/api/v3/tasks/([^/]+)", Access.GLOBAL_ADMIN, update_task),
    _route("DELETE", r"/api/v3/tasks/([^/]+)", Access.GLOBAL_ADMIN, delete_task),
    _route("GET", r"/api/v3/tasks", Access.GLOBAL_ADMIN, read_task),
    _route("GET", r"/api/v3/tasks/export/csv", Access.GLOBAL_ADMIN, export_tasks),
    _route("POST", r"/api/v1/search/accounts", Access.ANY_TOKEN, find_accounts),
    _route("POST", r"/api/v2/accounts/scan_and_scroll_search_accounts", Access.ANY_TOKEN, scroll_accounts),
    _route("GET", r"/api/v2/accounts/([^/]+)", Access.ANY_TOKEN, read_account),
    _route("POST", r"/api/v1/search/users", Access.ANY_TOKEN, find_contacts),
    _route("POST", r"/api/v1/search/users/internal", Access.ANY_TOKEN, find_team),
    _route("GET", r"/api/v1/attributes\.json", Access.ANY_TOKEN, list_attributes),
    _route("GET", r"/domains", Access.OPEN, look_up_region),
    _route("POST", r"/api/v1/accounts", Access.HUB, ingest_accounts),
)

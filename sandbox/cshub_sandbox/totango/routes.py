"""Every simulated call and what it does: HTTP values in, behaviour called, HTTP values out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson

from cshub_sandbox.kernel import Reply
from cshub_sandbox.totango.accounts import render_attribute_list
from cshub_sandbox.totango.bodies import Payload, parse_body
from cshub_sandbox.totango.calls import SERVICE_ID, Access, Behaviour, Call, Handler, Route
from cshub_sandbox.totango.catalogues import render_flows, render_items
from cshub_sandbox.totango.errors import bad_request, not_found
from cshub_sandbox.totango.event_search import read_timeline, search_events
from cshub_sandbox.totango.people import search_contacts, search_team
from cshub_sandbox.totango.query import parse_query
from cshub_sandbox.totango.rendering import render_task
from cshub_sandbox.totango.switches import Omitted, Region, TaskRead, TaskReply, UnknownTask

_SPARSE = ("id", "title", "status")  # the fields of a task that scripts read
EU_SITE = "t11"  # what the vendor's own app takes for Europe
US_SITE = "t1"


def _number(text: str, what: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise not_found(f"{what} not found")
    return int(text)


def create_touchpoint(on: Behaviour, call: Call) -> Any:
    touchpoint = on.touchpoints.create(call.payload(), actor=call.actor)
    return {"note": {"id": touchpoint.note_id}}


def update_touchpoint(on: Behaviour, call: Call) -> Any:
    clear = on.tenant.switches.put_omitted is Omitted.CLEAR
    note_id = _number(call.ids[0], "Touchpoint")
    touchpoint = on.touchpoints.update(note_id, call.payload(), actor=call.actor, clear_omitted=clear)
    return {"note": {"id": touchpoint.note_id}}


def delete_touchpoint(on: Behaviour, call: Call) -> Any:
    on.touchpoints.delete(_number(call.ids[0], "Touchpoint"), call.payload().required_text("event_id"))
    return {"success": True}


def read_events(on: Behaviour, call: Call) -> Any:
    account_id = call.request.param("account_id")
    if not account_id:
        raise bad_request("account_id is required")
    return read_timeline(on.tenant, account_id)


def find_events(on: Behaviour, call: Call) -> Any:
    body = parse_body(call.request)
    query = parse_query(body, on.tenant.switches, paging_required=True)
    return search_events(on.tenant, query, Payload(body).text("account_id"))


def list_flows(on: Behaviour, call: Call) -> Any:
    uses = Counter(touchpoint.activity_type_id for touchpoint in on.tenant.touchpoints.values())
    uses.update(task.activity_type_id for task in on.tenant.tasks.values())
    return render_flows(on.tenant.catalogues.flows, uses)


def list_types(on: Behaviour, call: Call) -> Any:
    used = {touchpoint.touchpoint_type for touchpoint in on.tenant.touchpoints.values()}
    return render_items(on.tenant.catalogues.types, used, on.tenant.switches.catalogue_shape)


def list_tags(on: Behaviour, call: Call) -> Any:
    used = {tag for touchpoint in on.tenant.touchpoints.values() for tag in touchpoint.tags}
    return render_items(on.tenant.catalogues.tags, used, on.tenant.switches.catalogue_shape)


def create_task(on: Behaviour, call: Call) -> Any:
    task = on.tasks.create(call.payload(), actor=call.actor)
    return _task_reply(on, task.id, "Task created successfully")


def update_task(on: Behaviour, call: Call) -> Any:
    payload = call.payload()
    in_body = payload.integer("id")
    in_path = _number(call.ids[0], "Task") if call.ids else in_body
    if in_path is None:
        raise bad_request("id is required")
    if in_body not in (None, in_path):
        raise bad_request("id differs from the one in the address")
    task = on.tasks.update(in_path, payload, actor=call.actor)
    return _task_reply(on, task.id, "Task updated successfully")


def _task_reply(on: Behaviour, task_id: int, message: str) -> Any:
    if on.tenant.switches.task_reply is TaskReply.TEXT:
        return Reply(200, message.encode(), {"Content-Type": "text/plain; charset=utf-8"})
    return {"id": task_id}


def delete_task(on: Behaviour, call: Call) -> Any:
    on.tasks.delete(_number(call.ids[0], "Task"), actor=call.actor)
    return {"success": True}


def read_task(on: Behaviour, call: Call) -> Any:
    given = call.request.param("id")
    if not given:
        raise bad_request("id is required")
    task = on.tenant.tasks.get(int(given)) if re.fullmatch(r"[0-9]{1,18}", given) else None
    if task is None:
        if on.tenant.switches.unknown_task is UnknownTask.NOT_FOUND:
            raise not_found("Task not found")
        return []
    shown = render_task(task)
    return [shown if on.tenant.switches.task_read is TaskRead.FULL else {name: shown[name] for name in _SPARSE}]


def export_tasks(on: Behaviour, call: Call) -> Any:
    text = call.request.param("query") or "{}"
    try:
        query = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"query is not valid JSON: {error}") from error
    columns = [column.strip(' "[]') for column in (call.request.param("fields") or "").split(",")]
    table = on.tasks.export_csv(query, [column for column in columns if column])
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", call.request.param("fileName") or "tasks") + ".csv"
    headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}"'}
    return Reply(200, table.encode("utf-8", "ignore"), headers)


def find_accounts(on: Behaviour, call: Call) -> Any:
    return on.accounts.search(parse_query(parse_body(call.request), on.tenant.switches))


def scroll_accounts(on: Behaviour, call: Call) -> Any:
    body = parse_body(call.request)
    return on.accounts.scroll(parse_query(body, on.tenant.switches), Payload(body).text("scroll_id"))


def read_account(on: Behaviour, call: Call) -> Any:
    return on.accounts.one(call.ids[0])


def find_contacts(on: Behaviour, call: Call) -> Any:
    return search_contacts(on.tenant, parse_query(parse_body(call.request), on.tenant.switches))


def find_team(on: Behaviour, call: Call) -> Any:
    return search_team(on.tenant, parse_query(parse_body(call.request), on.tenant.switches))


def list_attributes(on: Behaviour, call: Call) -> Any:
    return render_attribute_list(on.tenant)


def look_up_region(on: Behaviour, call: Call) -> Any:
    if call.request.param("service_id") != str(SERVICE_ID):
        raise not_found("Unknown service_id")
    return {"site": EU_SITE if on.tenant.switches.region is Region.EU else US_SITE}


def ingest_accounts(on: Behaviour, call: Call) -> Any:
    return on.hub.accept(parse_body(call.request).get("accounts"))


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

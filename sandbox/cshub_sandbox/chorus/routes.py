"""HTTP of the simulated Chorus: one function per operation reads the request and builds the reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

from ..kernel import Reply, Request
from . import query
from .emails import email_page, find_email
from .errors import JSON_API, ApiProblem, bad_parameter, not_found
from .people import iso
from .records import Viewer
from .switches import MediaAccess, UsersShape

if TYPE_CHECKING:
    from .service import ChorusService

LOGIN_PATH = "/login"
MOST_DELETIONS = 100
LAST_PAGE = 2**31 - 1
LONGEST_MOMENTS = timedelta(days=365)
PLAYLIST_TYPES = frozenset({"BOOKMARKS", "HASHTAG_PLAYLIST", "PINNED_MOMENTS", "PLAYLIST", "SMART_PLAYLIST"})
EXPORT_FIELDS: Mapping[str, type] = {
    "start": int,
    "end": int,
    "add_usage": bool,
    "email_on_complete": bool,
    "callback_url": str,
}


def list_engagements(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    _check_version(request)
    return Reply.json(200, service.engagements.page(request, viewer))


def delete_engagements(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    identifiers = sorted(query.names(request, "engagement_id") or ())
    if not identifiers:
        raise bad_parameter("engagement_id", "engagement_id is required")
    if len(identifiers) > MOST_DELETIONS:
        raise bad_parameter("engagement_id", f"at most {MOST_DELETIONS} engagements can be deleted in one call")
    for identifier in identifiers:
        _delete(service, request, viewer, identifier)
    return Reply.json(202, {"status": "accepted", "engagement_ids": identifiers})


def delete_engagement(service: ChorusService, request: Request, viewer: Viewer, engagement_id: str) -> Reply:
    _delete(service, request, viewer, engagement_id)
    return Reply.json(202, {"status": "accepted", "engagement_ids": [engagement_id]})


def list_users(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    _check_version(request)
    json_api = service.switches.users_shape is UsersShape.JSON_API
    body = service.people.all_users(service.switches)
    return Reply.json(200, body, media_type=JSON_API if json_api else "application/json")


def read_me(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    return _document(service.people.resource(viewer.member))


def list_teams(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    return _document([service.people.team(number) for number in sorted(service.world.teams)])


def read_team(service: ChorusService, request: Request, viewer: Viewer, id: str) -> Reply:
    if not (id.isascii() and id.isdigit()) or int(id) not in service.world.teams:
        raise not_found()
    return _document(service.people.team(int(id)))


def read_conversation(service: ChorusService, request: Request, viewer: Viewer, id: str) -> Reply:
    return Reply.json(200, service.conversations.document(id, request, viewer), media_type=JSON_API)


def delete_conversation(service: ChorusService, request: Request, viewer: Viewer, id: str) -> Reply:
    query.flag(request, "force_delete")
    service.records.find(id, viewer)
    _delete(service, request, viewer, id)
    task = {"type": "task", "id": f"task-{len(service.violations)}", "attributes": {"status": "queued"}}
    return Reply.json(202, {"data": task}, media_type=JSON_API)


def read_media(service: ChorusService, request: Request, viewer: Viewer, id: str) -> Reply:
    info = query.flag(request, "info")
    if service.switches.media_access is MediaAccess.SESSION and "session=" not in request.headers.get("cookie", ""):
        raise ApiProblem(403, "Media can only be read in a signed-in session.")
    meeting = service.conversations.find_recording(id, viewer)
    host = request.headers.get("host", "127.0.0.1")
    if info:
        return Reply.json(200, service.media.info(meeting, host))
    return Reply(service.switches.media_redirect_status, b"", {"Location": service.media.link(meeting, host)})


def export_conversations(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    body = _json_object(request)
    for name, kind in EXPORT_FIELDS.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise ApiProblem(400, f"{name} has the wrong type.", pointer=f"/{name}")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ApiProblem(400, f"{name} is no 64-bit integer.", pointer=f"/{name}")
    number = len(service.exports) + 1
    wanted = {name: body.get(name) for name in EXPORT_FIELDS}
    service.exports.append({"id": number, **wanted, "status": service.switches.export_result})
    return Reply.json(202, {"id": number, "status": "scheduled"})


def list_emails(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    meetings, cursor = email_page(service.records, request, viewer)
    data = [service.conversations.email_resource(meeting) for meeting in meetings]
    return Reply.json(200, {"data": data, "meta": {"page": {"cursor": cursor}}}, media_type=JSON_API)


def read_email(service: ChorusService, request: Request, viewer: Viewer, id: str) -> Reply:
    meeting = find_email(service.records, id, viewer)
    return _document(service.conversations.email_resource(meeting))


def list_scorecards(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    query.whole(request, "page[size]", default=20, least=1, most=100)
    query.whole(request, "page[number]", default=1, least=1)
    query.whole(request, "filter[initiative]", default=0, least=-(2**63))
    query.time_range(request, "filter[submitted]")
    query.numbers(request, "filter[recipients]")
    query.numbers(request, "filter[reviewers]")
    return _document([])


def list_moments(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    query.time_range(request, "filter[shared_on]", required=True, longest=LONGEST_MOMENTS)
    return _document([])


def list_playlists(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    number = query.whole(request, "page[number]", default=1, least=1, most=LAST_PAGE)
    query.whole(request, "page[size]", default=20, least=1, most=1000)
    query.whole(request, "filter[parent]", default=0, least=-(2**63))
    for name in ("include_parent", "recursive", "filter[subscribed]", "top_level"):
        query.flag(request, name)
    if unknown := (query.names(request, "filter[type]") or frozenset()) - PLAYLIST_TYPES:
        raise bad_parameter("filter[type]", f"{min(unknown)!r} is not a type of playlist")
    if len(query.names(request, "sort") or ()) > 1:
        raise bad_parameter("sort", "sort takes one field")
    return Reply.json(200, {"data": [], "meta": {"page_number": number, "total_pages": 0}}, media_type=JSON_API)


def list_filters(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    return _document([])


def log_in(service: ChorusService, request: Request, viewer: Viewer | None) -> Reply:
    form = _multipart(request)
    if "email" not in form or "password" not in form:
        raise ApiProblem(400, "email and password are required.")
    member = service.people.members.get(form["email"].strip().lower())
    if member is None or not member.chorus_active or form["password"] != service.password:
        raise ApiProblem(401, "Wrong e-mail or password.")
    cookie = f"session={service.open_session(member)}; Path=/; HttpOnly"
    return Reply.json(200, {"success": True}, headers={"Set-Cookie": cookie})


def list_webhooks(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    return Reply.json(200, {"webhooks": service.webhooks})


def add_webhook(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    body = _json_object(request)
    if body.get("event") != "recording_done":
        raise ApiProblem(400, "event must be recording_done.", pointer="/event")
    if not isinstance(body.get("type"), str | None):
        raise ApiProblem(400, "type must be a string.", pointer="/type")
    hook = {"id": len(service.webhooks) + 1, "url": _hook_url(body), "events": [{"event_name": "recording_done"}]}
    service.webhooks.append(hook)
    return Reply.json(200, hook)


def delete_webhook(service: ChorusService, request: Request, viewer: Viewer) -> Reply:
    url = _hook_url(_json_object(request))
    service.webhooks[:] = [hook for hook in service.webhooks if hook["url"] != url]
    return Reply.json(200, {"success": True})


ROUTES: Mapping[tuple[str, str], Callable[..., Reply]] = {
    ("GET", "/v3/engagements"): list_engagements,
    ("DELETE", "/v3/engagements"): delete_engagements,
    ("DELETE", "/v3/engagements/{engagement_id}"): delete_engagement,
    ("GET", "/v3/users"): list_users,
    ("GET", "/v3/webhook"): list_webhooks,
    ("POST", "/v3/webhook"): add_webhook,
    ("DELETE", "/v3/webhook"): delete_webhook,
    ("GET", "/api/v1/users/me"): read_me,
    ("GET", "/api/v1/teams"): list_teams,
    ("GET", "/api/v1/teams/{id}"): read_team,
    ("GET", "/api/v1/conversations/{id}"): read_conversation,
    ("DELETE", "/api/v1/conversations/{id}"): delete_conversation,
    ("GET", "/api/v1/conversations/{id}/media"): read_media,
    ("POST", "/api/v1/conversations:export"): export_conversations,
    ("GET", "/api/v1/emails"): list_emails,
    ("GET", "/api/v1/emails/{id}"): read_email,
    ("GET", "/api/v1/scorecards"): list_scorecards,
    ("GET", "/api/v1/moments"): list_moments,
    ("GET", "/api/v1/playlists"): list_playlists,
    ("GET", "/api/v1/filters"): list_filters,
    ("POST", LOGIN_PATH): log_in,
}
"""The simulated operations: method and documented path -> function."""


def _document(data: Any) -> Reply:
    return Reply.json(200, {"data": data}, media_type=JSON_API)


def _check_version(request: Request) -> None:
    version = request.headers.get("x-al-version")
    if version is None:
        return
    try:
        date.fromisoformat(version)
    except ValueError as problem:
        raise ApiProblem(400, "x-al-version is not a supported version.", header="x-al-version") from problem


def _delete(service: ChorusService, request: Request, viewer: Viewer, identifier: str) -> None:
    violation = {"at": iso(service.clock.now()), "method": request.method, "path": request.path, "id": identifier}
    service.violations.append(violation)
    meeting = service.records.by_id.get(identifier)
    if meeting is not None and viewer.may_see(meeting):
        service.records.remove(identifier)


def _json_object(request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError as problem:
        raise ApiProblem(400, "The body is not valid JSON.") from problem
    if not isinstance(body, dict):
        raise ApiProblem(400, "The body must be a JSON object.")
    return body


def _hook_url(body: Mapping[str, Any]) -> str:
    url = body.get("hook_url")
    if not isinstance(url, str):
        raise ApiProblem(400, "hook_url is required.", pointer="/hook_url")
    return url


def _multipart(request: Request) -> dict[str, str]:
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode("utf-8", "replace")
    message = message_from_bytes(head + request.body)
    if not message.is_multipart():
        raise ApiProblem(400, "The body must be multipart/form-data.")
    form: dict[str, str] = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            form[name] = payload.decode("utf-8", "replace")
    return form

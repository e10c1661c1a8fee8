"""The simulated Chorus: who may call, how often, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2s
from math import ceil
from typing import Any

from ..kernel import Clock, Reply, Request
from ..world import TeamMember, World
from .actions import ACTIONS
from .contract import documented
from .conversations import Conversations
from .engagements import Engagements, chorus_account_id
from .errors import ApiProblem, error_reply
from .media import STORE_PATH, Media
from .people import People, iso
from .records import Records, Viewer
from .routes import LOGIN_PATH, ROUTES
from .switches import ApiRole, ChorusSwitches, UnauthorizedBody, UnknownPath, V3Errors

WEB_APP = b"<!DOCTYPE html><html><head><title>Chorus</title></head><body><div id='app'></div></body></html>"
RATE_WINDOW = timedelta(seconds=60)
PASSWORD = "sandbox-password"
UNAUTHORIZED_CODE = "ZI0001"


class ChorusService:
    """One Chorus tenant on a world.

    ``token`` sees everything that is not private; ``restricted_token`` only the meetings of one recorder.
    ``password`` signs any user in at ``POST /login``.
    """

    name = "chorus"

    def __init__(self, world: World, clock: Clock, *, seed: int = 0, switches: ChorusSwitches | None = None) -> None:
        self.world = world
        self.clock = clock
        self.switches = switches or ChorusSwitches()
        self.people = People(world)
        self.records = Records(world, clock, self.switches)
        self.engagements = Engagements(self.records, self.people)
        self.conversations = Conversations(self.records, self.people)
        self.media = Media(self.records)
        self.password = PASSWORD
        self.violations: list[dict[str, Any]] = []
        self.webhooks: list[dict[str, Any]] = []
        self.exports: list[dict[str, Any]] = []
        self.tokens: dict[str, Viewer] = {}
        self.sessions: dict[str, Viewer] = {}
        self._windows: dict[str, tuple[datetime, int]] = {}
        self._issued = 0
        users = self.people.users()
        self.token = self.issue_token(users[0], sees_all=True)
        self.restricted_token = self.issue_token(users[1], sees_all=False)

    def handle(self, request: Request) -> Reply:
        if request.path.startswith(STORE_PATH) and request.method in ("GET", "HEAD"):
            return self.media.download(request)
        try:
            return self._answer(request)
        except ApiProblem as problem:
            as_text = request.path.startswith("/v3/") and self.switches.v3_errors is V3Errors.TEXT
            return error_reply(problem, as_text=as_text)

    def state(self) -> dict[str, Any]:
        now = self.clock.now()
        records = self.records
        return {
            "engagements": [
                {
                    "id": meeting.id,
                    "kind": meeting.kind,
                    "subject": meeting.subject,
                    "account_id": chorus_account_id(meeting.account),
                    "owner": meeting.owner.person.email,
                    "starts_at": iso(meeting.starts_at),
                    "duration_s": meeting.duration_s,
                    "stage": records.stage(meeting, now),
                    "summary": records.summary(meeting, now),
                    "summary_ready_at": iso(meeting.summary_ready_at) if meeting.summary_ready_at else None,
                    "private": meeting.private,
                    "attendees": [person.email for person in meeting.attendees],
                }
                for meeting in records.walk(None, None)
            ],
            "deleted": list(records.deleted),
            "violations": list(self.violations),
            "webhooks": list(self.webhooks),
            "exports": list(self.exports),
        }

    def act(self, action: str, arguments: Mapping[str, Any]) -> Any:
        if action not in ACTIONS:
            raise KeyError(f"Chorus has no action {action!r}; there are {', '.join(sorted(ACTIONS))}")
        return ACTIONS[action](self, arguments)

    @property
    def action_names(self) -> Sequence[str]:
        """What ``act`` can do."""
        return tuple(ACTIONS)

    def issue_token(self, member: TeamMember, *, sees_all: bool) -> str:
        """A new API token of a user."""
        self._issued += 1
        token = "chorus-" + blake2s(f"token {self._issued}".encode(), digest_size=16).hexdigest()
        self.tokens[token] = Viewer(member, sees_all)
        return token

    def open_session(self, member: TeamMember) -> str:
        """The value of a new session cookie of a user."""
        value = blake2s(f"session {len(self.sessions)}".encode(), digest_size=16).hexdigest()
        self.sessions[value] = Viewer(member, sees_all=True)
        return value

    def _answer(self, request: Request) -> Reply:
        place = documented(request.path)
        if place is None:
            if self.switches.unknown_path is UnknownPath.WEB_APP:
                return Reply(200, WEB_APP, {"Content-Type": "text/html; charset=utf-8"})
            raise ApiProblem(404, "The requested URL was not found.")
        if request.method not in place.methods:
            refusal = error_reply(ApiProblem(405, f"{request.method} is not allowed here."))
            return Reply(refusal.status, refusal.body, {**refusal.headers, "Allow": ", ".join(sorted(place.methods))})
        viewer = None
        if request.path != LOGIN_PATH:
            viewer, credential = self._viewer(request)
            if viewer is None or not viewer.member.chorus_active:
                return self._unauthorized()
            if self.switches.api_role is ApiRole.DISABLED:
                raise ApiProblem(403, "The role of this token's user does not allow calling the API.")
            if (limited := self._limited(credential)) is not None:
                return limited
        answer = ROUTES.get((request.method, place.template))
        if answer is not None:
            return answer(self, request, viewer, **place.parameters)
        raise ApiProblem(501, f"{request.method} {request.path} is documented but not simulated.")

    def _viewer(self, request: Request) -> tuple[Viewer | None, str]:
        for cookie in request.headers.get("cookie", "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == "session" and value in self.sessions:
                return self.sessions[value], value
        token = request.headers.get("authorization") or request.headers.get("x-ziaccesstoken") or ""
        token = token.removeprefix("Bearer ").strip()
        return self.tokens.get(token), token

    def _unauthorized(self) -> Reply:
        if self.switches.unauthorized_body is UnauthorizedBody.EMPTY:
            return Reply(401)
        return error_reply(ApiProblem(401, "Authentication failed."), code=UNAUTHORIZED_CODE)

    def _limited(self, credential: str) -> Reply | None:
        limit = self.switches.rate_limit
        if not limit:
            return None
        now = self.clock.now()
        start, count = self._windows.get(credential, (now, 0))
        if now - start >= RATE_WINDOW:
            start, count = now, 0
        self._windows[credential] = (start, count + 1)
        if count < limit:
            return None
        wait = ceil((start + RATE_WINDOW - now).total_seconds())
        headers = {"Retry-After": str(wait)} if self.switches.retry_after_header else {}
        return Reply(429, b"Too Many Requests", {"Content-Type": "text/plain; charset=utf-8", **headers})

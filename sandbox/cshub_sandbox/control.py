"""The control address: watch, move and disturb the sandbox while it runs. Never part of what is simulated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from .faults import MEANINGS, FaultRule, WrongFault
from .kernel import LogEntry, Reply, Request, check_world_time
from .sandbox import Sandbox, login_of

LONGEST_MOVE_S = 10 * 365 * 86_400.0

EXAMPLES = {
    "GET /": "this text",
    "GET /log?service=totango&writes=true&since=2026-11-20T12:00:00Z": "every call received, oldest first",
    "DELETE /log": "forget the calls so far",
    "GET /state/chorus": "all that a service holds",
    "GET /world": "sizes of the world, and which meetings show which peculiarity",
    "POST /reset": {"seed": 7, "accounts": 40, "meetings": 400, "cases": True, "now": "2026-11-20T12:00:00Z"},
    "GET /clock": "the time of the world",
    "POST /clock": [{"advance_s": 3600}, {"set": "2026-11-20T12:00:00Z"}, {"freeze": True}],
    "GET /faults": "the faults in force, and what each has matched and struck",
    "POST /faults": {"kind": "drop_after_commit", "service": "totango", "only_writes": True, "nth": 3},
    "DELETE /faults": "no faults any more (DELETE /faults/2: only number 2)",
    "GET /switches/chorus": "the assumptions about a vendor, and their values now",
    "POST /switches/chorus": {"end_of_list": "missing"},
    "GET /act/chorus": "the edits that a user of a service can make",
    "POST /act/chorus/finish_summary": {"id": "7F3D90C1A2B34C5D8E6F708192A3B4C5"},
}


class Unacceptable(Exception):
    """The control call is wrong; the message says what to send instead."""

    def __init__(self, message: str, *, status: int = 400, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.field = field


class Control:
    """Answers control calls on one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._routes: tuple[tuple[str, re.Pattern[str], Callable[..., Any]], ...] = tuple(
            (method, re.compile(pattern + r"\Z"), handler)
            for method, pattern, handler in (
                ("GET", "/", self._describe),
                ("GET", "/log", self._read_log),
                ("DELETE", "/log", self._clear_log),
                ("GET", "/state/([^/]+)", self._state),
                ("GET", "/world", self._world),
                ("POST", "/reset", self._reset),
                ("GET", "/clock", self._read_clock),
                ("POST", "/clock", self._move_clock),
                ("GET", "/faults", self._read_faults),
                ("POST", "/faults", self._add_faults),
                ("DELETE", "/faults(?:/([^/]+))?", self._clear_faults),
                ("GET", "/switches/([^/]+)", self._read_switches),
                ("POST", "/switches/([^/]+)", self._set_switches),
                ("GET", "/act/([^/]+)", self._actions),
                ("POST", "/act/([^/]+)/([^/]+)", self._act),
            )
        )

    def handle(self, request: Request) -> Reply:
        """Answers JSON: 200, or 400/404/405 with ``{"error": {"message", "field"}}``."""
        try:
            return Reply.json(200, self._dispatch(request))
        except Unacceptable as problem:
            error = {"message": str(problem), "field": problem.field}
            return Reply.json(problem.status, {"error": error})

    def _dispatch(self, request: Request) -> Any:
        known_path = False
        for method, pattern, handler in self._routes:
            if match := pattern.match(request.path):
                known_path = True
                if method == request.method:
                    return handler(request, *match.groups())
        if known_path:
            raise Unacceptable(f"{request.method} is not possible on {request.path}; see GET /", status=405)
        raise Unacceptable(f"nothing at {request.path}; GET / lists what there is", status=404)

    def _describe(self, request: Request) -> Any:
        return {
            "what": "Control address of the sandbox. Bodies are JSON. Times are ISO 8601 with zone.",
            "services": list(self._sandbox.gates),
            "calls": EXAMPLES,
            "fault_kinds": MEANINGS,
        }

    def _read_log(self, request: Request) -> Any:
        service, since, writes = request.param("service"), request.param("since"), request.param("writes")
        if service is not None:
            self._service(service)
        after = _moment(since, "since") if since else None
        if writes not in (None, "true", "false"):
            raise Unacceptable("writes must be true or false", field="writes")
        return [
            _log_line(entry)
            for entry in self._sandbox.log.entries
            if (service is None or entry.service == service)
            and (after is None or entry.at >= after)
            and (writes is None or entry.write is (writes == "true"))
        ]

    def _clear_log(self, request: Request) -> Any:
        return {"removed": self._sandbox.log.clear()}

    def _state(self, request: Request, name: str) -> Any:
        return self._service(name).state()

    def _world(self, request: Request) -> Any:
        world = self._sandbox.world
        return {
            "size": asdict(self._sandbox.size),
            "made_at": world.now.isoformat(),
            "accounts": len(world.accounts),
            "meetings": len(world.meetings),
            "cases": world.cases,
        }

    def _reset(self, request: Request) -> Any:
        body = _object(request, {"seed", "accounts", "meetings", "cases", "now"})
        size = self._sandbox.size
        cases = body.get("cases", size.cases)
        if not isinstance(cases, bool):
            raise Unacceptable("cases must be true or false", field="cases")
        size = replace(
            size,
            seed=_whole(body.get("seed", size.seed), "seed"),
            accounts=_whole(body.get("accounts", size.accounts), "accounts"),
            meetings=_whole(body.get("meetings", size.meetings), "meetings"),
            cases=cases,
        )
        now = _world_moment(body["now"], "now") if "now" in body else None
        try:
            self._sandbox.reset(size, now=now)
        except ValueError as problem:
            raise Unacceptable(str(problem)) from problem
        tokens = {name: self._service(name).token for name in self._sandbox.gates}
        logins = {name: dict(login) for name in self._sandbox.gates if (login := login_of(self._service(name)))}
        return {**self._world(request), "tokens": tokens, "logins": logins}

    def _read_clock(self, request: Request) -> Any:
        return {"now": self._sandbox.clock.now().isoformat()}

    def _move_clock(self, request: Request) -> Any:
        body = _object(request, {"advance_s", "set", "freeze"})
        if not body:
            raise Unacceptable('say what to do: {"advance_s": 60}, {"set": "2026-11-20T12:00:00Z"} or {"freeze": true}')
        clock = self._sandbox.clock
        if "freeze" in body and not isinstance(body["freeze"], bool):
            raise Unacceptable("freeze must be true or false", field="freeze")
        move = body.get("advance_s", 0)
        if not isinstance(move, int | float) or isinstance(move, bool) or abs(move) > LONGEST_MOVE_S:
            raise Unacceptable("advance_s must be a number of seconds, at most ten years", field="advance_s")
        moment = _world_moment(body["set"], "set") if "set" in body else clock.now()
        try:
            check_world_time(moment + timedelta(seconds=move))
        except ValueError as problem:
            raise Unacceptable(str(problem), field="advance_s") from problem
        if "freeze" in body:
            clock.freeze(body["freeze"])
        if "set" in body:
            clock.set(moment)
        if move:
            clock.advance(timedelta(seconds=move))
        return self._read_clock(request)

    def _read_faults(self, request: Request) -> Any:
        return self._sandbox.faults.listing()

    def _add_faults(self, request: Request) -> Any:
        body = _json(request)
        try:
            rules = [FaultRule.parse(item) for item in (body if isinstance(body, list) else [body])]
        except WrongFault as problem:
            raise Unacceptable(str(problem), field=problem.field) from problem
        for rule in rules:
            if rule.service is not None:
                self._service(rule.service)
        for rule in rules:
            self._sandbox.faults.add(rule)
        return self._read_faults(request)

    def _clear_faults(self, request: Request, number: str | None) -> Any:
        if number is not None and not number.isdigit():
            raise Unacceptable(f"{number!r} is not the number of a fault; GET /faults lists them as id", field="id")
        return {"removed": self._sandbox.faults.clear(None if number is None else int(number))}

    def _read_switches(self, request: Request, name: str) -> Any:
        return self._switches(name).model_dump(mode="json")

    def _set_switches(self, request: Request, name: str) -> Any:
        switches = self._switches(name)
        body = _object(request, set(type(switches).model_fields))
        try:
            checked = type(switches).model_validate({**switches.model_dump(), **body})
        except ValidationError as problem:
            first = problem.errors()[0]
            field = str(first["loc"][0]) if first["loc"] else None
            raise Unacceptable(f"{field} is {first['input']!r}: {first['msg']}", field=field) from problem
        for field in body:
            setattr(switches, field, getattr(checked, field))
        return self._read_switches(request, name)

    def _actions(self, request: Request, name: str) -> Any:
        return list(self._service(name).action_names)

    def _act(self, request: Request, name: str, action: str) -> Any:
        service = self._service(name)
        body = _object(request, None)
        try:
            return {"result": service.act(action, body)}
        except KeyError as problem:
            raise Unacceptable(str(problem.args[0]), status=404) from problem
        except ValueError as problem:
            raise Unacceptable(str(problem)) from problem

    def _service(self, name: str) -> Any:
        try:
            return self._sandbox.service(name)
        except KeyError as problem:
            raise Unacceptable(str(problem.args[0]), status=404, field="service") from problem

    def _switches(self, name: str) -> BaseModel:
        switches: BaseModel = self._service(name).switches
        return switches


def _log_line(entry: LogEntry) -> Mapping[str, Any]:
    return {**asdict(entry), "query": [list(pair) for pair in entry.query], "at": entry.at.isoformat()}


def _json(request: Request) -> Any:
    try:
        return request.json() if request.body else {}
    except orjson.JSONDecodeError as problem:
        raise Unacceptable(f"the body is not JSON ({problem}); send a JSON object") from problem


def _object(request: Request, known: set[str] | None) -> dict[str, Any]:
    body = _json(request)
    if not isinstance(body, dict):
        raise Unacceptable("the body must be a JSON object")
    if known is not None and (unknown := sorted(set(body) - known)):
        raise Unacceptable(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}", field=unknown[0])
    return body


def _whole(value: Any, field: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unacceptable(f"{field} must be a whole number; got {value!r}", field=field)
    return value


def _moment(value: Any, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as problem:
        raise Unacceptable(
            f"{field} must be a time such as 2026-11-20T12:00:00Z; got {value!r}", field=field
        ) from problem
    if moment.tzinfo is None:
        raise Unacceptable(f"{field} needs a time zone, for example {value}Z", field=field)
    try:
        return moment.astimezone(UTC)
    except OverflowError as problem:
        raise Unacceptable(f"{field} must be a time of the calendar; got {value!r}", field=field) from problem


def _world_moment(value: Any, field: str) -> datetime:
    try:
        return check_world_time(_moment(value, field))
    except ValueError as problem:
        raise Unacceptable(str(problem), field=field) from problem

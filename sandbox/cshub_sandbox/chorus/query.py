"""Reads query parameters the way the simulated Chorus does; what it cannot read is a 400 naming the parameter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isfinite

from ..kernel import Request
from .errors import bad_parameter

TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")
EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
OPEN = "*"


def moment(text: str, name: str) -> datetime:
    """A time: ISO 8601 with zone, without (UTC), a bare date, or epoch seconds."""
    try:
        if text.replace(".", "", 1).lstrip("-").isascii() and text.replace(".", "", 1).lstrip("-").isdigit():
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError) as problem:
        raise bad_parameter(name, f"{name} is not a date-time: {text!r}") from problem


def optional_moment(request: Request, name: str) -> datetime | None:
    text = request.param(name)
    return None if text is None or text == "" else moment(text, name)


def number(request: Request, name: str) -> float | None:
    text = request.param(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError as problem:
        raise bad_parameter(name, f"{name} is not a number: {text!r}") from problem
    if not isfinite(value):
        raise bad_parameter(name, f"{name} is not a finite number: {text!r}")
    return value


def flag(request: Request, name: str) -> bool | None:
    text = request.param(name)
    if text is None:
        return None
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise bad_parameter(name, f"{name} is not true or false: {text!r}")


def whole(request: Request, name: str, *, default: int, least: int, most: int | None = None) -> int:
    """An integer within bounds."""
    text = request.param(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError as problem:
        raise bad_parameter(name, f"{name} is not an integer: {text!r}") from problem
    if value < least or (most is not None and value > most):
        bounds = f"at least {least}" if most is None else f"between {least} and {most}"
        raise bad_parameter(name, f"{name} must be {bounds}: {text!r}")
    return value


def names(request: Request, name: str) -> frozenset[str] | None:
    """A comma-separated list of words; None when it was not sent."""
    text = request.param(name)
    return None if text is None or text == "" else frozenset(item.strip() for item in text.split(",") if item.strip())


def numbers(request: Request, name: str) -> frozenset[int] | None:
    """A comma-separated list of integers; None when it was not sent."""
    found = names(request, name)
    if found is None:
        return None
    try:
        return frozenset(int(item) for item in found)
    except ValueError as problem:
        raise bad_parameter(name, f"{name} must be a list of integers") from problem


def time_range(
    request: Request, name: str, *, required: bool = False, longest: timedelta | None = None
) -> tuple[datetime, datetime] | None:
    """A range ``<iso>:<iso>`` where ``*`` leaves an end open; None when it was not sent."""
    text = request.param(name)
    if text is None:
        if required:
            raise bad_parameter(name, f"{name} is required")
        return None
    for place in (index for index, char in enumerate(text) if char == ":"):
        left, right = text[:place], text[place + 1 :]
        try:
            start = EARLIEST if left == OPEN else datetime.fromisoformat(left)
            end = LATEST if right == OPEN else datetime.fromisoformat(right)
        except ValueError:
            continue
        start, end = (at.replace(tzinfo=UTC) if at.tzinfo is None else at for at in (start, end))
        if longest is not None and (OPEN in (left, right) or end - start > longest):
            raise bad_parameter(name, f"{name} may span at most {longest.days} days")
        return start, end
    raise bad_parameter(name, f"{name} must be two ISO 8601 dates separated by a colon: {text!r}")

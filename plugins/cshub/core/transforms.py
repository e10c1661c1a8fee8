"""Named transforms of single values, as a table. A mapping row applies them in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cshub.core.errors import DataError
from cshub.core.ids import to_18
from cshub.core.objects import Kind
from cshub.core.text import html_to_text, length, truncate, wrap_html
from cshub.core.values import cast, iso_ms, parse_moment

TEXTUAL = frozenset({Kind.TEXT, Kind.RICH_TEXT, Kind.ID, Kind.EMAIL, Kind.ANY})
CUT_MARKER = " … [cut]"


@dataclass(frozen=True, slots=True)
class Transform:
    """``apply(value, argument) -> value`` for values that are not null; raises :class:`DataError` for unfit ones.

    ``argument``: its name, if it takes one; ``example``: one that is right; ``fault``: what is wrong with an argument
    of the right type, None when nothing is.
    """

    name: str
    apply: Callable[[Any, Any], Any]
    takes: frozenset[Kind]
    gives: Kind
    help: str
    argument: str | None = None
    example: str | int | None = None
    fault: Callable[[Any], str | None] = lambda argument: None


@dataclass(frozen=True, slots=True)
class Warned:
    """A transformed value together with a warning that is counted in the run's statistics."""

    value: Any
    warning: str


def _textual(change: Callable[[str], str]) -> Callable[[Any, Any], str]:
    return lambda value, _: change(cast(value, Kind.TEXT))


def _cut(value: Any, limit: Any) -> Any:
    text, was_cut = truncate(cast(value, Kind.TEXT), limit, CUT_MARKER)
    return Warned(text, "content_cut") if was_cut else text


def _epoch(value: Any, per_second: int) -> str:
    try:
        return iso_ms(datetime.fromtimestamp(float(value) / per_second, UTC))
    except (TypeError, ValueError, OverflowError, OSError) as error:
        unit = "seconds" if per_second == 1 else "milliseconds"
        raise DataError(f"expected {unit} since 1970, got {str(value)[:40]!r}") from error


def _pluck(value: Any, name: Any) -> list[Any]:
    """Members of a list of objects; objects without the member, or with a blank one, are left out."""
    if not isinstance(value, list):
        raise DataError(f"expected a list of objects, got {type(value).__name__}")
    found = [item.get(name) for item in value if isinstance(item, dict)]
    return [item for item in found if item not in (None, "")]


def _join(value: Any, separator: Any) -> str:
    if not isinstance(value, list):
        raise DataError(f"expected a list, got {type(value).__name__}")
    return str(separator).join(cast(item, Kind.TEXT) for item in value if item is not None)


def _day(value: Any, zone: Any) -> str:
    if isinstance(value, str) and len(value) == len("2026-11-20"):
        return str(cast(value, Kind.DATE))
    try:
        return parse_moment(cast(value, Kind.TEXT)).astimezone(ZoneInfo(zone)).date().isoformat()
    except OverflowError as error:
        raise DataError(f"{str(value)[:40]!r} lies outside the years 1 to 9999") from error


def _noon(value: Any, zone: Any) -> str:
    day = date.fromisoformat(cast(value, Kind.DATE))
    return iso_ms(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)))


def _to_18(value: str) -> str:
    return to_18(value) if len(value) == 15 else value


def _limit_fault(limit: int) -> str | None:
    least = length(CUT_MARKER) + 1
    return None if limit >= least else f"the limit must be at least {least}, so that the marker {CUT_MARKER!r} fits"


def _zone_fault(zone: str) -> str | None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"there is no time zone {zone!r}"
    return None


_ALL: tuple[Transform, ...] = (
    Transform("strip", _textual(str.strip), TEXTUAL, Kind.TEXT, "without white space at both ends"),
    Transform("lower", _textual(str.lower), TEXTUAL, Kind.TEXT, "in lower case"),
    Transform("upper", _textual(str.upper), TEXTUAL, Kind.TEXT, "in upper case"),
    Transform(
        "html_to_text", _textual(html_to_text), TEXTUAL, Kind.TEXT, "markup to plain text; links keep their addresses"
    ),
    Transform("wrap_html", _textual(wrap_html), TEXTUAL, Kind.RICH_TEXT, "kept as safe rich text"),
    Transform(
        "truncate",
        _cut,
        TEXTUAL,
        Kind.TEXT,
        "cut to so many characters, with a marker; each cut is counted as a warning",
        "limit",
        12000,
        _limit_fault,
    ),
    Transform(
        "prefix",
        lambda value, text: f"{text}{cast(value, Kind.TEXT)}",
        TEXTUAL,
        Kind.TEXT,
        "with this text before it",
        "text",
        "Call: ",
    ),
    Transform(
        "suffix",
        lambda value, text: f"{cast(value, Kind.TEXT)}{text}",
        TEXTUAL,
        Kind.TEXT,
        "with this text after it",
        "text",
        " (Chorus)",
    ),
    Transform(
        "epoch_s_to_datetime",
        lambda value, _: _epoch(value, 1),
        frozenset({Kind.NUMBER, Kind.ANY}),
        Kind.DATETIME,
        "seconds since 1970 to date and time",
    ),
    Transform(
        "epoch_ms_to_datetime",
        lambda value, _: _epoch(value, 1000),
        frozenset({Kind.NUMBER, Kind.ANY}),
        Kind.DATETIME,
        "milliseconds since 1970 to date and time",
    ),
    Transform(
        "date_in_zone",
        _day,
        frozenset({Kind.DATETIME, Kind.DATE, Kind.TEXT, Kind.ANY}),
        Kind.DATE,
        "the calendar day of a date and time in this zone; a day stays as it is",
        "zone",
        "Europe/Berlin",
        _zone_fault,
    ),
    Transform(
        "noon_in_zone",
        _noon,
        frozenset({Kind.DATE, Kind.TEXT, Kind.ANY}),
        Kind.DATETIME,
        "a calendar day as noon of that day in this zone, so that it is the same day nearly everywhere",
        "zone",
        "Europe/Berlin",
        _zone_fault,
    ),
    Transform(
        "pluck",
        _pluck,
        frozenset({Kind.ANY}),
        Kind.ANY,
        "one member of each object of a list; blank ones are left out",
        "member",
        "email",
    ),
    Transform(
        "join",
        _join,
        frozenset({Kind.ANY, Kind.EMAILS, Kind.IDS}),
        Kind.TEXT,
        "a list as one text, null items left out",
        "separator",
        ", ",
    ),
    Transform(
        "salesforce_id_18",
        _textual(_to_18),
        TEXTUAL,
        Kind.ID,
        "15-character Salesforce ids in their 18-character form",
    ),
)

TRANSFORMS: Mapping[str, Transform] = {transform.name: transform for transform in _ALL}


@dataclass(frozen=True, slots=True)
class Step:
    """A transform with its argument, as a mapping row names it."""

    transform: Transform
    argument: Any = None


def parse_step(entry: str | Mapping[str, Any]) -> Step:
    """``strip`` or ``{truncate: 12000}`` → :class:`Step`. Raises :class:`DataError` that says what is wrong."""
    if isinstance(entry, str):
        name, argument = entry, None
    elif len(entry) == 1:
        name, argument = next(iter(entry.items()))
    else:
        raise DataError("write one transform per list entry, such as `- strip` or `- truncate: 12000`")
    transform = TRANSFORMS.get(name)
    if transform is None:
        raise DataError(f"there is no transform {name!r}")
    if transform.argument is None and argument is not None:
        raise DataError(f"{name} takes no argument")
    if transform.argument is None:
        return Step(transform)
    if type(argument) is not type(transform.example):
        wanted = "a whole number" if isinstance(transform.example, int) else "a text"
        raise DataError(f"{name} needs {wanted}, its {transform.argument}")
    if wrong := transform.fault(argument):
        raise DataError(f"{name}: {wrong}")
    return Step(transform, argument)


def usage(transform: Transform) -> str:
    """How a mapping row names the transform: ``strip``, ``truncate: 12000``, ``join: ", "``."""
    if transform.argument is None:
        return transform.name
    text = str(transform.example)
    return f"{transform.name}: {text}" if text[:1].isalnum() and text == text.strip() else f'{transform.name}: "{text}"'

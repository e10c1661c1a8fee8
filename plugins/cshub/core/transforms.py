"""Named transforms of single values, as a table. A mapping row applies them in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cshub.core.errors import DataError
from cshub.core.ids import to_18
from cshub.core.objects import Kind
from cshub.core.text import html_to_text, truncate, wrap_html
from cshub.core.values import iso_ms, parse_moment

TEXTUAL = frozenset({Kind.TEXT, Kind.RICH_TEXT, Kind.ID, Kind.EMAIL, Kind.ANY})
CUT_MARKER = " … [cut]"


@dataclass(frozen=True, slots=True)
class Transform:
    """``apply(value, argument) -> value`` for values that are not null. ``argument``: its name, if it takes one."""

    name: str
    apply: Callable[[Any, Any], Any]
    takes: frozenset[Kind]
    gives: Kind
    help: str
    argument: str | None = None
    argument_type: type | tuple[type, ...] = str


@dataclass(frozen=True, slots=True)
class Warned:
    """A transformed value together with a warning that is counted in the run's statistics."""

    value: Any
    warning: str


def _cut(value: Any, limit: Any) -> Any:
    text, was_cut = truncate(str(value), limit, CUT_MARKER)
    return Warned(text, "content_cut") if was_cut else text


def _epoch(value: Any, per_second: int) -> str:
    try:
        return iso_ms(datetime.fromtimestamp(float(value) / per_second, UTC))
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise DataError(f"expected seconds since 1970 (times {per_second}), got {str(value)[:40]!r}") from error


def _pluck(value: Any, name: Any) -> list[Any]:
    """Members of a list of objects; objects without the member, or with a blank one, are left out."""
    if not isinstance(value, list):
        raise DataError(f"expected a list of objects, got {type(value).__name__}")
    found = [item.get(name) for item in value if isinstance(item, dict)]
    return [item for item in found if item not in (None, "")]


def _to_18(value: Any, _: Any) -> str:
    return to_18(str(value)) if len(str(value)) == 15 else str(value)


_ALL: tuple[Transform, ...] = (
    Transform("strip", lambda value, _: str(value).strip(), TEXTUAL, Kind.TEXT, "without white space at both ends"),
    Transform("lower", lambda value, _: str(value).lower(), TEXTUAL, Kind.TEXT, "in lower case"),
    Transform("upper", lambda value, _: str(value).upper(), TEXTUAL, Kind.TEXT, "in upper case"),
    Transform("html_to_text", lambda value, _: html_to_text(str(value)), TEXTUAL, Kind.TEXT, "markup to plain text"),
    Transform("wrap_html", lambda value, _: wrap_html(str(value)), TEXTUAL, Kind.RICH_TEXT, "kept as safe rich text"),
    Transform("truncate", _cut, TEXTUAL, Kind.TEXT, "cut to so many characters, with a marker", "limit", int),
    Transform("prefix", lambda value, text: f"{text}{value}", TEXTUAL, Kind.TEXT, "with this text before", "text"),
    Transform("suffix", lambda value, text: f"{value}{text}", TEXTUAL, Kind.TEXT, "with this text after", "text"),
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
        lambda value, zone: parse_moment(str(value)).astimezone(ZoneInfo(zone)).date().isoformat(),
        frozenset({Kind.DATETIME, Kind.TEXT, Kind.ANY}),
        Kind.DATE,
        "the calendar day of a date and time in this zone",
        "zone",
    ),
    Transform(
        "pluck",
        _pluck,
        frozenset({Kind.ANY}),
        Kind.ANY,
        "one member of each object of a list; blank ones are left out",
        "member",
    ),
    Transform(
        "join",
        lambda value, separator: separator.join(str(item) for item in value),
        frozenset({Kind.ANY, Kind.EMAILS, Kind.IDS}),
        Kind.TEXT,
        "a list as one text",
        "separator",
    ),
    Transform("salesforce_id_18", _to_18, TEXTUAL, Kind.ID, "15-character Salesforce ids in their 18-character form"),
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
        raise DataError(f"there is no transform {name!r}; known: {', '.join(sorted(TRANSFORMS))}")
    if transform.argument is None and argument is not None:
        raise DataError(f"{name} takes no argument")
    if transform.argument is not None and (
        not isinstance(argument, transform.argument_type) or isinstance(argument, bool)
    ):
        raise DataError(f"{name} needs {transform.argument}, such as `- {name}: …`")
    return Step(transform, argument)

"""Single values: cast to a kind, normalised for comparison, fingerprinted.

Cast values are what frames and plans carry (see :class:`~cshub.core.objects.Kind`); normalised values are only
compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import orjson
import xxhash

from cshub.core.errors import DataError
from cshub.core.objects import Kind
from cshub.core.text import clean_text, normalise_text

FINGERPRINT_VERSION = "x1"


def cast(value: Any, kind: Kind) -> Any:
    """``value`` as ``kind``; None stays None. Raises :class:`DataError` saying what was expected."""
    return None if value is None else _CASTS[kind](value)


def normalise(value: Any, kind: Kind) -> Any:
    """``value`` (already cast) as it is compared: case, order, markup and white space that do not count are gone.

    None, blank text and the empty list are one: no value.
    """
    if value is None:
        return None
    normal = _NORMALISERS[kind](value)
    return normal if normal or kind in _SCALARS else None


def fingerprint(value: Any, kind: Kind) -> str:
    """16 hex digits over the canonical bytes of the normalised value: equal in every process and library version."""
    return xxhash.xxh3_64_hexdigest(orjson.dumps(normalise(value, kind), option=orjson.OPT_SORT_KEYS))


def fingerprints(values: Mapping[str, Any], kinds: Mapping[str, Kind]) -> dict[str, str]:
    return {name: fingerprint(value, kinds[name]) for name, value in values.items() if name in kinds}


def is_blank(value: Any, kind: Kind) -> bool:
    return normalise(value, kind) is None


def iso_ms(moment: datetime) -> str:
    """``2026-11-20T10:00:00.000Z``: UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(text: str) -> datetime:
    """An aware UTC datetime from ISO 8601 text; text without a zone is refused. Raises :class:`DataError`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"{text!r} is not a date and time: expected ISO 8601 such as 2026-11-20T10:00:00Z") from error
    if moment.tzinfo is None:
        raise DataError(f"{text!r} has no time zone: expected ISO 8601 with Z or an offset")
    return moment.astimezone(UTC)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return clean_text(value)[0]
    raise DataError(f"expected text, got {_name_of(value)}")


def _identifier(value: Any) -> str:
    text = _text(value).strip()
    if not text:
        raise DataError("expected an id, got blank text")
    return text


def _email(value: Any) -> str:
    text = _text(value).strip()
    local, _, domain = text.rpartition("@")
    if not local or not domain or any(sign.isspace() for sign in text):
        raise DataError(f"expected an e-mail address, got {_text(value)[:80]!r}")
    return text


def _datetime(value: Any) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise DataError("expected a date and time with a zone")
        return iso_ms(value)
    if isinstance(value, str):
        return iso_ms(parse_moment(value))
    raise DataError(f"expected a date and time, got {_name_of(value)}; use a transform such as epoch_s_to_datetime")


def _date(value: Any) -> str:
    if isinstance(value, datetime):
        raise DataError("expected a date without time; use the transform date_in_zone")
    if isinstance(value, date):
        return value.isoformat()
    try:
        return date.fromisoformat(_text(value)).isoformat()
    except ValueError as error:
        raise DataError(f"expected a date such as 2026-11-20, got {_text(value)[:40]!r}") from error


def _number(value: Any) -> float | int:
    if isinstance(value, bool):
        raise DataError("expected a number, got true or false")
    if isinstance(value, str):
        try:
            value = float(value) if any(sign in value for sign in ".eE") else int(value)
        except ValueError as error:
            raise DataError(f"expected a number, got {value[:40]!r}") from error
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DataError(f"expected a finite number, got {_name_of(value)}")
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise DataError(f"expected true or false, got {str(value)[:40]!r}")


def _listed(cast_one: Callable[[Any], str]) -> Callable[[Any], list[str]]:
    def cast_all(value: Any) -> list[str]:
        if not isinstance(value, (list, tuple)):
            raise DataError(f"expected a list, got {_name_of(value)}")
        return [cast_one(item) for item in value if item is not None]

    return cast_all


def _name_of(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else f"{type(value).__name__} {str(value)[:40]!r}"


_CASTS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.RICH_TEXT: _text,
    Kind.ID: _identifier,
    Kind.EMAIL: _email,
    Kind.DATETIME: _datetime,
    Kind.DATE: _date,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.EMAILS: _listed(_email),
    Kind.IDS: _listed(_identifier),
    Kind.ANY: lambda value: value,
}

_SCALARS = frozenset({Kind.NUMBER, Kind.BOOLEAN})

_NORMALISERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: normalise_text,
    Kind.RICH_TEXT: normalise_text,
    Kind.ID: str,
    Kind.EMAIL: lambda value: value.strip().lower(),
    Kind.DATETIME: lambda value: round(parse_moment(value).timestamp() * 1000),
    Kind.DATE: str,
    Kind.NUMBER: float,
    Kind.BOOLEAN: bool,
    Kind.EMAILS: lambda value: sorted({item.strip().lower() for item in value}),
    Kind.IDS: lambda value: sorted(set(value)),
    Kind.ANY: lambda value: value,
}

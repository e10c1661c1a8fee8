"""Single values: cast to a kind, normalised for comparison, fingerprinted.

Cast values are what frames and plans carry (see :class:`~cshub.core.objects.Kind`); normalised values are only
compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import orjson
import xxhash

from cshub.core.errors import DataError
from cshub.core.objects import Kind
from cshub.core.text import clean_text, normalise_text

FINGERPRINT_VERSION = "x2"
SHORT = 200  # characters of a text whose fingerprint is worth keeping
MAX_DEPTH = 50  # levels of lists and objects in a value of kind ANY


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
    return None if normal in ("", [], {}) else normal


def fingerprint(value: Any, kind: Kind) -> str:
    """16 hex digits over the canonical bytes of the normalised value: equal in every process and library version."""
    if isinstance(value, str) and len(value) <= SHORT:
        return _of_short(value, kind)
    return _digest(value, kind)


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
        reason = f"{text[:40]!r} is not a date and time: expected ISO 8601 such as 2026-11-20T10:00:00Z"
        raise DataError(reason) from error
    if moment.tzinfo is None:
        raise DataError(f"{text[:40]!r} has no time zone: expected ISO 8601 with Z or an offset")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise DataError(f"{text[:40]!r} lies outside the years 1 to 9999") from error


def moment_or_midnight(text: str) -> datetime:
    """:func:`parse_moment`, where a bare date stands for its midnight in UTC."""
    return parse_moment(f"{text}T00:00:00Z" if len(text) == len("2026-11-20") else text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return clean_text(value)[0]
    if isinstance(value, (int, float)):
        number = _number(value)
        return str(value if isinstance(value, int) else int(number) if number == int(number) else number)
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
        return iso_ms(parse_moment(value.isoformat()))
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
    try:
        finite = isinstance(value, (int, float)) and math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise DataError(f"expected a finite number, got {_name_of(value)}")
    return value if abs(value) < _INTEGER_LIMIT else float(value)


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


def _json(value: Any, depth: int = 0) -> Any:
    """A JSON value that can be stored everywhere: clean texts, finite numbers, objects with text names."""
    if depth > MAX_DEPTH:
        raise DataError(f"expected at most {MAX_DEPTH} levels of lists and objects")
    if isinstance(value, (list, tuple)):
        return [_json(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return {_text(name): _json(item, depth + 1) for name, item in value.items()}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)[0]
    if isinstance(value, (int, float)):
        return _number(value)
    raise DataError(f"expected a JSON value, got {_name_of(value)}")


def _comparable(value: Any) -> Any:
    """A JSON value in which 1 and 1.0 are one."""
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _comparable(item) for name, item in value.items()}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _real(value)
    return value


def _real(value: float) -> float:
    return float(value) + 0.0  # turns -0.0 into 0.0


def _name_of(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, int) and abs(value) >= _INTEGER_LIMIT:
        return "a number that is too large"
    return f"{type(value).__name__} {str(value)[:40]!r}"


@lru_cache(maxsize=8192)
def _of_short(value: str, kind: Kind) -> str:
    """A record's short texts and moments are looked at several times in a run, and many records share them."""
    return _digest(value, kind)


def _digest(value: Any, kind: Kind) -> str:
    return xxhash.xxh3_64_hexdigest(orjson.dumps(normalise(value, kind), option=orjson.OPT_SORT_KEYS))


_INTEGER_LIMIT = 2**63  # what JSON writers and databases hold as an integer


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
    Kind.ANY: _json,
}

_NORMALISERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: normalise_text,
    Kind.RICH_TEXT: normalise_text,
    Kind.ID: str,
    Kind.EMAIL: lambda value: value.strip().lower(),
    Kind.DATETIME: lambda value: round(parse_moment(value).timestamp() * 1000),
    Kind.DATE: str,
    Kind.NUMBER: _real,
    Kind.BOOLEAN: bool,
    Kind.EMAILS: lambda value: sorted({item.strip().lower() for item in value}),
    Kind.IDS: lambda value: sorted(set(value)),
    Kind.ANY: _comparable,
}

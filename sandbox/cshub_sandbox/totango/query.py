"""The search language: terms, fields and paging of the account, user and event searches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import orjson

from cshub_sandbox.totango.errors import ApiError, bad_request, not_simulated
from cshub_sandbox.totango.switches import OffsetReading, TotangoSwitches, UpperBound

_T = TypeVar("_T")

MAX_COUNT = 1_000  # the vendor's page size limit, in both search guides


@dataclass(frozen=True, slots=True)
class Source:
    """Where a term or field takes its value from, e.g. kind ``string_attribute``, name ``Email``."""

    kind: str
    name: str


class Row(Protocol):
    def read(self, source: Source) -> str | int | float | None:
        """The value of one source, None when the record has none."""
        ...


Predicate = Callable[[Row], bool]
NestedTerm = Callable[[Mapping[str, Any]], Predicate]

_DEEPEST = 20
_NAME_KEY = {
    "string": "term",
    "date": "term",
    "string_attribute": "attribute",
    "number_attribute": "attribute",
    "simple_date_attribute": "attribute",
    "event_property": "name",
}
_OPERATORS = ("eq", "in_list", "contains", "gte", "gt", "lte", "lt", "joker")
_DESCRIPTIVE = ("type", "term", "attribute", "name", "field_display_name")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What may be asked about one kind of record.

    ``names`` lists the known names per term type (None: any name); ``folded`` tells the values that are compared
    without regard to case; ``nested`` holds the terms that contain terms of their own; ``upper`` tells what ``lte`` and
    ``lt`` of a date do.
    """

    names: Mapping[str, frozenset[str] | None]
    folded: Callable[[Source], bool] = lambda source: False
    nested: Mapping[str, NestedTerm] = field(default_factory=dict)
    upper: UpperBound = UpperBound.HONOURED

    def source(self, spec: Mapping[str, Any]) -> Source:
        """The source that a term or field names. Raises a 400 for an unknown name, a 501 for a type not simulated."""
        kind = spec.get("type")
        if kind == "health_trend" and kind in self.names:
            return Source("health_trend", "")
        key = _NAME_KEY.get(kind) if isinstance(kind, str) else None
        if not isinstance(kind, str) or key is None or kind not in self.names:
            raise not_simulated(f"the query type {kind!r} here")
        name = spec.get(key)
        if not isinstance(name, str) or not name:
            raise bad_request(f"A query item of type {kind} needs {key!r}")
        allowed = self.names[kind]
        if allowed is not None and name not in allowed:
            raise bad_request(f"Unknown {key} {name!r} for type {kind}")
        return Source(kind, name)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed ``query``. ``fields`` and ``terms`` are still the caller's objects."""

    terms: Sequence[Mapping[str, Any]]
    fields: Sequence[Mapping[str, Any]]
    count: int
    offset: int
    sort_by: str
    descending: bool


def parse_query(body: Mapping[str, Any], switches: TotangoSwitches, *, paging_required: bool = False) -> Query:
    """Read the form key ``query``. Raises the vendor's 400 (or the switch's status when ``terms`` is missing)."""
    text = body.get("query")
    if not isinstance(text, str) or not text.strip():
        raise bad_request("query is required: a form key holding JSON text")
    try:
        query = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"query is not valid JSON: {error}") from error
    if not isinstance(query, dict):
        raise bad_request("query must be a JSON object")
    if "terms" not in query:
        raise _terms_missing(switches)
    for name in ("fields", "count", "offset"):
        if paging_required and name not in query:
            raise bad_request(f"query.{name} is required")
    return Query(
        terms=_objects(query["terms"], "terms"),
        fields=_objects(query.get("fields", []), "fields"),
        count=_whole(query.get("count", MAX_COUNT), "count", low=1, high=MAX_COUNT),
        offset=_whole(query.get("offset", 0), "offset", low=0, high=10**9),
        sort_by=str(query.get("sort_by") or ""),
        descending=str(query.get("sort_order", "ASC")).upper() == "DESC",
    )


def _terms_missing(switches: TotangoSwitches) -> ApiError:
    message = "query.terms is required"
    if switches.terms_missing_status == 401:
        return ApiError(401, "authentication_failed", message)
    return bad_request(message)


def _objects(value: Any, name: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise bad_request(f"{name} must be a list of objects")
    return value


def _whole(value: Any, name: str, *, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise bad_request(f"query.{name} must be a whole number from {low} to {high}")
    return value


def page(rows: Sequence[_T], query: Query, *, reading: OffsetReading, cap: int) -> Sequence[_T]:
    """The rows of one page. Nothing beyond the first ``cap`` rows can be reached; 0 = no cap."""
    start = query.offset * query.count if reading is OffsetReading.PAGE else query.offset
    end = start + query.count
    return rows[start : min(end, cap) if cap else end]


def compile_terms(terms: Sequence[Mapping[str, Any]], vocabulary: Vocabulary, *, now: datetime) -> Predicate:
    """One predicate that holds when every term holds."""
    predicates = [compile_term(term, vocabulary, now=now) for term in terms]
    return lambda row: all(predicate(row) for predicate in predicates)


def compile_term(term: Mapping[str, Any], vocabulary: Vocabulary, *, now: datetime, depth: int = 0) -> Predicate:
    """One predicate of one term. Raises a 400 for a malformed term and a 501 for one that is not simulated."""
    kind = term.get("type")
    if kind == "or":
        if depth == _DEEPEST:
            raise bad_request(f"or terms are nested more than {_DEEPEST} deep")
        choices = [
            compile_term(choice, vocabulary, now=now, depth=depth + 1) for choice in _objects(term.get("or"), "or")
        ]
        return lambda row: any(choice(row) for choice in choices)
    if isinstance(kind, str) and kind in vocabulary.nested:
        return vocabulary.nested[kind](term)
    source = vocabulary.source(term)
    unknown = [key for key in term if key not in _OPERATORS and key not in _DESCRIPTIVE]
    if unknown:
        raise not_simulated(f"the operator {unknown[0]!r} in a query term")
    used = [key for key in _OPERATORS if key in term]
    if not used:
        raise bad_request(f"A term of type {kind} needs an operator: {', '.join(_OPERATORS)}")
    if kind in ("date", "simple_date_attribute"):
        return _between(source, date_bounds(term, now=now, upper=vocabulary.upper))
    tests = [_text_test(key, term[key], folded=vocabulary.folded(source)) for key in used]
    return lambda row: all(test(row.read(source)) for test in tests)


def _text_test(operator: str, operand: Any, *, folded: bool) -> Callable[[str | int | float | None], bool]:
    def form(value: Any) -> str:
        return str(value).lower() if folded else str(value)

    if operator == "eq":
        wanted = form(operand)
        return lambda value: value is not None and form(value) == wanted
    if operator == "in_list":
        if not isinstance(operand, list):
            raise bad_request("in_list must be a list")
        choices = {form(choice) for choice in operand}
        return lambda value: value is not None and form(value) in choices
    if operator == "contains":
        part = str(operand).lower()
        return lambda value: value is not None and part in str(value).lower()
    raise not_simulated(f"the operator {operator!r} on text")


@dataclass(frozen=True, slots=True)
class Bounds:
    """A closed interval of epoch milliseconds; None leaves a side open."""

    low_ms: int | None = None
    high_ms: int | None = None

    def both(self, other: Bounds) -> Bounds:
        lows = [low for low in (self.low_ms, other.low_ms) if low is not None]
        highs = [high for high in (self.high_ms, other.high_ms) if high is not None]
        return Bounds(max(lows, default=None), min(highs, default=None))

    def hold(self, value: int) -> bool:
        return (self.low_ms is None or value >= self.low_ms) and (self.high_ms is None or value <= self.high_ms)


def _between(source: Source, bounds: Bounds) -> Predicate:
    def test(row: Row) -> bool:
        value = row.read(source)
        return isinstance(value, int) and bounds.hold(value)

    return test


def date_bounds(term: Mapping[str, Any], *, now: datetime, upper: UpperBound) -> Bounds:
    """The interval of a date term: ``eq``, ``gte``, ``gt``, ``lte``, ``lt`` in epoch ms, or a ``joker`` word."""
    if set(term) & {"in_list", "contains"} or not set(term) & set(_OPERATORS):
        raise bad_request("A date term takes gte, gt, lte, lt, eq or joker")
    bounds = _joker(term["joker"], now) if "joker" in term else Bounds()
    if upper is UpperBound.REFUSED and ("lte" in term or "lt" in term):
        raise bad_request("Unsupported date operator: only gte and joker are known")
    steps = {"gte": (0, None), "gt": (1, None), "lte": (None, 0), "lt": (None, -1), "eq": (0, 0)}
    for operator, (low, high) in steps.items():
        if operator not in term or (upper is UpperBound.IGNORED and operator in ("lte", "lt")):
            continue
        value = term[operator]
        if isinstance(value, bool) or not isinstance(value, int):
            raise bad_request(f"{operator} of a date term must be epoch milliseconds")
        bounds = bounds.both(Bounds(None if low is None else value + low, None if high is None else value + high))
    return bounds


def _joker(word: Any, now: datetime) -> Bounds:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"today": 0, "yesterday": 1}
    if not isinstance(word, str) or word not in days:
        raise bad_request(f"Unknown joker {word!r}; known: {', '.join(days)}")
    start = midnight - timedelta(days=days[word])
    low = int(start.timestamp() * 1000)
    return Bounds(low, low + 86_400_000 - 1)

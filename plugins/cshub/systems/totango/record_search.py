"""Searches for accounts, contacts and team members: pages by record offset, complete or refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from cshub.core.errors import ShortRead
from cshub.systems.answers import Answer, Parser, as_object, rows_of
from cshub.systems.http import ApiSession
from cshub.systems.totango.models import Hit, read_hit
from cshub.systems.verdicts import Effect

T = TypeVar("T")
LARGEST_PAGE = 1000  # largest count of every search (totango.md §2.5, §2.8)
_TRIES = 3
_ALL_TEAMS = {"team_id": "-1"}
_SCAN = "/api/v2/accounts/scan_and_scroll_search_accounts"


@dataclass(frozen=True, slots=True)
class Searched:
    """What can be searched: its address, and where its hits stand in the answer."""

    path: str
    hits_key: str
    query: Mapping[str, Any] = field(default_factory=dict)


ACCOUNTS = Searched(
    "/api/v1/search/accounts", "accounts", {"sort_by": "display_name", "sort_order": "ASC", "scope": "all"}
)
CONTACTS = Searched("/api/v1/search/users", "users")
TEAM = Searched("/api/v1/search/users/internal", "users")


def attribute_in(name: str, values: Sequence[str]) -> dict[str, Any]:
    """Search term: attribute ``name`` is one of ``values``."""
    return {"type": "string_attribute", "attribute": name, "in_list": list(values)}


def attribute_contains(name: str, part: str) -> dict[str, Any]:
    """Search term: attribute ``name`` contains ``part``, whatever its case."""
    return {"type": "string_attribute", "attribute": name, "contains": part}


def identifier_in(values: Sequence[str]) -> dict[str, Any]:
    """Search term: the record's id is one of ``values``."""
    return {"type": "string", "term": "identifier", "in_list": list(values)}


def any_of(*terms: Mapping[str, Any]) -> dict[str, Any]:
    """Search term: at least one of ``terms`` holds."""
    return {"type": "or", "or": list(terms)}


def attribute_field(name: str) -> dict[str, Any]:
    """Search field: the value of attribute ``name``."""
    return {"type": "string_attribute", "attribute": name, "field_display_name": name}


def post_query(http: ApiSession, path: str, query: Mapping[str, Any], extra: Mapping[str, str], parse: Parser[T]) -> T:
    """One search call; the query travels as JSON text in a form (totango.md §1.2)."""
    form = {"query": orjson.dumps(query).decode(), **extra}
    return http.call("POST", path, effect=Effect.READ, parse=parse, form=form)


def total_hits(value: Mapping[str, Any]) -> int | None:
    """The number of hits a service states, None when it states none."""
    total = value.get("total_hits")
    return total if isinstance(total, int) and not isinstance(total, bool) else None


@dataclass(frozen=True, slots=True)
class _Hits:
    hits: Sequence[Hit]
    total: int | None


@dataclass(frozen=True, slots=True)
class _Step:
    rows: list[dict[str, Any]]
    total: int | None
    scroll_id: str | None


class RecordSearch:
    """Reads whole result lists."""

    def __init__(self, http: ApiSession) -> None:
        self._http = http

    def hits(
        self, what: Searched, terms: Sequence[Mapping[str, Any]], fields: Sequence[Mapping[str, Any]]
    ) -> Iterator[list[Hit]]:
        """Every hit once, page by page. A page shorter than the stated total allows is asked for again.

        Raises :class:`ShortRead` when it stays so, or when the list is longer than the search can reach.
        """
        seen: set[tuple[str, str | None]] = set()
        offset = 0
        while True:
            page = self._page(what, terms, fields, offset)
            fresh = [hit for hit in page.hits if (hit.id, hit.account_id) not in seen]
            seen |= {(hit.id, hit.account_id) for hit in fresh}
            if fresh:
                yield list({(hit.id, hit.account_id): hit for hit in fresh}.values())
            offset += LARGEST_PAGE
            if offset >= page.total if page.total is not None else len(page.hits) < LARGEST_PAGE:
                return

    def count(self, what: Searched) -> int:
        """How many records there are."""
        query = {**what.query, "terms": [], "fields": [], "count": 1, "offset": 0}
        page = post_query(self._http, what.path, query, _ALL_TEAMS, _hits_parser(what.hits_key))
        return page.total if page.total is not None else len(page.hits)

    def scan_accounts(self, terms: Sequence[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
        """All accounts that meet the terms, by scan and scroll. Raises :class:`ShortRead` when it ends early."""
        scroll_id: str | None = None
        read = 0
        while True:
            query = {"terms": list(terms), "fields": [], "count": LARGEST_PAGE, "offset": read, "scope": "all"}
            extra = {**_ALL_TEAMS, "scroll_id": scroll_id} if scroll_id else _ALL_TEAMS
            step = post_query(self._http, _SCAN, query, extra, _step)
            read += len(step.rows)
            if step.rows:
                yield step.rows
            if read >= step.total if step.total is not None else not step.rows:
                return
            if not step.rows or not step.scroll_id:
                raise ShortRead(f"{self._http.label}: {read} of {step.total} accounts came. Run again.")
            scroll_id = step.scroll_id

    def _page(
        self, what: Searched, terms: Sequence[Mapping[str, Any]], fields: Sequence[Mapping[str, Any]], offset: int
    ) -> _Hits:
        query = {**what.query, "terms": list(terms), "fields": list(fields), "count": LARGEST_PAGE, "offset": offset}
        for _ in range(_TRIES):
            page = post_query(self._http, what.path, query, _ALL_TEAMS, _hits_parser(what.hits_key))
            distinct = len({(hit.id, hit.account_id) for hit in page.hits})
            if page.total is None or distinct >= min(LARGEST_PAGE, page.total - offset):
                return page
        raise ShortRead(
            f"{self._http.label}: POST {what.path} states {page.total} records, but after {offset} of them "
            f"only {distinct} more came. Run again; beyond 10,000 records only a scan reads all."
        )


def _hits_parser(key: str) -> Parser[_Hits]:
    def parse(answer: Answer) -> _Hits:
        body = as_object(answer)
        rows = rows_of(body, "response", key, "hits")
        return _Hits([read_hit(row) for row in rows], total_hits(body["response"][key]))

    return parse


def _step(answer: Answer) -> _Step:
    body = as_object(answer)
    scroll_id = body.get("scroll-id") or body.get("scroll_id")
    return _Step(rows_of(body, "accounts"), total_hits(body), str(scroll_id) if scroll_id else None)

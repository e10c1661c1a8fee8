"""The HTTP API of Chorus, read only. Usable from a plain Python shell::

client = ChorusClient("token")
for rows in client.engagements(EngagementQuery(min_date=start, max_date=end)):
    ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from cshub.core.errors import ProtocolFault
from cshub.systems.answers import Answer, as_json, as_object, rows_of
from cshub.systems.http import ApiSession, HttpPolicy, TokenAuth, Wire
from cshub.systems.retry import RetryPolicy
from cshub.systems.verdicts import Effect

BASE_URL = "https://chorus.ai"
POLICY = HttpPolicy(retry=RetryPolicy(rate_limit_first_s=2.0, rate_limit_growth=2.0, rate_limit_cap_s=60.0))
"""After a 429 without a stated wait: 2 s doubling up to 60 s, as the clients in use do (chorus.md §1, rate limit)."""

_JSON_API = {"Accept": "application/vnd.api+json"}
_EMPTY_PAGES_FOLLOWED = 20
_PAGES_FOLLOWED = 10_000
_KEY_NAMES_ROW = re.compile(r"[0-9]+(?:\.[0-9]+)? +([0-9A-Fa-f]{32})")


class AuthForm(StrEnum):
    """How the token stands in the Authorization header."""

    BARE = "bare"
    BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class EngagementQuery:
    """Filters of ``GET /v3/engagements``; None or empty = not filtered. Durations in seconds."""

    min_date: datetime | None = None
    max_date: datetime | None = None
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    engagement_type: str | None = None
    content_type: str | None = None
    engagement_ids: Sequence[str] = ()
    user_ids: Sequence[int] = ()
    team_ids: Sequence[int] = ()
    participants_email: str | None = None
    compliance: str | None = None
    disposition_connected: bool | None = None
    disposition_gatekeeper: bool | None = None
    disposition_tree: bool | None = None
    disposition_voicemail: bool | None = None
    with_trackers: bool = False

    def params(self) -> list[tuple[str, str]]:
        """Query parameters as the API reads them."""
        values: dict[str, Any] = {
            "min_date": self.min_date,
            "max_date": self.max_date,
            "min_duration": self.min_duration_s,
            "max_duration": self.max_duration_s,
            "engagement_type": self.engagement_type,
            "content_type": self.content_type,
            "engagement_id": self.engagement_ids or None,
            "user_id": self.user_ids or None,
            "team_id": self.team_ids or None,
            "participants_email": self.participants_email,
            "compliance": self.compliance,
            "disposition_connected": self.disposition_connected,
            "disposition_gatekeeper": self.disposition_gatekeeper,
            "disposition_tree": self.disposition_tree,
            "disposition_voicemail": self.disposition_voicemail,
            "with_trackers": self.with_trackers or None,
        }
        return [(name, _param(value)) for name, value in values.items() if value is not None]


@dataclass(frozen=True, slots=True)
class EngagementsPage:
    """One page: rows as received, and the key of the next page (None: the service says that this was the last)."""

    rows: Sequence[dict[str, Any]]
    next_key: str | None

    @property
    def named_row(self) -> str | None:
        """The id inside a key of the known form: that of the page's last row (chorus.md §9 A3)."""
        match = _KEY_NAMES_ROW.fullmatch(self.next_key) if self.next_key else None
        return match.group(1).upper() if match else None


@dataclass(frozen=True, slots=True)
class Me:
    """The user that a token belongs to."""

    id: str
    name: str
    email: str
    domain: str
    license_type: str
    attributes: Mapping[str, Any]


class ChorusClient:
    """Reads with one token. Every method raises the errors of :mod:`cshub.core.errors`."""

    def __init__(
        self,
        token: str,
        *,
        base_url: str = BASE_URL,
        auth_form: AuthForm = AuthForm.BARE,
        label: str = "Chorus",
        wire: Wire | None = None,
    ) -> None:
        token = token.strip()
        value = f"Bearer {token}" if auth_form is AuthForm.BEARER else token
        self.http = ApiSession(
            label,
            base_url,
            auth=TokenAuth("Authorization", value),
            secrets=[token],
            wire=wire or Wire(),
            policy=POLICY,
        )

    def __repr__(self) -> str:
        return f"ChorusClient({self.http.base_url!r})"

    @property
    def calls(self) -> int:
        return self.http.calls

    def close(self) -> None:
        self.http.close()

    def engagements_page(self, query: EngagementQuery, key: str | None = None) -> EngagementsPage:
        """One page of at most 100 rows, newest first."""
        params = query.params() + ([("continuation_key", key)] if key else [])
        return self.http.call("GET", "/v3/engagements", effect=Effect.READ, parse=_engagements_page, params=params)

    def engagements(self, query: EngagementQuery) -> Iterator[Sequence[dict[str, Any]]]:
        """Pages of rows, newest first, until the list ends in any of its known forms. Rows may come twice.

        An empty page with a new key is followed. That the end is the true end is not proven here:
        see :class:`cshub.systems.chorus.source.ChorusEngagements`. Raises :class:`ProtocolFault` for an endless list.
        """
        key: str | None = None
        sent: set[str] = set()
        empty = 0
        for _ in range(_PAGES_FOLLOWED):
            page = self.engagements_page(query, key)
            yield page.rows
            empty = 0 if page.rows else empty + 1
            key = page.next_key
            if key is None or key in sent or empty > _EMPTY_PAGES_FOLLOWED:
                return
            sent.add(key)
        raise ProtocolFault(f"{self.http.label}: the list of engagements does not end. Ask for a shorter window.")

    def engagements_by_id(self, ids: Sequence[str], *, with_trackers: bool = False) -> list[dict[str, Any]]:
        """The rows of these ids, as far as the token may see them. Give at most 50 ids a call."""
        wanted = set(ids)
        found: dict[str, dict[str, Any]] = {}
        for rows in self.engagements(EngagementQuery(engagement_ids=ids, with_trackers=with_trackers)):
            asked_for = {str(row.get("engagement_id")): row for row in rows if str(row.get("engagement_id")) in wanted}
            found.update(asked_for)
            if len(found) == len(wanted) or (rows and not asked_for):
                break
        return list(found.values())

    def conversation(self, conversation_id: str, *, fields: Sequence[str] = (), summary: bool = True) -> dict[str, Any]:
        """One conversation in full (JSON:API ``data``), transcript included. ``summary`` False: do not have one made.

        :class:`NotFound` means absent, private or outside this token's view: nothing is proven by it.
        """
        params = [("fields", ",".join(fields))] if fields else []
        if not summary:
            params.append(("skip_summary_generation", "true"))
        return self._one(f"/api/v1/conversations/{quote(conversation_id, safe='')}", params)

    def users(self) -> list[dict[str, Any]]:
        """All users as flat objects, whichever of the three known shapes the answer has."""
        return self.http.call("GET", "/v3/users", effect=Effect.READ, parse=_users)

    def me(self) -> Me:
        """The user this token belongs to."""
        data = self._one("/api/v1/users/me")
        attributes = data.get("attributes") or {}
        email = str(attributes.get("email") or "")
        return Me(
            id=str(data.get("id", "")),
            name=str(attributes.get("name") or email),
            email=email,
            domain=str(attributes.get("domain") or email.rpartition("@")[2]).strip().lower(),
            license_type=str(attributes.get("license_type") or ""),
            attributes=attributes,
        )

    def teams(self) -> list[dict[str, Any]]:
        """All teams (JSON:API items)."""
        return self.http.call("GET", "/api/v1/teams", effect=Effect.READ, parse=_data, headers=_JSON_API)

    def team(self, team_id: str) -> dict[str, Any]:
        return self._one(f"/api/v1/teams/{quote(team_id, safe='')}")

    def emails(
        self, *, sent: tuple[datetime | None, datetime | None] | None = None, page_size: int = 100
    ) -> Iterator[list[dict[str, Any]]]:
        """Pages of e-mails, by cursor. ``sent``: range of the sending time, None = open."""
        params = [*_range("filter[email.sent]", sent), ("page[size]", str(page_size))]
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            after = [("page[after]", cursor)] if cursor else []
            body = self._page("/api/v1/emails", params + after)
            yield rows_of(body, "data")
            cursor = _cursor(body)
            if not cursor or cursor in seen:
                return
            seen.add(cursor)

    def scorecards(
        self, *, submitted: tuple[datetime | None, datetime | None] | None = None, page_size: int = 100
    ) -> Iterator[list[dict[str, Any]]]:
        """Pages of scorecards, until a page is shorter than ``page_size``."""
        return self._numbered("/api/v1/scorecards", _range("filter[submitted]", submitted), page_size)

    def playlists(self, *, page_size: int = 100) -> Iterator[list[dict[str, Any]]]:
        """Pages of playlists, last modified first."""
        return self._numbered("/api/v1/playlists", [], page_size)

    def moments(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Clips shared in ``[start, end]``, which may span at most 365 days (chorus.md §6.4)."""
        params = _range("filter[shared_on]", (start, end))
        return self.http.call(
            "GET", "/api/v1/moments", effect=Effect.READ, parse=_data, params=params, headers=_JSON_API
        )

    def media_info(self, conversation_id: str) -> dict[str, Any]:
        """What is known of a recording, with a link to it under an undocumented name: see :func:`media_link`."""
        path = f"/api/v1/conversations/{quote(conversation_id, safe='')}/media"
        return self.http.call("GET", path, effect=Effect.READ, parse=as_object, params=[("info", "true")])

    def _one(self, path: str, params: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
        return self.http.call("GET", path, effect=Effect.READ, parse=_item, params=params, headers=_JSON_API)

    def _page(self, path: str, params: Sequence[tuple[str, str]]) -> dict[str, Any]:
        return self.http.call("GET", path, effect=Effect.READ, parse=_data_page, params=params, headers=_JSON_API)

    def _numbered(self, path: str, params: Sequence[tuple[str, str]], page_size: int) -> Iterator[list[dict[str, Any]]]:
        for number in range(1, _PAGES_FOLLOWED + 1):
            paging = [("page[size]", str(page_size)), ("page[number]", str(number))]
            body = self._page(path, [*params, *paging])
            rows = rows_of(body, "data")
            yield rows
            meta = body.get("meta")
            total = meta.get("total_pages") if isinstance(meta, dict) else None
            if (isinstance(total, int) and number >= total) or (total is None and len(rows) < page_size):
                return


def media_link(info: Mapping[str, Any]) -> str | None:
    """The link in a media answer, under any name that may hold it (chorus.md §9 A20)."""
    for name in ("url", "link", "download_url", "media_url", "location"):
        value = info.get(name)
        if isinstance(value, str) and value.startswith(("https://", "http://")):
            return value
    return None


def _param(value: Any) -> str:
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _range(name: str, bounds: tuple[datetime | None, datetime | None] | None) -> list[tuple[str, str]]:
    if bounds is None:
        return []
    start, end = bounds
    return [(name, f"{_iso(start) if start else '*'}:{_iso(end) if end else '*'}")]


def _engagements_page(answer: Answer) -> EngagementsPage:
    body = as_object(answer)
    key = body.get("continuation_key")
    usable = isinstance(key, str) and key.strip() != ""
    return EngagementsPage(rows_of(body, "engagements"), key if usable else None)


def _item(answer: Answer) -> dict[str, Any]:
    data = as_object(answer).get("data")
    if not isinstance(data, dict):
        raise ProtocolFault("the answer has no data object")
    return data


def _data(answer: Answer) -> list[dict[str, Any]]:
    return rows_of(as_json(answer), "data")


def _data_page(answer: Answer) -> dict[str, Any]:
    body = as_object(answer)
    rows_of(body, "data")
    return body


def _users(answer: Answer) -> list[dict[str, Any]]:
    value = as_json(answer)
    rows = rows_of(value) if isinstance(value, list) else rows_of(value, "data")
    return [_flat(row) for row in rows]


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    attributes = row.get("attributes")
    return {**attributes, "id": row.get("id")} if isinstance(attributes, dict) else row


def _cursor(body: Mapping[str, Any]) -> str | None:
    meta = body.get("meta")
    page = meta.get("page") if isinstance(meta, dict) else None
    cursor = page.get("cursor") if isinstance(page, dict) else None
    return cursor if isinstance(cursor, str) and cursor.strip() else None

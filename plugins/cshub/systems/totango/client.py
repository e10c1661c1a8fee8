"""The HTTP API of Totango. Usable from a plain Python shell::

client = TotangoClient("token", region=Region.EU)
note_id = client.create_touchpoint("ACME-17", TouchpointFields(subject="Review", content="Met the team."))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any
from urllib.parse import quote

from cshub.core.errors import AmbiguousWrite, NotFound, ProtocolFault
from cshub.systems.answers import Answer, as_array, as_json, as_object, discard, rows_of
from cshub.systems.csv_answers import CsvTable, as_table
from cshub.systems.http import ApiSession, HttpPolicy, TokenAuth, Wire
from cshub.systems.retry import RetryPolicy
from cshub.systems.totango.event_search import EventSearch, EventsPage
from cshub.systems.totango.models import (
    CatalogueEntry,
    Event,
    EventType,
    Hit,
    TaskFields,
    TaskStatus,
    TeamMember,
    Touchpoint,
    TouchpointFields,
    read_catalogue,
    read_event,
    read_touchpoint,
)
from cshub.systems.totango.record_search import (
    ACCOUNTS,
    CONTACTS,
    LARGEST_PAGE,
    TEAM,
    RecordSearch,
    attribute_field,
    attribute_in,
    post_query,
    total_hits,
)
from cshub.systems.verdicts import Effect


class Region(StrEnum):
    US = "US"
    EU = "EU"


BASE_URLS: Mapping[Region, str] = {
    Region.US: "https://api.totango.com",
    Region.EU: "https://api-eu1.totango.com",
}
CALLS_PER_MINUTE = 100  # per token, over all endpoints of the API host (totango.md §1.4)
POLICY = HttpPolicy(retry=RetryPolicy(rate_limit_first_s=60.0))
"""After a 429 without a stated wait: 60 s, the length of the service's window (totango.md §1.4)."""

_TEAM_STATUSES = ["Active", "Created", "Disabled"]
_TEAM_FIELDS = (
    "First Name",
    "Last Name",
    "Email",
    "License",
    "__internal_status",
    "__internal_role",
    "__internal_teams",
)


class TotangoClient:
    """Reads and writes with one token. Every method raises the errors of :mod:`cshub.core.errors`.

    ``service_id``: number of the service, where it is known; the API itself does not tell it.
    """

    def __init__(
        self,
        token: str,
        *,
        region: Region = Region.US,
        base_url: str | None = None,
        service_id: str | None = None,
        label: str = "Totango",
        wire: Wire | None = None,
    ) -> None:
        token = token.strip()
        self.service_id = service_id
        self.http = ApiSession(
            label,
            base_url or BASE_URLS[region],
            auth=TokenAuth("app-token", token),
            secrets=[token],
            wire=wire or Wire(),
            policy=POLICY,
        )

    def __repr__(self) -> str:
        return f"TotangoClient({self.http.base_url!r})"

    @property
    def calls(self) -> int:
        return self.http.calls

    def close(self) -> None:
        self.http.close()

    def create_touchpoint(self, account_id: str, fields: TouchpointFields) -> int:
        """Make a touchpoint; its note id. Sent twice it makes two: a lost answer raises ``AmbiguousWrite``."""
        body = {"account_id": account_id, "content": "", **fields.body()}
        return self.http.call("POST", "/api/v3/touchpoints/", effect=Effect.ONCE, parse=_note_id, json=body)

    def update_touchpoint(self, note_id: int, event_id: str, account_id: str, fields: TouchpointFields) -> None:
        """Set fields of a touchpoint. Whether fields left out are cleared is not known: send the whole record."""
        body = {**fields.body(), "note_id": note_id, "event_id": event_id, "account_id": account_id}
        self.http.call("PUT", f"/api/v3/touchpoints/{note_id}", effect=Effect.REPEATABLE, parse=discard, json=body)

    def delete_touchpoint(self, note_id: int, event_id: str) -> None:
        """Remove a touchpoint. Raises ``NotFound`` when it is gone, or when the two ids are no pair."""
        self.http.call(
            "DELETE",
            f"/api/v3/touchpoints/{note_id}",
            effect=Effect.REPEATABLE,
            parse=discard,
            json={"event_id": event_id},
        )

    def touchpoint_types(self) -> list[CatalogueEntry]:
        return self._catalogue("/api/v3/touchpoint-types/")

    def touchpoint_reasons(self) -> list[CatalogueEntry]:
        return self._catalogue("/api/v3/touchpoint-tags/")

    def flows(self) -> list[CatalogueEntry]:
        return self._catalogue("/api/v3/activity-types/")

    def account_events(self, account_id: str) -> list[Event]:
        """The whole timeline of one account; shows writes at once. Empty for an account that is not known."""
        try:
            return self.http.call(
                "GET", "/api/v2/events/", effect=Effect.READ, parse=_timeline, params={"account_id": account_id}
            )
        except NotFound:
            return []

    def account_touchpoints(self, account_id: str) -> list[Touchpoint]:
        """The touchpoints in the timeline of one account."""
        return [note for event in self.account_events(account_id) if (note := read_touchpoint(event)) is not None]

    def events_page(
        self,
        terms: Sequence[Mapping[str, Any]],
        *,
        count: int = LARGEST_PAGE,
        offset: int = 0,
        account_id: str | None = None,
    ) -> EventsPage:
        """One page of the events search, as asked. :meth:`events` is what reads completely."""
        query = {"terms": list(terms), "fields": [], "count": count, "offset": offset}
        extra = {} if account_id is None else {"account_id": account_id}
        return post_query(self.http, "/api/v2/events/search", query, extra, _events_page)

    def events(
        self, kind: EventType, start_ms: int, end_ms: int, *, account_id: str | None = None
    ) -> Iterator[list[Event]]:
        """Every event of a kind whose time lies in ``[start_ms, end_ms)``, each once, as the search knows it.

        The search may lag some seconds behind writes. Complete or :class:`ShortRead`.
        """
        return self.event_search.read(kind, start_ms, end_ms, account_id=account_id)

    @cached_property
    def event_search(self) -> EventSearch:
        return EventSearch(self.events_page, label=self.http.label)

    @cached_property
    def records(self) -> RecordSearch:
        return RecordSearch(self.http)

    def create_task(self, account_id: str, fields: TaskFields) -> int:
        """Make a task; its id. When the answer names none, the id is looked up in the account's timeline."""
        body = {"account_id": account_id, **fields.body()}
        task_id = self.http.call("POST", "/api/v3/tasks", effect=Effect.ONCE, parse=_task_id, json=body)
        task_id = task_id or self._find_created_task(account_id, fields)
        if task_id is None:
            raise AmbiguousWrite(
                f"{self.http.label}: the task was accepted, but its id was not told and it is not in the timeline yet. "
                "Look for it in the account before it is sent again."
            )
        return task_id

    def update_task(self, task_id: int, fields: TaskFields) -> None:
        """Set fields of a task; fields left out stay."""
        self.http.call(
            "PUT",
            f"/api/v3/tasks/{task_id}",
            effect=Effect.REPEATABLE,
            parse=discard,
            json={"id": task_id, **fields.body()},
        )

    def close_task(self, task_id: int) -> None:
        self.update_task(task_id, TaskFields(status=TaskStatus.CLOSED))

    def reopen_task(self, task_id: int) -> None:
        self.update_task(task_id, TaskFields(status=TaskStatus.OPEN))

    def delete_task(self, task_id: int) -> None:
        """Remove a task. Raises ``NotFound`` when it is gone."""
        self.http.call("DELETE", f"/api/v3/tasks/{task_id}", effect=Effect.REPEATABLE, parse=discard)

    def task(self, task_id: int) -> dict[str, Any] | None:
        """A task as the API shows it, None when there is none."""
        try:
            rows = self.http.call("GET", "/api/v3/tasks", effect=Effect.READ, parse=_rows, params={"id": str(task_id)})
        except NotFound:
            return None
        return next((row for row in rows if str(row.get("id")) == str(task_id)), None)

    def export_tasks(self, columns: Sequence[str]) -> CsvTable:
        """All tasks as a table, whose columns may be others than those asked for.

        Raises ``RequestRefused`` where a tenant's API has no such export or does not know a column.
        """
        params = {"query": "{}", "fields": ",".join(columns), "fileName": "tasks"}
        return self.http.call("GET", "/api/v3/tasks/export/csv", effect=Effect.READ, parse=as_table, params=params)

    def search_accounts(
        self, terms: Sequence[Mapping[str, Any]] = (), *, fields: Sequence[Mapping[str, Any]] = ()
    ) -> Iterator[list[Hit]]:
        """Accounts that meet all terms, 1,000 a page; 10,000 at most can be reached (see :meth:`scan_accounts`)."""
        return self.records.hits(ACCOUNTS, terms, fields)

    def count_accounts(self) -> int:
        """How many accounts this token sees: the cheapest call that proves it works."""
        return self.records.count(ACCOUNTS)

    def scan_accounts(self, terms: Sequence[Mapping[str, Any]] = ()) -> Iterator[list[dict[str, Any]]]:
        """All accounts with all attributes, 1,000 a step, beyond the search's 10,000. Complete or ``ShortRead``."""
        return self.records.scan_accounts(terms)

    def account(self, account_id: str) -> dict[str, Any]:
        """One account in full. Raises ``NotFound`` when there is none."""
        body = self.http.call(
            "GET", f"/api/v2/accounts/{quote(account_id, safe='')}/", effect=Effect.READ, parse=as_object
        )
        account = body.get("account")
        if not isinstance(account, dict):
            raise ProtocolFault(f"{self.http.label}: the answer for one account has no account in it. Run again.")
        return account

    def search_users(
        self, terms: Sequence[Mapping[str, Any]], *, fields: Sequence[Mapping[str, Any]] = ()
    ) -> Iterator[list[Hit]]:
        """Contacts that meet all terms, 1,000 a page: one hit per person and account."""
        return self.records.hits(CONTACTS, terms, fields)

    def internal_users(self) -> list[TeamMember]:
        """All team members, disabled ones included."""
        terms = [attribute_in("__internal_status", _TEAM_STATUSES)]
        fields = [attribute_field(name) for name in _TEAM_FIELDS]
        return [_team_member(hit) for hits in self.records.hits(TEAM, terms, fields) for hit in hits]

    def attributes(self) -> list[dict[str, Any]]:
        """The attribute catalogue: objects with ``key_name`` and ``type``."""
        return rows_of(self.http.call("GET", "/api/v1/attributes.json", effect=Effect.READ, parse=as_object), "list")

    def region(self, service_id: str) -> Region:
        """Where a service lives. Ask through the US address (totango.md §1.1: site ``t11`` means EU)."""
        body = self.http.call(
            "GET", "/domains/", effect=Effect.READ, parse=as_object, params={"service_id": service_id}
        )
        return Region.EU if body.get("site") == "t11" else Region.US

    def _catalogue(self, path: str) -> list[CatalogueEntry]:
        return self.http.call("GET", path, effect=Effect.READ, parse=_catalogue)

    def _find_created_task(self, account_id: str, fields: TaskFields) -> int | None:
        """Id of the newest task of the account that was created with this description and due date."""
        wanted = {"description": fields.description, "due_date": fields.due_date}
        newest: tuple[int, int] | None = None
        for event in self.account_events(account_id):
            content = event.raw.get("task_content")
            if event.kind is not EventType.TASK or not isinstance(content, dict) or content.get("action") != "create":
                continue
            if all(_current(content, name) == value for name, value in wanted.items() if value is not None):
                found = (event.timestamp_ms, int(content["task_id"]))
                newest = max(newest or found, found)
        return newest[1] if newest else None


def _current(content: Mapping[str, Any], name: str) -> Any:
    value = content.get(name)
    return value.get("current") if isinstance(value, dict) else value


def _events_page(answer: Answer) -> EventsPage:
    body = as_object(answer)
    rows = rows_of(body, "response", "events", "hits")
    events = [event for row in rows if (event := read_event(row)) is not None]
    return EventsPage(events, len(rows), total_hits(body["response"]["events"]))


def _timeline(answer: Answer) -> list[Event]:
    rows = rows_of(as_array(answer))
    return [event for row in rows if (event := read_event(row)) is not None]


def _note_id(answer: Answer) -> int:
    note = as_object(answer).get("note")
    note_id = note.get("id") if isinstance(note, dict) else None
    if isinstance(note_id, bool) or not str(note_id).isdigit():
        raise ProtocolFault("the answer does not tell the id of the touchpoint")
    return int(str(note_id))


def _task_id(answer: Answer) -> int | None:
    """The id in the answer to a create; None for an answer that only says that it worked."""
    discard(answer)
    try:
        value = as_json(answer)
    except ProtocolFault:
        return None
    task_id = value.get("id") if isinstance(value, dict) else None
    return int(str(task_id)) if str(task_id).isdigit() else None


def _rows(answer: Answer) -> list[dict[str, Any]]:
    return rows_of(as_array(answer))


def _catalogue(answer: Answer) -> list[CatalogueEntry]:
    return read_catalogue(as_json(answer))


def _team_member(hit: Hit) -> TeamMember:
    texts = ["" if value is None else str(value) for value in hit.selected]
    given = dict(zip(_TEAM_FIELDS, [*texts, *[""] * len(_TEAM_FIELDS)], strict=False))
    full = f"{given['First Name']} {given['Last Name']}".strip()
    return TeamMember(
        id=hit.id,
        email=given["Email"] or hit.id,
        name=hit.display_name or full,
        status=given["__internal_status"],
        license=given["License"],
        role=given["__internal_role"],
        teams=given["__internal_teams"],
    )

"""The API of Salesforce, on simple-salesforce. Usable from a plain Python shell::

client = SalesforceClient(Credentials(domain="acme.my", consumer_key="…", consumer_secret="…"))
for page in client.query("SELECT Id, Subject FROM Event WHERE IsChild = false"):
    print(len(page))
review = {"Subject": "Review", "StartDateTime": "2026-11-20T08:00:00Z", "DurationInMinutes": 30}
[verdict] = client.create("Event", [review])
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from simple_salesforce.api import Salesforce

from cshub.core.errors import ProtocolFault, ShortRead
from cshub.core.ids import to_18
from cshub.systems.http import Wire
from cshub.systems.salesforce.access import Access
from cshub.systems.salesforce.auth import DEFAULT_VERSION, Credentials
from cshub.systems.salesforce.bulk import BulkJobs
from cshub.systems.salesforce.models import (
    DeletedRecords,
    Limit,
    ObjectDescription,
    ObjectSummary,
    UpdatedRecords,
    read_deleted,
    read_limits,
    read_updated,
    rows_in,
)
from cshub.systems.salesforce.session import Identity
from cshub.systems.salesforce.soql import check_length, name_of, path_of
from cshub.systems.salesforce.verdicts import RowVerdict
from cshub.systems.salesforce.writes import MOST_ROWS, CollectionWriter

MOST_RETRIEVED = 2_000  # records of one retrieve call (docs/vendors/salesforce.md §2.1)
DESCRIBE_TRIES = 3  # for an answer that lacks what every object has
PAGE_SIZES = range(200, 2_001)  # rows a page may be asked to have (docs/vendors/salesforce.md §2.1)


class SalesforceClient:
    """Reads and writes as one user. Every method raises the errors of :mod:`cshub.core.errors`.

    ``chunk_size``: rows of one write call, at most 200; less for orgs with heavy triggers. ``bulk_threshold``: rows
    above which a caller should use :attr:`bulk` (see :meth:`prefers_bulk`), None for never. ``endpoint_override``:
    address of a sandbox that all calls go to. ``jitter`` gives numbers in [0, 1).

    ``access`` makes signed-in calls of one's own; ``bulk`` runs Bulk 2.0 jobs.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        version: str = DEFAULT_VERSION,
        chunk_size: int = MOST_ROWS,
        bulk_threshold: int | None = None,
        endpoint_override: str | None = None,
        label: str = "Salesforce",
        wire: Wire | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        wire = wire or Wire()
        self.bulk_threshold = bulk_threshold
        self.access = Access(credentials, version=version, endpoint_override=endpoint_override, label=label, wire=wire)
        self.http = self.access.http
        self.bulk = BulkJobs(self.access, sleep=wire.sleep, clock=wire.clock)
        self._writer = CollectionWriter(self.access, chunk_size=chunk_size, sleep=wire.sleep, jitter=jitter)
        self._described: dict[str, ObjectDescription] = {}
        self._wall = wire.wall

    def __repr__(self) -> str:
        return f"SalesforceClient({self.http.base_url!r})"

    @property
    def calls(self) -> int:
        """HTTP requests sent so far, sign-ins and retries included."""
        return self.http.calls

    def forecast(self, calls: int) -> float:
        return self.http.forecast(calls)

    def close(self) -> None:
        self.http.close()

    @property
    def sf(self) -> Salesforce:
        """simple-salesforce, signed in, for calls of one's own; errors are those of the hub there too."""
        return self.access.sf

    @property
    def identity(self) -> Identity:
        """Org and user that are signed in: told by the sign-in itself, else by one call."""
        return self.access.identity

    @property
    def org_id(self) -> str:
        """Id of the org, 18 characters; stable over token renewals."""
        return self.identity.org_id

    @property
    def user_id(self) -> str:
        """Id of the signed-in user, 18 characters; "" when Salesforce does not tell it."""
        return self.identity.user_id

    @property
    def api_usage(self) -> tuple[int, int] | None:
        """API calls of the org in the last 24 hours and how many it may have, as of the last answer."""
        usage = self.sf.api_usage.get("api-usage")
        return (usage.used, usage.total) if usage is not None else None

    @property
    def chunk_size(self) -> int:
        """The most rows of one write call."""
        return self._writer.chunk_size

    def now(self) -> datetime:
        """The time by the clock of this machine, in UTC."""
        return datetime.fromtimestamp(self._wall(), UTC)

    def prefers_bulk(self, rows: int) -> bool:
        """Whether so many rows are more than the connection wants sent in small calls."""
        return self.bulk_threshold is not None and rows > self.bulk_threshold

    def query(
        self, soql: str, *, include_deleted: bool = False, page_rows: int | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """All rows of a query, page by page, one page in memory; rows as Salesforce sends them, with ``attributes``.

        ``include_deleted`` adds deleted and archived records. ``page_rows``: 200 to 2,000, a hint. Complete, or
        :class:`ShortRead`: then begin again from what is safely stored. Raises :class:`SpecError` for a query that is
        wrong or too long, :class:`GatewayTimeout` when a smaller window is needed.
        """
        check_length(soql)
        headers = {} if page_rows is None else {"Sforce-Query-Options": f"batchSize={_page_size(page_rows)}"}
        page = self.access.ask(lambda sf: sf.query(soql, include_deleted=include_deleted, headers=headers))
        total, seen, followed = _total(page), 0, set[str]()
        last: set[str] = set()
        while True:
            rows = rows_in(page.get("records"), "a page of records")
            last = self._new_ids(rows, last)
            seen += len(rows)
            if rows:
                yield [dict(row) for row in rows]
            following = _following(page)
            if following is None:
                break
            if following in followed:
                raise ShortRead(f"{self.http.label} gives the same page again and again. Run again later.")
            followed.add(following)
            page = self._page_at(following, headers)
            total = max(total, _total(page))
        if seen != total and not (seen == 0 and _is_count(soql)):
            raise ShortRead(f"{self.http.label} states {total:,} records, {seen:,} came. Run again later.")

    def _page_at(self, address: str, headers: Mapping[str, str]) -> Any:
        return self.access.ask(lambda sf: sf.query_more(address, identifier_is_url=True, headers=headers))

    def _new_ids(self, rows: Sequence[Mapping[str, Any]], before: AbstractSet[str]) -> set[str]:
        """Ids of a page, which must be new: the right number of rows proves nothing when some came twice."""
        ids = [str(row["Id"]) for row in rows if row.get("Id") is not None]
        found = set(ids)
        if len(found) < len(ids) or found & before:
            raise ShortRead(f"{self.http.label} gives the same record twice. Run again later.")
        return found

    def count(self, soql: str) -> int:
        """The number that a ``SELECT COUNT() FROM …`` finds."""
        return _total(self.access.ask(lambda sf: sf.query(check_length(soql))))

    def explain(self, soql: str) -> list[dict[str, Any]]:
        """How Salesforce would run a query; raises :class:`SpecError` for one that it refuses. Reads no record."""
        plan = self.access.rest("GET", "query/", params={"explain": check_length(soql)})
        return [dict(row) for row in rows_in((plan or {}).get("plans"), "a query plan")]

    def probe(self, soql: str) -> list[dict[str, Any]]:
        """The first row of a query without LIMIT, as proof that Salesforce takes it. Raises :class:`SpecError`."""
        return next(self.query(f"{soql} LIMIT 1"), [])

    def describe(self, object_name: str) -> ObjectDescription:
        """An object as this user sees it; asked once. Raises :class:`NotFound` when the user sees none."""
        key = name_of(object_name).lower()
        for _ in range(DESCRIBE_TRIES):
            if key in self._described:
                break
            found = ObjectDescription.of(self.access.rest("GET", f"sobjects/{object_name}/describe"))
            if "Id" in found.fields:
                self._described[key] = found
        if key not in self._described:
            raise ProtocolFault(f"{self.http.label} describes {object_name} without its Id. Run again.")
        return self._described[key]

    def describe_global(self) -> list[ObjectSummary]:
        """All objects that this user sees."""
        answer = self.access.ask(lambda sf: sf.describe())
        return [ObjectSummary.of(row) for row in rows_in((answer or {}).get("sobjects"), "its objects")]

    def retrieve(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        """Id of 18 characters → record, None when it is deleted, hidden, or never was. 2,000 records a call.

        ``ids`` in either form, also in lower case with 18 characters. Raises :class:`DataError` for no id.
        """
        wanted = list(dict.fromkeys(map(to_18, ids)))
        names = list(dict.fromkeys(["Id", *map(path_of, fields)]))
        found: dict[str, dict[str, Any] | None] = dict.fromkeys(wanted)
        for start in range(0, len(wanted), MOST_RETRIEVED):
            chunk = wanted[start : start + MOST_RETRIEVED]
            body = orjson.dumps({"ids": chunk, "fields": names})
            answer = self.access.rest("POST", f"composite/sobjects/{name_of(object_name)}", data=body)
            if not isinstance(answer, list) or len(answer) != len(chunk):
                raise ShortRead(
                    f"{self.http.label}: not every record that was asked for by id was answered. Run again."
                )
            rows = {str(row.get("Id")): row for row in rows_in([row for row in answer if row is not None], "records")}
            if not rows.keys() <= set(chunk):
                raise ShortRead(f"{self.http.label}: records came that were not asked for. Run again.")
            found.update({key: dict(row) for key, row in rows.items()})
        return found

    def deleted(self, object_name: str, start: datetime, end: datetime) -> DeletedRecords:
        """Deletions in ``[start, end)``, widened to whole minutes; at most 15 days back (salesforce.md §2.4)."""
        first, last = _whole_minutes(start, end)
        path = f"sobjects/{name_of(object_name)}/deleted/"
        return read_deleted(self.access.rest("GET", path, params=_bounds(first, last)), first)

    def updated(self, object_name: str, start: datetime, end: datetime) -> UpdatedRecords:
        """Ids of records made or changed in ``[start, end)``, widened to whole minutes; at most 30 days back."""
        path = f"sobjects/{name_of(object_name)}/updated/"
        return read_updated(self.access.rest("GET", path, params=_bounds(*_whole_minutes(start, end))))

    def limits(self) -> Mapping[str, Limit]:
        """Allowances of the org by name, ``DailyApiRequests`` among them."""
        return read_limits(self.access.ask(lambda sf: sf.limits()))

    def create(
        self, object_name: str, rows: Sequence[Mapping[str, Any]], *, allow_duplicates: bool = False
    ) -> list[RowVerdict]:
        """Make a record of each row; a verdict for each, in order.

        Rows that were certainly not made and are locked are sent again; a lost answer is an ``AmbiguousWrite`` in the
        verdicts of its call. Raises only when nothing at all was written. ``allow_duplicates``: let pass what duplicate
        rules of the org only warn of.
        """
        return self._writer.create(object_name, rows, allow_duplicates=allow_duplicates)

    def update(
        self, object_name: str, rows: Sequence[Mapping[str, Any]], *, allow_duplicates: bool = False
    ) -> list[RowVerdict]:
        """Set the fields of each row on the record of its ``Id``; others stay. A verdict for each, in order."""
        return self._writer.update(object_name, rows, allow_duplicates=allow_duplicates)

    def upsert(
        self, object_name: str, key_field: str, rows: Sequence[Mapping[str, Any]], *, allow_duplicates: bool = False
    ) -> list[RowVerdict]:
        """Make or change the record that has the row's value in ``key_field``, an external id. Safe to repeat."""
        return self._writer.upsert(object_name, key_field, rows, allow_duplicates=allow_duplicates)

    def delete(self, ids: Sequence[str]) -> list[RowVerdict]:
        """Delete records by id; a verdict for each, in order: ``is_gone`` for one that was not there any more."""
        return self._writer.delete(ids)


def _total(page: Any) -> int:
    total = page.get("totalSize") if isinstance(page, Mapping) else None
    if not isinstance(total, int):
        raise ProtocolFault("Salesforce answered a query in a form that is not known. Run again.")
    return total


def _following(page: Mapping[str, Any]) -> str | None:
    """Address of the next page, None on the last."""
    if page.get("done") is True:
        return None
    address = page.get("nextRecordsUrl")
    if not (isinstance(address, str) and address.startswith("/services/data/")):
        raise ShortRead("Salesforce gave a page that is not the last and names no next one. Run again.")
    return address


def _is_count(soql: str) -> bool:
    return "".join(soql.split()).lower().startswith("selectcount()")


def _page_size(rows: int) -> int:
    return min(max(rows, PAGE_SIZES.start), PAGE_SIZES.stop - 1)


def _whole_minutes(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The window in UTC, from its first minute to after its last (seconds are ignored, salesforce.md §2.4)."""
    first, last = (bound.astimezone(UTC) for bound in (start, end))
    floor = last.replace(second=0, microsecond=0)
    whole = floor if floor == last else floor + timedelta(minutes=1)
    first = first.replace(second=0, microsecond=0)
    return first, max(whole, first + timedelta(minutes=1))


def _bounds(start: datetime, end: datetime) -> dict[str, str]:
    return {"start": start.isoformat(), "end": end.isoformat()}

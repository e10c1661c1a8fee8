"""Writing up to 200 records a call (sObject Collections), with a verdict for every row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from cshub.core.errors import (
    AmbiguousWrite,
    ConnectionSpecError,
    DataError,
    HubError,
    NotFound,
    RequestRefused,
    ServiceUnavailable,
    SpecError,
)
from cshub.core.ids import to_18
from cshub.systems.salesforce.soql import name_of
from cshub.systems.salesforce.verdicts import RowVerdict, row_error

MOST_ROWS = 200  # of one call (docs/vendors/salesforce.md §3.2)
LOCK_TRIES = 5  # of a locked row (docs/vendors/salesforce.md §3.4)
FIRST_LOCK_WAIT_S = 2.0
_OF_THE_CALL = (NotFound, ConnectionSpecError)  # refusals that no single row has brought about
_ALLOW_SAVE = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}  # docs/vendors/salesforce.md §3.4


class Caller(Protocol):
    """What sends the calls."""

    def rest(self, method: str, path: str, **more: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Row:
    """A row on its way. ``sent``: JSON of the record, or the id of one to delete."""

    index: int
    sent: bytes


Send = Callable[[Sequence[_Row]], Sequence[RowVerdict]]


class CollectionWriter:
    """Sends rows in chunks. ``jitter`` gives numbers in [0, 1), ``sleep`` waits seconds."""

    def __init__(
        self, caller: Caller, *, chunk_size: int, sleep: Callable[[float], None], jitter: Callable[[], float]
    ) -> None:
        if not 1 <= chunk_size <= MOST_ROWS:
            raise ConnectionSpecError(f"chunk_size is {chunk_size}; it must be from 1 to {MOST_ROWS}.")
        self._caller = caller
        self.chunk_size = chunk_size
        self._sleep, self._jitter = sleep, jitter

    def create(
        self, object_name: str, rows: Sequence[Mapping[str, Any]], *, allow_duplicates: bool
    ) -> list[RowVerdict]:
        return self._write("POST", "composite/sobjects", object_name, rows, allow_duplicates=allow_duplicates)

    def update(
        self, object_name: str, rows: Sequence[Mapping[str, Any]], *, allow_duplicates: bool
    ) -> list[RowVerdict]:
        return self._write("PATCH", "composite/sobjects", object_name, rows, allow_duplicates=allow_duplicates)

    def upsert(
        self, object_name: str, key_field: str, rows: Sequence[Mapping[str, Any]], *, allow_duplicates: bool
    ) -> list[RowVerdict]:
        path = f"composite/sobjects/{name_of(object_name)}/{name_of(key_field)}"
        return self._write("PATCH", path, object_name, rows, allow_duplicates=allow_duplicates)

    def delete(self, ids: Sequence[str]) -> list[RowVerdict]:
        verdicts: dict[int, RowVerdict] = {}
        rows = []
        for index, record_id in enumerate(ids):
            try:
                rows.append(_Row(index, to_18(record_id).encode()))
            except DataError as error:
                verdicts[index] = RowVerdict(cause=error)

        def send(chunk: Sequence[_Row]) -> Sequence[RowVerdict]:
            params = {"ids": ",".join(row.sent.decode() for row in chunk), "allOrNone": "false"}
            answer = self._caller.rest("DELETE", "composite/sobjects", params=params)
            return _verdicts(answer, len(chunk), once=False)

        return self._all(rows, verdicts, send)

    def _write(
        self,
        method: str,
        path: str,
        object_name: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        allow_duplicates: bool,
    ) -> list[RowVerdict]:
        kind = name_of(object_name)
        verdicts: dict[int, RowVerdict] = {}
        sendable = []
        for index, values in enumerate(rows):
            try:
                sendable.append(_Row(index, _as_json({"attributes": {"type": kind}, **values})))
            except DataError as error:
                verdicts[index] = RowVerdict(cause=error)
        headers = _ALLOW_SAVE if allow_duplicates else {}

        def send(chunk: Sequence[_Row]) -> Sequence[RowVerdict]:
            body = b'{"allOrNone":false,"records":[' + b",".join(row.sent for row in chunk) + b"]}"
            answer = self._caller.rest(method, path, data=body, headers=headers)
            return _verdicts(answer, len(chunk), once=method == "POST")

        return self._all(sendable, verdicts, send)

    def _all(self, rows: Sequence[_Row], verdicts: dict[int, RowVerdict], send: Send) -> list[RowVerdict]:
        """Verdicts of all rows, those that cannot be sent included. Raises only before anything was written."""
        stopped: HubError | None = None
        tried = False
        for start in range(0, len(rows), self.chunk_size):
            chunk = rows[start : start + self.chunk_size]
            if stopped is None:
                try:
                    verdicts.update(self._chunk(chunk, send))
                    tried = True
                    continue
                except HubError as error:
                    if not tried:
                        raise
                    stopped = error
            verdicts.update(_all_for(chunk, stopped))
        return [verdicts[index] for index in sorted(verdicts)]

    def _chunk(self, chunk: Sequence[_Row], send: Send) -> dict[int, RowVerdict]:
        """Verdicts of one chunk; rows that are locked are sent again, and only they."""
        verdicts: dict[int, RowVerdict] = {}
        left = list(chunk)
        for attempt in range(LOCK_TRIES):
            try:
                verdicts.update(self._sent(left, send))
            except HubError as error:
                if not attempt:
                    raise
                verdicts.update(_all_for(left, error))
            left = [row for row in left if verdicts[row.index].is_locked]
            if not left or attempt == LOCK_TRIES - 1:
                break
            self._sleep(FIRST_LOCK_WAIT_S * 2.0**attempt * (0.5 + self._jitter()))
        return verdicts

    def _sent(self, rows: Sequence[_Row], send: Send) -> dict[int, RowVerdict]:
        """Verdicts of one call. A call that is refused as a whole for one row's sake is taken apart to find the row."""
        spare = 2 * math.ceil(math.log2(len(rows))) + 2
        verdicts: dict[int, RowVerdict] = {}
        waiting = [list(rows)]
        while waiting:
            part = waiting.pop(0)
            try:
                verdicts.update(zip((row.index for row in part), send(part), strict=True))
            except AmbiguousWrite as error:
                verdicts.update(_all_for(part, error))
            except HubError as error:
                of_rows = isinstance(error, (RequestRefused, SpecError)) and not isinstance(error, _OF_THE_CALL)
                if of_rows and len(part) > 1 and spare >= 2:
                    spare -= 2
                    half = len(part) // 2
                    waiting += [part[:half], part[half:]]
                elif of_rows:
                    verdicts.update(_all_for(part, error))
                elif verdicts:
                    return verdicts | _all_for([*part, *(row for rest in waiting for row in rest)], error)
                else:
                    raise
        causes = [verdict.cause for verdict in verdicts.values()]
        if isinstance(causes[0], SpecError) and all(isinstance(cause, SpecError) for cause in causes):
            raise causes[0]
        return verdicts


def _all_for(rows: Iterable[_Row], cause: HubError) -> dict[int, RowVerdict]:
    return {row.index: RowVerdict(cause=cause) for row in rows}


def _verdicts(answer: Any, expected: int, *, once: bool) -> list[RowVerdict]:
    """Salesforce's verdicts in the order of the request. Raises when there is not one for each row."""
    if isinstance(answer, list) and len(answer) == expected and all(isinstance(item, Mapping) for item in answer):
        return [_verdict(item, makes=once) for item in answer]
    came = len(answer) if isinstance(answer, list) else 0
    told = f"Salesforce answered {came} of {expected} rows of a call"
    if once:
        raise AmbiguousWrite(f"{told}: which of them were made is not known. Look for them before they are sent again.")
    raise ServiceUnavailable(f"{told}. Run again.")


def _verdict(item: Mapping[str, Any], *, makes: bool) -> RowVerdict:
    errors = tuple(row_error(error) for error in item.get("errors") or ())
    if item.get("success") is True and not errors:
        record_id = item.get("id")
        return RowVerdict(
            to_18(record_id) if isinstance(record_id, str) else None, makes or item.get("created") is True
        )
    return RowVerdict(errors=errors or (row_error({"message": "Salesforce gave no reason"}),))


def _as_json(values: Mapping[str, Any]) -> bytes:
    if wrong := next((name for name, value in values.items() if _is_no_number(value)), None):
        raise DataError(f"{wrong} is a number that JSON cannot hold. Correct the mapping.")
    try:
        return orjson.dumps(values)
    except TypeError as error:
        raise DataError(f"A value cannot be written as JSON ({error}). Correct the mapping.") from error


def _is_no_number(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)

"""How rows go to Salesforce: up to 200 a call, or thousands in one bulk job where the job or connection wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cshub.core.errors import DataError
from cshub.systems.salesforce.bulk import Operation
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.options import AnyTargetOptions
from cshub.systems.salesforce.verdicts import RowVerdict

BULK_ROWS = 10_000  # Salesforce cuts a job into batches of so many (docs/vendors/salesforce.md §3.2)
ID = "Id"
Rows = Sequence[Mapping[str, Any]]


class Sender:
    """A verdict for each row, in order. Raises only when nothing at all was written.

    A bulk job needs a column that tells its rows apart: new records go by it only with an external id. Duplicate rules
    can only be overruled call by call, so jobs that do never use it.
    """

    def __init__(self, client: SalesforceClient, options: AnyTargetOptions) -> None:
        self._client = client
        self._object = options.object_name
        self._external_id_field = options.external_id_field
        self._allow_duplicates = options.duplicate_rule_allow_save
        self._threshold = client.bulk_threshold if options.bulk_threshold is None else options.bulk_threshold

    @property
    def batch_size(self) -> int:
        """The most rows that are worth being given at once."""
        return self._client.chunk_size if self._threshold is None else BULK_ROWS

    def create(self, rows: Rows) -> list[RowVerdict]:
        key, allow = self._external_id_field, self._allow_duplicates
        if key is None:
            return self._client.create(self._object, rows, allow_duplicates=allow)
        return self._either(
            Operation.UPSERT, key, rows, lambda: self._client.upsert(self._object, key, rows, allow_duplicates=allow)
        )

    def update(self, rows: Rows) -> list[RowVerdict]:
        """Rows hold their ``Id``."""
        allow = self._allow_duplicates
        return self._either(
            Operation.UPDATE, ID, rows, lambda: self._client.update(self._object, rows, allow_duplicates=allow)
        )

    def delete(self, ids: Sequence[str]) -> list[RowVerdict]:
        rows = [{ID: record_id} for record_id in ids]
        return self._either(Operation.DELETE, ID, rows, lambda: self._client.delete(ids))

    def _either(
        self, operation: Operation, key: str, rows: Rows, singly: Callable[[], list[RowVerdict]]
    ) -> list[RowVerdict]:
        if self._threshold is None or len(rows) <= self._threshold or self._allow_duplicates:
            return singly()
        field = key if operation is Operation.UPSERT else None
        try:
            return self._client.bulk.ingest(self._object, operation, rows, key_column=key, external_id_field=field)
        except DataError:  # two rows of one key: each of them has a verdict of its own in small calls
            return singly()

"""What is sent to Salesforce for a write of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

from cshub.core.errors import DataError, SpecError
from cshub.core.ids import is_salesforce_id, to_18
from cshub.core.ports import Write
from cshub.systems.salesforce.event_times import TIME_FIELDS, EventTimes, times_of_changed, times_of_new
from cshub.systems.salesforce.fields import ObjectFields
from cshub.systems.salesforce.options import ActivityOptions, AnyTargetOptions, EventOptions
from cshub.systems.salesforce.people import PeopleFinder

OWNER = "OwnerId"
TYPE = "Type"
Payload = dict[str, Any]


class Payloads:
    """Makes rows for create, upsert and update. What one row lacks is a :class:`DataError`."""

    def __init__(self, fields: ObjectFields, options: AnyTargetOptions, people: PeopleFinder) -> None:
        self._fields = fields
        self._options = options
        self._people = people

    def of_create(self, write: Write) -> Payload:
        """All mapped values but nulls, the account, and what the options add."""
        options = self._options
        if not is_salesforce_id(write.account_id):
            raise DataError(f"{write.account_id[:40]!r} is no id of an account in Salesforce.")
        row = {name: self._cell(name, value) for name, value in self.said_of(write.values).items()}
        row[options.account_written_to] = to_18(write.account_id)
        if OWNER not in row and self.default_owner is not None:
            row[OWNER] = self.default_owner
        if TYPE not in row and self._type is not None:
            row[TYPE] = self._type
        if options.external_id_field is not None:
            row[options.external_id_field] = write.external_id
        return row

    def of_update(self, write: Write) -> Payload:
        """What differs, nulls included but for the owner, who cannot be taken away; the times of an event by its rules.

        {} when nothing is to be sent.
        """
        assert write.key is not None
        names: AbstractSet[str] = write.changed
        times: Payload = {}
        if isinstance(self._options, EventOptions):
            now = EventTimes.of_extra(write.key.extra, write.values)
            times = times_of_changed(write.values, names, now, default_minutes=self._options.duration_minutes)
            names = names - TIME_FIELDS
        row = {**{name: write.values.get(name) for name in names}, **times}
        if row.get(OWNER, "") is None:
            del row[OWNER]
        return {name: self._cell(name, value) for name, value in row.items()}

    def said_of(self, values: Mapping[str, Any]) -> Payload:
        """Mapped values as a new record holds them, nulls and empty lists left out."""
        said = {name: value for name, value in values.items() if value is not None and value != []}
        if isinstance(self._options, EventOptions):
            times = times_of_new(values, default_minutes=self._options.duration_minutes)
            said = {**{name: value for name, value in said.items() if name not in TIME_FIELDS}, **times}
        return said

    @cached_property
    def default_owner(self) -> str | None:
        """Id of the options' owner. Raises :class:`SpecError` when no active user has its e-mail."""
        named = self._options.default_owner
        if named is None or is_salesforce_id(named):
            return None if named is None else to_18(named)
        found = self._people.users({named}).get(named)
        if found is None:
            raise SpecError(
                f"default_owner is {named}, and no active user of Salesforce has this e-mail. Name another user in "
                "target.options of the job file."
            )
        return found

    @cached_property
    def _type(self) -> str | None:
        """The options' value of Type where the org has the field, the user may set it, and the list has the value."""
        wanted = self._options.type if isinstance(self._options, ActivityOptions) else None
        found = self._fields.description.fields.get(TYPE)
        if wanted is None or found is None or not found.createable:
            return None
        values = {item.value.lower(): item.value for item in found.picklist if item.is_active}
        return values.get(wanted.lower())

    def _cell(self, name: str, value: Any) -> Any:
        """A value as Salesforce takes it: whole numbers where it wants them, one id for a list of them."""
        found = self._fields.description.fields.get(name)
        kind = found.type if found is not None else ""
        if isinstance(value, list):
            return _joined(name, value, kind)
        if kind == "int" and isinstance(value, float):
            if not value.is_integer():
                raise DataError(f"{name} takes whole numbers, got {value}. Round it in the mapping.")
            return int(value)
        return value


def _joined(name: str, values: list[Any], kind: str) -> Any:
    if kind == "reference":
        return str(values[0]) if values else None
    if kind == "multipicklist":
        return ";".join(map(str, values)) or None
    raise DataError(f"{name} takes one value, got a list of {len(values)}. Correct the mapping.")

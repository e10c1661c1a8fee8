"""What Salesforce says of its objects, fields, limits and deletions, as types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cshub.core.errors import DataError, ProtocolFault
from cshub.core.ids import to_18


@dataclass(frozen=True, slots=True)
class PicklistValue:
    value: str
    label: str
    is_active: bool
    is_default: bool


@dataclass(frozen=True, slots=True)
class FieldDescription:
    """One field as the signed-in user sees it (docs/vendors/salesforce.md §4). ``length``: characters, 0 for none."""

    name: str
    label: str
    type: str
    length: int = 0
    nillable: bool = True
    createable: bool = False
    updateable: bool = False
    defaulted_on_create: bool = False
    filterable: bool = False
    sortable: bool = False
    custom: bool = False
    calculated: bool = False
    external_id: bool = False
    id_lookup: bool = False
    unique: bool = False
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    polymorphic: bool = False
    restricted_picklist: bool = False
    picklist: tuple[PicklistValue, ...] = ()

    @property
    def required_on_create(self) -> bool:
        return self.createable and not self.nillable and not self.defaulted_on_create

    @property
    def is_upsert_key(self) -> bool:
        return self.external_id or self.id_lookup

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> FieldDescription:
        references = tuple(map(str, raw.get("referenceTo") or ()))
        return cls(
            name=str(raw["name"]),
            label=str(raw.get("label") or raw["name"]),
            type=str(raw.get("type") or "string"),
            length=int(raw.get("length") or 0),
            nillable=bool(raw.get("nillable", True)),
            createable=bool(raw.get("createable")),
            updateable=bool(raw.get("updateable")),
            defaulted_on_create=bool(raw.get("defaultedOnCreate")),
            filterable=bool(raw.get("filterable")),
            sortable=bool(raw.get("sortable")),
            custom=bool(raw.get("custom")),
            calculated=bool(raw.get("calculated")),
            external_id=bool(raw.get("externalId")),
            id_lookup=bool(raw.get("idLookup")),
            unique=bool(raw.get("unique")),
            reference_to=references,
            relationship_name=raw.get("relationshipName"),
            polymorphic=bool(raw.get("polymorphicForeignKey")) or len(references) > 1,
            restricted_picklist=bool(raw.get("restrictedPicklist")),
            picklist=tuple(_picklist_value(value) for value in raw.get("picklistValues") or ()),
        )


@dataclass(frozen=True, slots=True)
class ObjectDescription:
    """One object as the signed-in user sees it: fields that are hidden from the user are not there."""

    name: str
    label: str
    key_prefix: str | None
    custom: bool
    createable: bool
    updateable: bool
    deletable: bool
    queryable: bool
    fields: Mapping[str, FieldDescription] = field(repr=False)

    def field(self, name: str) -> FieldDescription | None:
        """The field called ``name``, whatever its case; None when the user has none."""
        found = self.fields.get(name)
        return found or next((item for key, item in self.fields.items() if key.lower() == name.lower()), None)

    def parent(self, relationship: str) -> FieldDescription | None:
        """The reference field behind a relationship (``Owner`` → ``OwnerId``), whatever its case."""
        wanted = relationship.lower()
        return next((item for item in self.fields.values() if (item.relationship_name or "").lower() == wanted), None)

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> ObjectDescription:
        """From the answer of describe. Raises :class:`ProtocolFault` when it is none."""
        try:
            fields = [FieldDescription.of(item) for item in raw["fields"]]
            name = str(raw["name"])
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolFault("Salesforce described an object in a form that is not known. Run again.") from error
        return cls(
            name=name,
            label=str(raw.get("label") or name),
            key_prefix=raw.get("keyPrefix"),
            custom=bool(raw.get("custom")),
            createable=bool(raw.get("createable")),
            updateable=bool(raw.get("updateable")),
            deletable=bool(raw.get("deletable")),
            queryable=bool(raw.get("queryable")),
            fields={item.name: item for item in fields},
        )


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    """One line of the list of all objects."""

    name: str
    label: str
    key_prefix: str | None
    custom: bool
    queryable: bool

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> ObjectSummary:
        name = str(raw.get("name") or "")
        return cls(
            name=name,
            label=str(raw.get("label") or name),
            key_prefix=raw.get("keyPrefix"),
            custom=bool(raw.get("custom")),
            queryable=bool(raw.get("queryable")),
        )


@dataclass(frozen=True, slots=True)
class Limit:
    """An allowance of the org, such as ``DailyApiRequests``."""

    name: str
    largest: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deleted record, by its id of 18 characters, and when it was deleted."""

    id: str
    deleted_at: datetime


@dataclass(frozen=True, slots=True)
class DeletedRecords:
    """What was deleted in ``[start, covered_until)``.

    ``has_gap``: the log of deletions begins after the asked start (``available_from``), so some are not told: compare
    every record by id instead. The next question starts at ``covered_until``.
    """

    deletions: tuple[Deletion, ...]
    available_from: datetime
    covered_until: datetime
    has_gap: bool


@dataclass(frozen=True, slots=True)
class UpdatedRecords:
    """Ids (18 characters) of what was made or changed in ``[start, covered_until)``."""

    ids: tuple[str, ...]
    covered_until: datetime


def read_deleted(raw: Any, start: datetime) -> DeletedRecords:
    """Raises :class:`ProtocolFault` for anything but the answer of the deleted-records call."""
    try:
        available = moment(raw["earliestDateAvailable"])
        return DeletedRecords(
            tuple(Deletion(to_18(item["id"]), moment(item["deletedDate"])) for item in raw["deletedRecords"]),
            available_from=available,
            covered_until=moment(raw["latestDateCovered"]),
            has_gap=available > start,
        )
    except (KeyError, TypeError, ValueError, DataError) as error:
        raise _odd("deleted records") from error


def read_updated(raw: Any) -> UpdatedRecords:
    """Raises :class:`ProtocolFault` for anything but the answer of the updated-records call."""
    try:
        return UpdatedRecords(tuple(to_18(item) for item in raw["ids"]), moment(raw["latestDateCovered"]))
    except (KeyError, TypeError, ValueError, DataError) as error:
        raise _odd("changed records") from error


def read_limits(raw: Any) -> Mapping[str, Limit]:
    """Raises :class:`ProtocolFault` for anything but the answer of the limits call."""
    if not isinstance(raw, Mapping):
        raise _odd("limits")
    return {
        name: Limit(name, int(value["Max"]), int(value["Remaining"]))
        for name, value in raw.items()
        if isinstance(value, Mapping) and "Max" in value and "Remaining" in value
    }


def moment(text: str) -> datetime:
    """A moment as Salesforce writes it: ``2026-11-20T08:11:12.000+0000`` or ``…Z``."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return found


def rows_in(raw: Any, what: str) -> Sequence[Mapping[str, Any]]:
    """A list of objects. Raises :class:`ProtocolFault` for anything else; no answer at all is the empty list."""
    if raw is None:
        return []
    if not isinstance(raw, list) or not all(isinstance(row, Mapping) for row in raw):
        raise _odd(what)
    return raw


def _odd(what: str) -> ProtocolFault:
    return ProtocolFault(f"Salesforce told {what} in a form that is not known. Run again.")


def _picklist_value(raw: Mapping[str, Any]) -> PicklistValue:
    value = str(raw.get("value") or "")
    return PicklistValue(
        value=value,
        label=str(raw.get("label") or value),
        is_active=bool(raw.get("active", True)),
        is_default=bool(raw.get("defaultValue")),
    )

"""What a system says of its objects: fields, kinds, and what may be done with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Kind(StrEnum):
    """How a value is carried, compared and fingerprinted. In plans and frames: text unless said otherwise."""

    TEXT = "text"
    RICH_TEXT = "rich_text"  # may hold HTML; compared as plain text
    ID = "id"
    EMAIL = "email"  # compared without case
    DATETIME = "datetime"  # ISO 8601 UTC with milliseconds, 2026-11-20T10:00:00.000Z
    DATE = "date"  # 2026-11-20
    NUMBER = "number"  # float or int
    BOOLEAN = "boolean"
    EMAILS = "emails"  # list of addresses; order and case do not count
    IDS = "ids"  # list of ids; order does not count
    ANY = "any"  # any JSON value


class Role(StrEnum):
    """What a target attribute is to the hub."""

    RECORD_KEY = "record_key"  # identifies the source record; remembered in the ledger
    ACCOUNT_KEY = "account_key"  # leads to the account of the target
    DATE = "date"  # the record's own date; the target is read by it
    CONTENT = "content"  # blank content = the record is pending
    AUTHOR = "author"
    PEOPLE = "people"  # e-mails that become user ids of the target
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of an object. ``max_length`` in characters, with its source in the system's catalogue."""

    name: str
    kind: Kind
    title: str
    role: Role = Role.VALUE
    required: bool = False
    createable: bool = True
    updateable: bool = True
    reference: bool = False
    max_length: int | None = None
    picklist: Sequence[str] | None = None
    personal: bool = False
    example: Any = None
    help: str = ""


class NoOptions(BaseModel):
    """An object without settings of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """One object of one system. ``open_ended``: tenants may have more fields than are listed (custom fields).

    ``options`` is the model of the job file's ``source.options`` or ``target.options`` for this object.
    ``needs_one_of``: at least one of these attributes must hold a value in every record that is written.
    """

    system: str
    name: str
    title: str
    fields: Mapping[str, FieldSpec]
    open_ended: bool = False
    options: type[BaseModel] = NoOptions
    needs_one_of: Sequence[str] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


def spec_of(system: str, name: str, title: str, fields: Sequence[FieldSpec], **more: Any) -> ObjectSpec:
    """An :class:`ObjectSpec` from a plain list of fields."""
    return ObjectSpec(system, name, title, {item.name: item for item in fields}, **more)

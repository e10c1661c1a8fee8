"""What a system says of its objects: fields, kinds, and what may be done with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    TITLE = "title"  # what people call the record
    CONTENT = "content"  # blank content = the record is pending
    AUTHOR = "author"
    PEOPLE = "people"  # e-mails that become user ids of the target: people of both sides
    OWNER = "owner"  # an e-mail that becomes the id of a person of one's own company
    MODIFIED_AT = "modified_at"  # when the source record was last changed; decides who wins, is not sent
    MODIFIED_BY = "modified_by"  # who changed it last; kept in the audit, is not sent
    INFORMATIVE = "informative"  # the target sets a value of its own; mapped for the record's sake, not sent
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


class Options(BaseModel):
    """What a job file's ``source.options`` or ``target.options`` may say for an object. The base has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def chosen_object(cls, given: Mapping[str, Any]) -> str | None:
        """The object that options, as a job file gives them, choose where the catalogue's one stands for many."""
        return None

    def account_attribute(self) -> str | None:
        """The attribute of an account that holds what the other system calls it; None: the record's own field does."""
        return None

    def create_only(self) -> frozenset[str]:
        """Attributes that these options have written at creation and left alone afterwards."""
        return frozenset()

    def keys(self) -> Mapping[str, Role]:
        """Fields that these options make keys: of the record (an external id) or of its account."""
        return {}


def _never(name: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """One object of one system. ``open_ended``: tenants may have more fields than are listed (custom fields).

    ``options`` is the model of the job file's ``target.options`` for this object, ``source_options`` that of its
    ``source.options``; the same model for both where only one is given.
    ``content_comes_late``: its content may be filled in after the record is listed, so that a blank one is awaited.
    ``is_personal``: which of the fields that are not listed hold personal data, by their names.
    ``needs_one_of``: at least one of these attributes must hold a value in every record that is written.
    """

    system: str
    name: str
    title: str
    fields: Mapping[str, FieldSpec]
    open_ended: bool = False
    options: type[Options] = Options
    source_options: type[Options] | None = None
    needs_one_of: Sequence[str] = ()
    is_personal: Callable[[str], bool] = _never
    content_comes_late: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)

    def with_keys(self, options: Options) -> ObjectSpec:
        """This object with the keys that ``options`` name."""
        keys = {name: replace(self.attribute(name), role=role, required=False) for name, role in options.keys().items()}
        return replace(self, fields={**self.fields, **keys}) if keys else self

    def attribute(self, name: str) -> FieldSpec:
        """The field called ``name``; where tenants have fields of their own, an unknown one may hold anything.

        Raises :class:`KeyError` for a name that cannot be a field of this object.
        """
        if name in self.fields or not self.open_ended:
            return self.fields[name]
        return FieldSpec(name, Kind.ANY, name, personal=self.is_personal(name))

    def holds_personal(self, name: str) -> bool:
        """Whether a field holds personal data, as far as its name can tell where it is not listed."""
        return self.fields[name].personal if name in self.fields else self.is_personal(name)


def spec_of(system: str, name: str, title: str, fields: Sequence[FieldSpec], **more: Any) -> ObjectSpec:
    """An :class:`ObjectSpec` from a plain list of fields."""
    return ObjectSpec(system, name, title, {item.name: item for item in fields}, **more)

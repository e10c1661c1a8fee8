"""Settings of reading and writing objects of Salesforce: what ``source.options`` and ``target.options`` may say."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cshub.core.objects import Options, Role

ACCOUNT_FIELD = "AccountId"
NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"


class AccountKey(StrEnum):
    ACCOUNT_ID = "account_id"
    FIELD = "field"


class Participants(StrEnum):
    CREATE_ONLY = "create_only"
    KEEP_IN_STEP = "keep_in_step"


class AccountMatch(BaseModel):
    """How the account of a record is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: AccountKey = Field(
        AccountKey.ACCOUNT_ID,
        description="account_id: by Salesforce's own id of the account; field: by a field of the account",
    )
    field: str | None = Field(
        None, pattern=NAME_PATTERN, description="API name of the field, for example Customer_Number__c"
    )

    @model_validator(mode="after")
    def _a_field_has_a_name(self) -> AccountMatch:
        if (self.by is AccountKey.FIELD) != bool(self.field):
            raise ValueError("give field together with by: field, and only then")
        return self


def _chosen(given: Mapping[str, Any]) -> str | None:
    """In lower case: Salesforce reads API names without case, and the catalogue's own objects are written so."""
    name = given.get("object")
    return name.lower() if isinstance(name, str) else None


class SourceOptions(Options):
    """What all objects have in common as sources. The filter chooses what is read; it never makes it look deleted."""

    filter: str | None = Field(
        None,
        description="SOQL condition, what follows WHERE in a query, for example Type = 'Meeting'; empty = all records",
    )

    @field_validator("filter")
    @classmethod
    def _can_be_read(cls, text: str | None) -> str | None:
        if text is None or not text.strip():
            return None
        from cshub.systems.salesforce.conditions import check_filter  # its parser is not needed to read a catalogue

        if faults := check_filter(text).faults:
            raise ValueError("; ".join(str(fault) for fault in faults).removesuffix("."))
        return text


class ActivitySourceOptions(SourceOptions):
    """What events and tasks have in common as sources."""

    include_recurrence_patterns: bool = Field(
        False, description="also read the record that describes a whole series, beside its occurrences"
    )
    include_archived: bool = Field(False, description="also read what Salesforce has archived (older than a year)")
    participants: bool = Field(
        False,
        description="read the e-mails of the people of each record as participant_emails; done anyway where a job "
        "maps that field",
    )


class EventSourceOptions(ActivitySourceOptions):
    """``source.options`` of a job that reads events."""

    include_child_events: bool = Field(False, description="also read the copies that invited users get of an event")

    @property
    def object_name(self) -> str:
        return "Event"


class TaskSourceOptions(ActivitySourceOptions):
    """``source.options`` of a job that reads tasks."""

    @property
    def object_name(self) -> str:
        return "Task"


class RecordSourceOptions(SourceOptions):
    """``source.options`` of a job that reads records of any object."""

    object: str = Field(pattern=NAME_PATTERN, description="API name of the object, for example Case or Visit__c")

    @classmethod
    def chosen_object(cls, given: Mapping[str, Any]) -> str | None:
        return _chosen(given)

    @property
    def object_name(self) -> str:
        return self.object


class TargetOptions(Options):
    """What all objects have in common as targets."""

    account_match: AccountMatch = Field(default_factory=lambda: AccountMatch(), description="how accounts are found")
    external_id_field: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        description="custom field, unique and an external id, that holds the id of the source record; with it, a new "
        "record can be sent again without danger",
    )
    default_owner: str | None = Field(
        None, min_length=1, description="owner of new records whose owner is not known: e-mail or id of a user"
    )
    duplicate_rule_allow_save: bool = Field(
        False, description="let new records pass that the org's duplicate rules only warn of"
    )
    bulk_threshold: int | None = Field(
        None,
        ge=200,
        description="records to write at once above which a bulk job is used, new ones only with external_id_field; "
        "none = as the connection says",
    )

    def keys(self) -> Mapping[str, Role]:
        return {} if self.external_id_field is None else {self.external_id_field: Role.RECORD_KEY}


class ActivityOptions(TargetOptions):
    """What events and tasks have in common as targets."""

    type: str | None = Field(
        None,
        min_length=1,
        description="value of the field Type in new records, for example Email; left out where the org has no such "
        "field or value",
    )
    participants: Participants = Field(
        Participants.CREATE_ONLY,
        description="create_only: WhoId is written with a new record, left alone afterwards; keep_in_step: updated too",
    )

    def create_only(self) -> frozenset[str]:
        return frozenset({"WhoId"}) if self.participants is Participants.CREATE_ONLY else frozenset()

    @property
    def account_field(self) -> str:
        """Where the account of a record is read."""
        return ACCOUNT_FIELD

    @property
    def account_written_to(self) -> str:
        """Where the account of a new record is written: Salesforce derives AccountId from it (salesforce.md §2.3)."""
        return "WhatId"

    @property
    def parent(self) -> str:
        return "Account"


class EventOptions(ActivityOptions):
    """``target.options`` of a job that writes events."""

    duration_minutes: int = Field(
        30, ge=0, le=1440, description="length of a new event whose end is not mapped, in minutes"
    )

    @property
    def object_name(self) -> str:
        return "Event"


class TaskOptions(ActivityOptions):
    """``target.options`` of a job that writes tasks."""

    @property
    def object_name(self) -> str:
        return "Task"


class RecordOptions(TargetOptions):
    """``target.options`` of a job that writes records of any object."""

    object: str = Field(pattern=NAME_PATTERN, description="API name of the object, for example Case or Visit__c")
    account_field: str = Field(
        ACCOUNT_FIELD,
        pattern=NAME_PATTERN,
        description="lookup that leads to the account, for example Account__c; written in new records only",
    )
    parent: str = Field(
        "Account", pattern=NAME_PATTERN, description="object that the lookup leads to, where it is not Account"
    )

    @classmethod
    def chosen_object(cls, given: Mapping[str, Any]) -> str | None:
        return _chosen(given)

    def keys(self) -> Mapping[str, Role]:
        return {self.account_field: Role.ACCOUNT_KEY, **super().keys()}

    @property
    def account_written_to(self) -> str:
        return self.account_field

    @property
    def object_name(self) -> str:
        return self.object


AnySourceOptions = EventSourceOptions | TaskSourceOptions | RecordSourceOptions
AnyTargetOptions = EventOptions | TaskOptions | RecordOptions

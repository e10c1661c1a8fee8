"""What differs between orgs, and what nobody outside the vendor knows for sure: each is one switch.

Defaults are an ordinary Enterprise org and the likeliest behaviour; the other values let a client prove that it
survives the rest. Section numbers are those of docs/vendors/salesforce.md.
"""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, field_validator

DAY_S = 86_400


class UnreadableRecord(StrEnum):
    """What one record with an unknown field or an unreadable value does to a call of many (§8.3)."""

    ROW = "row"
    CALL = "call"


class DeletedCode(StrEnum):
    """The code for a call on a deleted record (§8.10)."""

    ENTITY_IS_DELETED = "ENTITY_IS_DELETED"
    NOT_FOUND = "NOT_FOUND"


class UniqueScope(StrEnum):
    """Where a unique field of the shared Activity definition must be unique (§8.6)."""

    OBJECT = "object"
    ACTIVITY = "activity"


class WrongCase(StrEnum):
    """What becomes of an id whose letters have the wrong case (§5, §8.7)."""

    NOT_FOUND = "not_found"
    TOLERATED = "tolerated"


class AssertionClock(StrEnum):
    """The clock by which the ``exp`` of a signed assertion is judged."""

    REAL = "real"
    WORLD = "world"


class MovedEvent(StrEnum):
    """What an event keeps when only its start is changed."""

    KEEP_DURATION = "keep_duration"
    KEEP_END = "keep_end"


class UnknownRecordCode(StrEnum):
    """The code of a row of many for an id that no record has (§3.4)."""

    NOT_FOUND = "NOT_FOUND"
    INVALID_CROSS_REFERENCE_KEY = "INVALID_CROSS_REFERENCE_KEY"


class JunctionIds(StrEnum):
    """Whether ``EventWhoIds`` and ``TaskWhoIds`` can be written as a JSON list (§8.2)."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class ValidationRule(BaseModel):
    """Records of ``object`` whose ``field`` matches the pattern (regular expression, anywhere in it) are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    object: str
    field: str
    pattern: str
    message: str = "This value is not allowed."

    @field_validator("pattern")
    @classmethod
    def _readable(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as problem:
            raise ValueError(f"not a regular expression: {problem}") from problem
        return pattern


class DuplicateRule(BaseModel):
    """A new record of ``object`` like a present one in all ``fields`` is a duplicate; an alert can be overridden."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    object: str
    fields: tuple[str, ...] = Field(min_length=1)
    blocks: bool = False


class SalesforceSwitches(BaseModel):
    """Settings of one simulated org; every attribute may be changed while it runs."""

    model_config = ConfigDict(validate_assignment=True, extra="forbid")

    api_limit: int = Field(100_000, ge=1, description="Calls in any 24 hours; the next is answered 403.")
    page_size: int = Field(2_000, ge=1, le=2_000, description="Most records on a page of a query, whatever is asked.")
    cursor_life_s: float = Field(2 * DAY_S, ge=0, description="Seconds until a query locator is no longer known.")
    token_life_s: float = Field(7_200, ge=1, description="Seconds until a session expires, counted from its login.")
    dml_hold_s: float = Field(
        0.0, ge=0, description="Seconds for which a write keeps its accounts locked against other sessions."
    )
    visible_after_s: float = Field(
        0.0, ge=0, description="Seconds after its own timestamp until a change shows in queries and change lists."
    )
    clock_skew_s: float = Field(0.0, description="Seconds by which the org's clock is ahead of the world's.")
    shared_activities: bool = Field(
        False, description="Shared Activities: relations and counts; a deleted activity loses WhoId, WhatId, AccountId."
    )
    activity_type_field: bool = Field(True, description="Whether Event and Task have the field `Type`.")
    child_events: bool = Field(True, description="Inviting a user to an event makes a copy with `IsChild`.")
    multi_day_events: bool = Field(False, description="Whether an event may last longer than 1,440 minutes.")
    unreadable_record: UnreadableRecord = Field(
        UnreadableRecord.ROW,
        description="What an unknown field or unreadable value in a call of many spoils.",
    )
    deleted_record_code: DeletedCode = Field(
        DeletedCode.ENTITY_IS_DELETED, description="Code of the 404 for a record that is deleted."
    )
    unknown_record_code: UnknownRecordCode = Field(
        UnknownRecordCode.NOT_FOUND, description="Code of a row of many whose id no record has."
    )
    moved_event: MovedEvent = Field(
        MovedEvent.KEEP_DURATION, description="What an event keeps when only its start is changed."
    )
    junction_ids: JunctionIds = Field(
        JunctionIds.ACCEPTED, description="A JSON list in `EventWhoIds` or `TaskWhoIds`: written, or JSON_PARSER_ERROR."
    )
    delete_moves_stamp: bool = Field(True, description="Whether a deletion moves `SystemModstamp`.")
    unique_scope: UniqueScope = Field(
        UniqueScope.OBJECT, description="Whether a unique Activity field is unique per object or over Event and Task."
    )
    wrong_case_id: WrongCase = Field(
        WrongCase.NOT_FOUND, description="An id in the wrong case: not found, or an 18-character one is repaired."
    )
    validation_rules: tuple[ValidationRule, ...] = Field(
        (), description="Rules `{object, field, pattern, message}` that refuse a record."
    )
    duplicate_rules: tuple[DuplicateRule, ...] = Field(
        (), description="Rules `{object, fields, blocks}` that find duplicates of new records."
    )
    recycle_bin_days: int = Field(15, ge=0, description="Days until a deleted record is gone for good.")
    delete_log_s: float = Field(15 * DAY_S, ge=0, description="Seconds for which the list of deletions reaches back.")
    covered_lag_s: float = Field(
        0.0, ge=0, description="Seconds by which `latestDateCovered` stays behind the org's clock."
    )
    bulk_delay_s: float = Field(0.0, ge=0, description="Seconds a bulk job stays in progress.")
    bulk_page_size: int = Field(50_000, ge=1, description="Most rows on a page of bulk query results.")
    subrequests_count: bool = Field(False, description="Whether every part of a composite call counts as a call.")
    soap_login: bool = Field(True, description="Whether SOAP login is allowed (never from v65 on).")
    password_flow: bool = Field(True, description="Whether the OAuth password flow is allowed.")
    security_token_needed: bool = Field(True, description="Whether a password needs the security token behind it.")
    assertion_clock: AssertionClock = Field(
        AssertionClock.REAL, description="Clock that judges the `exp` of a JWT: the real one, or the world's."
    )

"""What nobody outside the vendor knows for sure: each open question is one switch with an assumed default.

The defaults are the likeliest behaviour; the other values let a client prove that it survives being wrong.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Region(StrEnum):
    US = "us"
    EU = "eu"


class OffsetReading(StrEnum):
    PAGE = "page"
    RECORD = "record"


class UpperBound(StrEnum):
    HONOURED = "honoured"
    IGNORED = "ignored"
    REFUSED = "refused"


class EventOrder(StrEnum):
    NEWEST_FIRST = "newest_first"
    SHUFFLED = "shuffled"


class CatalogueShape(StrEnum):
    LIST = "list"
    MAP = "map"
    MAP_OF_OBJECTS = "map_of_objects"


class TooLong(StrEnum):
    REJECT = "reject"
    TRUNCATE = "truncate"


class Unknown(StrEnum):
    """What happens to an id that the tenant does not know."""

    REJECT = "reject"
    IGNORE = "ignore"


class UnknownTimeline(StrEnum):
    EMPTY = "empty"
    NOT_FOUND = "not_found"


class ExternalIdOnWrite(StrEnum):
    IGNORE = "ignore"
    ACCEPT = "accept"


class Omitted(StrEnum):
    KEEP = "keep"
    CLEAR = "clear"


class HtmlBody(StrEnum):
    NEVER = "never"
    WITH_200 = "with_200"
    WITH_502 = "with_502"


class TaskReply(StrEnum):
    JSON = "json"
    TEXT = "text"


class TaskRead(StrEnum):
    FULL = "full"
    SPARSE = "sparse"


class UnknownTask(StrEnum):
    EMPTY = "empty"
    NOT_FOUND = "not_found"


class TaskExport(StrEnum):
    WITH_IDS = "with_ids"
    WITHOUT_IDS = "without_ids"
    REFUSED = "refused"


class ParticipantForm(StrEnum):
    TEXT = "text"
    OBJECT = "object"


class VanishedFrom(StrEnum):
    SEARCH = "search"
    EVERYWHERE = "everywhere"


class TotangoSwitches(BaseModel):
    """Settings of one simulated tenant; every attribute may be changed while it runs."""

    model_config = ConfigDict(validate_assignment=True, extra="forbid")

    region: Region = Field(
        Region.US,
        description="Where the tenant lives. Tokens of the other region are refused; the domains lookup says it.",
    )
    rate_limit: int = Field(100, ge=1, description="Calls per 60 s window and token on the API host.")
    retry_after_header: bool = Field(True, description="Send `Retry-After` with a 429.")
    rate_limit_reset_header: bool = Field(True, description="Send `RateLimit-Reset` with a 429.")
    html_body: HtmlBody = Field(
        HtmlBody.NEVER, description="Answer an HTML page, after doing the work, with status 200 or 502."
    )
    terms_missing_status: int = Field(400, ge=400, le=401, description="Status of a search whose query has no `terms`.")
    search_lag_s: float = Field(
        2.0, ge=0, le=60, description="Seconds until events/search shows a change; the account timeline is immediate."
    )
    offset_reading: OffsetReading = Field(
        OffsetReading.PAGE, description="Whether `offset` of events/search counts pages or records."
    )
    upper_bound: UpperBound = Field(
        UpperBound.HONOURED, description="What `lte` and `lt` of a date term do in events/search."
    )
    search_cap: int = Field(10_000, ge=0, description="Records reachable through one search; 0 = no cap.")
    event_order: EventOrder = Field(EventOrder.NEWEST_FIRST, description="Order of timeline and events/search.")
    vanished_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of events, chosen by their ids, that reading does not show though they are there.",
    )
    vanished_from: VanishedFrom = Field(
        VanishedFrom.EVERYWHERE, description="Where vanished events are missing: in events/search only, or everywhere."
    )
    timeline_cap: int = Field(0, ge=0, description="Longest account timeline, newest kept; 0 = unlimited.")
    unknown_account_timeline: UnknownTimeline = Field(
        UnknownTimeline.EMPTY, description="Timeline of an account that does not exist: `[]` or 404."
    )
    catalogue_shape: CatalogueShape = Field(
        CatalogueShape.LIST,
        description="Shape of touchpoint types and tags: objects in a list, id to name, id to object.",
    )
    missing_optional_properties: bool = Field(
        False,
        description="Leave out every event property that is not certain (subject, type, edit trail, participants).",
    )
    text_newline: bool = Field(True, description="A plain touchpoint body is read back with a newline at its end.")
    account_participants_form: ParticipantForm = Field(
        ParticipantForm.TEXT, description="External participants of an event as user ids or as `{userId, name}`."
    )
    over_long_content: TooLong = Field(TooLong.REJECT, description="Touchpoint content over 12,000 characters.")
    empty_content_allowed: bool = Field(True, description="Empty content beside a subject is accepted, else 400.")
    unknown_participants: Unknown = Field(Unknown.IGNORE, description="Participants the account does not know.")
    unknown_tags: Unknown = Field(Unknown.REJECT, description="Touchpoint tag or type ids the tenant does not know.")
    one_tag_only: bool = Field(False, description="The tenant allows one reason per touchpoint; more answer 400.")
    unknown_flow: Unknown = Field(Unknown.IGNORE, description="A flow id not known or retired: default flow, or 400.")
    unknown_assignee: Unknown = Field(
        Unknown.IGNORE, description="A task assignee who is no team member: kept, or 400."
    )
    put_omitted: Omitted = Field(Omitted.KEEP, description="Fields left out of a touchpoint update.")
    external_id_on_write: ExternalIdOnWrite = Field(
        ExternalIdOnWrite.IGNORE, description="`external_id` on create and update: dropped, or stored in lower case."
    )
    task_delete_event: bool = Field(False, description="A deleted task leaves an event with action `delete`.")
    task_reply: TaskReply = Field(TaskReply.JSON, description="Reply to a task create or update: JSON or plain text.")
    task_read: TaskRead = Field(
        TaskRead.FULL, description="What a task read by id shows: every field, or only id, title and status."
    )
    unknown_task: UnknownTask = Field(
        UnknownTask.EMPTY, description="A task that is not there, read by id: an empty array or 404."
    )
    task_export: TaskExport = Field(
        TaskExport.WITH_IDS, description="The task export has a column `id`, drops it, or answers 400 to every call."
    )
    ingestion_lag_s: float = Field(5.0, ge=0, description="Seconds until an account sent to the ingestion hub exists.")
    clock_skew_s: float = Field(0.0, description="Seconds by which the service's clock is ahead of the world's.")

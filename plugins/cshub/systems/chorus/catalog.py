"""What Chorus says of an engagement: every field of the list (chorus.md §3.3), and the settings of reading it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from cshub.core.objects import FieldSpec, Kind, Options, Role, spec_of


class EngagementType(StrEnum):
    MEETING = "meeting"
    DIALER = "dialer"
    EMAIL = "email"
    CONTENT_VIEWED = "content_viewed"
    UNRECORDED_MEETING = "unrecorded_meeting"


class EngagementOptions(Options):
    """``source.options`` of a job that reads engagements. Filters that Chorus itself applies."""

    engagement_types: tuple[EngagementType, ...] = Field(
        (EngagementType.MEETING,),
        description="types to read; an empty list reads all, so that what is skipped is counted",
    )
    with_trackers: bool = Field(False, description="read tracker_matches too")
    team_ids: tuple[int, ...] = Field((), description="only meetings owned by members of these teams")
    user_ids: tuple[int, ...] = Field((), description="only meetings owned by these users")
    min_duration_s: float | None = Field(None, ge=0, description="only engagements at least this long, in seconds")
    max_duration_s: float | None = Field(None, ge=0, description="only engagements at most this long, in seconds")
    participants_email: str | None = Field(None, description="only engagements with this participant")


def _field(
    name: str, kind: Kind, title: str, help: str, example: object = None, *, personal: bool = False
) -> FieldSpec:
    return FieldSpec(
        name, kind, title, createable=False, updateable=False, personal=personal, example=example, help=help
    )


_FIELDS = [
    FieldSpec(
        "engagement_id",
        Kind.ID,
        "Engagement id",
        role=Role.RECORD_KEY,
        required=True,
        createable=False,
        updateable=False,
        example="7F3D90C1A2B34C5D8E6F708192A3B4C5",
        help="32 upper-case hex characters; the same id in the list and in the conversation",
    ),
    _field(
        "engagement_type", Kind.TEXT, "Type", "meeting, dialer, email, content_viewed or unrecorded_meeting", "meeting"
    ),
    _field("subject", Kind.TEXT, "Subject", "meeting title; may be empty", "Quarterly review - Northwind"),
    FieldSpec(
        "date_time",
        Kind.NUMBER,
        "Start",
        role=Role.DATE,
        createable=False,
        updateable=False,
        example=1795104000.0,
        help="start, in seconds since 1970 UTC, whole or with a fraction",
    ),
    _field("duration", Kind.NUMBER, "Duration", "seconds; 0 or null when nothing was recorded", 1815.5),
    _field("processing_state", Kind.TEXT, "Processing state", "done once analysed; any other word: not yet", "done"),
    _field("no_show", Kind.BOOLEAN, "No-show", "the meeting did not take place with the other side", False),
    FieldSpec(
        "meeting_summary",
        Kind.RICH_TEXT,
        "Meeting summary",
        role=Role.CONTENT,
        createable=False,
        updateable=False,
        example="Team agreed on the pilot.<br>Budget is open.",
        help="summary by analysis; may hold HTML; null until it is ready",
    ),
    _field("action_items", Kind.ANY, "Action items", "list of texts; may be absent or hold blanks", ["Send the plan"]),
    FieldSpec(
        "account_id",
        Kind.ID,
        "Account id (CRM)",
        role=Role.ACCOUNT_KEY,
        createable=False,
        updateable=False,
        reference=True,
        example="0015g00000XyZ12AAF",
        help="Salesforce account id, 15 or 18 characters; empty when Chorus did not link the meeting",
    ),
    _field(
        "account_name", Kind.TEXT, "Account name", "a filler such as 'Ada Stone Meetings' when not linked", "Northwind"
    ),
    _field("opportunity_id", Kind.ID, "Opportunity id", "deal in the CRM", "0065g00000AbC34AAF"),
    _field("opportunity_name", Kind.TEXT, "Opportunity name", "deal in the CRM", "Northwind - Renewal"),
    _field("user_id", Kind.ID, "Owner id", "Chorus user who hosted the meeting", 4101),
    _field("user_name", Kind.TEXT, "Owner name", "who hosted the meeting", "Ada Stone", personal=True),
    FieldSpec(
        "user_email",
        Kind.EMAIL,
        "Owner e-mail",
        role=Role.AUTHOR,
        createable=False,
        updateable=False,
        personal=True,
        example="ada@seller.example",
        help="who hosted the meeting",
    ),
    FieldSpec(
        "participants",
        Kind.ANY,
        "Participants",
        role=Role.PEOPLE,
        createable=False,
        updateable=False,
        personal=True,
        example=[{"person_id": 91, "name": "Ada Stone", "email": "ada@seller.example", "type": "rep", "user_id": 4101}],
        help="with person_id, name, email, title, company_name, type (rep, prospect), user_id; invitees included",
    ),
    _field(
        "tracker_matches", Kind.ANY, "Tracker matches", "only with the option with_trackers: name, num_matches, type"
    ),
    _field("language", Kind.TEXT, "Language", "ISO code", "en"),
    _field("url", Kind.TEXT, "Link", "page of the meeting in Chorus", "https://chorus.ai/meeting/7F3D90C1…"),
    _field("compliance", Kind.TEXT, "Compliance", "compliant, non-compliant or unknown", "compliant"),
    _field("disposition_connected", Kind.BOOLEAN, "Call connected", "outcome of a dialer call"),
    _field("disposition_gatekeeper", Kind.BOOLEAN, "Call met a gatekeeper", "outcome of a dialer call"),
    _field("disposition_tree", Kind.BOOLEAN, "Call met a phone tree", "outcome of a dialer call"),
    _field("disposition_voicemail", Kind.BOOLEAN, "Call went to voicemail", "outcome of a dialer call"),
    _field("num_cust_questions", Kind.NUMBER, "Questions by the customer", "count", 3),
    _field("num_engaging_questions", Kind.NUMBER, "Engaging questions", "count", 1),
    _field("initiator", Kind.TEXT, "Initiator", "who sent the e-mail or made the call", personal=True),
    _field("call_state", Kind.TEXT, "Call state", "older field; may be absent"),
]

ENGAGEMENT = spec_of(
    "chorus",
    "engagement",
    "Chorus engagement",
    _FIELDS,
    options=EngagementOptions,
    content_comes_late=True,
    notes={
        "private": "Private recordings, and those the token's user may not see, never appear.",
        "changes": "Chorus cannot list what changed: late summaries are found by reading pending meetings again by id.",
    },
)

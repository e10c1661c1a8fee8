"""What Totango says of a touchpoint: its attributes as targets of a mapping, and the settings of writing it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cshub.core.objects import FieldSpec, Kind, Role, spec_of

CONTENT_LIMIT = 12_000  # characters (totango.md §3, touchpoint API page)
SUBJECT_LIMIT = 255  # no limit is published; that of the subject in Salesforce (totango.md §3)


class AccountKey(StrEnum):
    ACCOUNT_ID = "account_id"
    FOREIGN_KEY = "foreign_key"


class ContentFormat(StrEnum):
    TEXT = "text"
    HTML = "html"


class AccountMatch(BaseModel):
    """How the account of a record is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: AccountKey = Field(
        AccountKey.ACCOUNT_ID,
        description="account_id: by Totango's own account id; foreign_key: by an attribute of the account",
    )
    attribute: str | None = Field(None, description="API name of the foreign-key attribute, for example sfid")

    @model_validator(mode="after")
    def _foreign_key_has_a_name(self) -> AccountMatch:
        if (self.by is AccountKey.FOREIGN_KEY) != bool(self.attribute):
            raise ValueError("give attribute together with by: foreign_key, and only then")
        return self


class TouchpointOptions(BaseModel):
    """``target.options`` of a job that writes touchpoints. Flow, type and reasons by the names shown in Totango."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account_match: AccountMatch = Field(default_factory=lambda: AccountMatch(), description="how accounts are found")
    flow: str | None = Field(None, description="flow of new touchpoints; none = the tenant's default flow")
    touchpoint_type: str | None = Field(None, description="type of new touchpoints, for example Web meeting")
    reasons: tuple[str, ...] = Field((), description="reasons of new touchpoints; a tenant may allow only one")
    disable_sync: bool = Field(True, description="keep these touchpoints out of Totango's own outbound jobs")
    content_format: ContentFormat = Field(ContentFormat.TEXT, description="plain text, or HTML that Totango keeps")


TOUCHPOINT = spec_of(
    "totango",
    "touchpoint",
    "Totango touchpoint",
    [
        FieldSpec(
            "account_id",
            Kind.ID,
            "Account Id",
            role=Role.ACCOUNT_KEY,
            required=True,
            updateable=False,
            max_length=480,  # totango.md §3, row "Ids"
            example="ACME-17",
            help="account id, or the foreign key named in account_match; a touchpoint never changes account",
        ),
        FieldSpec(
            "touchpoint_id",
            Kind.ID,
            "Touchpoint Id",
            role=Role.RECORD_KEY,
            required=True,
            updateable=False,
            example="7F3D90C1A2B34C5D8E6F708192A3B4C5",
            help="id of the record in the source; remembered by the hub, not stored in Totango",
        ),
        FieldSpec(
            "subject",
            Kind.TEXT,
            "Subject",
            max_length=SUBJECT_LIMIT,
            example="Quarterly review",
            help="title of the touchpoint",
        ),
        FieldSpec(
            "content",
            Kind.RICH_TEXT,
            "Content",
            role=Role.CONTENT,
            max_length=CONTENT_LIMIT,
            example="Met with the ops team.",
            help="body; plain text unless content_format is html",
        ),
        FieldSpec(
            "touchpoint_date",
            Kind.DATETIME,
            "Touchpoint Date",
            role=Role.DATE,
            example="2026-11-20T10:00:00.000Z",
            help="when it took place; without it, the time of creation",
        ),
        FieldSpec(
            "created_by",
            Kind.EMAIL,
            "Created By",
            role=Role.AUTHOR,
            updateable=False,
            personal=True,
            example="dana@vendor.example",
            help="author's e-mail; without it, the owner of the token; Totango keeps the first author",
        ),
        FieldSpec(
            "participants",
            Kind.EMAILS,
            "Participants",
            role=Role.PEOPLE,
            personal=True,
            example=["dana@vendor.example", "lee@acme.example"],
            help="e-mails of both sides; those Totango does not know are left out and counted",
        ),
    ],
    options=TouchpointOptions,
    needs_one_of=("subject", "content"),
    notes={"external_id": "Totango's API stores no external id: the hub's ledger links the records."},
)

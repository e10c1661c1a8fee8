"""What Totango says of a touchpoint: its attributes, and the settings of reading and writing it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from cshub.core.objects import FieldSpec, Kind, Options, Role, spec_of
from cshub.systems.totango.account_options import AccountMatch, AccountReference

CONTENT_LIMIT = 12_000  # characters (totango.md §3, touchpoint API page)
SUBJECT_LIMIT = 255  # no limit is published; that of the subject in Salesforce (totango.md §3)


class ContentFormat(StrEnum):
    TEXT = "text"
    HTML = "html"


class Participants(StrEnum):
    CREATE_ONLY = "create_only"
    KEEP_IN_STEP = "keep_in_step"


class TouchpointOptions(Options):
    """``target.options`` of a job that writes touchpoints. Flow, type and reasons by the names shown in Totango."""

    account_match: AccountMatch = Field(default_factory=lambda: AccountMatch(), description="how accounts are found")
    flow: str | None = Field(None, description="flow of new touchpoints; none = the tenant's default flow")
    touchpoint_type: str | None = Field(None, description="type of new touchpoints, for example Web meeting")
    reasons: tuple[str, ...] = Field((), description="reasons of new touchpoints; a tenant may allow only one")
    disable_sync: bool = Field(True, description="keep these touchpoints out of Totango's own outbound jobs")
    content_format: ContentFormat = Field(ContentFormat.TEXT, description="plain text, or HTML that Totango keeps")
    participants: Participants = Field(
        Participants.KEEP_IN_STEP,
        description="create_only: written with a new touchpoint, left alone afterwards; keep_in_step: updated too",
    )

    def create_only(self) -> frozenset[str]:
        return frozenset({"participants"}) if self.participants is Participants.CREATE_ONLY else frozenset()


class TouchpointSourceOptions(Options):
    """``source.options`` of a job that reads touchpoints. Filters choose what is read; they never make it look deleted.

    A record that is in step already is still followed when it no longer passes.
    """

    account_reference: AccountReference = Field(
        default_factory=lambda: AccountReference(), description="what accounts are called in the other system"
    )
    flows: tuple[str, ...] = Field((), description="only touchpoints of these flows, by name; empty = all")
    touchpoint_types: tuple[str, ...] = Field((), description="only touchpoints of these types, by name; empty = all")
    reasons: tuple[str, ...] = Field((), description="only touchpoints with one of these reasons, by name; empty = all")
    authors: tuple[str, ...] = Field((), description="only touchpoints by these people, by e-mail; empty = all")
    accounts: tuple[str, ...] = Field((), description="only those of these accounts, by Totango's id; empty = all")
    updated_within_days: int | None = Field(
        None, ge=1, description="only touchpoints changed in so many days before the end of the window; none = all"
    )

    def account_attribute(self) -> str | None:
        return self.account_reference.looked_at


def _shown(name: str, kind: Kind, title: str, help: str, example: object, *, personal: bool = False) -> FieldSpec:
    """A field that is only read."""
    return FieldSpec(
        name, kind, title, createable=False, updateable=False, personal=personal, example=example, help=help
    )


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
            role=Role.TITLE,
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
        FieldSpec(
            "last_update_date",
            Kind.DATETIME,
            "Last Update Date",
            role=Role.MODIFIED_AT,
            createable=False,
            updateable=False,
            example="2026-11-20T11:30:00.000Z",
            help="when the source record was last changed; decides who wins, Totango sets its own",
        ),
        FieldSpec(
            "last_updater",
            Kind.EMAIL,
            "Last Updater",
            role=Role.MODIFIED_BY,
            createable=False,
            updateable=False,
            personal=True,
            example="dana@vendor.example",
            help="who changed the source record last; kept in the audit, Totango sets its own",
        ),
        _shown(
            "participant_emails",
            Kind.EMAILS,
            "Participants' e-mails",
            "people of both sides by e-mail in lower case; those whose e-mail is not known are left out and counted",
            ["dana@vendor.example", "lee@acme.example"],
            personal=True,
        ),
        _shown("note_id", Kind.ID, "Note Id", "Totango's own id", "900123"),
        _shown("external_id", Kind.ID, "External Id", "id in lower case that an import left", "00u5g000001abc"),
        _shown("flow", Kind.TEXT, "Flow", "name of the flow", "Adoption"),
        _shown("flow_id", Kind.ID, "Flow Id", "id of the flow", "adoption"),
        _shown("touchpoint_type", Kind.TEXT, "Type", "name of the touchpoint type", "Web meeting"),
        _shown("touchpoint_type_id", Kind.ID, "Type Id", "id of the touchpoint type", "6f1d2c34-0000-4000-8000-01"),
        _shown("reasons", Kind.ANY, "Reasons", "list of names", ["Renewal"]),
        _shown("reason_ids", Kind.IDS, "Reason Ids", "list of ids", ["6f1d2c34-0000-4000-8000-02"]),
        _shown("origin", Kind.TEXT, "Origin", "where the touchpoint came from, in Totango's words; may be null", "api"),
    ],
    options=TouchpointOptions,
    source_options=TouchpointSourceOptions,
    needs_one_of=("subject", "content"),
    notes={"external_id": "Totango's API stores no external id: the hub's ledger links the records."},
)

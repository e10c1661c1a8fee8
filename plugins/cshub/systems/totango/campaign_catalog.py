"""What Totango says of a campaign touch: one campaign delivery, shown in the timeline of one account. Only read."""

from __future__ import annotations

from pydantic import Field

from cshub.core.objects import FieldSpec, Kind, Options, Role, spec_of
from cshub.systems.totango.account_options import AccountReference


class CampaignTouchOptions(Options):
    """``source.options`` of a job that reads campaign touches."""

    account_reference: AccountReference = Field(
        default_factory=lambda: AccountReference(), description="what accounts are called in the other system"
    )
    accounts: tuple[str, ...] = Field((), description="only touches of these accounts, by Totango's id; empty = all")

    def account_attribute(self) -> str | None:
        return self.account_reference.looked_at


def _field(
    name: str, kind: Kind, title: str, help: str, example: object, *, role: Role = Role.VALUE, personal: bool = False
) -> FieldSpec:
    return FieldSpec(
        name, kind, title, role=role, createable=False, updateable=False, personal=personal, example=example, help=help
    )


CAMPAIGN_TOUCH = spec_of(
    "totango",
    "campaign_touch",
    "Totango campaign touch",
    [
        _field(
            "account_id",
            Kind.ID,
            "Account Id",
            "the account's reference in the other system",
            "0015g00000XyZ12AAF",
            role=Role.ACCOUNT_KEY,
        ),
        _field(
            "campaign_touch_id",
            Kind.ID,
            "Campaign Touch Id",
            "id of the event in the account's timeline",
            "1b2c3d4ez0001z4a00z8000z0123456789ab",
            role=Role.RECORD_KEY,
        ),
        _field(
            "subject",
            Kind.TEXT,
            "Subject",
            "put together from campaign, number of users and sender",
            'One time campaign "Launch" was sent to 12 users. From: dana@vendor.example',
        ),
        _field("description", Kind.RICH_TEXT, "Description", "what Totango says of the campaign", "The spring launch"),
        _field(
            "start_date",
            Kind.DATETIME,
            "Start Date",
            "when it was sent",
            "2026-11-20T10:00:00.000Z",
            role=Role.DATE,
        ),
        _field(
            "created_by",
            Kind.EMAIL,
            "Created By",
            "the sender",
            "dana@vendor.example",
            role=Role.AUTHOR,
            personal=True,
        ),
        _field("from", Kind.TEXT, "From", "the sender, as Totango names it", "dana@vendor.example", personal=True),
        _field("campaign_id", Kind.ID, "Campaign Id", "the same for all accounts it went to", "5f0e7c1a-0000-4000"),
        _field("campaign_name", Kind.TEXT, "Campaign Name", "name of the campaign", "Launch"),
        _field("campaign_subject", Kind.TEXT, "Campaign Subject", "subject of the e-mail", "News for you"),
        _field("is_ongoing", Kind.BOOLEAN, "Ongoing", "goes on being sent, not once only", False),
        _field("users_count", Kind.NUMBER, "Users", "how many users of the account it went to", 12),
    ],
    options=CampaignTouchOptions,
    notes={
        "form": "The form in which Totango tells a campaign touch is not published: fields it lacks are left out.",
    },
)

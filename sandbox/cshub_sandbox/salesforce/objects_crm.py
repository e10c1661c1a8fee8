"""Customers, people and deals: the objects that activities belong to, as far as the sandbox knows them."""

from __future__ import annotations

from cshub_sandbox.salesforce.objects import FieldKind, FieldType, ObjectType
from cshub_sandbox.salesforce.objects_fields import (
    READ_ONLY,
    audit,
    date_field,
    datetime_field,
    email,
    flag,
    number,
    object_type,
    owner,
    person_name,
    phone,
    picklist,
    record_id,
    reference,
    text,
    text_area,
    url,
    whole,
)

_SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
_INDUSTRIES = ("Consulting", "Education", "Finance", "Healthcare", "Manufacturing", "Retail", "Technology", "Other")


def crm_objects() -> list[ObjectType]:
    """Account, Contact, Lead, Opportunity, Case, Campaign and Contract."""
    return [_account(), _contact(), _lead(), _opportunity(), _case(), _campaign(), _contract()]


def _address(prefix: str) -> tuple[FieldType, ...]:
    return (
        text_area(f"{prefix}Street"),
        text(f"{prefix}City", 40),
        text(f"{prefix}State", 80),
        text(f"{prefix}PostalCode", 20),
        text(f"{prefix}Country", 80),
    )


def _account() -> ObjectType:
    return object_type(
        "Account",
        "001",
        [
            record_id(),
            text("Name", name_field=True, nillable=False, label="Account Name"),
            picklist("Type", "Prospect", "Customer - Direct", "Customer - Channel", "Partner", "Other", length=255),
            reference("ParentId", "Account", children="ChildAccounts"),
            *_address("Billing"),
            *_address("Shipping"),
            phone("Phone"),
            phone("Fax"),
            text("AccountNumber", 40),
            url("Website"),
            picklist("Industry", *_INDUSTRIES, length=255),
            number("AnnualRevenue", FieldKind.CURRENCY, scale=0),
            whole("NumberOfEmployees", label="Employees"),
            text_area("Description", 32_000),
            owner("User"),
            picklist("AccountSource", *_SOURCES, length=255),
            date_field("LastActivityDate", **READ_ONLY),
            *audit(),
        ],
        has_activities=True,
    )


def _contact() -> ObjectType:
    return object_type(
        "Contact",
        "003",
        [
            record_id(),
            reference("AccountId", "Account", children="Contacts"),
            *person_name(),
            *_address("Mailing"),
            phone("Phone"),
            phone("MobilePhone"),
            email(),
            text("Title", 128),
            text("Department", 80),
            reference("ReportsToId", "Contact"),
            picklist("LeadSource", *_SOURCES, length=255),
            date_field("Birthdate"),
            text_area("Description", 32_000),
            owner("User"),
            datetime_field("EmailBouncedDate"),
            date_field("LastActivityDate", **READ_ONLY),
            *audit(),
        ],
    )


def _lead() -> ObjectType:
    return object_type(
        "Lead",
        "00Q",
        [
            record_id(),
            *person_name(),
            text("Title", 128),
            text("Company", nillable=False),
            *_address(""),
            phone("Phone"),
            email(),
            picklist("LeadSource", *_SOURCES, length=255),
            picklist(
                "Status",
                "Open - Not Contacted",
                "Working - Contacted",
                "Closed - Converted",
                "Closed - Not Converted",
                default="Open - Not Contacted",
                length=255,
            ),
            picklist("Industry", *_INDUSTRIES, length=255),
            picklist("Rating", "Hot", "Warm", "Cold", length=255),
            text_area("Description", 32_000),
            owner("Group", "User"),
            flag("IsConverted", **READ_ONLY),
            date_field("ConvertedDate", **READ_ONLY),
            reference("ConvertedAccountId", "Account", **READ_ONLY),
            reference("ConvertedContactId", "Contact", **READ_ONLY),
            reference("ConvertedOpportunityId", "Opportunity", **READ_ONLY),
            *audit(),
        ],
    )


def _opportunity() -> ObjectType:
    return object_type(
        "Opportunity",
        "006",
        [
            record_id(),
            reference("AccountId", "Account", children="Opportunities"),
            text("Name", 120, name_field=True, nillable=False),
            text_area("Description", 32_000),
            picklist(
                "StageName",
                "Prospecting",
                "Qualification",
                "Proposal/Price Quote",
                "Negotiation/Review",
                "Closed Won",
                "Closed Lost",
                length=255,
                nillable=False,
                label="Stage",
            ),
            number("Amount", FieldKind.CURRENCY),
            number("Probability", FieldKind.PERCENT, precision=3, scale=0),
            date_field("CloseDate", nillable=False),
            picklist("Type", "Existing Customer - Upgrade", "Existing Customer - Renewal", "New Customer", length=255),
            text("NextStep"),
            flag("IsClosed", **READ_ONLY),
            flag("IsWon", **READ_ONLY),
            owner("User"),
            *audit(),
        ],
        plural="Opportunities",
        has_activities=True,
    )


def _case() -> ObjectType:
    return object_type(
        "Case",
        "500",
        [
            record_id(),
            text("CaseNumber", 30, name_field=True, nillable=False, defaulted=True, auto_number=True, **READ_ONLY),
            reference("ContactId", "Contact", children="Cases"),
            reference("AccountId", "Account", children="Cases"),
            reference("ParentId", "Case", children="Cases"),
            text("SuppliedEmail", 80),
            picklist("Type", "Mechanical", "Electrical", "Electronic", "Structural", "Other", length=255),
            picklist("Status", "New", "Working", "Escalated", "Closed", default="New", length=255),
            picklist("Reason", "Installation", "Performance", "Feedback", "Other", length=255),
            picklist("Origin", "Phone", "Email", "Web", length=255),
            picklist("Priority", "High", "Medium", "Low", default="Medium", length=255),
            text("Subject"),
            text_area("Description", 32_000),
            flag("IsClosed", **READ_ONLY),
            datetime_field("ClosedDate", **READ_ONLY),
            flag("IsEscalated"),
            owner("Group", "User"),
            *audit(),
        ],
        has_activities=True,
    )


def _campaign() -> ObjectType:
    return object_type(
        "Campaign",
        "701",
        [
            record_id(),
            text("Name", 80, name_field=True, nillable=False),
            reference("ParentId", "Campaign", children="ChildCampaigns"),
            picklist("Type", "Conference", "Webinar", "Email", "Telemarketing", "Other", length=255),
            picklist("Status", "Planned", "In Progress", "Completed", "Aborted", length=255),
            date_field("StartDate"),
            date_field("EndDate"),
            flag("IsActive"),
            text_area("Description", 32_000),
            owner("User"),
            *audit(),
        ],
        has_activities=True,
    )


def _contract() -> ObjectType:
    return object_type(
        "Contract",
        "800",
        [
            record_id(),
            reference("AccountId", "Account", children="Contracts", nillable=False),
            text("ContractNumber", 30, name_field=True, nillable=False, defaulted=True, auto_number=True, **READ_ONLY),
            picklist("Status", "In Approval Process", "Activated", "Draft", default="Draft"),
            date_field("StartDate"),
            whole("ContractTerm"),
            text_area("Description", 32_000),
            owner("User"),
            *audit(),
        ],
        has_activities=True,
    )

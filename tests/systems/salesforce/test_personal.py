"""Which fields of an org hold personal data, also those that no catalogue lists."""

from __future__ import annotations

import pytest

from cshub.systems.salesforce.catalog import EVENT, RECORD, TASK


@pytest.mark.parametrize(
    "name",
    ["Owner.Email", "Owner.Phone", "Owner.FirstName", "Who.Title", "CreatedBy.Name", "LastModifiedBy.Username",
     "Assignee.Name", "Assigned_To__r.Name", "Account.Owner.Name", "What.Owner.Email", "Email", "Phone", "MobilePhone",
     "HomePhone", "Fax", "Private_Email__c", "Contact__r.Name", "owner.email", "FirstName", "PersonBirthdate"],
)  # fmt: skip
def test_what_tells_or_reaches_a_person_is_personal(name: str) -> None:
    assert all(spec.holds_personal(name) for spec in (EVENT, TASK, RECORD))
    assert all(spec.attribute(name).personal for spec in (EVENT, TASK, RECORD))


@pytest.mark.parametrize("name", ["Account.Name", "What.Name", "Owner.IsActive", "Name", "Title__c", "Visit_Name__c"])
def test_names_of_companies_and_records_are_not_personal(name: str) -> None:
    assert not any(spec.holds_personal(name) for spec in (EVENT, TASK, RECORD))

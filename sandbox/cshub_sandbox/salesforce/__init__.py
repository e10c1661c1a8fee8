"""Salesforce as documented in public: objects, records, queries, and what differs between orgs as switches."""

from cshub_sandbox.salesforce.service import SalesforceService
from cshub_sandbox.salesforce.switches import SalesforceSwitches

__all__ = ["SalesforceService", "SalesforceSwitches"]

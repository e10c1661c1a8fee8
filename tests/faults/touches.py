"""Campaign touches that Salesforce must hold as events, and those that it holds."""

from __future__ import annotations

from collections import Counter

from tests.pipeline.lab import Lab

JOB_ID = "salesforce_campaign_touches_outbound"


def expected(lab: Lab) -> Counter[tuple[str, str]]:
    """Touch id and account of each touch whose account Salesforce has."""
    crm = {row["Id"] for row in lab.sandbox.service("salesforce").state()["accounts"] if not row["IsDeleted"]}
    totango = lab.sandbox.service("totango").state()
    accounts = {row["id"]: row["attributes"].get("sfid") for row in totango["accounts"]}
    touches = [event for event in totango["events"] if event["type"] == "campaign_touch"]
    recent = [event for event in touches if event["timestamp"] > (lab.clock.now().timestamp() - 30 * 86_400) * 1000]
    found = ((event["id"].lower(), str(accounts.get(event["account"]["id"]))) for event in recent)
    return Counter((key, account) for key, account in found if account in crm)


def held(lab: Lab) -> Counter[tuple[str, str]]:
    events = lab.sandbox.service("salesforce").state()["events"]
    return Counter(
        (row["Totango_Touch_Id__c"].lower(), row["AccountId"])
        for row in events
        if row.get("Totango_Touch_Id__c") and not row["IsDeleted"]
    )

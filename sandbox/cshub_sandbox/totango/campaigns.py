"""Campaigns: one delivery shows as one touch on every account it went to."""

from __future__ import annotations

from collections.abc import Sequence

from cshub_sandbox.totango.records import Account, CampaignTouch, Event, EventType
from cshub_sandbox.totango.tenant import Tenant


def send_campaign(
    tenant: Tenant, accounts: Sequence[Account], *, name: str, sender: str, at_ms: int, ongoing: bool = False
) -> str:
    """One campaign touch per account, sent to all its contacts. Returns the campaign's id."""
    campaign_id = tenant.new_uuid()
    kind = "ongoing" if ongoing else "one_time"
    for account in accounts:
        users = len(tenant.contacts.get(account.id, {}))
        touch = CampaignTouch(
            campaign_id=campaign_id,
            campaign_name=name,
            campaign_type=kind,
            subject=name,
            description=f'{"Ongoing" if ongoing else "One-time"} campaign "{name}" sent to {users} users by {sender}',
            sender=sender,
            users_count=users,
            start_ms=at_ms,
        )
        tenant.put_event(Event(tenant.new_event_id(), at_ms, EventType.CAMPAIGN_TOUCH, account.id, touch))
    return campaign_id

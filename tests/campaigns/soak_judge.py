"""What the services must hold after a day of work on all sides, told by what people did and by the services alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.pipeline.histories import History
from tests.pipeline.oracle import Identity, assert_content, expected_touchpoints, identity_of, made_by_hub
from tests.pipeline.two_histories import TwoHistory
from tests.pipeline.two_way import TOUCHPOINTS, Row, Sync


def differences(pairs: Sequence[TwoHistory], meetings: History) -> list[str]:
    """What the services hold and should not, or the other way round."""
    stories: list[str] = []
    own = _of_meetings(pairs[0].sync, meetings)
    for history in pairs:
        sync = history.sync
        kind = sync.kind
        left, right = sync.salesforce(), sync.totango()
        if kind is TOUCHPOINTS:
            left -= _of_touches(sync)
            right -= own
        stories += [f"{kind.name}: only in Salesforce: {row}" for row in list(left - right)[:3]]
        stories += [f"{kind.name}: only in Totango: {row}" for row in list(right - left)[:3]]
        try:
            history._check_things()
        except AssertionError as wrong:
            stories.append(f"{kind.name}: {wrong}")
    try:
        _check_meetings(meetings)
    except AssertionError as wrong:
        stories.append(f"touchpoints of meetings: {wrong}")
    return stories


def _of_touches(sync: Sync) -> Counter[Row]:
    """Rows of events that were made of campaign touches."""
    events = sync.lab.sandbox.service("salesforce").state()["events"]
    made = (row for row in events if row.get("Totango_Touch_Id__c") and not row["IsDeleted"])
    return Counter(sync.kind.of_salesforce(row) for row in made)


def _identities(history: History) -> set[Identity]:
    """Of all touchpoints that were ever made of meetings."""
    wanted = expected_touchpoints(history.lab.sandbox, history.lab.sandbox.service("chorus").records.by_id.values())
    return {item.identity for item in (*wanted, *history.remembered)} | history.deleted.keys()


def _held_of_meetings(history: History) -> list[dict[str, Any]]:
    identities = _identities(history)
    return [item for item in made_by_hub(history.lab.sandbox) if identity_of(item) in identities]


def _of_meetings(sync: Sync, history: History) -> Counter[Row]:
    accounts = sync.common_accounts()
    held = [item for item in _held_of_meetings(history) if item["account_id"] in accounts]
    return Counter(sync.kind.of_totango({**item, "account_id": accounts[item["account_id"]]}) for item in held)


def _check_meetings(history: History) -> None:
    lab = history.lab
    now = lab.clock.now()
    seen = [item for item in lab.sandbox.service("chorus").records.by_id.values() if item.starts_at < now]
    wanted = expected_touchpoints(lab.sandbox, [item for item in seen if not item.private])
    held = _held_of_meetings(history)
    due = Counter(item.identity for item in wanted)
    due.subtract(history.deleted)
    optional = Counter(item.identity for item in history.remembered)
    found = Counter(map(identity_of, held))
    assert not +due - found, f"lost: {+due - found}"
    assert not found - +due - optional, f"doubled or made again: {found - +due - optional}"
    by_identity = {identity_of(item): item for item in held}
    for item in wanted:
        if item.identity in by_identity and item.meeting_id not in history.hidden:
            words = history.words.get(item.identity, {})
            touchpoint = by_identity[item.identity]
            assert touchpoint["subject"].strip() == words.get("subject", item.subject), (touchpoint, item)
            if "content" in words:
                assert touchpoint["content"].strip() == words["content"], (touchpoint, item)
            else:
                assert_content(touchpoint["content"], item.text)

"""The story the demo tells: what people do in the simulated services before and between the syncs.

An act is what a user of Chorus or Totango would do by hand; it reaches the sandbox through its control address.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from cshub_runtime.sandbox_process import SandboxAddresses

RENEWAL = "CAFE00000000000000000000000000A1"
KICKOFF = "CAFE00000000000000000000000000A2"
RENEWAL_SUBJECT = "Renewal talk: price and term"
KICKOFF_SUBJECT = "Kick-off of the reporting project"


@dataclass(frozen=True)
class Act:
    """One thing that happens: how it is announced, and how it is done in the sandbox."""

    announcement: str
    perform: Callable[[SandboxAddresses], None]


def control(addresses: SandboxAddresses, path: str, body: object) -> Any:
    """Send one order to the sandbox's control address; its answer. Raises requests.HTTPError when it is refused."""
    answer = requests.post(f"{addresses.control_url}{path}", json=body, timeout=30, proxies={"http": ""})
    answer.raise_for_status()
    return answer.json()


def look(addresses: SandboxAddresses, path: str) -> Any:
    """What the sandbox's control address shows. Raises requests.HTTPError when it is refused."""
    answer = requests.get(f"{addresses.control_url}{path}", timeout=30, proxies={"http": ""})
    answer.raise_for_status()
    return answer.json()


def _two_meetings_end(addresses: SandboxAddresses) -> None:
    account = _engagement(addresses, _case(addresses, "html_summary"))["account_id"]
    for meeting, subject, summary in (
        (RENEWAL, RENEWAL_SUBJECT, "They ask for a two-year term.<br>Price is open."),
        (KICKOFF, KICKOFF_SUBJECT, "Scope agreed: three dashboards by the end of the quarter."),
    ):
        order = {"id": meeting, "subject": subject, "summary": summary, "account": account, "ended_ago_s": 3600}
        control(addresses, "/act/chorus/add_meeting", order)


def _a_late_summary_arrives(addresses: SandboxAddresses) -> None:
    control(addresses, "/act/chorus/finish_summary", {"id": _case(addresses, "summary_late_by_weeks")})


def _a_missing_account_is_created(addresses: SandboxAddresses) -> None:
    crm_id = _engagement(addresses, _case(addresses, "account_not_in_totango"))["account_id"]
    control(addresses, "/act/totango/create_account", {"crm_id": crm_id})


def _a_touchpoint_is_edited(addresses: SandboxAddresses) -> None:
    note = _touchpoint(addresses, KICKOFF_SUBJECT)
    edited = f"{note['content'].strip()}\nAdded by hand: the sponsor is the head of finance."
    control(addresses, "/act/totango/edit_touchpoint", {"note_id": note["note_id"], "content": edited})


def _both_sides_edit_one_meeting(addresses: SandboxAddresses) -> None:
    note = _touchpoint(addresses, RENEWAL_SUBJECT)
    by_hand = {"note_id": note["note_id"], "content": "They asked for two years; we offer 5 %."}
    control(addresses, "/act/totango/edit_touchpoint", by_hand)
    control(addresses, "/act/chorus/edit_meeting", {"id": RENEWAL, "summary": "They ask for a three-year term."})


PROLOGUE: Sequence[Act] = (Act("two meetings have just ended in Chorus", _two_meetings_end),)
ACTS: Sequence[Act] = (
    Act("Chorus finishes a summary that was missing", _a_late_summary_arrives),
    Act("an account that meetings wait for is created in Totango", _a_missing_account_is_created),
    Act("a touchpoint is edited in Totango", _a_touchpoint_is_edited),
    Act("one meeting is changed in Chorus and its touchpoint in Totango, differently", _both_sides_edit_one_meeting),
)


def _case(addresses: SandboxAddresses, name: str) -> str:
    return str(look(addresses, "/world")["cases"][name][0])


def _engagement(addresses: SandboxAddresses, meeting: str) -> Mapping[str, Any]:
    return _only(look(addresses, "/state/chorus")["engagements"], "id", meeting)


def _touchpoint(addresses: SandboxAddresses, subject: str) -> Mapping[str, Any]:
    return _only(look(addresses, "/state/totango")["touchpoints"], "subject", subject)


def _only(records: Sequence[Mapping[str, Any]], name: str, value: str) -> Mapping[str, Any]:
    for record in records:
        if record[name] == value:
            return record
    raise LookupError(f"The sandbox holds no record whose {name} is {value!r}; was the first sync green?")

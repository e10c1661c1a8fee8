"""Short words for what people do in a lab, and for what Totango then holds."""

from __future__ import annotations

from typing import Any

from cshub.core.jobs import TargetEdit
from cshub_sandbox.world import Account, Meeting
from tests.pipeline.lab import Lab
from tests.pipeline.oracle import Directory, Identity, identity_of, made_by_hub


def meet(lab: Lab, **arguments: Any) -> Meeting:
    """A meeting that ended two minutes ago with its summary ready, unless told otherwise."""
    added = lab.act("chorus", "add_meeting", **{"account": plain_account(lab).crm_id, **arguments})
    return meeting(lab, added["id"])


def meeting(lab: Lab, meeting_id: str) -> Meeting:
    found: Meeting = lab.sandbox.service("chorus").records.by_id[meeting_id]
    return found


def case(lab: Lab, name: str) -> list[Meeting]:
    """The meetings of the world that show a peculiarity."""
    return [meeting(lab, meeting_id) for meeting_id in lab.sandbox.world.cases[name]]


def plain_account(lab: Lab) -> Account:
    """An account that Totango knows under its CRM id."""
    return lab.sandbox.world.accounts[0]


def absent_account(lab: Lab) -> Account:
    """An account that Totango does not have yet."""
    return next(account for account in lab.sandbox.world.accounts if not account.in_totango)


def touchpoints_of(lab: Lab, item: Meeting) -> list[dict[str, Any]]:
    """What the API made for a meeting, by account, date and author."""
    known = Directory.of(lab.sandbox)
    owner = item.owner.person.email
    author = known.team.get(owner.lower(), owner)
    wanted = Identity(known.account_of(item) or "", round(item.starts_at.timestamp() * 1000), author)
    return [held for held in made_by_hub(lab.sandbox) if identity_of(held) == wanted]


def touchpoint_of(lab: Lab, item: Meeting) -> dict[str, Any]:
    [found] = touchpoints_of(lab, item)
    return found


def edit(lab: Lab, item: Meeting, **changes: Any) -> None:
    """A user of Totango edits the touchpoint of a meeting; then the search has time to notice."""
    lab.act("totango", "edit_touchpoint", note_id=touchpoint_of(lab, item)["note_id"], **changes)
    lab.wait(seconds=5)


def revise(lab: Lab, item: Meeting, **changes: Any) -> None:
    """A user of Chorus edits a meeting."""
    lab.act("chorus", "edit_meeting", id=item.id, **changes)


def policy(lab: Lab, wanted: TargetEdit) -> None:
    lab.configure(on_target_edit=wanted)


def writes_of(lab: Lab, since: int) -> list[tuple[str, int]]:
    """Method and status of each writing call after the first ``since``."""
    return [(entry.method, entry.status) for entry in lab.written()[since:]]

"""What people do in the simulated services, and how it is told afterwards whether the hub has carried it over.

An act is what a user of Chorus, Salesforce or Totango would do by hand; it reaches the sandbox through its control
address. What became of it is read from what the services hold, never from the hub's own report.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from cshub_runtime.sandbox_process import SandboxAddresses

Record = Mapping[str, Any]


class NotCarriedOver(LookupError):
    """A service does not hold what the hub should have brought there; the message says what is there instead."""


class Services:
    """The simulated services as their users see them. Raises requests.HTTPError when the sandbox refuses."""

    def __init__(self, addresses: SandboxAddresses) -> None:
        self._addresses = addresses

    @property
    def names(self) -> list[str]:
        """The services, in alphabetical order."""
        return sorted(self._addresses.services)

    def act(self, service: str, action: str, **arguments: object) -> Any:
        """What a user of a service does; gives what the action gives."""
        url = f"{self._addresses.control_url}/act/{service}/{action}"
        return _parsed(requests.post(url, json=arguments, timeout=30, proxies={"http": ""}))["result"]

    def held(self, service: str, kind: str) -> list[Record]:
        """The records of a kind (`touchpoints`, `events`, …) that a service holds; of Salesforce also deleted ones."""
        return list(self._look(f"/state/{service}")[kind])

    def case(self, name: str) -> str:
        """The first meeting that shows one of the world's peculiarities."""
        return str(self._look("/world")["cases"][name][0])

    def meeting(self, meeting_id: str) -> Record:
        """A meeting of Chorus. Raises NotCarriedOver when there is none."""
        return only(self.held("chorus", "engagements"), id=meeting_id)

    def touchpoint(self, subject: str) -> Record:
        """The touchpoint of this subject. Raises NotCarriedOver when there is none."""
        return only(self.held("totango", "touchpoints"), subject=subject)

    def task(self, title: str) -> Record:
        """The Totango task of this title. Raises NotCarriedOver when there is none."""
        return only(self.held("totango", "tasks"), title=title)

    def event(self, subject: str) -> Record:
        """The Salesforce event of this subject. Raises NotCarriedOver when there is none."""
        return only(self.held("salesforce", "events"), Subject=subject, IsDeleted=False)

    def salesforce_task(self, subject: str) -> Record:
        """The Salesforce task of this subject. Raises NotCarriedOver when there is none."""
        return only(self.held("salesforce", "tasks"), Subject=subject, IsDeleted=False)

    def events_of_touchpoints(self) -> dict[int, str]:
        """Note id → id of the Salesforce event, for touchpoints made by the hub from an event.

        Those whose event cannot be told by account and subject alone are left out.
        """
        crm_ids = {account["id"]: account["attributes"].get("sfid") for account in self.held("totango", "accounts")}
        events = _by(self.held("salesforce", "events"), lambda event: (event["AccountId"], event["Subject"]))
        notes = _by(self.held("totango", "touchpoints"), lambda note: (crm_ids[note["account_id"]], note["subject"]))
        return {
            found[0]["note_id"]: twins[0]["Id"]
            for told, found in notes.items()
            if len(found) == 1 and found[0]["by_api"]
            if len(twins := [event for event in events.get(told, ()) if not event["IsDeleted"]]) == 1
        }

    def _look(self, path: str) -> Any:
        return _parsed(requests.get(f"{self._addresses.control_url}{path}", timeout=30, proxies={"http": ""}))


@dataclass(frozen=True)
class Act:
    """One thing that happens. `announcement`: what people did; `perform`: does it in the sandbox.

    `outcome`, asked after the next syncs, tells in one sentence what became of it; it raises NotCarriedOver when that
    is not what it should be. An act without outcome only prepares later ones.
    """

    announcement: str
    perform: Callable[[Services], object]
    outcome: Callable[[Services], str] | None = None


@dataclass(frozen=True)
class Told:
    """What became of an act, in one sentence, and whether that is what should have become of it."""

    announcement: str
    held: bool
    sentence: str


def told_of(acts: Sequence[Act], services: Services) -> list[Told]:
    """What became of each act that has an outcome."""
    return [_told(act.announcement, act.outcome, services) for act in acts if act.outcome]


def only(records: Sequence[Record], **wanted: object) -> Record:
    """The one record with these values. Raises NotCarriedOver when there is none, or more than one."""
    found = [record for record in records if all(record[name] == value for name, value in wanted.items())]
    if len(found) == 1:
        return found[0]
    described = " and ".join(f"{name} {value!r}" for name, value in wanted.items())
    raise NotCarriedOver(f"{len(found) or 'no'} records with {described}; see the statistics of the syncs")


def expect(sentence: str, **pairs: tuple[object, object]) -> str:
    """The sentence, if both values of every pair are alike (white space at the ends aside).

    Raises NotCarriedOver that names the pairs that differ.
    """
    differing = [
        f"{name}: {found!r} and {wanted!r}" for name, (found, wanted) in pairs.items() if _bare(found) != _bare(wanted)
    ]
    if differing:
        raise NotCarriedOver(f"not alike: {'; '.join(differing)}")
    return sentence


def _by(records: Sequence[Record], told: Callable[[Record], object]) -> dict[object, list[Record]]:
    found: dict[object, list[Record]] = {}
    for record in records:
        found.setdefault(told(record), []).append(record)
    return found


def _parsed(answer: requests.Response) -> Any:
    if not answer.ok:
        raise requests.HTTPError(f"{answer.url} was answered {answer.status_code}: {answer.text}", response=answer)
    return answer.json()


def _bare(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _told(announcement: str, outcome: Callable[[Services], str], services: Services) -> Told:
    try:
        return Told(announcement, True, outcome(services))
    except NotCarriedOver as difference:
        return Told(announcement, False, str(difference))

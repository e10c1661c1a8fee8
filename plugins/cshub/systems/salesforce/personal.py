"""Which fields that an org may have hold data of persons, told by their paths alone."""

from __future__ import annotations

import re

_PEOPLE = frozenset(
    {"owner", "who", "createdby", "lastmodifiedby", "assignee", "assignedto", "contact", "lead", "user", "manager"}
    | {"reportsto", "delegate", "invitee"}
)  # relationships that lead to users, contacts and leads
_ABOUT_PEOPLE = frozenset(
    {"name", "firstname", "lastname", "middlename", "alias", "username", "title", "birthdate", "aboutme"}
)
_ANYWHERE = frozenset({"firstname", "lastname", "middlename", "username", "birthdate", "personbirthdate"})
_REACHES_PEOPLE = re.compile("e-?mail|phone|mobile|fax", re.IGNORECASE)  # also in PersonEmail, Private_Phone__c


def is_personal(path: str) -> bool:
    """Whether the field holds what tells or reaches a person: an address, a number, a name behind ``Owner.``."""
    *parents, name = path.split(".")
    if _REACHES_PEOPLE.search(name) or name.lower() in _ANYWHERE:
        return True
    person = parents[-1].lower().removesuffix("__r").replace("_", "") if parents else ""
    return person in _PEOPLE and name.lower() in _ABOUT_PEOPLE

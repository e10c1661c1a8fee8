"""Whom and what Totango knows: accounts behind references, user ids behind e-mails."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

from cshub.core.errors import RequestRefused
from cshub.core.ids import is_salesforce_id, to_18
from cshub.systems.totango.account_options import AccountKey, AccountMatch
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.record_search import (
    any_of,
    attribute_contains,
    attribute_field,
    attribute_in,
    identifier_in,
)

log = logging.getLogger(__name__)

_BATCH = 200  # values in one search term; keeps a query below 16 KB
_CONTAINED = 50  # terms of one query, a value each


class AccountFinder:
    """Account ids behind references. ``warnings`` counts references left out because they fit several accounts."""

    def __init__(self, client: TotangoClient, match: AccountMatch, warnings: Counter[str]) -> None:
        self._client = client
        self._match = match
        self._warnings = warnings

    def find(self, references: AbstractSet[str]) -> dict[str, str]:
        """Reference → account id, as far as the account exists.

        A Salesforce id may be written with 15 or 18 characters on either side. Account ids are compared with their
        case, foreign keys without (totango.md §2.8).
        """
        usable = {reference for reference in references if reference.strip()}
        if self._match.by is AccountKey.FOREIGN_KEY and self._match.attribute:
            return self._by_foreign_key(usable, self._match.attribute)
        return self._by_account_id(usable)

    def existing(self, account_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Those of ``account_ids`` that Totango knows."""
        return self._by_account_id(account_ids).keys()

    def _by_account_id(self, references: AbstractSet[str]) -> dict[str, str]:
        candidates = {reference: _account_forms(reference) for reference in references}
        known: set[str] = set()
        for batch in batches({form for forms in candidates.values() for form in forms}):
            known |= {hit.id for hits in self._client.search_accounts([identifier_in(batch)]) for hit in hits}
        found: dict[str, str] = {}
        for reference, forms in candidates.items():
            first = next((form for form in forms if form in known), None)
            if first is not None:
                found[reference] = first
        return found

    def _by_foreign_key(self, references: AbstractSet[str], attribute: str) -> dict[str, str]:
        keys = {reference: _foreign_key(reference) for reference in references}
        spellings = {spelling for key in keys.values() for spelling in _foreign_key_forms(key)}
        accounts: dict[str, set[str]] = defaultdict(set)
        for batch in batches(spellings):
            pages = self._client.search_accounts([attribute_in(attribute, batch)], fields=[attribute_field(attribute)])
            for hits in pages:
                for hit in hits:
                    value = hit.selected[0] if hit.selected else None
                    if value:
                        accounts[_foreign_key(str(value)).lower()].add(hit.id)
        found: dict[str, str] = {}
        for reference, key in keys.items():
            owners = accounts.get(key.lower(), set())
            if len(owners) == 1:
                found[reference] = next(iter(owners))
            elif owners:
                self._warnings["ambiguous_account"] += 1
        return found


class PeopleFinder:
    """User ids behind e-mails. Team members are read once."""

    def __init__(self, client: TotangoClient) -> None:
        self._client = client

    def find(self, wanted: Mapping[str, AbstractSet[str]]) -> dict[tuple[str, str], str]:
        """For each account id a set of e-mails → {(account id, e-mail as given): user id}. Case does not count.

        Team members come first; everybody else must be a contact of that very account. The account "" has only team
        members.
        """
        found: dict[tuple[str, str], str] = {}
        outside: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for account_id, emails in wanted.items():
            for email in emails:
                member = self._team.get(email.strip().lower())
                if member is not None:
                    found[account_id, email] = member
                elif email.strip() and account_id:
                    outside[email.strip()].add((account_id, email))
        contacts = self._contacts(outside)
        for spellings in outside.values():
            for account_id, email in spellings:
                user_id = contacts.get((account_id, email.strip().lower()))
                if user_id is not None:
                    found[account_id, email] = user_id
        return found

    @cached_property
    def _team(self) -> dict[str, str]:
        members = self._client.internal_users()
        by_email = {member.email.strip().lower(): member.id for member in members}
        return {**by_email, **{member.id.lower(): member.id for member in members}}

    def _contacts(self, emails: Iterable[str]) -> dict[tuple[str, str], str]:
        """(account id, e-mail in lower case) → user id.

        Asked for as given and in lower case, because the search minds case; those unknown so are looked for once more
        by an operator that does not. A service that refuses the operator leaves them unknown.
        """
        spellings = {spelling for email in emails for spelling in (email, email.lower())}
        contacts: dict[tuple[str, str], str] = {}
        for batch in batches(spellings):
            contacts.update(self._found(any_of(attribute_in("Email", batch), identifier_in(batch))))
        known = {name for _, name in contacts}
        for batch in batches({email.lower() for email in emails} - known, _CONTAINED):
            try:
                contacts.update(self._found(any_of(*(attribute_contains("Email", email) for email in batch))))
            except RequestRefused as error:
                log.info("%s: contacts cannot be looked for without regard to case: %s", self._client.http.label, error)
                break
        return contacts

    def _found(self, term: Mapping[str, Any]) -> dict[tuple[str, str], str]:
        contacts: dict[tuple[str, str], str] = {}
        for hits in self._client.search_users([term], fields=[attribute_field("Email")]):
            for hit in hits:
                email = str(hit.selected[0] or "") if hit.selected else ""
                for name in (hit.id, email):
                    if hit.account_id and name:
                        contacts[hit.account_id, name.strip().lower()] = hit.id
        return contacts


def _account_forms(reference: str) -> list[str]:
    """Forms in which an account may bear this reference as its id, the likeliest first."""
    text = reference.strip()
    if not is_salesforce_id(text):
        return [text]
    full = to_18(text)
    return list(dict.fromkeys([text, full, full[:15]]))


def _foreign_key(reference: str) -> str:
    """The reference in the one form that is unique without case: Salesforce ids with 18 characters."""
    text = reference.strip()
    return to_18(text) if is_salesforce_id(text) else text


def _foreign_key_forms(key: str) -> list[str]:
    """Spellings in which an account may bear a key; of 15 characters in lower case nobody can tell which id it is."""
    return [key, key.lower(), *([key[:15]] if is_salesforce_id(key) else [])]


def batches(values: AbstractSet[str], size: int = _BATCH) -> Iterator[Sequence[str]]:
    """``values`` in order, as many at a time as one search term takes."""
    ordered = sorted(values)
    for at in range(0, len(ordered), size):
        yield ordered[at : at + size]

"""From Totango's ids to what other systems call the same account or person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from cshub.core.ids import is_salesforce_id, to_18
from cshub.systems.totango.account_options import AccountKey, AccountReference
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.people import batches
from cshub.systems.totango.record_search import attribute_field, identifier_in

Person = tuple[str, str]
"""Account id and user id."""


class AccountReferences:
    """References of accounts, each looked up once. ``warnings`` counts accounts without one."""

    def __init__(self, client: TotangoClient, options: AccountReference, warnings: Counter[str]) -> None:
        self._client = client
        self._options = options
        self._warnings = warnings
        self._known: dict[str, str | None] = {}

    def of(self, account_ids: Collection[str]) -> Mapping[str, str | None]:
        """Account id → reference, for all looked up so far. Salesforce ids come with 18 characters.

        None: the account bears no foreign key, and its id is no Salesforce id.
        """
        new = set(account_ids) - self._known.keys()
        by_id = self._options.by is AccountKey.ACCOUNT_ID
        keys = {} if by_id or not new else self._foreign_keys(new)
        for account_id in sorted(new):
            is_reference = by_id or is_salesforce_id(account_id)
            reference = keys.get(account_id) or (account_id if is_reference else None)
            if reference is None:
                self._warnings["account_without_reference"] += 1
            self._known[account_id] = _written_out(reference)
        return self._known

    def _foreign_keys(self, account_ids: set[str]) -> dict[str, str]:
        attribute = self._options.attribute
        found: dict[str, str] = {}
        for batch in batches(account_ids):
            pages = self._client.search_accounts([identifier_in(batch)], fields=[attribute_field(attribute)])
            for hits in pages:
                for hit in hits:
                    value = str(hit.selected[0] or "").strip() if hit.selected else ""
                    if value:
                        found[hit.id] = value
        return found


class PeopleReferences:
    """E-mails behind user ids, each looked up once. ``warnings`` counts people without one."""

    def __init__(self, client: TotangoClient, warnings: Counter[str]) -> None:
        self._client = client
        self._warnings = warnings
        self._known: dict[Person, str | None] = {}

    def of(self, people: Collection[Person]) -> Mapping[Person, str | None]:
        """Person → e-mail in lower case, for all looked up so far; None when Totango does not tell it."""
        new = set(people) - self._known.keys()
        named = {user_id for _, user_id in new if "@" not in user_id}
        emails = self._emails(named) if named else {}
        for person in sorted(new):
            user_id = person[1]
            email = user_id.strip().lower() if "@" in user_id else emails.get(person)
            if email is None:
                self._warnings["person_without_email"] += 1
            self._known[person] = email
        return self._known

    def _emails(self, user_ids: set[str]) -> dict[Person, str]:
        found: dict[Person, str] = {}
        for batch in batches(user_ids):
            for hits in self._client.search_users([identifier_in(batch)], fields=[attribute_field("Email")]):
                for hit in hits:
                    email = str(hit.selected[0] or "").strip().lower() if hit.selected else ""
                    if hit.account_id and email:
                        found[hit.account_id, hit.id] = email
        return found


def _written_out(reference: str | None) -> str | None:
    return to_18(reference) if reference is not None and is_salesforce_id(reference) else reference

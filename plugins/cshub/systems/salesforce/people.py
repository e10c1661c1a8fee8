"""Ids behind e-mails: users who can own records, and contacts of an account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from cshub.core.ids import to_18
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.queries import all_rows
from cshub.systems.salesforce.soql import any_of, select

STANDARD = "Standard"  # type of users with a full licence; a person may have others beside it


class PeopleFinder:
    """Every e-mail of a user is looked up once."""

    def __init__(self, client: SalesforceClient) -> None:
        self._client = client
        self._users: dict[str, str | None] = {}

    def find(self, wanted: Mapping[str, AbstractSet[str]]) -> dict[tuple[str, str], str]:
        """For each account id a set of e-mails → {(account id, e-mail as given): id}. Case does not count.

        The account "" has the active users. Elsewhere only contacts of that very account count: a lead cannot be
        related to a record that belongs to an account (docs/vendors/salesforce.md §2.3).
        """
        found: dict[tuple[str, str], str] = {}
        outside: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for account_id, emails in wanted.items():
            for email in emails:
                if account_id and email.strip():
                    outside[email.strip().lower()].add((account_id, email))
        for email, user_id in self.users(wanted.get("", frozenset())).items():
            found["", email] = user_id
        contacts = self._contacts(sorted(outside))
        for lowered, asked in outside.items():
            for account_id, email in asked:
                if contact_id := contacts.get((account_id, lowered)):
                    found[account_id, email] = contact_id
        return found

    def users(self, emails: AbstractSet[str]) -> dict[str, str]:
        """E-mail as given → id of the active user who has it; of several, one with a full licence, the oldest."""
        new = sorted({email.strip().lower() for email in emails if email.strip()} - self._users.keys())
        known: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in self._rows("User", ["Id", "Email", "UserType", "CreatedDate"], new, "IsActive = true"):
            known[_email(row)].append(row)
        for email in new:
            best = min(known[email], key=_rank) if known[email] else None
            self._users[email] = None if best is None else to_18(str(best["Id"]))
        return {email: key for email in emails if (key := self._users.get(email.strip().lower())) is not None}

    def _contacts(self, emails: Sequence[str]) -> dict[tuple[str, str], str]:
        """(account id, e-mail in lower case) → id; of several contacts the oldest."""
        found: dict[tuple[str, str], str] = {}
        rows = self._rows("Contact", ["Id", "Email", "AccountId", "CreatedDate"], emails)
        for row in sorted(rows, key=_age):
            if row.get("AccountId"):
                found.setdefault((to_18(str(row["AccountId"])), _email(row)), to_18(str(row["Id"])))
        return found

    def _rows(
        self, object_name: str, fields: Sequence[str], emails: Sequence[str], *conditions: str
    ) -> list[Mapping[str, Any]]:
        rest = select(object_name, fields, *conditions)
        return [
            row
            for chosen in any_of("Email", emails, beside=rest)
            for row in all_rows(self._client, select(object_name, fields, chosen, *conditions))
        ]


def _email(row: Mapping[str, Any]) -> str:
    return str(row.get("Email") or "").strip().lower()


def _age(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("CreatedDate") or ""), str(row["Id"])


def _rank(row: Mapping[str, Any]) -> tuple[bool, str, str]:
    return row.get("UserType") != STANDARD, *_age(row)

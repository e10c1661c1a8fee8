"""Searches for external users (contacts of accounts) and internal users (team members)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cshub_sandbox.totango.accounts import AccountRow, account_vocabulary
from cshub_sandbox.totango.errors import bad_request
from cshub_sandbox.totango.query import Predicate, Query, Row, Source, Vocabulary, compile_terms, page
from cshub_sandbox.totango.records import Contact, TeamUser
from cshub_sandbox.totango.switches import OffsetReading
from cshub_sandbox.totango.tenant import Tenant


@dataclass(frozen=True, slots=True)
class ContactRow:
    contact: Contact

    def read(self, source: Source) -> str | int | float | None:
        contact = self.contact
        match source.name:
            case "identifier":
                return contact.user_id
            case "search_name":
                return contact.name
            case "Email":
                return contact.email
            case "First Name":
                return contact.first_name
            case "Last Name":
                return contact.last_name
            case "Title":
                return contact.title
            case "first_activity_time":
                return contact.first_activity_ms
            case "last_activity_time":
                return contact.last_activity_ms
        return None


@dataclass(frozen=True, slots=True)
class TeamRow:
    user: TeamUser

    def read(self, source: Source) -> str | int | float | None:
        user = self.user
        match source.name:
            case "identifier" | "Email":
                return user.email
            case "search_name":
                return user.name
            case "First Name":
                return user.first_name
            case "Last Name":
                return user.last_name
            case "License":
                return user.license
            case "__internal_status":
                return user.status.value
            case "__internal_role":
                return user.role.value
            case "__internal_teams":
                return user.teams
        return None


_TEAM_VOCABULARY = Vocabulary(names={"string": frozenset({"identifier", "search_name"}), "string_attribute": None})


def search_contacts(tenant: Tenant, query: Query) -> dict[str, Any]:
    """One hit per user and account: a person known to two accounts is found twice. ``offset`` counts records."""
    vocabulary = Vocabulary(
        names={
            "string": frozenset({"identifier", "search_name"}),
            "string_attribute": None,
            "date": frozenset({"first_activity_time", "last_activity_time"}),
        },
        nested={"parent_account": lambda term: _of_account(term, tenant)},
    )
    sources = [vocabulary.source(spec) for spec in query.fields]
    test = compile_terms(query.terms, vocabulary, now=tenant.now())
    rows = [row for contact in tenant.all_contacts() if test(row := ContactRow(contact))]
    rows.sort(key=lambda row: (row.contact.name, row.contact.user_id, row.contact.account_id), reverse=query.descending)
    hits = [
        {
            "name": row.contact.user_id,
            "display_name": row.contact.name,
            "account": {
                "name": row.contact.account_id,
                "display_name": tenant.accounts[row.contact.account_id].name,
            },
            "is_online": False,
            "first_activity_time": row.contact.first_activity_ms,
            "last_activity_time": row.contact.last_activity_ms,
            "selected_fields": [row.read(source) for source in sources],
        }
        for row in page(rows, query, reading=OffsetReading.RECORD, cap=tenant.switches.search_cap)
    ]
    return {"response": {"users": {"total_hits": len(rows), "hits": hits}}}


def search_team(tenant: Tenant, query: Query) -> dict[str, Any]:
    """One hit per team member, disabled ones included. ``offset`` counts records."""
    sources = [_TEAM_VOCABULARY.source(spec) for spec in query.fields]
    test = compile_terms(query.terms, _TEAM_VOCABULARY, now=tenant.now())
    rows = [row for user in tenant.team.values() if test(row := TeamRow(user))]
    rows.sort(key=lambda row: (row.user.name, row.user.email), reverse=query.descending)
    hits = [
        {
            "name": row.user.email,
            "display_name": row.user.name,
            "selected_fields": [row.read(source) for source in sources],
        }
        for row in page(rows, query, reading=OffsetReading.RECORD, cap=tenant.switches.search_cap)
    ]
    return {"response": {"users": {"total_hits": len(rows), "hits": hits}}}


def _of_account(term: Mapping[str, Any], tenant: Tenant) -> Predicate:
    """Users of the accounts that the term's own ``terms`` describe."""
    terms = term.get("terms")
    if not isinstance(terms, list) or not all(isinstance(item, dict) for item in terms):
        raise bad_request("A parent_account term needs 'terms', a list of objects")
    test = compile_terms(terms, account_vocabulary(tenant), now=tenant.now())
    ids = {account.id for account in tenant.accounts.values() if test(AccountRow(account, tenant))}

    def holds(row: Row) -> bool:
        return isinstance(row, ContactRow) and row.contact.account_id in ids

    return holds

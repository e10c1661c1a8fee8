"""The people and customers of the sandbox's world, made from a seed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from random import Random

from faker.providers.company.en_US import Provider as Companies
from faker.providers.person.en_US import Provider as Names

from .salesforce_ids import new_account_id
from .world import Account, Person, TeamMember

FIRST_NAMES = tuple(Names.first_names)
LAST_NAMES = tuple(Names.last_names)
COMPANY_SUFFIXES = tuple(Companies.company_suffixes)
COMPANY_FORMS = ("{0} {suffix}", "{0}-{1}", "{0}, {1} and {2}", "{0} and {1}")
COMPANY = "Brightwater Software"
COMPANY_DOMAIN = "brightwater.example"
TEAMS = {12: "Customer Success EMEA", 14: "Customer Success Americas", 21: "Professional Services"}
SMALLEST_TEAM = 8
SMALLEST_PORTFOLIO = 8
OUR_TITLES = ("Customer Success Manager", "Senior Customer Success Manager", "Solution Consultant", "Team Lead")
THEIR_TITLES = ("Head of Operations", "IT Manager", "Support Lead", "VP Customer Care", "Analyst", "Project Manager")


def build_members(rng: Random, *, accounts: int, now: datetime) -> list[TeamMember]:
    """Our own people. The last four are the special ones: Totango only, listener, gone, and unknown to Totango."""
    count = max(SMALLEST_TEAM, 4 + accounts // 5)
    members: list[TeamMember] = []
    for index in range(count):
        person = _person(rng, COMPANY_DOMAIN, OUR_TITLES, taken={m.person.email for m in members})
        members.append(
            TeamMember(
                person=person,
                chorus_user_id=4101 + index,
                chorus_license="RECORDER",
                chorus_active=True,
                chorus_last_login_at=now - timedelta(hours=rng.randint(2, 200)),
                totango_status="Active",
                team_id=rng.choice(list(TEAMS)),
            )
        )
    totango_only, listener, gone, unknown = members[-4:]
    totango_only.chorus_user_id, totango_only.chorus_last_login_at = None, None
    totango_only.totango_status = "Created"
    listener.chorus_license, listener.chorus_last_login_at = "LISTENER", now - timedelta(days=97)
    gone.chorus_active, gone.chorus_last_login_at, gone.totango_status = False, now - timedelta(days=204), "Disabled"
    unknown.totango_status = None
    return members


def meeting_owners(members: list[TeamMember]) -> list[TeamMember]:
    """Members who record meetings today and are known to Totango."""
    return [
        member
        for member in members
        if member.chorus_user_id
        and member.chorus_active
        and member.chorus_license == "RECORDER"
        and member.totango_status
    ]


def build_accounts(rng: Random, *, count: int) -> list[Account]:
    """Customers; of them about 5 % not in Totango yet, 12 % under another id there, 10 % with short ids in Chorus.

    Raises ``ValueError`` when ``count`` is too small to show these cases.
    """
    if count < SMALLEST_PORTFOLIO:
        raise ValueError(f"accounts must be {SMALLEST_PORTFOLIO} or more, so that every case has one; got {count}")
    accounts: list[Account] = []
    names: set[str] = set()
    while len(accounts) < count:
        name = rng.choice(COMPANY_FORMS).format(*rng.sample(LAST_NAMES, 3), suffix=rng.choice(COMPANY_SUFFIXES))
        if name in names:
            continue
        names.add(name)
        domain = re.sub(r"[^a-z]+", "-", name.lower()).strip("-") + ".example"
        taken: set[str] = set()
        people = []
        for _ in range(rng.randint(4, 7)):
            people.append(_person(rng, domain, THEIR_TITLES, taken=taken))
            taken.add(people[-1].email)
        strangers = [people.pop(), people.pop()]
        strangers[1].email = ""
        crm_id = new_account_id(rng)
        accounts.append(Account(crm_id, name, crm_id, True, people, strangers))
    special = accounts[2:]
    absent, foreign, short = max(1, count // 20), max(2, count // 8), max(2, count // 10)
    for account in special[:absent]:
        account.in_totango = False
    for number, account in enumerate(special[absent : absent + foreign], start=1):
        account.totango_id = f"CUST-{1000 + number}"
    for account in special[absent + foreign : absent + foreign + short]:
        account.short_id_in_chorus = True
    return accounts


def _person(rng: Random, domain: str, titles: tuple[str, ...], *, taken: set[str]) -> Person:
    while True:
        first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
        email = f"{first}.{last}@{domain}".lower().replace(" ", "")
        if email not in taken:
            return Person(email, first, last, rng.choice(titles))

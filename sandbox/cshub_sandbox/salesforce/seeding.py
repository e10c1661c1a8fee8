"""The shared world turned into one org: users, accounts, people and the activities of the last weeks."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from cshub_sandbox import world_texts as texts
from cshub_sandbox.kernel import Clock
from cshub_sandbox.salesforce.objects_standard import custom_text
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.planting import Planter, working_time
from cshub_sandbox.salesforce.sessions import ConnectedApp, Credentials
from cshub_sandbox.salesforce.switches import SalesforceSwitches
from cshub_sandbox.world import Account, Person, World
from cshub_sandbox.world_people import COMPANY_DOMAIN, meeting_owners

INTEGRATION_USER = f"integration@{COMPANY_DOMAIN}"
ZONES = ("Europe/Berlin", "America/New_York", "Europe/London")
EXTERNAL_ID_LENGTH = 40
_STATUSES = ("Not Started", "In Progress", "Completed", "Completed", "Waiting on someone else", "Deferred")
_PRIORITIES = ("High", "Normal", "Normal", "Low")
_CASES = ("Export stops at page two", "Reports arrive a day late", "Single sign-on loops", "Duplicate contacts")
_PLANS = ("Expansion of the seats", "Renewal for two years", "Roll-out in a second region")
_INDUSTRIES = ("Banking", "Education", "Healthcare", "Manufacturing", "Retail", "Technology")


def seed_org(world: World, clock: Clock, switches: SalesforceSwitches, *, seed: int) -> Org:
    """An org with everything of the world; the same world and seed give the same org, ids included."""
    rng = Random(f"salesforce:{world.seed}:{seed}")
    org = Org(clock, switches, rng, name=world.company)
    for name in ("Totango_Id__c", "Totango_Touch_Id__c"):
        org.schema.add_field(
            "Activity",
            custom_text(name, EXTERNAL_ID_LENGTH, external_id=True, unique=True, case_sensitive=False),
        )
    _Seeder(world, org, rng).seed()
    return org


class _Seeder:
    def __init__(self, world: World, org: Org, rng: Random) -> None:
        self._world = world
        self._org = org
        self._rng = rng
        self._plant = Planter(org)
        self._founded = world.now - timedelta(days=900)
        self._admin = ""

    def seed(self) -> None:
        self._users()
        admin = self._admin
        self._plant.record(
            "Organization",
            {
                "Name": self._world.company,
                "OrganizationType": "Enterprise Edition",
                "InstanceName": "EU5",
                "TimeZoneSidKey": "GMT",
                "LanguageLocaleKey": "en_US",
                "IsSandbox": False,
            },
            user_id=admin,
            at=self._founded,
            record_id=self._org.id,
        )
        self._plant.record(
            "Group",
            {"Name": "Support queue", "DeveloperName": "Support_Queue", "Type": "Queue"},
            user_id=admin,
            at=self._founded,
        )
        for position, account in enumerate(self._world.accounts):
            self._account(account, position)
        self._leads(max(3, len(self._world.accounts) // 8))

    def _users(self) -> None:
        org, rng = self._org, self._rng
        person = Person(INTEGRATION_USER, "Integration", "User", "API user")
        admin = self._user(person, active=True, zone="GMT")
        org.credentials[admin] = Credentials(f"Pw-{rng.getrandbits(48):012x}", _security_token(rng))
        for position, member in enumerate(self._world.members):
            active = member.chorus_active and member.totango_status != "Disabled"
            user_id = self._user(member.person, active=active, zone=ZONES[position % len(ZONES)])
            org.credentials[user_id] = Credentials(f"Pw-{rng.getrandbits(48):012x}", _security_token(rng))
        org.app = ConnectedApp(rng, run_as=admin)

    def _user(self, person: Person, *, active: bool, zone: str) -> str:
        values = user_values(person, active=active, zone=zone, company=self._world.company)
        user_id = self._org.new_id("User")
        self._admin = self._admin or user_id
        return self._plant.record("User", values, user_id=self._admin, at=self._founded, record_id=user_id)

    def _account(self, account: Account, position: int) -> None:
        rng, plant, now = self._rng, self._plant, self._world.now
        owner = self._owner()
        made_at = now - timedelta(days=rng.randrange(200, 900))
        account_id = plant.record(
            "Account",
            {
                "Name": account.name,
                "Type": "Customer - Direct",
                "Industry": rng.choice(_INDUSTRIES),
                "Website": f"https://www.{account.contacts[0].email.partition('@')[2]}" if account.contacts else None,
            },
            user_id=owner,
            at=made_at,
            record_id=account.crm_id,
        )
        contacts = [
            plant.record(
                "Contact",
                {
                    "AccountId": account_id,
                    "FirstName": person.first_name,
                    "LastName": person.last_name,
                    "Email": person.email or None,
                    "Title": person.title,
                },
                user_id=owner,
                at=made_at + timedelta(days=rng.randrange(30)),
            )
            for person in account.contacts
        ]
        targets = [account_id]
        if position % 2 == 0:
            targets.append(self._opportunity(account, owner))
        if position % 4 == 0:
            self._case(account, contacts, owner)
        self._activities(account, contacts, targets)

    def _opportunity(self, account: Account, owner: str) -> str:
        rng, now = self._rng, self._world.now
        values = {
            "AccountId": account.crm_id,
            "Name": f"{account.name}: {rng.choice(_PLANS).lower()}",
            "StageName": rng.choice(("Qualification", "Proposal/Price Quote", "Negotiation/Review")),
            "Amount": float(rng.randrange(5, 200) * 1_000),
            "CloseDate": (now + timedelta(days=rng.randrange(10, 90))).date(),
        }
        return self._plant.record("Opportunity", values, user_id=owner, at=now - timedelta(days=rng.randrange(5, 60)))

    def _case(self, account: Account, contacts: list[str], owner: str) -> None:
        rng = self._rng
        values = {
            "AccountId": account.crm_id,
            "ContactId": contacts[0] if contacts else None,
            "Subject": rng.choice(_CASES),
            "Status": rng.choice(("New", "Working")),
            "Origin": rng.choice(("Email", "Phone", "Web")),
        }
        at = self._world.now - timedelta(days=rng.randrange(1, 40))
        self._plant.record("Case", values, user_id=owner, at=at)

    def _activities(self, account: Account, contacts: list[str], targets: list[str]) -> None:
        """Two or three past events, one to come, and two or three tasks of the last five weeks."""
        rng, now = self._rng, self._world.now
        for number in range(rng.randint(3, 4)):
            owner, talk = self._owner(), self._talk(account)
            days = -rng.randint(1, 10) if number == 0 else rng.randint(1, 35)
            starts_at = working_time(now - timedelta(days=days), rng.randrange(20))
            latest = now - timedelta(minutes=rng.randint(60, 2_000))
            at = min(starts_at + timedelta(minutes=rng.randint(45, 300)), latest)
            self._plant.event(
                {
                    "Subject": talk.subject,
                    "Description": "\n".join(talk.points),
                    "WhatId": rng.choice(targets),
                    "WhoId": rng.choice(contacts) if contacts else None,
                    "Type": "Meeting",
                    "Location": rng.choice(("Video call", "On site", None)),
                },
                starts_at=starts_at,
                minutes=rng.choice((30, 45, 60)),
                user_id=owner,
                at=at,
            )
        for _ in range(rng.randint(2, 3)):
            owner, talk = self._owner(), self._talk(account)
            self._plant.task(
                {
                    "Subject": talk.actions[0],
                    "Description": talk.points[0],
                    "Status": rng.choice(_STATUSES),
                    "Priority": rng.choice(_PRIORITIES),
                    "ActivityDate": (now + timedelta(days=rng.randint(-20, 20))).date(),
                    "WhatId": rng.choice(targets),
                    "WhoId": rng.choice(contacts) if contacts and rng.random() < 0.7 else None,
                },
                user_id=owner,
                at=now - timedelta(minutes=rng.randint(60, 35 * 1_440)),
            )

    def _leads(self, count: int) -> None:
        rng, now = self._rng, self._world.now
        for number in range(count):
            person = rng.choice(rng.choice(self._world.accounts).contacts)
            domain = f"prospect-{number + 1}.example"
            at = now - timedelta(days=rng.randrange(2, 60))
            lead = self._plant.record(
                "Lead",
                {
                    "FirstName": person.first_name,
                    "LastName": person.last_name,
                    "Company": f"{person.last_name} Ventures",
                    "Email": f"{person.first_name}.{person.last_name}@{domain}".lower().replace(" ", ""),
                    "Title": person.title,
                    "LeadSource": "Web",
                },
                user_id=self._owner(),
                at=at,
            )
            self._plant.task(
                {"Subject": f"Call {person.name}", "Status": "Not Started", "Priority": "Normal", "WhoId": lead},
                user_id=self._owner(),
                at=at + timedelta(hours=2),
            )

    def _owner(self) -> str:
        member = self._rng.choice(meeting_owners(self._world.members) or self._world.members)
        return self._org.user_named(member.person.email) or self._admin

    def _talk(self, account: Account) -> texts.Talk:
        contact = account.contacts[0].first_name if account.contacts else "the team"
        owner = self._world.members[0].person.first_name
        return texts.talk(self._rng, account=account.name, contact=contact, owner=owner, company=self._world.company)


def user_values(person: Person, *, active: bool, zone: str, company: str) -> dict[str, object]:
    """Fields of a user; the user name is the e-mail."""
    return {
        "Username": person.email,
        "Email": person.email,
        "FirstName": person.first_name,
        "LastName": person.last_name,
        "Title": person.title,
        "Alias": (person.first_name[:1] + person.last_name)[:8].lower(),
        "CompanyName": company,
        "IsActive": active,
        "TimeZoneSidKey": zone,
        "LocaleSidKey": "en_US",
        "LanguageLocaleKey": "en_US",
        "EmailEncodingKey": "UTF-8",
        "UserType": "Standard",
    }


def _security_token(rng: Random) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(rng.choices(letters, k=24))

"""A small org for query tests: two accounts, people of all kinds, events and tasks with gaps in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from cshub_sandbox.salesforce import soql
from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.objects import FieldKind, Schema
from cshub_sandbox.salesforce.objects_activities import OrgFeatures
from cshub_sandbox.salesforce.objects_standard import add_custom_object, custom_field, custom_text, standard_schema
from cshub_sandbox.salesforce.rows import Store
from cshub_sandbox.salesforce_ids import to_18

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)  # a Friday


def record_id(prefix: str, number: int) -> str:
    return to_18(f"{prefix}5g0{number:09d}")


ACME, GLOBEX = record_id("001", 1), record_id("001", 2)
ANN, QUEUE, ROOM = record_id("005", 1), record_id("00G", 1), record_id("023", 1)
CARL, LENA = record_id("003", 1), record_id("00Q", 1)
DEAL, TICKET = record_id("006", 1), record_id("500", 1)
CALL, LUNCH, DEMO = (record_id("00U", number) for number in (1, 2, 3))
GONE, OLD = record_id("00U", 8), record_id("00U", 9)
VISIT = record_id("a00", 1)


@dataclass
class Org:
    """Rows, what the user sees of them, and the moment."""

    schema: Schema
    store: Store = field(default_factory=Store)
    now: datetime = NOW
    zone: tzinfo = UTC

    def put(self, name: str, record: str, **values: Any) -> None:
        stamp = {"CreatedDate": NOW, "LastModifiedDate": NOW, "SystemModstamp": NOW}
        self.store.table(name).put({"Id": record, **stamp, "CreatedById": ANN, "OwnerId": ANN, **values})

    def run(self, text: str, *, include_deleted: bool = False, schema: Schema | None = None) -> soql.Result:
        setting = soql.Setting(now=self.now, zone=self.zone, include_deleted=include_deleted)
        return soql.run(soql.parse(text), self.store, schema or self.schema, setting)

    def records(self, text: str, **flags: Any) -> list[dict[str, Any]]:
        return self.run(text, **flags).page()

    def ids(self, condition: str, *, source: str = "Event", **flags: Any) -> list[str]:
        return list(self.run(f"SELECT Id FROM {source} WHERE {condition}", **flags).ids)

    def refusal(self, text: str, **flags: Any) -> SalesforceError:
        """The refusal that a query meets; fails when it runs."""
        try:
            self.run(text, **flags)
        except SalesforceError as error:
            return error
        raise AssertionError(f"was not refused: {text}")


def small_org() -> Org:
    schema = standard_schema(OrgFeatures(shared_activities=True))
    schema.add_field("Activity", custom_text("Totango_Id__c", 40, external_id=True, unique=True))
    schema.add_field("Activity", custom_text("Code__c", 40, external_id=True, unique=True, case_sensitive=True))
    schema.add_field("Event", custom_field("Score__c", FieldKind.DOUBLE, precision=18, scale=2))
    add_custom_object(schema, "Visit__c", [custom_text("Place__c")])
    org = Org(schema)
    org.put("User", ANN, FirstName="Ann", LastName="Lee", Email="ann@vendor.example", Alias="alee", IsActive=True)
    org.put("Group", QUEUE, Name="Onboarding", Type="Queue", Email="queue@vendor.example")
    org.put("Calendar", ROOM, Name="Room 1")
    org.put("Account", ACME, Name="Acme", Phone="+1 555", Industry="Technology")
    org.put("Account", GLOBEX, Name="Globex", ParentId=ACME)
    org.put("Contact", CARL, FirstName="Carl", LastName="Poe", Email="carl@acme.example", AccountId=ACME, Title="CTO")
    org.put("Lead", LENA, FirstName="Lena", LastName="Roy", Company="Initech", Email="lena@initech.example")
    org.put("Opportunity", DEAL, Name="Renewal", AccountId=ACME)
    org.put("Case", TICKET, CaseNumber="00001001", Subject="Broken", AccountId=GLOBEX)
    org.put("Visit__c", VISIT, Name="V-1", Account__c=GLOBEX, Place__c="Berlin")
    _put_events(org)
    org.put("Task", record_id("00T", 1), Subject="Write", OwnerId=QUEUE, WhatId=ACME, Status="Not Started")
    for number, person, is_what in ((1, CARL, False), (2, ANN, False), (3, ACME, True)):
        org.put("EventRelation", record_id("0RE", number), EventId=CALL, RelationId=person, IsWhat=is_what)
    return org


def _put_events(org: Org) -> None:
    start = datetime(2026, 11, 19, 23, 30, tzinfo=UTC)
    org.put(
        "Event",
        CALL,
        Subject="Kick-off call",
        Description="Long story",
        WhoId=CARL,
        WhatId=ACME,
        AccountId=ACME,
        Type="Call",
        StartDateTime=start,
        ActivityDate=date(2026, 11, 19),
        DurationInMinutes=30,
        Totango_Id__c="t-1",
        Code__c="AbC",
        Score__c=1.5,
        SystemModstamp=NOW - timedelta(minutes=1),
    )
    org.put(
        "Event",
        LUNCH,
        Subject="100% lunch_time",
        WhoId=LENA,
        WhatId=DEAL,
        Type="Meeting",
        IsAllDayEvent=True,
        ActivityDate=date(2026, 11, 20),
        OwnerId=ROOM,
        Code__c="aBc",
        SystemModstamp=NOW - timedelta(minutes=2),
    )
    org.put("Event", DEMO, Subject=None, WhatId=VISIT, SystemModstamp=NOW - timedelta(minutes=3))
    org.put("Event", GONE, Subject="Deleted", IsDeleted=True, Type="Call")
    org.put("Event", OLD, Subject="Archived", IsArchived=True, Type="Call")


def values(records: Iterable[dict[str, Any]], name: str) -> list[Any]:
    return [record[name] for record in records]

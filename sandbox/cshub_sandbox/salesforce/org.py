"""Everything one simulated org holds, and the small questions that all its parts ask."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from cshub_sandbox.kernel import Clock, Request
from cshub_sandbox.salesforce.errors import invalid_session
from cshub_sandbox.salesforce.ids import IdMaker, restore_case
from cshub_sandbox.salesforce.objects import Schema
from cshub_sandbox.salesforce.objects_activities import OrgFeatures, apply_features
from cshub_sandbox.salesforce.objects_standard import standard_schema
from cshub_sandbox.salesforce.quota import Quota
from cshub_sandbox.salesforce.records import Records
from cshub_sandbox.salesforce.rows import Row, Store
from cshub_sandbox.salesforce.sessions import ConnectedApp, Credentials, Session, Sessions
from cshub_sandbox.salesforce.switches import SalesforceSwitches, WrongCase

DOMAIN = "acme.my"
EVERYBODY = ""


@dataclass(frozen=True, slots=True)
class Deletion:
    """One line of the list of deletions."""

    at: datetime
    table: str
    record_id: str


class Org:
    """One org. ``app`` is set once its users are there."""

    app: ConnectedApp

    def __init__(self, clock: Clock, switches: SalesforceSwitches, rng: Random, *, name: str) -> None:
        self.name = name
        self.switches = switches
        self.rng = rng
        self.ids = IdMaker()
        self.id = self.ids.new("00D")
        self.store = Store()
        self.records = Records(self.store, self._show_at)
        self.quota = Quota()
        self.sessions = Sessions(rng, self.id)
        self.credentials: dict[str, Credentials] = {}
        self.deletions: list[Deletion] = []
        self.schema_changed_at = clock.now().replace(microsecond=0)
        self._clock = clock
        self._features = OrgFeatures()
        self._schema = standard_schema(self._features)
        self._hidden: dict[str, set[str]] = defaultdict(set)
        self._read_only: dict[str, set[str]] = defaultdict(set)
        self._numbers: dict[str, int] = {}

    def now(self) -> datetime:
        """The org's time, to the second, as in every timestamp it gives."""
        return (self._clock.now() + timedelta(seconds=self.switches.clock_skew_s)).replace(microsecond=0)

    def _show_at(self) -> datetime | None:
        late = self.switches.visible_after_s
        return self.now() + timedelta(seconds=late) if late else None

    @property
    def schema(self) -> Schema:
        """All objects and fields, as an administrator without restrictions sees them."""
        wanted = OrgFeatures(
            activity_type=self.switches.activity_type_field, shared_activities=self.switches.shared_activities
        )
        if wanted != self._features:
            apply_features(self._schema, wanted)
            self._features = wanted
            self.schema_changed_at = self.now()
        return self._schema

    def view(self, user_id: str) -> Schema:
        """What one user sees of the schema."""
        hidden = self._hidden[EVERYBODY] | self._hidden[user_id]
        read_only = self._read_only[EVERYBODY] | self._read_only[user_id]
        return self.schema.for_user(hidden=hidden, read_only=read_only) if hidden or read_only else self.schema

    def permit(self, user_id: str, field: str, *, hidden: bool, read_only: bool) -> None:
        """Sets what a user (``EVERYBODY``: every user) may do with a field, given as ``Object.Field``."""
        for names, wanted in ((self._hidden[user_id], hidden), (self._read_only[user_id], read_only)):
            names.discard(field)
            if wanted:
                names.add(field)
        self.schema_changed_at = self.now()

    def user(self, user_id: str) -> Row:
        """The row of a user. Raises ``KeyError`` when there is none."""
        row = self.store.table("User").get(user_id)
        if row is None:
            raise KeyError(f"the org has no user {user_id!r}")
        return row

    def users(self) -> Iterator[Row]:
        return iter(self.store.table("User"))

    def is_active(self, user_id: str) -> bool:
        row = self.store.table("User").get(user_id)
        return row is not None and bool(row["IsActive"])

    def user_named(self, username: str) -> str | None:
        """The id of the user with this user name, in any case."""
        found = self.store.table("User").find("Username", username)
        return found[0] if found else None

    def session_of(self, request: Request) -> Session:
        """The session that a request carries. Raises the 401 of the vendor."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "oauth"):
            raise invalid_session()
        session = self.sessions.check(token.strip(), self.now(), life_s=self.switches.token_life_s)
        if not self.is_active(session.user_id):
            raise invalid_session()
        return session

    def given_id(self, text: str) -> str:
        """An id as it counts here: as it was sent, or with its letter case repaired where the org tolerates that."""
        tolerated = self.switches.wrong_case_id is WrongCase.TOLERATED and len(text) == 18
        return restore_case(text) if tolerated else text

    def next_number(self, field: str) -> str:
        """The next value of an auto-number field."""
        self._numbers[field] = self._numbers.get(field, 1_000) + 1
        return f"{self._numbers[field]:08d}"

    def new_id(self, object_name: str) -> str:
        """A fresh id of an object. Raises ``KeyError`` for an unknown object or one without own records."""
        prefix = self.schema.object(object_name).key_prefix
        if prefix is None:
            raise KeyError(f"{object_name} has no records of its own")
        return self.ids.new(prefix)

    def stamp(self, row: Mapping[str, Any], user_id: str, at: datetime) -> dict[str, Any]:
        """The row as changed by a user at a time: the fields that the platform keeps by itself."""
        created = {} if "CreatedDate" in row else {"CreatedDate": at, "CreatedById": user_id}
        changed = {"LastModifiedDate": at, "LastModifiedById": user_id, "SystemModstamp": at}
        return {**row, **created, **changed}

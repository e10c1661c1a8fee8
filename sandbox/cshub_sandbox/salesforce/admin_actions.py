"""What administrators do: users, permissions, fields and objects, sessions, limits."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from cshub_sandbox.salesforce.cursors import Cursors
from cshub_sandbox.salesforce.objects import Choice, FieldKind, FieldType
from cshub_sandbox.salesforce.objects_fields import audit
from cshub_sandbox.salesforce.objects_standard import add_custom_object, custom_field
from cshub_sandbox.salesforce.org import EVERYBODY, Org
from cshub_sandbox.salesforce.people import find_user
from cshub_sandbox.salesforce.seeding import user_values
from cshub_sandbox.salesforce.sessions import Credentials
from cshub_sandbox.salesforce.state import shown
from cshub_sandbox.world import Person

KEPT_FIELDS = frozenset({"Id", *(field.name for field in audit())})
_DEFAULT_LENGTH = 255
_TEXTS = frozenset({FieldKind.STRING, FieldKind.TEXTAREA, FieldKind.PICKLIST, FieldKind.URL})


class FieldAccess(StrEnum):
    """What a user may do with a field."""

    EDIT = "edit"
    READ_ONLY = "read_only"
    HIDDEN = "hidden"


class AdminActions:
    """Every action gives what its text says, JSON-ready."""

    def __init__(self, org: Org, cursors: Cursors) -> None:
        self._org = org
        self._cursors = cursors

    def add_user(
        self,
        *,
        email: str,
        first_name: str = "New",
        last_name: str = "User",
        time_zone: str = "GMT",
        password: str = "sandbox-password",
        security_token: str = "",
    ) -> Any:
        """A new active user whose user name is the e-mail."""
        org = self._org
        if org.user_named(email) is not None:
            raise ValueError(f"there is a user {email} already")
        person = Person(email, first_name, last_name, "User")
        values = user_values(person, active=True, zone=time_zone, company=org.name)
        row = org.stamp({**values, "Id": org.new_id("User")}, org.app.run_as or "", org.now())
        org.records.put("User", row)
        org.credentials[row["Id"]] = Credentials(password, security_token)
        return shown(row)

    def deactivate_user(self, *, user: str, active: bool = False) -> Any:
        """A user is deactivated (or with ``active: true`` activated again): no login, no session, no new records."""
        org = self._org
        row = org.user(find_user(org, user))
        changed = org.stamp({**row, "IsActive": active}, org.app.run_as or "", org.now())
        org.records.put("User", changed)
        return shown(changed)

    def run_as(self, *, user: str | None) -> Any:
        """Client credentials sign in as this user from now on, or with null as nobody; gives the user's id."""
        org = self._org
        user_id = None if user is None else find_user(org, user)
        if user_id is not None and not org.is_active(user_id):
            raise ValueError(f"the user {user!r} is not active; deactivate_user with active: true brings them back")
        org.app.run_as = user_id
        return user_id

    def set_field_permission(self, *, field: str, access: FieldAccess, user: str | None = None) -> Any:
        """A field (``Object.Field``) becomes ``hidden``, ``read_only`` or open to ``edit``, for a user or for all."""
        user_id = EVERYBODY if user is None else find_user(self._org, user)
        owner, _, name = field.partition(".")
        kind = self._org.schema.object("Event" if owner.lower() == "activity" else owner)
        if kind.field(name) is None:
            raise KeyError(f"{owner} has no field {name!r}")
        self._org.permit(
            user_id,
            field.lower(),
            hidden=access is FieldAccess.HIDDEN,
            read_only=access is FieldAccess.READ_ONLY,
        )
        return {"field": field, "access": access.value}

    def add_custom_field(
        self,
        *,
        object: str,
        name: str,
        type: FieldKind = FieldKind.STRING,
        length: int = _DEFAULT_LENGTH,
        external_id: bool = False,
        unique: bool = False,
        case_sensitive: bool = False,
        required: bool = False,
        values: tuple[str, ...] = (),
        reference_to: tuple[str, ...] = (),
    ) -> Any:
        """A new field; one of Event, Task or Activity appears on both. Gives its API name."""
        flags: dict[str, Any] = {
            "external_id": external_id,
            "unique": unique,
            "case_sensitive": case_sensitive,
            "nillable": not required,
        }
        if type in _TEXTS:
            flags["length"] = length
        if values:
            flags |= {"choices": tuple(Choice(value) for value in values), "restricted": True}
        if reference_to:
            flags["reference_to"] = tuple(self._org.schema.object(target).name for target in reference_to)
        field: FieldType = custom_field(name, type, **flags)
        self._org.schema.add_field(object, field)
        self._org.schema_changed_at = self._org.now()
        return field.name

    def remove_field(self, *, object: str, name: str) -> Any:
        """A field is deleted from one object; gives its name. Id and what the platform keeps cannot go."""
        found = self._org.schema.object(object).field(name)
        if found is None:
            raise KeyError(f"{object} has no field {name!r}")
        if found.name in KEPT_FIELDS:
            raise ValueError(f"{object}.{found.name} is kept by the platform and cannot be deleted")
        self._org.schema.remove_field(object, name)
        self._org.schema_changed_at = self._org.now()
        return name

    def set_picklist(self, *, object: str, name: str, values: tuple[str, ...], restricted: bool = True) -> Any:
        """A picklist gets these values; gives them."""
        choices = tuple(Choice(value) for value in values)
        self._org.schema.change_field(object, name, choices=choices, restricted=restricted)
        self._org.schema_changed_at = self._org.now()
        return list(values)

    def add_custom_object(self, *, name: str, parent: str | None = "Account") -> Any:
        """A new object with Name, OwnerId and a lookup to its parent; gives its API name."""
        kind = add_custom_object(self._org.schema, name, parent=parent)
        self._org.schema_changed_at = self._org.now()
        return kind.name

    def issue_token(self, *, user: str) -> Any:
        """A session of any active user, without a password; gives its token."""
        org = self._org
        user_id = find_user(org, user)
        if not org.is_active(user_id):
            raise ValueError(f"the user {user!r} is not active")
        return org.sessions.open(user_id, org.now()).token

    def expire_tokens(self, *, user: str | None = None, token: str | None = None) -> Any:
        """Sessions end: one, all of a user, or all; gives how many."""
        user_id = None if user is None else find_user(self._org, user)
        return self._org.sessions.expire(token=token, user_id=user_id)

    def expire_cursors(self) -> Any:
        """Every open query result is forgotten; gives how many."""
        return self._cursors.forget_all()

    def use_calls(self, *, count: int) -> Any:
        """Another application uses up calls of the daily limit; gives how many are used now."""
        org = self._org
        org.quota.take(org.now(), limit=org.quota.used(org.now()) + 1, calls=count)
        return org.quota.used(org.now())

    def reset_calls(self) -> Any:
        """The daily count begins anew; gives 0."""
        self._org.quota.reset()
        return 0

    def new_private_key(self) -> Any:
        """A new certificate for signed assertions; gives the private key as PEM."""
        return self._org.app.new_private_key()

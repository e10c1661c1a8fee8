"""Which fields of an object a job can use: what the signed-in user sees of them, asked for when first needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from cshub.core.errors import NotFound, SpecError
from cshub.core.wording import closest
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.condition_fields import ANY_TARGET_FIELDS, USER_FIELDS
from cshub.systems.salesforce.models import FieldDescription, ObjectDescription

_UNREADABLE_TYPES = frozenset({"base64", "junctionidlist", "address", "location", "complexvalue"})
_ANY_TARGET = frozenset(name.lower() for name in ANY_TARGET_FIELDS)


@dataclass(frozen=True, slots=True)
class ParentField:
    """A field of a parent: ``CreatedBy.Email``. ``reference``: the field of the record that names the parent."""

    path: str
    reference: FieldDescription

    @property
    def relationship(self) -> str:
        return self.path.split(".")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def object_name(self) -> str | None:
        """The object whose records hold the field, where one retrieve can tell it; None where only a query can.

        Of a reference to several objects, the fields that only users fill are asked of users alone.
        """
        if self.path.count(".") != 1:
            return None
        if not self.reference.polymorphic:
            return self.reference.reference_to[0] if self.reference.reference_to else None
        return "User" if self.name.lower() in USER_FIELDS and "User" in self.reference.reference_to else None


class ObjectFields:
    """Fields of one object. Every method that asks raises :class:`SpecError` when the user sees no such object."""

    def __init__(self, client: SalesforceClient, object_name: str) -> None:
        self._client = client
        self.object_name = object_name

    @property
    def description(self) -> ObjectDescription:
        try:
            return self._client.describe(self.object_name)
        except NotFound as error:
            raise SpecError(
                f"Salesforce has no object {self.object_name}, or {self._user} may not see it. Correct its API name in "
                "the job file, or give the user read access to the object."
            ) from error

    def has(self, name: str) -> bool:
        return name in self.description.fields

    def own(self, paths: Iterable[str]) -> list[str]:
        """Those of ``paths`` that are fields of the object itself, and exist."""
        return [path for path in paths if path in self.description.fields]

    def parents(self, paths: Iterable[str]) -> list[ParentField]:
        """Those of ``paths`` that are fields of a parent. Their relationship must exist."""
        found = []
        for path in paths:
            reference = self.description.parent(path.split(".")[0]) if "." in path else None
            if reference is not None:
                found.append(ParentField(path, reference))
        return found

    def readable(self) -> list[str]:
        """All fields of the object itself that a query can read."""
        fields = self.description.fields.values()
        return [item.name for item in fields if item.type.lower() not in _UNREADABLE_TYPES]

    def is_readable(self, path: str) -> bool:
        return self._reason_against(path) is None

    def check_readable(self, paths: Sequence[str]) -> None:
        """Raises :class:`SpecError` that names every field that cannot be read, and what to do."""
        reasons = [reason for path in paths if (reason := self._reason_against(path)) is not None]
        if reasons:
            raise SpecError(
                f"{'; '.join(reasons)}. Correct the API name, or give {self._user} read access to the field "
                "(field-level security of its profile or of a permission set), or take the field out of the job."
            )

    def check_writable(self, names: Collection[str], *, creating: bool) -> None:
        """Raises :class:`SpecError` that names every field the user may not write, and what to do."""
        fields = self.description.fields
        reasons = []
        for name in sorted(names):
            found = fields.get(name)
            if found is None:
                reasons.append(self._missing(name))
            elif not (found.createable if creating else found.updateable):
                reasons.append(f"{self._user} may not {'set' if creating else 'change'} {self.object_name}.{name}")
        if reasons:
            raise SpecError(
                f"{'; '.join(reasons)}. Give the user edit access to the field (field-level security of its profile or "
                "of a permission set), or take the field out of the mapping. Nothing was sent."
            )

    @property
    def _user(self) -> str:
        user_id = self._client.user_id
        return f"the signed-in user {user_id}" if user_id else "the signed-in user"

    def _missing(self, name: str) -> str:
        near = closest(name, list(self.description.fields))
        hint = f" (did you mean {near}?)" if near else ""
        return f"{self.object_name} has no field {name}{hint}, or it is hidden from {self._user}"

    def _reason_against(self, path: str) -> str | None:
        owner = self.description
        *relationships, last = path.split(".")
        for step in relationships:
            reference = owner.parent(step)
            if reference is None or reference.relationship_name != step:
                return f"{owner.name} has no relationship {step} (in {path}), or it is hidden from {self._user}"
            if reference.polymorphic:
                known = last.lower() in _ANY_TARGET
                return None if known else f"{path} is no field that all of {', '.join(reference.reference_to)} have"
            if not reference.reference_to:
                return None
            owner = ObjectFields(self._client, reference.reference_to[0]).description
        if last not in owner.fields:
            return ObjectFields(self._client, owner.name)._missing(last)
        return None

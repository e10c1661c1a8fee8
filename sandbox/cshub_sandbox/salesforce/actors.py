"""Who writes: a user through a session, or a user in the product's own pages."""

from __future__ import annotations

from dataclasses import dataclass

from cshub_sandbox.salesforce.errors import SalesforceError, not_found
from cshub_sandbox.salesforce.objects import ObjectType, Schema

NEWEST_VERSION = 68.0  # Winter '27, docs/vendors/salesforce.md S1


@dataclass(frozen=True, slots=True)
class Actor:
    """``holder`` names whoever keeps row locks; ``view`` is what the user sees of the schema."""

    user_id: str
    holder: str
    view: Schema
    api_version: float = NEWEST_VERSION
    allow_duplicates: bool = False

    def sees(self, name: str) -> ObjectType:
        """The object called ``name`` as this user sees it. Raises the 404 of an unknown resource."""
        kind = self.view.get(name)
        if kind is None:
            raise not_found()
        return kind

    def knows(self, name: object) -> ObjectType:
        """The same for a name inside a body. Raises INVALID_TYPE."""
        kind = self.view.get(name) if isinstance(name, str) else None
        if kind is None:
            raise SalesforceError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        return kind

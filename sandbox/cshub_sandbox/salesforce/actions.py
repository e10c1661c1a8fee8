"""Edits as users and administrators make them in the product's pages, by name, with JSON-like arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

from pydantic import ValidationError, validate_call

from cshub_sandbox.salesforce.admin_actions import AdminActions
from cshub_sandbox.salesforce.cursors import Cursors
from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.record_actions import RecordActions
from cshub_sandbox.salesforce.writer import Writer


class Actions:
    """All actions of one org, by name in ``names``."""

    def __init__(self, org: Org, writer: Writer, cursors: Cursors) -> None:
        self._table = {**_methods(RecordActions(org, writer)), **_methods(AdminActions(org, cursors))}

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._table)

    def meaning(self, action: str) -> str:
        """What an action does, in one line."""
        return (self._table[action].__doc__ or "").strip().splitlines()[0]

    def do(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """Does one action; the result is JSON-ready. Raises ``KeyError`` or ``ValueError`` with a text for people."""
        if action not in self._table:
            raise KeyError(f"Salesforce has no action {action!r}; known: {', '.join(self._table)}")
        method = self._table[action]
        try:
            return validate_call(method)(**arguments)
        except ValidationError as problem:
            first = problem.errors()[0]
            known = ", ".join(signature(method).parameters) or "nothing"
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{action}: {where}: {first['msg']}; it takes {known}") from problem
        except SalesforceError as refusal:
            if refusal.status == 404:
                raise KeyError(f"{refusal.code}: {refusal.message}") from refusal
            raise ValueError(f"{refusal.code}: {refusal.message}") from refusal


def _methods(holder: object) -> dict[str, Callable[..., Any]]:
    names = [name for name in type(holder).__dict__ if not name.startswith("_")]
    return {name: getattr(holder, name) for name in names}

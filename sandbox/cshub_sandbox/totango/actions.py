"""Edits as a user of the product's pages would make them, by name, with JSON-like arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cshub_sandbox.totango.activity_actions import ActivityActions
from cshub_sandbox.totango.arguments import Arguments
from cshub_sandbox.totango.errors import ApiError
from cshub_sandbox.totango.tenant import Tenant
from cshub_sandbox.totango.tenant_actions import TenantActions
from cshub_sandbox.totango.tokens import Tokens
from cshub_sandbox.world import World


class Actions:
    """All actions of one tenant, by name in ``names``."""

    def __init__(self, tenant: Tenant, tokens: Tokens, world: World) -> None:
        self._table = {**ActivityActions(tenant).table(), **TenantActions(tenant, tokens, world).table()}

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._table)

    def do(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """Do one action; the result is JSON-ready. Raises ``KeyError`` or ``ValueError`` with a text for people."""
        if action not in self._table:
            raise KeyError(f"Totango has no action {action!r}; known: {', '.join(self._table)}")
        try:
            return self._table[action](Arguments(action, arguments))
        except ApiError as error:
            if error.status == 404:
                raise KeyError(error.message) from error
            raise ValueError(error.message) from error

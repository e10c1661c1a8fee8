"""The simulated tenant as one service: a function from request to reply, its state, and its users' edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from cshub_sandbox.kernel import Clock, Reply, Request
from cshub_sandbox.totango.actions import Actions
from cshub_sandbox.totango.api import Api
from cshub_sandbox.totango.calls import SERVICE_ID
from cshub_sandbox.totango.seeding import seed_tenant
from cshub_sandbox.totango.state import describe
from cshub_sandbox.totango.switches import Region, TotangoSwitches
from cshub_sandbox.totango.tokens import Tokens
from cshub_sandbox.world import World

TOKEN_NAME = "sandbox"


class TotangoService:
    """One tenant made from a world. The same world and seed give the same tenant, ids included.

    ``service_id`` is the number that the region lookup and the ingestion hub ask for.
    """

    name = "totango"
    service_id = SERVICE_ID

    def __init__(self, world: World, clock: Clock, *, seed: int = 0, switches: TotangoSwitches | None = None) -> None:
        self.switches = switches or TotangoSwitches()
        self._tenant = seed_tenant(world, clock, self.switches, seed=seed)
        self._tokens = Tokens(self._tenant, Random(f"tokens:{world.seed}:{seed}"))
        admin = self._tenant.admin()
        for region in Region:
            self._tokens.issue(admin.email, TOKEN_NAME, region=region)
        self._api = Api(self._tenant, self._tokens)
        self._actions = Actions(self._tenant, self._tokens, world)

    @property
    def action_names(self) -> Sequence[str]:
        """What ``act`` can do."""
        return self._actions.names

    @property
    def token(self) -> str:
        """A global admin's token of the region the tenant lives in."""
        return self.token_of(self.switches.region)

    def token_of(self, region: Region) -> str:
        """The same admin's token of one region; good only while the tenant lives there."""
        tokens = self._tokens.by_text.values()
        return next(token.text for token in tokens if token.name == TOKEN_NAME and token.region is region)

    def handle(self, request: Request) -> Reply:
        return self._api.answer(request)

    def state(self) -> dict[str, Any]:
        """Everything held, as JSON-ready values; keys are listed in ``describe``."""
        self._api.behaviour.hub.settle()
        return describe(self._tenant)

    def act(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """An edit in the product's pages.

        Raises ``KeyError`` for an unknown action or record and ``ValueError`` for bad arguments.
        """
        self._api.behaviour.hub.settle()
        return self._actions.do(action, arguments)

"""The simulated org as one service: a function from request to reply, its state, and its users' edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from cshub_sandbox.kernel import Clock, Reply, Request
from cshub_sandbox.salesforce.actions import Actions
from cshub_sandbox.salesforce.api import Api
from cshub_sandbox.salesforce.objects import Schema
from cshub_sandbox.salesforce.org import DOMAIN, Org
from cshub_sandbox.salesforce.rows import Store
from cshub_sandbox.salesforce.seeding import INTEGRATION_USER, seed_org
from cshub_sandbox.salesforce.state import describe_state
from cshub_sandbox.salesforce.switches import SalesforceSwitches
from cshub_sandbox.salesforce.writer import Writer
from cshub_sandbox.world import World


class SalesforceService:
    """One org made from a world, when it is first used. The same world and seed give the same org, ids included.

    ``store`` holds the raw rows and ``schema`` all objects: read them freely, change them through ``act`` or calls.
    """

    name = "salesforce"

    def __init__(
        self, world: World, clock: Clock, *, seed: int = 0, switches: SalesforceSwitches | None = None
    ) -> None:
        self.switches = switches or SalesforceSwitches()
        self._world = world
        self._clock = clock
        self._seed = seed
        self._token = ""

    @cached_property
    def _org(self) -> Org:
        return seed_org(self._world, self._clock, self.switches, seed=self._seed)

    @cached_property
    def _api(self) -> Api:
        return Api(self._org, Writer(self._org))

    @cached_property
    def _actions(self) -> Actions:
        return Actions(self._org, self._api.behaviour.writer, self._api.behaviour.cursors)

    @property
    def store(self) -> Store:
        return self._org.store

    @property
    def schema(self) -> Schema:
        return self._org.schema

    @property
    def organization_id(self) -> str:
        return self._org.id

    @property
    def user_id(self) -> str:
        """The integration user."""
        found = self._org.user_named(INTEGRATION_USER)
        assert found is not None
        return found

    @property
    def token(self) -> str:
        """The token of a session of the integration user that was opened without a login; the same until it ends."""
        now = self._org.now()
        if not self._org.sessions.is_open(self._token, now, life_s=self.switches.token_life_s):
            self._token = self._org.sessions.open(self.user_id, now).token
        return self._token

    @property
    def login(self) -> Mapping[str, str]:
        """What a client needs to sign in: application, domain, and the integration user's password and token."""
        credentials = self._org.credentials[self.user_id]
        return {
            "client_id": self._org.app.client_id,
            "client_secret": self._org.app.client_secret,
            "domain": DOMAIN,
            "username": INTEGRATION_USER,
            "password": credentials.password,
            "security_token": credentials.security_token,
        }

    @property
    def private_key(self) -> str:
        """PEM of the key that signs assertions for this org."""
        return self._org.app.private_key

    @property
    def action_names(self) -> Sequence[str]:
        """What ``act`` can do."""
        return self._actions.names

    @property
    def actions(self) -> Mapping[str, str]:
        """What ``act`` can do, and what each action means."""
        return {name: self._actions.meaning(name) for name in self._actions.names}

    def handle(self, request: Request) -> Reply:
        return self._api.answer(request)

    def state(self) -> dict[str, Any]:
        """Everything held, as JSON-ready values; keys are listed in ``describe_state``."""
        self._api.settle()
        return describe_state(self._org)

    def act(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """An edit in the product's pages.

        Raises ``KeyError`` for an unknown action or record and ``ValueError`` for bad arguments.
        """
        self._api.settle()
        return self._actions.do(action, arguments)

"""What a call is: its route, who may make it, and the behaviour it reaches."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from cshub_sandbox.kernel import Request
from cshub_sandbox.totango.accounts import Accounts
from cshub_sandbox.totango.bodies import Payload, parse_body
from cshub_sandbox.totango.ingestion import IngestionHub
from cshub_sandbox.totango.tasks import Tasks
from cshub_sandbox.totango.tenant import Tenant
from cshub_sandbox.totango.touchpoints import Touchpoints

SERVICE_ID = 4242  # the middle number of SP-4242-01


class Behaviour:
    """Everything a handler may use of one tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.touchpoints = Touchpoints(tenant)
        self.tasks = Tasks(tenant)
        self.accounts = Accounts(tenant)
        self.hub = IngestionHub(tenant)


class Access(Enum):
    OPEN = auto()
    ANY_TOKEN = auto()
    GLOBAL_ADMIN = auto()
    HUB = auto()


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted call: what was asked, by whom (e-mail; "" for open calls), and the ids found in its path."""

    request: Request
    actor: str
    ids: Sequence[str]

    def payload(self) -> Payload:
        return Payload(parse_body(self.request))


Handler = Callable[[Behaviour, Call], Any]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: re.Pattern[str]
    access: Access
    handler: Handler

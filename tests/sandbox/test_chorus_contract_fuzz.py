"""Generated calls of every simulated operation, over real HTTP, held against the vendor's contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zlib import crc32

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from cshub_sandbox.chorus.contract import contract
from cshub_sandbox.chorus.routes import ROUTES
from cshub_sandbox.testing import RunningSandbox, start_sandbox

SIMULATED = {(method, path) for method, path in ROUTES}

# The contract says in prose that media answers a redirect, and declares only JSON: other tests follow the redirect.
MEDIA = "/api/v1/conversations/{id}/media"
# The contract declares no error at all for these, not even for a body or parameter that it calls required.
WITHOUT_DECLARED_ERRORS = ("/v3/", "/login", "/api/v1/conversations:export")
# The contract gives lists, date ranges and cursors as any string and tells their form in prose, with 400 otherwise.
LOOSE_TYPES: list[Any] = [positive_data_acceptance]
# Callers are seen to send dates as epoch seconds; the contract knows date-time only.
EPOCH_DATES: dict[str, list[Any]] = {"/v3/engagements": [negative_data_rejection]}

schema = schemathesis.openapi.from_dict(contract()).include(
    lambda context: (
        (context.operation.method.upper(), context.operation.path) in SIMULATED and context.operation.path != MEDIA
    )
)


@pytest.fixture(scope="module")
def chorus() -> Iterator[RunningSandbox]:
    with start_sandbox(["chorus"], accounts=8, meetings=0) as sandbox:
        yield sandbox


@schema.parametrize()
@settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_a_generated_call_is_answered_as_in_the_contract(case: schemathesis.Case[Any], chorus: RunningSandbox) -> None:
    meetings = chorus.sandbox.world.meetings
    for name, value in case.path_parameters.items():
        chosen = crc32(str(value).encode())
        if chosen % 2:
            case.path_parameters[name] = "12" if "teams" in case.path else meetings[chosen % len(meetings)].id
    response = case.call(base_url=chorus.chorus.url, headers={"Authorization": chorus.chorus.token})
    if case.path.startswith(WITHOUT_DECLARED_ERRORS) and 400 <= response.status_code < 500:
        return
    case.validate_response(response, excluded_checks=LOOSE_TYPES + EPOCH_DATES.get(case.path, []))

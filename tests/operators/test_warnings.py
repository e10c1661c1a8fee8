"""What sources and targets leave out or cannot prove is in the numbers of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cshub.core.records import RunKind
from cshub.pipeline.opening import opened_run
from cshub.settings import Settings
from cshub_sandbox.testing import RunningSandbox
from tests.operators.conftest import HandMadeRun


@dataclass
class Port:
    """As much of a source or target as is counted."""

    calls: int
    warnings: Mapping[str, int] = field(default_factory=Counter)


def test_an_account_that_two_have_in_common_is_a_warning_of_the_run(
    run: HandMadeRun, sandbox: RunningSandbox, settings: Settings
) -> None:
    accounts = sandbox.control.state("totango")["accounts"]
    for number, account in enumerate(accounts):
        sandbox.control.act(
            "totango", "create_account", id=f"T-{number}", name="Twin", attributes=account["attributes"]
        )
    done = run.until("load")
    warned = done["load"]["stats"]["warnings"]["ambiguous_account"]
    assert warned == done["diff"]["statistics"]["warnings"]["ambiguous_account"] > 0
    assert done["load"]["stats"]["parked"] > 0


def test_each_port_of_a_process_is_counted_once_those_of_the_partner_too(settings: Settings) -> None:
    two_way = "salesforce_tasks_inbound"
    ports: list[Any] = [Port(3, Counter(deletions_gap=1)), Port(4, Counter(ambiguous_account=2)), Port(5)]
    with opened_run(two_way, f"{two_way}:1", RunKind.MANUAL, settings=settings) as opened:
        partner = opened.partner
        assert partner is not None and (opened.warnings(), opened.api_calls()) == ({}, {})
        run = replace(
            opened,
            open_source=lambda: ports[0],
            open_target=lambda: ports[1],
            partner=lambda: replace(partner(), open_target=lambda: ports[2]),
        )
        assert (run.source, run.target, run.target.calls) == (ports[0], ports[1], 4)
        assert run.other_direction is not None and run.other_direction.target is ports[2]
        assert run.warnings() == {"deletions_gap": 1, "ambiguous_account": 2}
        assert run.api_calls() == {"salesforce": 8, "totango": 4}

"""The page of the sandbox's Salesforce in the documentation says what the code does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from cshub_sandbox.salesforce import SalesforceSwitches
from cshub_sandbox.salesforce.api import OPEN_CALLS
from cshub_sandbox.salesforce.routes import ROUTES

from .conftest import Caller

PAGE = Path(__file__).parents[3] / "docs" / "sandbox-salesforce.md"
DATA = "/services/data/vNN.0"


def rows(heading: str) -> Iterator[list[str]]:
    """Cells of the table rows under one heading."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def code(cell: str) -> str:
    return cell.strip("`")


def values_of(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    if kind in (int, float):
        return "number"
    return "`true`, `false`" if kind is bool else "list"


def filled(text: str, org: Caller) -> str:
    """An example with real ids and a real user."""
    deleted = org.event()
    org.delete("Event", deleted)
    names = {
        "OTHER_ACCOUNT_ID": org.world.accounts[1].crm_id,
        "ACCOUNT_ID": org.account_id,
        "EVENT_ID": org.event(),
        "LEAD_ID": org.lead_id,
        "DELETED_ID": deleted,
        "USER_EMAIL": org.world.members[0].person.email,
    }
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def test_the_table_of_switches_is_the_code() -> None:
    defaults = SalesforceSwitches().model_dump(mode="json")
    expected = [
        [
            f"`{name}`",
            values_of(field.annotation),
            f"`{value if isinstance(value := defaults[name], str) else json.dumps(value)}`",
            field.description,
        ]
        for name, field in SalesforceSwitches.model_fields.items()
    ]
    assert list(rows("Switches")) == expected


def test_the_table_of_endpoints_is_the_code() -> None:
    documented = [code(call) for call, _ in rows("Endpoints")]
    assert documented == [*OPEN_CALLS, *(f"{route.method} {DATA}{route.template}" for route in ROUTES)]


def test_every_action_is_documented_with_an_example_that_works(make_org: Callable[..., Caller]) -> None:
    documented = {code(action): (code(example), meaning) for action, example, meaning in rows("Actions")}
    assert {name: meaning for name, (_, meaning) in documented.items()} == make_org().service.actions
    for action, (example, _) in documented.items():
        org = make_org()
        json.dumps(org.act(action, **json.loads(filled(example, org))))


def test_the_page_names_only_codes_that_the_service_knows() -> None:
    source = "".join(path.read_text() for path in Path(PAGE.parents[1] / "sandbox").rglob("salesforce/*.py"))
    for name in re.findall(r"`([A-Z]{3,}(?:_[A-Z]+)+)`", PAGE.read_text()):
        assert name in source or name.endswith(("_ID", "_EMAIL")), name

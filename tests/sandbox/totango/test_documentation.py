from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from cshub_sandbox.totango import TotangoSwitches
from cshub_sandbox.totango.routes import ROUTES

PAGE = Path(__file__).parents[3] / "docs" / "sandbox-totango.md"


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
    return "`true`, `false`" if kind is bool else "number"


def test_the_table_of_switches_is_the_code() -> None:
    defaults = TotangoSwitches().model_dump(mode="json")
    expected = [
        [
            f"`{name}`",
            values_of(field.annotation),
            f"`{value if isinstance(value := defaults[name], str) else json.dumps(value)}`",
            field.description,
        ]
        for name, field in TotangoSwitches.model_fields.items()
    ]
    assert list(rows("Switches")) == expected


def test_the_table_of_endpoints_is_the_code() -> None:
    documented = [re.sub(r"\{\w+\}", "([^/]+)", code(call)) for call, _ in rows("Endpoints")]
    assert sorted(documented) == sorted(f"{route.method} {route.path.pattern}".replace("\\", "") for route in ROUTES)


def test_every_action_is_documented_with_an_example_that_works(make_tenant: Any) -> None:
    examples = {code(action): json.loads(code(example)) for action, example, *_ in rows("Actions")}
    assert list(examples) == list(make_tenant().service.action_names)
    for action, arguments in examples.items():
        make_tenant().service.act(action, arguments)

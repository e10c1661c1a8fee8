"""Tables of the sandbox's page in the documentation, made from the code.

``python -m cshub_sandbox.reference docs/sandbox.md`` writes them anew between their marks in that file.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .chorus.actions import ACTIONS
from .chorus.routes import ROUTES
from .chorus.switches import ChorusSwitches
from .control import EXAMPLES
from .faults import MEANINGS
from .world_builder import CASES


def switch_table(switches: type[BaseModel]) -> str:
    """Every switch: its number in the fact sheet, values (the default first), meaning."""
    rows = ["| Switch | Fact | Values, default first | Meaning |", "|---|---|---|---|"]
    for name, field in switches.model_fields.items():
        extra = field.json_schema_extra
        fact = extra.get("fact", "") if isinstance(extra, dict) else ""
        rows.append(f"| `{name}` | {fact} | {_values(field)} | {field.description} |")
    return "\n".join(rows)


def fault_table() -> str:
    rows = ["| Kind | What happens |", "|---|---|"]
    return "\n".join(rows + [f"| `{kind}` | {meaning} |" for kind, meaning in MEANINGS.items()])


def control_table() -> str:
    rows = ["| Call | What it is, or a body to send |", "|---|---|"]
    return "\n".join(rows + [f"| `{call}` | {_example(value)} |" for call, value in EXAMPLES.items()])


def action_table() -> str:
    rows = ["| Action | What happens |", "|---|---|"]
    return "\n".join(rows + [f"| `{name}` | {_first_line(action)} |" for name, action in ACTIONS.items()])


def operation_table() -> str:
    return "\n".join(["| Simulated operation |", "|---|"] + [f"| `{method} {path}` |" for method, path in ROUTES])


def case_table() -> str:
    rows = ["| Case | Meetings |", "|---|---|"]
    return "\n".join(rows + [f"| `{case.name}` | {case.count} |" for case in CASES])


TABLES: Mapping[str, Callable[[], str]] = {
    "control": control_table,
    "faults": fault_table,
    "chorus switches": lambda: switch_table(ChorusSwitches),
    "chorus actions": action_table,
    "chorus operations": operation_table,
    "cases": case_table,
}


def refresh(page: str) -> str:
    """The page with every table between its marks made anew. Raises ``ValueError`` for a table without marks."""
    for name, table in TABLES.items():
        marks = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not marks.search(page):
            raise ValueError(f"the page has no place for the table {name!r}: <!-- table: {name} --> ... <!-- end -->")
        text = table()
        page = marks.sub(r"\g<1>" + text.replace("\\", r"\\") + r"\n\g<2>", page)
    return page


def _values(field: FieldInfo) -> str:
    default = field.default
    if isinstance(default, Enum):
        values = [default, *(member for member in type(default) if member is not default)]
        return ", ".join(f"`{member.value}`" for member in values)
    if isinstance(default, bool):
        return f"`{str(default).lower()}`, `{str(not default).lower()}`"
    return f"`{default}`"


def _example(value: Any) -> str:
    if isinstance(value, str):
        return value
    values = value if isinstance(value, list) else [value]
    return " or ".join(f"`{json.dumps(item)}`" for item in values)


def _first_line(action: Callable[..., Any]) -> str:
    return (action.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(refresh(path.read_text()))

"""The sandbox stands on its own: what it simulates must not be bent towards the code it tests."""

from __future__ import annotations

import re
from pathlib import Path

import cshub_sandbox


def test_the_sandbox_never_imports_the_hub() -> None:
    found = [
        path.name
        for path in Path(cshub_sandbox.__file__).parent.rglob("*.py")
        if re.search(r"^\s*(from|import) cshub(\.| |$)", path.read_text(), re.MULTILINE)
    ]
    assert found == []

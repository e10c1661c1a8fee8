"""What is told of a write that was found done."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cshub.core.objects import Kind
from cshub.core.plan import side_document
from cshub.core.records import Intent, LinkSide, Operation, Pair, TargetRecord
from cshub.core.values import fingerprints
from cshub.pipeline.run import Run
from cshub.pipeline.settle import Look, _closing

KINDS = {"title": Kind.TEXT, "body": Kind.TEXT}


@pytest.mark.parametrize(
    ("body", "winner", "told"),
    [
        ("new", "source", "found in the target after its answer was lost"),
        (
            "theirs",
            "target",
            "found in the target after its answer was lost; body edited there since, or never written",
        ),
    ],
)
def test_fields_that_hold_something_else_are_named_and_the_targets_value_stands(
    body: str, winner: str, told: str
) -> None:
    hint: dict[str, Any] = {
        "written": ["body", "title"],
        "expected": fingerprints({"title": "new", "body": "new"}, KINDS),
        "changes": [[name, "old", "new", "source"] for name in ("title", "body")],
        "source": side_document(LinkSide("s")),
        "target": side_document(LinkSide("x", marks={})),
        "target_extra": {},
        "account_id": "acme",
        "dated_at": None,
        "rule": "changed_in_source",
    }
    intent = Intent(1, Pair(1), "s", Operation.UPDATE, "r", datetime(2026, 11, 20, tzinfo=UTC), "x", "0", hint)
    run = cast("Run", SimpleNamespace(kinds=KINDS))
    closing = _closing(run, intent, None, Look(True, TargetRecord("x", "acme", {"title": "new", "body": body})))
    assert closing.decision is not None
    assert closing.decision.reason == told
    assert {change.field: change.winner for change in closing.decision.changes} == {"title": "source", "body": winner}

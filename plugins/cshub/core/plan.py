"""A plan as a frame: one row per record, lossless, countable, reviewable."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson
import pandas as pd

from cshub.core.jobs import Guard, GuardLimit
from cshub.core.planning import PlanRow, Rule
from cshub.core.records import Action, Change, LinkSide, LinkState, Operation, Origin
from cshub.core.values import iso_ms, parse_moment

TEXT_COLUMNS = (
    "source_key",
    "origin",
    "action",
    "rule",
    "reason",
    "account_id",
    "target_key",
    "external_id",
    "dated_at",
)
JSON_COLUMNS = ("target_extra", "values", "changes", "source", "target", "warnings")
_ON_BOTH_SIDES = (LinkState.IN_STEP, LinkState.EMPTY, LinkState.MISSING)
_SIDE_MOMENTS = ("modified_at", "edited_at")
PLAN_COLUMNS = (*TEXT_COLUMNS, "link_version", *JSON_COLUMNS)


def plan_frame(rows: Sequence[PlanRow]) -> pd.DataFrame:
    """Columns :data:`PLAN_COLUMNS`: text, ``link_version`` Int64, and JSON text. Key: ``source_key``, unique."""
    columns: dict[str, Any] = {
        name: pd.array([_text(getattr(row, name)) for row in rows], dtype="str") for name in TEXT_COLUMNS
    }
    columns["link_version"] = pd.array([row.link_version for row in rows], dtype="Int64")
    for name in JSON_COLUMNS:
        columns[name] = pd.array([_json(getattr(row, name)) for row in rows], dtype="str")
    return pd.DataFrame(columns, columns=list(PLAN_COLUMNS))


def plan_rows(frame: pd.DataFrame) -> Iterator[PlanRow]:
    """The inverse of :func:`plan_frame`."""
    for cells in zip(*(frame[name].tolist() for name in PLAN_COLUMNS), strict=True):
        row: dict[str, Any] = {
            name: None if _is_null(cell) else cell for name, cell in zip(PLAN_COLUMNS, cells, strict=True)
        }
        loaded: dict[str, Any] = {
            name: orjson.loads(row[name]) if row[name] is not None else None for name in JSON_COLUMNS
        }
        yield PlanRow(
            source_key=row["source_key"],
            origin=Origin(row["origin"]),
            action=Action(row["action"]),
            rule=Rule(row["rule"]),
            reason=row["reason"] or "",
            account_id=row["account_id"],
            target_key=row["target_key"],
            target_extra=loaded["target_extra"],
            link_version=None if row["link_version"] is None else int(row["link_version"]),
            values=loaded["values"],
            changes=tuple(Change(**item) for item in loaded["changes"]),
            source=side_of(loaded["source"]),
            target=side_of(loaded["target"]),
            external_id=row["external_id"] or "",
            dated_at=row["dated_at"],
            warnings=tuple(loaded["warnings"]),
        )


def side_document(side: LinkSide | None) -> dict[str, Any] | None:
    """A link's side as JSON-ready values; moments are ISO 8601 text."""
    if side is None:
        return None
    facts = {item.name: getattr(side, item.name) for item in fields(side)}
    moments = {name: iso_ms(facts[name]) if facts[name] else None for name in _SIDE_MOMENTS}
    return {**facts, **moments, "state": side.state.value, "extra": dict(side.extra), "mapped": dict(side.mapped)}


def side_of(document: Mapping[str, Any] | None) -> LinkSide | None:
    """The inverse of :func:`side_document`."""
    if document is None:
        return None
    moments = {name: parse_moment(document[name]) if document[name] else None for name in _SIDE_MOMENTS}
    return LinkSide(**{**document, **moments, "state": LinkState(document["state"])})


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """How many records a plan creates, updates, …; ``remapped``: updates only because the mapping has changed."""

    actions: Mapping[Action, int]
    skipped: Mapping[str, int]
    remapped: int = 0

    @property
    def writes(self) -> int:
        return sum(self.actions.get(action, 0) for action in (Action.CREATE, Action.UPDATE, Action.DELETE))

    def as_dict(self) -> dict[str, int]:
        return {action.value: self.actions.get(action, 0) for action in Action}


def count_plan(rows: Iterable[PlanRow]) -> PlanCounts:
    actions: Counter[Action] = Counter()
    skipped: Counter[str] = Counter()
    remapped = 0
    for row in rows:
        actions[row.action] += 1
        if row.action is Action.SKIP:
            skipped[row.reason] += 1
        remapped += row.action is Action.UPDATE and row.rule is Rule.MAPPING_CHANGED
    return PlanCounts(dict(actions), dict(skipped), remapped)


def plan_digest(rows: Iterable[PlanRow]) -> str:
    """16 hex digits over all rows; any change of the plan changes it."""
    digest = hashlib.sha256()
    for row in rows:
        cells = [_text(getattr(row, name)) for name in (*TEXT_COLUMNS, "link_version")]
        digest.update(orjson.dumps([*cells, *(_json(getattr(row, name)) for name in JSON_COLUMNS)]))
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Excess:
    """An operation that exceeds the guard: how many, the limit it passed, and both in words."""

    operation: Operation
    planned: int
    limit: int
    text: str

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "operation": self.operation.value}


def in_step(links: Mapping[LinkState, int]) -> int:
    """How many of the links (state → number) are of records on both sides; what waits or was deleted does not count."""
    return sum(links.get(state, 0) for state in _ON_BOTH_SIDES)


def excesses(counts: PlanCounts, guard: Guard, *, linked: int) -> list[Excess]:
    """Operations of a plan that need a person's approval. ``linked``: records the pair has in step now."""
    actions = counts.actions
    limits = (
        (Operation.CREATE, "creates", guard.create, actions.get(Action.CREATE, 0)),
        (Operation.UPDATE, "updates", guard.update, actions.get(Action.UPDATE, 0)),
        (Operation.UPDATE, "updates for a changed mapping", guard.remap, counts.remapped),
        (Operation.DELETE, "deletes", guard.delete, actions.get(Action.DELETE, 0)),
    )
    found = []
    for operation, words, limit, planned in limits:
        allowed = _allowed(limit, linked)
        if allowed is not None and planned > allowed:
            found.append(Excess(operation, planned, allowed, f"{planned} {words} (limit {allowed})"))
    return found


def _allowed(limit: GuardLimit, linked: int) -> int | None:
    bounds = [] if limit.count is None else [limit.count]
    if limit.share is not None:
        bounds.append(int(round(limit.share * linked, 6)))  # 0.29 * 100 is 28.999999999999996
    return min(bounds) if bounds else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _json(value: Any) -> Any:
    if isinstance(value, LinkSide):
        value = side_document(value)
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _is_null(cell: Any) -> bool:
    return cell is None or cell is pd.NA or (isinstance(cell, float) and cell != cell)

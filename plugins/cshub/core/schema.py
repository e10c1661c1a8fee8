"""Mapped records as a pandas frame, validated by pandera: each failing row leaves with every reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson
import pandas as pd
import pandera.pandas as pa

from cshub.core.mapping import UNSENT, CompiledMapping, MappedRecord, Seen, map_record, reject
from cshub.core.objects import FieldSpec, Kind
from cshub.core.records import Origin, Presence, RejectEntry, SourceRecord
from cshub.core.text import length
from cshub.core.values import is_blank

META = ("_source_key", "_seen", "_account_ref", "_external_id", "_skip", "_absent", "_warnings", "_marks")
_DTYPES: Mapping[Kind, Any] = {
    Kind.NUMBER: "Float64",
    Kind.BOOLEAN: "boolean",
    Kind.EMAILS: object,
    Kind.IDS: object,
}
_TEXTS = frozenset({Kind.TEXT, Kind.RICH_TEXT, Kind.ID, Kind.EMAIL})
_MARK = " ⇒ "
_JSON = "\x00"


@dataclass(frozen=True, slots=True)
class MappedChunk:
    """Result of mapping one chunk.

    ``frame``: see :func:`to_frame`. ``rejects``: every reason of every rejected record; ``rejected``: how many records
    that is. ``warnings``: kind → count over the records in ``frame``.
    """

    frame: pd.DataFrame
    rejects: Sequence[RejectEntry]
    rejected: int
    warnings: Mapping[str, int]


def map_chunk(records: Sequence[tuple[SourceRecord, Origin]], mapping: CompiledMapping) -> MappedChunk:
    """Every record ends exactly once: in ``frame`` or in ``rejects``. All bodies must be present."""
    mapped: list[MappedRecord] = []
    rejects: list[RejectEntry] = []
    rejected = 0
    for record, origin in records:
        result = map_record(record, origin, mapping)
        if isinstance(result, MappedRecord):
            mapped.append(result)
        else:
            rejects.extend(result)
            rejected += 1
    frame = to_frame(mapped, mapping)
    invalid = _invalid_rows(frame, mapping)
    rejects.extend(entry for entries in invalid.values() for entry in entries)
    good = frame.drop(index=list(invalid)).reset_index(drop=True) if invalid else frame
    warnings = Counter(
        warning for position, item in enumerate(mapped) if position not in invalid for warning in item.warnings
    )
    return MappedChunk(good, rejects, rejected + len(invalid), dict(warnings))


def to_frame(mapped: Sequence[MappedRecord], mapping: CompiledMapping) -> pd.DataFrame:
    """One row per record, index 0…n-1 without meaning.

    Columns: :data:`META` (text; ``_seen`` and ``_marks`` are JSON text, ``_absent`` and ``_warnings`` lists of text),
    then one per attribute that is written, named as the attribute: text, Float64, boolean, lists of text. A value of
    kind ANY is JSON text after a NUL, which no other text holds. Absent and null are both null here; ``_absent`` tells
    them apart.
    """
    names = [name for name, spec in mapping.attributes.items() if spec.role not in UNSENT]
    columns: dict[str, Any] = {
        "_source_key": pd.array([item.source_key for item in mapped], dtype="str"),
        "_seen": pd.array([_seen_text(item.seen) for item in mapped], dtype="str"),
        "_account_ref": pd.array([item.account_reference for item in mapped], dtype="str"),
        "_external_id": pd.array([item.external_id for item in mapped], dtype="str"),
        "_skip": pd.array([item.skip_reason for item in mapped], dtype="str"),
        "_absent": _objects([[name for name in names if name not in item.values] for item in mapped]),
        "_warnings": _objects([list(item.warnings) for item in mapped]),
        "_marks": pd.array([_json_text(item.marks) for item in mapped], dtype="str"),
    }
    for name in names:
        dtype = _DTYPES.get(mapping.kinds[name], "str")
        cells = [item.values.get(name) for item in mapped]
        if mapping.kinds[name] is Kind.ANY:
            cells = [None if cell is None else _JSON + orjson.dumps(cell).decode() for cell in cells]
        columns[name] = _objects(cells) if dtype is object else pd.array(cells, dtype=dtype)
    return pd.DataFrame(columns)


def frame_rows(frame: pd.DataFrame) -> Iterator[MappedRecord]:
    """The inverse of :func:`to_frame`."""
    names = [name for name in frame.columns if name not in META]
    for cells in zip(*(frame[name].tolist() for name in [*META, *names]), strict=True):
        row = dict(zip([*META, *names], cells, strict=True))
        absent = set(row["_absent"])
        values = {name: _cell(row[name]) for name in names if name not in absent}
        skip = _cell(row["_skip"])
        yield MappedRecord(
            seen=_seen(row["_source_key"], row["_seen"]),
            values={} if skip else values,
            account_reference=_cell(row["_account_ref"]),
            skip_reason=skip,
            warnings=tuple(row["_warnings"]),
            external_id=_cell(row["_external_id"]) or "",
            marks=orjson.loads(row["_marks"]) if _cell(row["_marks"]) else {},
        )


def build_schema(mapping: CompiledMapping) -> pa.DataFrameSchema:
    """The pandera schema of a mapped frame, from what the target says of its attributes."""
    columns: dict[str, pa.Column] = {
        row.target.name: pa.Column(
            nullable=True,
            required=False,
            checks=_checks(row.target),
        )
        for row in mapping.rows
        if row.target.role not in UNSENT
    }
    return pa.DataFrameSchema(columns, checks=_row_checks(mapping), strict=False)


def validate_frame(frame: pd.DataFrame, mapping: CompiledMapping) -> list[RejectEntry]:
    """Every reason of every invalid row of a mapped frame; rows with a skip reason are not judged."""
    return [entry for entries in _invalid_rows(frame, mapping).values() for entry in entries]


def _invalid_rows(frame: pd.DataFrame, mapping: CompiledMapping) -> dict[int, list[RejectEntry]]:
    """Index of each invalid row → every reason, in the order of the rows."""
    judged = frame[frame["_skip"].isna()]
    if judged.empty:
        return {}
    try:
        build_schema(mapping).validate(judged, lazy=True)
    except pa.errors.SchemaErrors as errors:
        return _entries(errors.failure_cases, judged, mapping)
    return {}


def _checks(spec: FieldSpec) -> list[pa.Check]:
    checks: list[pa.Check] = []
    if spec.required:
        checks.append(
            pa.Check(
                lambda column: _per_cell(column, lambda cell: not is_blank(_cell(cell), spec.kind)),
                ignore_na=False,
                error=f"a value is required{_MARK}Fill the field in the source, or map another one to {spec.name}.",
            )
        )
    if spec.max_length is not None and spec.kind in _TEXTS:
        limit = spec.max_length
        checks.append(
            pa.Check(
                lambda column: _per_cell(column, lambda cell: length(cell) <= limit),
                error=f"longer than {limit} characters{_MARK}Add `truncate: {limit}` to the mapping of {spec.name}.",
            )
        )
    if spec.picklist:
        allowed = list(spec.picklist)
        checks.append(
            pa.Check(
                lambda column: column.isin(allowed),
                error=f"not one of {', '.join(allowed)}{_MARK}Add a row to the translation table of {spec.name}.",
            )
        )
    return checks


def _row_checks(mapping: CompiledMapping) -> list[pa.Check]:
    names = _needed(mapping)
    if not names:
        return []
    kinds = mapping.kinds

    def any_filled(frame: pd.DataFrame) -> pd.Series[bool]:
        filled = [[not is_blank(_cell(cell), kinds[name]) for cell in frame[name]] for name in names]
        return pd.Series([any(cells) for cells in zip(*filled, strict=True)], index=frame.index)

    return [pa.Check(any_filled, error=_row_error(names))]


def _needed(mapping: CompiledMapping) -> list[str]:
    return [name for name in mapping.target.needs_one_of if name in mapping.kinds]


def _row_error(names: Sequence[str]) -> str:
    reason = f"neither {' nor '.join(names)} has a value" if len(names) > 1 else f"{names[0]} has no value"
    return f"{reason}{_MARK}Fill in {' or '.join(names)} in the source."


def _per_cell(column: pd.Series[Any], holds: Callable[[Any], bool]) -> pd.Series[bool]:
    return pd.Series([holds(cell) for cell in column], index=column.index, dtype=bool)


def _entries(cases: pd.DataFrame, judged: pd.DataFrame, mapping: CompiledMapping) -> dict[int, list[RejectEntry]]:
    seen: dict[tuple[int, str, str], Any] = {}
    needed = _needed(mapping)
    row_error = _row_error(needed) if needed else None
    for column, check, index, value in zip(
        cases["column"], cases["check"], cases["index"], cases["failure_case"], strict=True
    ):
        whole_row = check == row_error
        name = " / ".join(needed) if whole_row else str(column)
        seen.setdefault((int(index), name, str(check)), None if whole_row else _cell(value))
    by_row: dict[int, list[RejectEntry]] = defaultdict(list)
    for (index, name, check), value in seen.items():
        reason, _, remedy = check.partition(_MARK)
        key = str(judged["_source_key"].loc[index])
        by_row[index].append(reject(key, name, reason, value=value, remedy=remedy))
    return dict(sorted(by_row.items()))


def _seen_text(seen: Seen) -> str:
    """All but the key, and of the rest only what is known."""
    facts = {item.name: getattr(seen, item.name) for item in fields(seen) if item.name != "key"}
    return orjson.dumps({name: value for name, value in facts.items() if value}).decode()


def _seen(key: str, text: str) -> Seen:
    facts = orjson.loads(text)
    return Seen(key, Origin(facts.pop("origin")), Presence(facts.pop("presence")), **facts)


def _json_text(value: Mapping[str, str]) -> str | None:
    return orjson.dumps(value).decode() if value else None


def _objects(cells: Sequence[Any]) -> pd.Series[Any]:
    return pd.Series(list(cells), dtype=object)


def _cell(value: Any) -> Any:
    """A cell as a plain value: null of any form is None, arrays of a Parquet file are lists, JSON text is decoded."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, str):
        return orjson.loads(value[1:]) if value.startswith(_JSON) else value
    return value.tolist() if hasattr(value, "tolist") else value

"""Mapped records as a pandas frame, validated by pandera: each failing row leaves with every reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pandera.pandas as pa

from cshub.core.mapping import CompiledMapping, MappedRecord, map_record, reject
from cshub.core.objects import FieldSpec, Kind, Role
from cshub.core.records import Origin, RejectEntry, SourceRecord
from cshub.core.values import is_blank

META = ("_source_key", "_origin", "_modified_at", "_account_ref", "_skip", "_absent", "_warnings")
_DTYPES: Mapping[Kind, Any] = {
    Kind.NUMBER: "Float64",
    Kind.BOOLEAN: "boolean",
    Kind.EMAILS: object,
    Kind.IDS: object,
    Kind.ANY: object,
}
_MARK = " ⇒ "


@dataclass(frozen=True, slots=True)
class MappedChunk:
    """Result of mapping one chunk.

    ``frame``: one row per mapped record, columns :data:`META` (text; ``_absent`` and ``_warnings`` are lists of text)
    followed by one column per mapped attribute, named as the attribute; index 0…n-1 without meaning.
    ``rejects``: every reason of every rejected record; ``rejected``: how many records that is.
    """

    frame: pd.DataFrame
    rejects: Sequence[RejectEntry]
    rejected: int
    warnings: Mapping[str, int]


def map_chunk(records: Sequence[tuple[SourceRecord, Origin]], mapping: CompiledMapping) -> MappedChunk:
    """Every record ends exactly once: in ``frame`` or in ``rejects``. All bodies must be present."""
    mapped: list[MappedRecord] = []
    rejects: list[RejectEntry] = []
    for record, origin in records:
        result = map_record(record, origin, mapping)
        if isinstance(result, MappedRecord):
            mapped.append(result)
        else:
            rejects.extend(result)
    frame = to_frame(mapped, mapping)
    invalid = validate_frame(frame, mapping)
    rejects.extend(invalid)
    bad = {entry.source_key for entry in invalid}
    good = frame[~frame["_source_key"].isin(bad)].reset_index(drop=True) if bad else frame
    warnings = Counter(warning for item in mapped if item.source_key not in bad for warning in item.warnings)
    return MappedChunk(good, rejects, len({entry.source_key for entry in rejects}), dict(warnings))


def to_frame(mapped: Sequence[MappedRecord], mapping: CompiledMapping) -> pd.DataFrame:
    """Columns :data:`META` and one per attribute; absent and null are both null here, ``_absent`` tells them apart."""
    names = [name for name, spec in mapping.attributes.items() if spec.role not in {Role.RECORD_KEY, Role.ACCOUNT_KEY}]
    columns: dict[str, Any] = {
        "_source_key": pd.array([item.source_key for item in mapped], dtype="str"),
        "_origin": pd.array([item.origin.value for item in mapped], dtype="str"),
        "_modified_at": pd.array([item.source_modified_at for item in mapped], dtype="str"),
        "_account_ref": pd.array([item.account_reference for item in mapped], dtype="str"),
        "_skip": pd.array([item.skip_reason for item in mapped], dtype="str"),
        "_absent": _objects([[name for name in names if name not in item.values] for item in mapped]),
        "_warnings": _objects([list(item.warnings) for item in mapped]),
    }
    for name in names:
        dtype = _DTYPES.get(mapping.kinds[name], "str")
        cells = [item.values.get(name) for item in mapped]
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
            source_key=row["_source_key"],
            origin=Origin(row["_origin"]),
            source_modified_at=_cell(row["_modified_at"]),
            values={} if skip else values,
            account_reference=_cell(row["_account_ref"]),
            skip_reason=skip,
            warnings=tuple(row["_warnings"]),
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
        if row.target.role not in {Role.RECORD_KEY, Role.ACCOUNT_KEY}
    }
    return pa.DataFrameSchema(columns, checks=_row_checks(mapping), strict=False)


def validate_frame(frame: pd.DataFrame, mapping: CompiledMapping) -> list[RejectEntry]:
    """Every reason of every invalid row of a mapped frame; rows with a skip reason are not judged."""
    judged = frame[frame["_skip"].isna()].reset_index(drop=True)
    if judged.empty:
        return []
    try:
        build_schema(mapping).validate(judged, lazy=True)
    except pa.errors.SchemaErrors as errors:
        return _entries(errors.failure_cases, judged, mapping)
    return []


def _checks(spec: FieldSpec) -> list[pa.Check]:
    checks: list[pa.Check] = []
    if spec.required:
        checks.append(
            pa.Check(
                lambda column: column.notna(),
                ignore_na=False,
                error=f"a value is required{_MARK}Fill the field in the source, or map another one to {spec.name}.",
            )
        )
    if spec.max_length is not None:
        limit = spec.max_length
        checks.append(
            pa.Check(
                lambda column: column.str.len() <= limit,
                error=f"longer than {limit} characters{_MARK}Add `truncate: {limit}` to the row of {spec.name}.",
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
    names = [name for name in mapping.target.needs_one_of if name in mapping.kinds]
    if not names:
        return []
    kinds = mapping.kinds

    def any_filled(frame: pd.DataFrame) -> pd.Series[bool]:
        filled = [[not is_blank(_cell(cell), kinds[name]) for cell in frame[name]] for name in names]
        return pd.Series([any(cells) for cells in zip(*filled, strict=True)], index=frame.index)

    titles = " or ".join(names)
    return [pa.Check(any_filled, error=f"neither {titles} has a value{_MARK}Give the record a {titles} in the source.")]


def _entries(cases: pd.DataFrame, judged: pd.DataFrame, mapping: CompiledMapping) -> list[RejectEntry]:
    seen: dict[tuple[int, str, str], Any] = {}
    for column, check, index, value in zip(
        cases["column"], cases["check"], cases["index"], cases["failure_case"], strict=True
    ):
        whole_row = column not in mapping.kinds or str(check).startswith("neither ")
        name = " / ".join(mapping.target.needs_one_of) if whole_row else str(column)
        seen.setdefault((int(index), name, str(check)), None if whole_row else value)
    by_row: dict[int, list[RejectEntry]] = defaultdict(list)
    for (index, name, check), value in seen.items():
        reason, _, remedy = check.partition(_MARK)
        key = str(judged["_source_key"].iloc[index])
        by_row[index].append(reject(key, name, reason, value=value, remedy=remedy))
    return [entry for index in sorted(by_row) for entry in by_row[index]]


def _objects(cells: Sequence[Any]) -> pd.Series[Any]:
    return pd.Series(list(cells), dtype=object)


def _cell(value: Any) -> Any:
    """A cell as a plain value: pandas' forms of null become None, arrays of a Parquet file become lists."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    return value.tolist() if hasattr(value, "tolist") and not isinstance(value, (str, bytes)) else value

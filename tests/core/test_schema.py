from __future__ import annotations

import io
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cshub.core.mapping import MappedRecord, map_record
from cshub.core.objects import FieldSpec, Kind, spec_of
from cshub.core.records import Origin
from cshub.core.schema import META, MappedChunk, frame_rows, map_chunk, to_frame, validate_frame

from .core_cast import NOTE, STEADY, WIDE_ROWS, from_window, mapping_of, meeting

WIDE = mapping_of(WIDE_ROWS)
RECORDS = [
    meeting("m1", stage=1, minutes=30, recorded=True, facts={"a": [1, {"b": None}]}),
    meeting("m2", subject=None, summary=..., minutes=None, recorded=None, facts=None, guests=[]),
    meeting("m3", subject="", account=None, owner=..., guests=..., facts={}, minutes=0.5, recorded=False),
    meeting("m4", facts="text", guests=None, minutes=0),
    meeting("m5", facts=["a", 1, False], started=1795104000.25),
    meeting("m6", facts="\x00{", subject="👩🏽‍💻 =1+1", minutes=2**60),
]


def mapped_records() -> list[MappedRecord]:
    results = [map_record(record, Origin.RETRY, WIDE) for record in RECORDS]
    return [result for result in results if isinstance(result, MappedRecord)]


def by_parquet(frame: pd.DataFrame) -> pd.DataFrame:
    stored = io.BytesIO()
    frame.to_parquet(stored)
    return pd.read_parquet(io.BytesIO(stored.getvalue()))


def by_arrow_text(frame: pd.DataFrame) -> pd.DataFrame:
    """A file written with a fixed schema and without pandas' own notes about the columns."""
    lists = {"_absent", "_warnings", "people"}
    types: dict[str, pa.DataType] = {name: pa.list_(pa.string()) for name in lists}
    types |= {"minutes": pa.float64(), "done": pa.bool_()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in frame.columns])
    stored = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata({}), stored)
    read: pd.DataFrame = pq.read_table(io.BytesIO(stored.getvalue())).to_pandas()
    return read


def rejected_reasons(chunk: MappedChunk) -> set[tuple[str, str, str]]:
    return {(entry.source_key, entry.field, entry.reason) for entry in chunk.rejects}


@pytest.mark.parametrize("store", [lambda frame: frame, by_parquet, by_arrow_text], ids=["memory", "pandas", "arrow"])
def test_records_survive_the_frame_and_the_file(store: Any) -> None:
    records = mapped_records()
    assert len(records) == len(RECORDS)
    assert list(frame_rows(store(to_frame(records, WIDE)))) == records


def test_a_skipped_record_survives_too() -> None:
    result = map_record(meeting(recorded=False), Origin.PARKED, mapping_of())
    assert isinstance(result, MappedRecord)
    assert list(frame_rows(by_parquet(to_frame([result], mapping_of())))) == [result]


@pytest.mark.parametrize("store", [lambda frame: frame, by_parquet, by_arrow_text], ids=["memory", "pandas", "arrow"])
def test_an_empty_frame_has_all_columns_and_their_types(store: Any) -> None:
    empty, full = to_frame([], WIDE), to_frame(mapped_records(), WIDE)
    assert list(empty.columns) == list(full.columns)
    assert list(empty.columns[: len(META)]) == list(META)
    assert dict(empty.dtypes) == dict(full.dtypes)
    assert list(frame_rows(store(empty))) == []
    assert validate_frame(empty, WIDE) == []
    chunk = map_chunk([], WIDE)
    assert (len(chunk.frame), chunk.rejected, chunk.rejects) == (0, 0, [])


def test_one_record_more_with_a_null_leaves_the_types_of_all_columns() -> None:
    records = mapped_records()
    assert dict(to_frame(records[:1], WIDE).dtypes) == dict(to_frame(records[:2], WIDE).dtypes)


def test_every_reason_of_every_row_is_named_and_the_others_go_on() -> None:
    rows = WIDE_ROWS.replace("[strip, truncate: 80]", "[strip]").replace(
        '{table: {1: Pilot, 2: Rollout, "true": Rollout}}', "{table: {1: Pilot, 3: Moon}}"
    )
    chunk = map_chunk(
        from_window(
            meeting("good"),
            meeting("twice", subject="x" * 81, started=None),
            meeting("empty", subject="", summary=" <p></p> "),
            meeting("moon", stage=3),
            meeting("early", started="soon"),
            meeting("fine", stage=1),
        ),
        mapping_of(rows),
    )
    assert chunk.frame["_source_key"].tolist() == ["good", "fine"]
    assert chunk.rejected == 4
    assert rejected_reasons(chunk) == {
        ("twice", "subject", "longer than 80 characters"),
        ("twice", "held_at", "a value is required"),
        ("empty", "subject / content", "neither subject nor content has a value"),
        ("moon", "stage", "not one of Pilot, Rollout"),
        ("early", "held_at", "expected seconds since 1970, got 'soon'"),
    }
    assert all(entry.remedy.endswith(".") for entry in chunk.rejects)


def test_a_reject_names_the_value_it_is_about() -> None:
    rows = WIDE_ROWS.replace("[strip, truncate: 80]", "[strip]")
    (entry,) = map_chunk(from_window(meeting(subject="x" * 5000)), mapping_of(rows)).rejects
    assert entry.value == "x" * 500


def test_a_reject_for_a_missing_value_shows_none() -> None:
    chunk = map_chunk(from_window(meeting(started=None, stage=1)), mapping_of(WIDE_ROWS))
    assert [(entry.field, entry.value) for entry in chunk.rejects] == [("held_at", "")]
    needed = replace(NOTE, fields={**NOTE.fields, "minutes": replace(NOTE.fields["minutes"], required=True)})
    chunk = map_chunk(from_window(meeting(minutes=None, stage=1)), mapping_of(WIDE_ROWS, needed))
    assert [(entry.field, entry.value) for entry in chunk.rejects] == [("minutes", "")]


def test_length_is_counted_as_the_strictest_service_counts_it() -> None:
    rows = WIDE_ROWS.replace("[strip, truncate: 80]", "[strip]")
    chunk = map_chunk(
        from_window(meeting("fits", subject="👍" * 40), meeting("long", subject="👍" * 41)), mapping_of(rows)
    )
    assert chunk.frame["_source_key"].tolist() == ["fits"]


def test_a_required_text_that_is_blank_is_no_value() -> None:
    target = spec_of("notes", "note", "Note", [*NOTE.fields.values()])
    target.fields["subject"] = FieldSpec("subject", Kind.TEXT, "Subject", required=True)  # type: ignore[index]
    chunk = map_chunk(from_window(meeting("blank", subject=" "), meeting("filled")), mapping_of(WIDE_ROWS, target))
    assert rejected_reasons(chunk) == {("blank", "subject", "a value is required")}


def test_one_attribute_of_which_a_value_is_needed_is_named_alone() -> None:
    target = spec_of("notes", "note", "Note", [*NOTE.fields.values()], needs_one_of=("subject",))
    chunk = map_chunk(from_window(meeting(subject=None)), mapping_of(WIDE_ROWS, target))
    assert rejected_reasons(chunk) == {("m1", "subject", "subject has no value")}


def test_a_skipped_record_is_not_judged() -> None:
    chunk = map_chunk(from_window(meeting(recorded=False, subject="", summary="", started=None)), mapping_of())
    assert chunk.rejected == 0
    assert chunk.frame["_skip"].tolist() == ["unrecorded"]


def test_warnings_are_counted_for_records_that_are_not_rejected() -> None:
    chunk = map_chunk(
        from_window(meeting("m1", summary="x" * 13_000), meeting("m2", summary="x" * 13_000, started=None)),
        mapping_of(),
    )
    assert chunk.warnings == {"content_cut": 1}


def test_a_record_delivered_twice_is_counted_twice() -> None:
    chunk = map_chunk(from_window(meeting("m1"), meeting("m1", started="soon"), meeting("m1", started=None)), WIDE)
    assert chunk.rejected == 2
    assert len(chunk.frame) == 1


def test_a_length_limit_on_something_that_is_no_text_does_not_stop_the_run() -> None:
    target = spec_of("notes", "note", "Note", [*NOTE.fields.values()])
    target.fields["minutes"] = FieldSpec("minutes", Kind.NUMBER, "Minutes", max_length=3)  # type: ignore[index]
    assert map_chunk(from_window(meeting(minutes=123456)), mapping_of(WIDE_ROWS, target)).rejected == 0


VALUES = st.one_of(
    st.none(),
    st.just(...),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=20),
    st.lists(st.none() | st.text(max_size=5), max_size=3),
    st.dictionaries(st.sampled_from(["email", "x"]), st.text(max_size=9), max_size=2),
    st.sampled_from(["x" * 13_000, "=1+1", "<script>x</script>", math.nan]),
)
FIELDS = ["account", "subject", "summary", "started", "owner", "guests", "stage", "minutes", "recorded", "facts"]
BODIES = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6)


def outcome(chunks: list[MappedChunk]) -> tuple[list[MappedRecord], Counter[tuple[str, str, str]], int]:
    records = [record for chunk in chunks for record in frame_rows(chunk.frame)]
    reasons = Counter((item.source_key, item.field, item.reason) for chunk in chunks for item in chunk.rejects)
    return records, reasons, sum(chunk.rejected for chunk in chunks)


@settings(STEADY, max_examples=60)
@given(st.lists(BODIES, max_size=6), st.integers(0, 6))
def test_every_record_ends_once_and_two_halves_map_as_the_whole(bodies: list[dict[str, Any]], at: int) -> None:
    records = from_window(*(meeting(f"m{number}", **body) for number, body in enumerate(bodies)))
    whole = map_chunk(records, WIDE)
    halves = [map_chunk(records[:at], WIDE), map_chunk(records[at:], WIDE)]
    assert outcome([whole]) == outcome(halves)
    mapped = whole.frame["_source_key"].tolist()
    rejected = {entry.source_key for entry in whole.rejects}
    assert len(mapped) + whole.rejected == len(records)
    assert sorted([*mapped, *rejected]) == sorted(record.key for record, _ in records)
    assert list(frame_rows(by_parquet(whole.frame))) == list(frame_rows(whole.frame))
    orjson.dumps([entry.value for entry in whole.rejects])

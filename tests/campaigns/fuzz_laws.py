"""Laws of the mapping on generated records: each is mapped or refused with reasons, and comes back as it went."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from cshub.core.mapping import CompiledMapping, MappedRecord, compile_mapping, map_record
from cshub.core.records import Origin, RejectEntry, SourceRecord
from cshub.core.schema import frame_rows, map_chunk
from cshub.core.values import cast, fingerprint, fingerprints, normalise
from cshub.library import JobLibrary
from cshub.systems import registry
from tests.campaigns.fuzz_findings import Count, Findings
from tests.campaigns.fuzz_texts import KINDS, Kitchen

PAIRS = ("salesforce_touchpoints", "salesforce_tasks")
_TITLES, _LONGEST_TITLE = ("title", "subject"), 255  # characters of a Subject (docs/vendors/salesforce.md)
KEPT = {
    "salesforce_touchpoints": ("subject", "content", "touchpoint_date"),
    "salesforce_tasks": ("title", "description", "priority", "status", "due_date"),
}
RARE = frozenset({"one megabyte", "13,000 emoji"})
_IDS = ("0015g00000XyZ12AAF", "0015g00000XyZ12", "0015g00000xyz12aaf", "00U5g00000XyZ12EAF", " 7 ", "é", "ACME-17")
_EMAILS = ("Ada+cs@Seller.example", "ADA@SELLER.EXAMPLE", "ada", "@", "a b@c.example", "ada@bücher.example", "")
_MOMENTS = (
    1795104000,
    1795104000.5,
    -1,
    1e300,
    "2026-11-19T16:20:00.000+0000",
    "2026-11-19",
    "0001-01-01",
    "9999-12-31",
)
_WORDS = ("High", "Normal", "Low", "1", "2", "Completed", "Not Started", "open", "closed", "meeting", True, "true")
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from([*_IDS, *_EMAILS, *_MOMENTS, *_WORDS])
)
TEXTS = st.text(st.characters(), max_size=40) | st.builds(
    lambda rng: Kitchen(rng).text(kinds=tuple(kind for kind in KINDS if kind not in RARE)).text,
    st.randoms(use_true_random=False),
)
ODD = st.recursive(
    PLAIN | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["email", "Email", "x"]), inner),
    max_leaves=5,
)


@cache
def mapping_of(job_id: str) -> CompiledMapping:
    bound = JobLibrary.from_settings().bound(job_id)
    source, target = registry.object_spec(bound.source), registry.object_spec(bound.target)
    return compile_mapping(bound, source, target, version="fuzz", marks_source=True)


@cache
def job_ids() -> tuple[str, ...]:
    return tuple(JobLibrary.from_settings().job_ids())


def bodies(mapping: CompiledMapping) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies in which each field that the mapping reads is absent, null, odd or right."""
    tree: dict[str, Any] = {}
    for path in mapping.source_fields:
        node = tree
        *parents, last = path.split(".")
        for name in parents:
            node = node.setdefault(name, {})
        node[last] = None
    return _branch(tree)


def _branch(tree: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        name: ODD if child is None else _branch(child) | ODD for name, child in tree.items()
    }
    return st.fixed_dictionaries({}, optional=fields)


KEYS = st.sampled_from(_IDS) | st.text(st.characters(), min_size=1, max_size=20)


def every_record_is_mapped_or_refused(job_id: str, key: str, body: dict[str, Any]) -> None:
    mapping = mapping_of(job_id)
    result = map_record(SourceRecord(key, body, None), Origin.WINDOW, mapping)
    if isinstance(result, MappedRecord):
        kinds = mapping.kinds
        for name, value in result.values.items():
            once = fingerprint(value, kinds[name])
            assert fingerprint(cast(value, kinds[name]), kinds[name]) == once, f"{name}: casting twice is another value"
            assert normalise(value, kinds[name]) == normalise(cast(value, kinds[name]), kinds[name]), name
        return
    assert result, "neither mapped nor refused"
    for entry in result:
        _is_told(entry)


def every_row_ends_once(job_id: str, records: list[tuple[str, dict[str, Any]]]) -> None:
    mapping = mapping_of(job_id)
    received = [(SourceRecord(f"{at}{key}", body, None), Origin.WINDOW) for at, (key, body) in enumerate(records)]
    chunk = map_chunk(received, mapping)
    rows = list(frame_rows(chunk.frame))
    assert len(rows) + chunk.rejected == len(records), "a row is lost or doubled"
    for entry in chunk.rejects:
        _is_told(entry)
    for row in rows:
        fingerprints(row.values, mapping.kinds)


def what_goes_there_comes_back(pair: str, key: str, body: dict[str, Any]) -> None:
    there, back = mapping_of(f"{pair}_inbound"), mapping_of(f"{pair}_outbound")
    gone = map_record(SourceRecord(key, body, None), Origin.WINDOW, there)
    if not isinstance(gone, MappedRecord):
        return
    come = map_record(SourceRecord("1", gone.values, None), Origin.WINDOW, back)
    assert isinstance(come, MappedRecord), f"cannot be mapped back: {come}"
    again = map_record(SourceRecord(key, come.values, None), Origin.WINDOW, there)
    assert isinstance(again, MappedRecord), f"cannot be mapped again: {again}"
    first, second = fingerprints(gone.values, there.kinds), fingerprints(again.values, there.kinds)
    for name in KEPT[pair]:
        if name in first and gone.values[name] is not None and not _is_too_long(name, gone.values[name]):
            assert first[name] == second.get(name), (
                f"{name}: {gone.values[name]!r} has become {again.values.get(name)!r}"
            )


def _is_too_long(name: str, value: Any) -> bool:
    """Whether no Salesforce record can hold this title, as a number written out in digits may be."""
    return name in _TITLES and len(str(value)) > _LONGEST_TITLE


def _is_told(entry: RejectEntry) -> None:
    assert entry.reason and entry.remedy, f"no reason or remedy: {entry}"
    f"{entry.source_key}{entry.reason}{entry.remedy}{entry.value}".encode()


def _records(job_id: str) -> st.SearchStrategy[list[tuple[str, dict[str, Any]]]]:
    return st.lists(st.tuples(KEYS, bodies(mapping_of(job_id))), max_size=6)


def hold(number: int, examples: int) -> Findings:
    """Every law on ``examples`` generated inputs, shared out over mappings; ``number`` is the seed."""
    findings = Findings()
    each = max(1, examples // (2 * len(job_ids())))
    for job_id in job_ids():
        body = bodies(mapping_of(job_id))
        _try(findings, Count.CRASHES, number, each, every_record_is_mapped_or_refused, job_id, KEYS, body)
        _try(findings, Count.CRASHES, number, max(1, each // 20), every_row_ends_once, job_id, _records(job_id))
    for pair in PAIRS:
        body = bodies(mapping_of(f"{pair}_inbound"))
        _try(findings, Count.UNSTABLE, number, max(1, examples // 4), what_goes_there_comes_back, pair, KEYS, body)
    return findings


def _try(
    findings: Findings,
    count: Count,
    number: int,
    examples: int,
    law: Callable[..., None],
    subject: str,
    *inputs: st.SearchStrategy[Any],
) -> None:
    def judged(values: tuple[Any, ...]) -> None:
        findings.counts[Count.LAWS] += 1
        law(subject, *values)

    steady = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        seed(number)(steady(given(st.tuples(*inputs))(judged)))()
    except Exception as error:
        notes = " ".join(getattr(error, "__notes__", ()))
        findings.wrong(
            count,
            f"{law.__name__} of {subject}, seed {number}: {type(error).__name__}: {str(error)[:600]} {notes[:900]}",
        )

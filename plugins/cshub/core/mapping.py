"""Source records → target attributes: the mapping of a job, compiled once and applied to any number of records."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from cshub.core.errors import DataError
from cshub.core.jobs import BoundJob, Condition, FieldMap, OnNull, Otherwise, SkipRule, Translation
from cshub.core.objects import FieldSpec, Kind, ObjectSpec, Role
from cshub.core.records import Origin, Presence, RejectEntry, SourceRecord
from cshub.core.text import clean_text
from cshub.core.transforms import Step, Warned, parse_step
from cshub.core.values import cast, fingerprint, iso_ms

UNSENT = frozenset({Role.RECORD_KEY, Role.ACCOUNT_KEY, Role.MODIFIED_AT, Role.MODIFIED_BY, Role.INFORMATIVE})
"""Roles of attributes that say something of a record and are not written into it."""
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")  # values stand in messages as Python writes text
VALUE_LIMIT = 500  # characters of an offending value that are kept with its reason


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Row:
    """One compiled row: where the value comes from, what is done to it, what it becomes."""

    target: FieldSpec
    path: tuple[str, ...]
    constant: Any
    steps: Sequence[Step]
    translate: Translation | None
    on_null: OnNull
    personal: bool
    fallback: tuple[str, ...] = ()

    def value_of(self, body: Mapping[str, Any]) -> Any:
        """Raw value in ``body``: :data:`ABSENT` when a member of the path is missing, None when it is null.

        Where there is none, that of the fallback.
        """
        if not self.path:
            return self.constant
        value = _value_at(body, self.path)
        if self.fallback and (value is ABSENT or value is None or value == ""):
            second = _value_at(body, self.fallback)
            return value if second is ABSENT else second
        return value


def _value_at(body: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = body
    for name in path:
        if value is None:
            return None
        if not isinstance(value, Mapping) or name not in value:
            return ABSENT
        value = value[name]
    return value


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """A job's mapping, ready to apply. ``version`` changes when the result for the same record may change."""

    rows: Sequence[Row]
    skip_when: Sequence[SkipRule]
    source: ObjectSpec
    target: ObjectSpec
    version: str
    marks_source: bool = False

    @property
    def attributes(self) -> dict[str, FieldSpec]:
        return {row.target.name: row.target for row in self.rows}

    @property
    def kinds(self) -> dict[str, Kind]:
        return {row.target.name: row.target.kind for row in self.rows}

    @property
    def paths(self) -> dict[str, str]:
        """Attribute → source field it comes from; attributes with a fixed value are left out."""
        return {row.target.name: ".".join(row.path) for row in self.rows if row.path}

    @property
    def followed(self) -> list[str]:
        """Source fields whose changes are carried over: not those that only count when a record is made."""
        rows = (row for row in self.rows if row.path and row.target.updateable and row.target.role not in UNSENT)
        return list(dict.fromkeys(".".join(row.path) for row in rows))

    @property
    def source_fields(self) -> list[str]:
        """Every source field that mapping and skip rules look at, each once."""
        tested = [condition.field for rule in self.skip_when for condition in rule.when]
        fallbacks = [".".join(row.fallback) for row in self.rows if row.fallback]
        return list(dict.fromkeys([*self.paths.values(), *fallbacks, *tested]))

    @property
    def personal(self) -> frozenset[str]:
        """Attributes that hold personal data: by their rows, or by what either system says of its fields."""
        return frozenset(row.target.name for row in self.rows if row.personal)

    def attribute_with(self, role: Role) -> str | None:
        return next((row.target.name for row in self.rows if row.target.role is role), None)


@dataclass(frozen=True, slots=True)
class Seen:
    """A source record without its fields: where it lies, why it was read, and what its service says of it.

    Moments are ISO 8601 UTC text, as frames and plans carry them; see :class:`~cshub.core.records.SourceRecord`.
    """

    key: str
    origin: Origin
    presence: Presence = Presence.PRESENT
    modified_at: str | None = None
    created_at: str | None = None
    dated_at: str | None = None
    account_id: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, record: SourceRecord, origin: Origin) -> Self:
        moments = {name: getattr(record, name) for name in ("modified_at", "created_at", "dated_at")}
        texts = {name: None if moment is None else iso_ms(moment) for name, moment in moments.items()}
        return cls(record.key, origin, record.presence, account_id=record.account_id, extra=record.extra, **texts)


@dataclass(frozen=True, slots=True)
class MappedRecord:
    """One record in target attributes. An absent attribute is not in ``values``; a null one is None.

    ``seen``: what was read of the record beside its fields. ``external_id``: the id by which the target may know the
    record, that of the source unless the mapping names another. ``marks``: source field → fingerprint of its value
    as read, where the mapping asks for them.
    """

    seen: Seen
    values: Mapping[str, Any]
    account_reference: str | None
    skip_reason: str | None = None
    warnings: Sequence[str] = field(default_factory=tuple)
    external_id: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def source_key(self) -> str:
        return self.seen.key


def compile_mapping(
    bound: BoundJob, source: ObjectSpec, target: ObjectSpec, *, version: str, marks_source: bool = False
) -> CompiledMapping:
    """The mapping of a job whose files were found valid. Raises :class:`DataError` for a transform that is unknown.

    ``marks_source``: fingerprint the source's own values too, for jobs whose source is written by another job.
    """
    target = target.with_keys(target.options.model_validate(bound.target_options))
    rows = [_compile_row(item, source, target.attribute(item.target)) for item in bound.fields]
    return CompiledMapping(rows, bound.skip_when, source, target, version, marks_source)


def map_record(record: SourceRecord, origin: Origin, mapping: CompiledMapping) -> MappedRecord | list[RejectEntry]:
    """The record in target attributes, or every reason why it cannot be.

    ``record.body`` must not be None. Records that a skip rule matches carry their reason and no values.
    """
    if clean_text(record.key)[1]:
        remedy = "Correct the id in the source; a record cannot be remembered by it."
        key = clean_text(record.key)[0]
        return [reject(key, "", "the record's id holds characters that cannot be stored", value=key, remedy=remedy)]
    seen, body = Seen.of(record, origin), record.body or {}
    for rule in mapping.skip_when:
        if all(_holds(condition, body) for condition in rule.when):
            return MappedRecord(seen, {}, None, rule.reason)
    values: dict[str, Any] = {}
    found: dict[Role, Any] = {}
    warnings: list[str] = []
    rejects: list[RejectEntry] = []
    for row in mapping.rows:
        raw = row.value_of(body)
        if raw is ABSENT:
            continue
        try:
            value, warned = _convert(raw, row)
        except DataError as error:
            reason = _QUOTED.sub("'•••'", str(error)) if row.personal else str(error)
            rejects.append(reject(record.key, row.target.name, reason, value=raw))
            continue
        warnings.extend(warned)
        if row.target.role in UNSENT:
            found[row.target.role] = value
        else:
            values[row.target.name] = value
    if rejects:
        return rejects
    return MappedRecord(
        replace(seen, modified_at=found[Role.MODIFIED_AT]) if found.get(Role.MODIFIED_AT) else seen,
        values,
        found.get(Role.ACCOUNT_KEY),
        warnings=tuple(warnings),
        external_id=found.get(Role.RECORD_KEY) or record.key,
        marks=_marks(body, mapping) if mapping.marks_source else {},
    )


def reject(source_key: str, field_name: str, reason: str, *, value: Any, remedy: str = "") -> RejectEntry:
    text = "" if value is None else clean_text(str(value))[0]
    remedy = remedy or "Correct the record in the source, or the mapping of this attribute."
    return RejectEntry(source_key, "map", field_name, reason, remedy, text[:VALUE_LIMIT])


def _compile_row(item: FieldMap, origin: ObjectSpec, spec: FieldSpec) -> Row:
    path = tuple(item.source.split(".")) if item.source is not None else ()
    steps = [parse_step(entry) for entry in item.transforms]
    fallback = tuple(item.fallback.split(".")) if item.fallback is not None else ()
    read = [name for name in (item.source, item.fallback) if name is not None]
    personal = item.personal or spec.personal or any(origin.holds_personal(name) for name in read)
    return Row(spec, path, item.constant, steps, item.translate, item.on_null, personal, fallback)


def _convert(raw: Any, row: Row) -> tuple[Any, list[str]]:
    value, warnings = raw, []
    for step in row.steps:
        if value is None:
            break
        value = step.transform.apply(value, step.argument)
        if isinstance(value, Warned):
            warnings.append(value.warning)
            value = value.value
    if row.translate is not None and value is not None:
        value = _translated(value, row.translate)
    if isinstance(value, str) and not value.strip() and _blank_is_null(row.target):
        return None, warnings
    if row.target.kind is Kind.EMAILS and isinstance(value, list):
        value, dropped = _addresses(value)
        warnings.extend(["address_unreadable"] * dropped)
    return cast(value, row.target.kind), warnings


def _blank_is_null(target: FieldSpec) -> bool:
    """Blank text is a value of its own for texts only; elsewhere it is how services write "no value"."""
    return target.kind not in {Kind.TEXT, Kind.RICH_TEXT, Kind.ANY} and target.role is not Role.RECORD_KEY


def _addresses(values: list[Any]) -> tuple[list[Any], int]:
    kept = []
    for value in values:
        try:
            kept.append(cast(value, Kind.EMAIL))
        except DataError:
            continue
    return [value for value in kept if value is not None], len(values) - len(kept)


def _marks(body: Mapping[str, Any], mapping: CompiledMapping) -> dict[str, str]:
    marks = {}
    for row in mapping.rows:
        raw = row.value_of(body)
        if not row.path or raw is ABSENT or row.target.role in UNSENT:
            continue
        path = ".".join(row.path)
        spec = mapping.source.fields.get(path)
        marks[path] = _mark(raw, Kind.ANY if spec is None else spec.kind)
    return marks


def _mark(raw: Any, kind: Kind) -> str:
    for form in (kind, Kind.ANY):
        try:
            return fingerprint(cast(raw, form), form)
        except DataError:
            continue
    return fingerprint(clean_text(str(raw))[0], Kind.TEXT)  # no JSON value: not a number, or nested without end


def _translated(value: Any, translation: Translation) -> Any:
    key = cast(value, Kind.TEXT)
    if key in translation.table:
        return translation.table[key]
    if translation.otherwise is Otherwise.KEEP:
        return value
    if translation.otherwise is Otherwise.NULL:
        return None
    raise DataError(f"{key[:80]!r} has no row in the translation table; known: {', '.join(translation.table)}")


def _holds(condition: Condition, body: Mapping[str, Any]) -> bool:
    value: Any = body
    for name in condition.field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    given = condition.model_fields_set
    if "equals" in given:
        return _same(value, condition.equals)
    if "in_" in given:
        return any(_same(value, item) for item in condition.in_ or [])
    if "less_than" in given:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and value < (condition.less_than or 0.0)
    return (value in (None, "", [], {})) is condition.is_empty


def _same(left: Any, right: Any) -> bool:
    """Equality in which true is not 1 and false is not 0."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)

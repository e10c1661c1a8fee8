"""The tables, one per kind of thing the ledger remembers.

A pair joins two sides: left, the source of the job that bound it first, and right. A job of the opposite direction is
``mirrored``: its source is the right side. Links are stored by side; intents, decisions and rejects as seen by the job.

Runs have a number beside their id, because links and decisions name their run millions of times. A shape is what
links of one mapping have in common, stored once (see :mod:`cshub.ledger.shapes`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    and_,
    false,
)

from cshub.ledger.columns import Json, LinkStateCode, PlainText, UtcDateTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
Number = BigInteger().with_variant(Integer(), "sqlite")

pair = Table(
    "pair",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("left_system", Text, nullable=False),
    Column("left_object", Text, nullable=False),
    Column("left_identity", Text, nullable=False),
    Column("right_system", Text, nullable=False),
    Column("right_object", Text, nullable=False),
    Column("right_identity", Text, nullable=False),
    Column("bound_at", UtcDateTime, nullable=False),
    Column("left_user", Text),
    Column("right_user", Text),
)

shape = Table(
    "shape",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("content", Json, nullable=False),
)

SIDES = ("left", "right")


def _side(name: str) -> list[Column[Any]]:
    """What a link holds of the record on one side; ``state`` is NULL for in step."""
    return [
        Column(f"{name}_modified_at", UtcDateTime),
        Column(f"{name}_edited_at", UtcDateTime),
        Column(f"{name}_state", LinkStateCode),
        Column(f"{name}_key", Text),
        Column(f"{name}_account_id", Text),
        Column(f"{name}_extra", Json),
        Column(f"{name}_marks", LargeBinary),
        Column(f"{name}_mapped", LargeBinary),
    ]


link = Table(
    "link",
    metadata,
    Column("number", Number, primary_key=True),
    Column("run_number", Number),
    Column("dated_at", UtcDateTime),
    Column("first_seen_at", UtcDateTime),
    Column("created_at", UtcDateTime),
    Column("written_at", UtcDateTime),
    Column("pair_id", Integer, nullable=False),
    Column("shape_id", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    *_side("left"),
    *_side("right"),
    sqlite_autoincrement=True,
)
IS_LINKED = and_(link.c.left_key.is_not(None), link.c.right_key.is_not(None))


def _index_some(name: str, *columns: Column[Any], only: ColumnElement[bool], unique: bool = False) -> None:
    Index(name, *columns, unique=unique, sqlite_where=only, postgresql_where=only)


for _name in SIDES:
    _key, _state = link.c[f"{_name}_key"], link.c[f"{_name}_state"]
    _index_some(f"ix_link_pair_id_{_name}_key", link.c.pair_id, _key, only=_key.is_not(None), unique=True)
    _index_some(f"ix_link_pair_id_{_name}_state", link.c.pair_id, _state, only=_state.is_not(None))
_index_some(
    "ix_link_pair_id_dated_at", link.c.pair_id, link.c.dated_at, only=and_(link.c.dated_at.is_not(None), IS_LINKED)
)

run = Table(
    "run",
    metadata,
    Column("number", Number, primary_key=True),
    Column("run_id", Text, nullable=False, unique=True),
    Column("job_id", Text, nullable=False),
    Column("pair_id", Integer),
    Column("mirrored", Boolean, nullable=False, server_default=false()),
    Column("kind", Text, nullable=False),
    Column("window_start", UtcDateTime),
    Column("window_end", UtcDateTime),
    Column("job_digest", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("progress", Json),
    Column("statistics", Json),
    Column("error", PlainText),
    Index("ix_run_job_id_number", "job_id", "number"),
    sqlite_autoincrement=True,
)

watermark = Table(
    "watermark",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("position", UtcDateTime, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

intent = Table(
    "intent",
    metadata,
    Column("id", Number, primary_key=True),
    Column("pair_id", Integer, nullable=False),
    Column("mirrored", Boolean, nullable=False, server_default=false()),
    Column("source_key", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("run_number", Number, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("target_key", Text),
    Column("payload_hash", Text, nullable=False),
    Column("hint", Json, nullable=False),
    Index("ix_intent_pair_id_mirrored_source_key", "pair_id", "mirrored", "source_key", unique=True),
    sqlite_autoincrement=True,
)

decision = Table(
    "decision",
    metadata,
    Column("id", Number, primary_key=True),
    Column("pair_id", Integer, nullable=False),
    Column("mirrored", Boolean, nullable=False, server_default=false()),
    Column("run_number", Number, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("source_key", Text, nullable=False),
    Column("target_key", Text),
    Column("outcome", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", PlainText),
    Column("changes", Json),
    Column("answer", PlainText),
    Index("ix_decision_run_number", "run_number"),
    Index("ix_decision_pair_id_source_key", "pair_id", "source_key"),
)
_index_some(
    "ix_decision_pair_id_target_key",
    decision.c.pair_id,
    decision.c.target_key,
    only=decision.c.target_key.is_not(None),
)

reject = Table(
    "reject",
    metadata,
    Column("pair_id", Integer, primary_key=True),
    Column("mirrored", Boolean, primary_key=True, server_default=false()),
    Column("source_key", Text, primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("reasons", Json, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_run_id", Text, nullable=False),
    Column("last_run_id", Text, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("resolved_run_id", Text),
    Column("resolved_at", UtcDateTime),
    Index("ix_reject_job_id", "job_id"),
)

lock = Table(
    "lock",
    metadata,
    Column("name", Text, primary_key=True),
    Column("token", Number, nullable=False),
    Column("holder", Text),
    Column("run_id", Text),
    Column("acquired_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("ttl_s", Float, nullable=False),
)

quota = Table(
    "quota",
    metadata,
    Column("name", Text, primary_key=True),
    Column("slots", Json, nullable=False),
    Column("blocked_until", Float, nullable=False),
)

plan = Table(
    "plan",
    metadata,
    Column("plan_id", Text, primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("pair_id", Integer, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("window_start", UtcDateTime),
    Column("window_end", UtcDateTime),
    Column("reference", Json, nullable=False),
    Column("counts", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("applied_at", UtcDateTime),
    Column("applied_run_id", Text),
    Column("kind", Text, nullable=False, server_default="sync"),
    Column("undoes_run_id", Text),
    Index("ix_plan_job_id_created_at", "job_id", "created_at"),
)

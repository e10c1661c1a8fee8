"""The tables, one per kind of thing the ledger remembers.

Runs have a number beside their id, because links and decisions name their run millions of times. A shape is what
links of one mapping have in common, stored once (see :mod:`cshub.ledger.shapes`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from cshub.core.records import LinkState
from cshub.ledger.columns import STATE_CODES, Json, LinkStateCode, PlainText, UtcDateTime

IN_STEP_CODE = STATE_CODES[LinkState.IN_STEP]
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
    Column("source_system", Text, nullable=False),
    Column("source_object", Text, nullable=False),
    Column("source_identity", Text, nullable=False),
    Column("target_system", Text, nullable=False),
    Column("target_object", Text, nullable=False),
    Column("target_identity", Text, nullable=False),
    Column("bound_at", UtcDateTime, nullable=False),
)

shape = Table(
    "shape",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("content", Json, nullable=False),
)

link = Table(
    "link",
    metadata,
    Column("pair_id", Integer, primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("state", LinkStateCode, nullable=False),
    Column("version", Integer, nullable=False),
    Column("shape_id", Integer, nullable=False),
    Column("run_number", Number),
    Column("target_key", Text),
    Column("target_account_id", Text),
    Column("target_extra", Json),
    Column("source_base", LargeBinary),
    Column("target_base", LargeBinary),
    Column("source_modified_at", UtcDateTime),
    Column("target_modified_at", UtcDateTime),
    Column("first_seen_at", UtcDateTime),
    Column("created_at", UtcDateTime),
    Column("written_at", UtcDateTime),
    sqlite_with_rowid=False,
)
WAITING = text(f"state <> {IN_STEP_CODE}")
Index(
    "ix_link_pair_id_target_key",
    link.c.pair_id,
    link.c.target_key,
    unique=True,
    sqlite_where=link.c.target_key.is_not(None),
    postgresql_where=link.c.target_key.is_not(None),
)
Index("ix_link_pair_id_state", link.c.pair_id, link.c.state, sqlite_where=WAITING, postgresql_where=WAITING)

run = Table(
    "run",
    metadata,
    Column("number", Number, primary_key=True),
    Column("run_id", Text, nullable=False, unique=True),
    Column("job_id", Text, nullable=False),
    Column("pair_id", Integer),
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
    Column("source_key", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("run_number", Number, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("target_key", Text),
    Column("payload_hash", Text, nullable=False),
    Column("hint", Json, nullable=False),
    Index("ix_intent_pair_id_source_key", "pair_id", "source_key", unique=True),
    sqlite_autoincrement=True,
)

decision = Table(
    "decision",
    metadata,
    Column("id", Number, primary_key=True),
    Column("pair_id", Integer, nullable=False),
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
Index(
    "ix_decision_pair_id_target_key",
    decision.c.pair_id,
    decision.c.target_key,
    sqlite_where=decision.c.target_key.is_not(None),
    postgresql_where=decision.c.target_key.is_not(None),
)

reject = Table(
    "reject",
    metadata,
    Column("pair_id", Integer, primary_key=True),
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
    Index("ix_plan_job_id_created_at", "job_id", "created_at"),
)

"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cshub.ledger.columns import Json, LinkStateCode, PlainText, UtcDateTime

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LINKED = sa.text("target_key IS NOT NULL")
WAITING = sa.text("state <> 1")


def upgrade() -> None:
    op.create_table(
        "decision",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("run_number", NUMBER, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("target_key", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("reason", PlainText(), nullable=True),
        sa.Column("changes", Json(), nullable=True),
        sa.Column("answer", PlainText(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_decision"),
    )
    op.create_index("ix_decision_pair_id_source_key", "decision", ["pair_id", "source_key"])
    op.create_index(
        "ix_decision_pair_id_target_key",
        "decision",
        ["pair_id", "target_key"],
        sqlite_where=LINKED,
        postgresql_where=LINKED,
    )
    op.create_index("ix_decision_run_number", "decision", ["run_number"])

    op.create_table(
        "intent",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("run_number", NUMBER, nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("target_key", sa.Text(), nullable=True),
        sa.Column("payload_hash", sa.Text(), nullable=False),
        sa.Column("hint", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_intent"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_intent_pair_id_source_key", "intent", ["pair_id", "source_key"], unique=True)

    op.create_table(
        "link",
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("state", LinkStateCode(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("shape_id", sa.Integer(), nullable=False),
        sa.Column("run_number", NUMBER, nullable=True),
        sa.Column("target_key", sa.Text(), nullable=True),
        sa.Column("target_account_id", sa.Text(), nullable=True),
        sa.Column("target_extra", Json(), nullable=True),
        sa.Column("source_base", sa.LargeBinary(), nullable=True),
        sa.Column("target_base", sa.LargeBinary(), nullable=True),
        sa.Column("source_modified_at", UtcDateTime(), nullable=True),
        sa.Column("target_modified_at", UtcDateTime(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=True),
        sa.Column("written_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("pair_id", "source_key", name="pk_link"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_link_pair_id_state", "link", ["pair_id", "state"], sqlite_where=WAITING, postgresql_where=WAITING
    )
    op.create_index(
        "ix_link_pair_id_target_key",
        "link",
        ["pair_id", "target_key"],
        unique=True,
        sqlite_where=LINKED,
        postgresql_where=LINKED,
    )

    op.create_table(
        "lock",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", NUMBER, nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("acquired_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ttl_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lock"),
    )
    op.create_table(
        "pair",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source_system", sa.Text(), nullable=False),
        sa.Column("source_object", sa.Text(), nullable=False),
        sa.Column("source_identity", sa.Text(), nullable=False),
        sa.Column("target_system", sa.Text(), nullable=False),
        sa.Column("target_object", sa.Text(), nullable=False),
        sa.Column("target_identity", sa.Text(), nullable=False),
        sa.Column("bound_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pair"),
        sa.UniqueConstraint("name", name="uq_pair_name"),
    )
    op.create_table(
        "plan",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("window_start", UtcDateTime(), nullable=True),
        sa.Column("window_end", UtcDateTime(), nullable=True),
        sa.Column("reference", Json(), nullable=False),
        sa.Column("counts", Json(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("applied_at", UtcDateTime(), nullable=True),
        sa.Column("applied_run_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("plan_id", name="pk_plan"),
    )
    op.create_index("ix_plan_job_id_created_at", "plan", ["job_id", "created_at"])

    op.create_table(
        "quota",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slots", Json(), nullable=False),
        sa.Column("blocked_until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_quota"),
    )
    op.create_table(
        "reject",
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("reasons", Json(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_run_id", sa.Text(), nullable=False),
        sa.Column("last_run_id", sa.Text(), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("resolved_run_id", sa.Text(), nullable=True),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("pair_id", "source_key", name="pk_reject"),
    )
    op.create_index("ix_reject_job_id", "reject", ["job_id"])

    op.create_table(
        "run",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("window_start", UtcDateTime(), nullable=True),
        sa.Column("window_end", UtcDateTime(), nullable=True),
        sa.Column("job_digest", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("progress", Json(), nullable=True),
        sa.Column("statistics", Json(), nullable=True),
        sa.Column("error", PlainText(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_run"),
        sa.UniqueConstraint("run_id", name="uq_run_run_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_job_id_number", "run", ["job_id", "number"])

    op.create_table(
        "shape",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shape"),
        sa.UniqueConstraint("digest", name="uq_shape_digest"),
    )
    op.create_table(
        "watermark",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("position", UtcDateTime(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_watermark"),
    )


def downgrade() -> None:
    for table in ("watermark", "shape", "run", "reject", "quota", "plan", "pair", "lock", "link", "intent", "decision"):
        op.drop_table(table)

"""Links have a left and a right side, so that two jobs of opposite direction share them.

What was the source becomes the left side, what was the target the right one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

from cshub.ledger.columns import Json, LinkStateCode, UtcDateTime

revision = "0003"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SIDES = (("source", "left"), ("target", "right"))
PARTS = ("system", "object", "identity")
MIRRORED = ("run", "decision", "intent")
KEYS = ("left_key", "right_key")
STATES = ("left_state", "right_state")
REJECT_COLUMNS = (
    "pair_id, source_key, job_id, reasons, attempts, first_run_id, last_run_id, first_at, last_at, resolved_run_id, "
    "resolved_at"
)
IN_STEP = 1


def upgrade() -> None:
    for old, new in SIDES:
        for part in PARTS:
            op.execute(sa.text(f"alter table pair rename column {old}_{part} to {new}_{part}"))
    for table in MIRRORED:
        op.add_column(table, sa.Column("mirrored", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_intent_pair_id_source_key", "intent")
    op.create_index(
        "ix_intent_pair_id_mirrored_source_key", "intent", ["pair_id", "mirrored", "source_key"], unique=True
    )
    op.add_column("plan", sa.Column("kind", sa.Text(), nullable=False, server_default="sync"))
    op.add_column("plan", sa.Column("undoes_run_id", sa.Text(), nullable=True))
    _set_aside("reject", ("ix_reject_job_id",))
    _create_rejects((sa.Column("mirrored", sa.Boolean(), nullable=False, server_default=sa.false()),))
    _bring_back("reject", REJECT_COLUMNS)
    _rewrite_shapes(_two_sided)
    _set_aside("link", ("ix_link_pair_id_state", "ix_link_pair_id_target_key"))
    _create_links()
    op.execute(
        sa.text(
            "insert into link (run_number, first_seen_at, created_at, written_at, pair_id, shape_id, version, "
            "left_key, left_state, left_modified_at, left_mapped, "
            "right_key, right_account_id, right_extra, right_modified_at, right_marks) "
            "select run_number, first_seen_at, created_at, written_at, pair_id, shape_id, version, "
            f"source_key, nullif(state, {IN_STEP}), source_modified_at, source_base, "
            "target_key, target_account_id, target_extra, target_modified_at, target_base "
            "from link_before order by pair_id, source_key"
        )
    )
    op.drop_table("link_before")


def downgrade() -> None:
    """What the older tables cannot hold is lost: all that only a mirrored job knows."""
    shared = [row.id for row in _shapes() if json.loads(row.content)[2]]
    _set_aside("link", tuple(f"ix_link_pair_id_{name}" for name in (*KEYS, *STATES, "dated_at")))
    _create_one_sided_links()
    carried = sa.text(
        "insert into link (pair_id, source_key, state, version, shape_id, run_number, target_key, target_account_id, "
        "target_extra, source_base, target_base, source_modified_at, target_modified_at, first_seen_at, created_at, "
        "written_at) "
        f"select pair_id, left_key, coalesce(left_state, {IN_STEP}), version, shape_id, run_number, right_key, "
        "case when shape_id in :shared then left_account_id else right_account_id end, "
        "right_extra, left_mapped, right_marks, left_modified_at, right_modified_at, first_seen_at, created_at, "
        "written_at from link_before where left_key is not null"
    ).bindparams(sa.bindparam("shared", shared, expanding=True))
    op.get_bind().execute(carried)
    op.drop_table("link_before")
    _rewrite_shapes(_one_sided)
    for table in ("decision", "intent", "reject"):
        op.execute(sa.text(f"delete from {table} where mirrored"))
    _set_aside("reject", ("ix_reject_job_id",))
    _create_rejects(())
    _bring_back("reject", REJECT_COLUMNS)
    op.drop_index("ix_intent_pair_id_mirrored_source_key", "intent")
    op.create_index("ix_intent_pair_id_source_key", "intent", ["pair_id", "source_key"], unique=True)
    for table, column in (*((name, "mirrored") for name in MIRRORED), ("plan", "kind"), ("plan", "undoes_run_id")):
        op.execute(sa.text(f"alter table {table} drop column {column}"))
    for old, new in SIDES:
        for part in PARTS:
            op.execute(sa.text(f"alter table pair rename column {new}_{part} to {old}_{part}"))


def _shapes() -> list[sa.Row[Any]]:
    return list(op.get_bind().execute(sa.text("select id, content from shape")))


def _rewrite_shapes(rewritten: Callable[[list[Any]], list[Any]]) -> None:
    """A digest stays as it is: a shape that is looked for by another one is stored once more, which does no harm."""
    for row in _shapes():
        content = json.dumps(rewritten(json.loads(row.content)), separators=(",", ":"))
        op.get_bind().execute(
            sa.text("update shape set content = :content where id = :id"), {"content": content, "id": row.id}
        )


def _two_sided(content: list[Any]) -> list[Any]:
    mapping_version, source, target, extra = content
    return [[mapping_version, source, [], []], ["", [], target, extra], False]


def _one_sided(content: list[Any]) -> list[Any]:
    left, right, _ = content
    return [left[0], left[1], right[2], right[3]]


def _set_aside(table: str, indexes: tuple[str, ...]) -> None:
    for index in indexes:
        op.drop_index(index, table)
    op.rename_table(table, f"{table}_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.text(f"alter index pk_{table} rename to pk_{table}_before"))


def _bring_back(table: str, columns: str) -> None:
    op.execute(sa.text(f"insert into {table} ({columns}) select {columns} from {table}_before"))
    op.drop_table(f"{table}_before")


def _create_rejects(mirrored: tuple[sa.Column[Any], ...]) -> None:
    keys = ["pair_id", *(column.name for column in mirrored), "source_key"]
    op.create_table(
        "reject",
        sa.Column("pair_id", sa.Integer(), nullable=False),
        *mirrored,
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
        sa.PrimaryKeyConstraint(*keys, name="pk_reject"),
    )
    op.create_index("ix_reject_job_id", "reject", ["job_id"])


def _side(name: str) -> list[sa.Column[Any]]:
    return [
        sa.Column(f"{name}_modified_at", UtcDateTime(), nullable=True),
        sa.Column(f"{name}_edited_at", UtcDateTime(), nullable=True),
        sa.Column(f"{name}_state", LinkStateCode(), nullable=True),
        sa.Column(f"{name}_key", sa.Text(), nullable=True),
        sa.Column(f"{name}_account_id", sa.Text(), nullable=True),
        sa.Column(f"{name}_extra", Json(), nullable=True),
        sa.Column(f"{name}_marks", sa.LargeBinary(), nullable=True),
        sa.Column(f"{name}_mapped", sa.LargeBinary(), nullable=True),
    ]


def _create_links() -> None:
    op.create_table(
        "link",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("run_number", NUMBER, nullable=True),
        sa.Column("dated_at", UtcDateTime(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=True),
        sa.Column("written_at", UtcDateTime(), nullable=True),
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("shape_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *_side("left"),
        *_side("right"),
        sa.PrimaryKeyConstraint("number", name="pk_link"),
        sqlite_autoincrement=True,
    )
    for column in KEYS:
        _index_some(column, f"{column} IS NOT NULL", unique=True)
    for column in STATES:
        _index_some(column, f"{column} IS NOT NULL")
    _index_some("dated_at", "dated_at IS NOT NULL AND left_key IS NOT NULL AND right_key IS NOT NULL")


def _create_one_sided_links() -> None:
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
    _index_some("target_key", "target_key IS NOT NULL", unique=True)
    _index_some("state", f"state <> {IN_STEP}")


def _index_some(column: str, only: str, *, unique: bool = False) -> None:
    where, name = sa.text(only), f"ix_link_pair_id_{column}"
    op.create_index(name, "link", ["pair_id", column], unique=unique, sqlite_where=where, postgresql_where=where)

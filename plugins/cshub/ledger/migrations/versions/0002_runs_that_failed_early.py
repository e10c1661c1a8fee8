"""A run that fails before it reached both systems is kept too: its pair may be unknown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("run", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("pair_id", existing_type=sa.Integer(), nullable=True)


def downgrade() -> None:
    op.execute(sa.text("delete from run where pair_id is null"))
    with op.batch_alter_table("run", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("pair_id", existing_type=sa.Integer(), nullable=False)

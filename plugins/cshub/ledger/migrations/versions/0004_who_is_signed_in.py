"""A pair remembers which users its connections were last signed in as."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for side in ("left", "right"):
        op.add_column("pair", sa.Column(f"{side}_user", sa.Text()))


def downgrade() -> None:
    with op.batch_alter_table("pair") as table:
        for side in ("left", "right"):
            table.drop_column(f"{side}_user")

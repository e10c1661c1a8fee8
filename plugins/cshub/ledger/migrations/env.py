"""Alembic's entry: runs the steps on the connection it is given, inside the transaction that is open there."""

from __future__ import annotations

from alembic import context

from cshub.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

"""Run by alembic, which `vidnb.store` calls with an open connection; `alembic` on the command line is not needed."""

from __future__ import annotations

from alembic import context

from vidnb.store.indexes import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # All or nothing on SQLite too: the connection is inside the transaction that holds the lock.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

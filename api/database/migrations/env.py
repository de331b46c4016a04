"""What Alembic runs for each command. The connection comes from api/database/migration.py; none: write SQL instead."""

from __future__ import annotations

from alembic import context

attributes = context.config.attributes
if (connection := attributes.get("connection")) is None:
    context.configure(
        dialect_name="postgresql",
        transactional_ddl=True,
        transaction_per_migration=True,
    )
else:
    context.configure(
        connection=connection,
        transaction_per_migration=True,
        on_version_apply=attributes["on_version_apply"],
    )
with context.begin_transaction():
    context.run_migrations()

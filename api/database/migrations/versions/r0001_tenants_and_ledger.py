"""Tenants and ledger."""

from __future__ import annotations

from api.database.sql_files import execute_file

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    execute_file("0001_tenants_and_ledger.up.sql")


def downgrade() -> None:
    execute_file("0001_tenants_and_ledger.down.sql")

"""Runs a file of sql/ as a migration, or writes it out where Alembic was asked for SQL alone."""

from __future__ import annotations

from alembic import op

from api.database.revisions import SQL_FOLDER


def execute_file(name: str) -> None:
    text = (SQL_FOLDER / name).read_text(encoding="utf-8")
    context = op.get_context()
    if context.as_sql:
        context.impl.static_output(text.rstrip())
    else:
        # As it is: neither `%` nor `:name` stands for a parameter, and statements may be many.
        op.get_bind().exec_driver_sql(text, execution_options={"no_parameters": True})

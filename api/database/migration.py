"""Moves a database from one schema to another with Alembic: one process at a time, and nothing waits without end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationInfo
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from api.database.revisions import HEAD, READ_REVISION, REVISIONS, SchemaState, not_current_reason, state_of

BASE = "base"
_CONNECT_TIMEOUT_S = 5
_LOCK_POLL_S = 0.1
# Whoever migrates holds it for the session. The number is arbitrary; other locks of the platform have others.
_MIGRATION_LOCK = 0x6D696772


class MigrationError(Exception):
    """Postgres cannot be reached, is busy, refused, or has a schema that this cannot be done to; one sentence."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    statement_s: float
    """For one statement of a migration."""
    lock_s: float
    """Until a statement gets a table that others use; they queue up behind it meanwhile."""
    turn_s: float
    """Until another process that migrates is done."""


@dataclass(frozen=True, slots=True)
class Move:
    before: str | None
    after: str | None


class Database:
    """Blocking. Every method but `sql` connects, and raises MigrationError."""

    def __init__(self, database_url: str, *, patience: Patience, on_step: Callable[[str], None]) -> None:
        """`on_step`: told of each migration that was run, in words."""
        self._database_url = database_url
        self._patience = patience
        self._on_step = on_step

    def current(self) -> str | None:
        """The revision; None: there is no schema."""
        with self._connected() as connection:
            return _revision_of(connection)

    def upgrade(self, target: str) -> Move:
        """To that revision or `head`; nothing happens to a database that is there already."""
        target = HEAD if target == "head" else target

        def checked(before: str | None) -> bool:
            if before is not None and before > target:
                raise MigrationError(f"the database has schema {before} already, which comes after {target}")
            return before != target

        return self._move(command.upgrade, target, checked)

    def downgrade(self, target: str) -> Move:
        """To that revision or `base`, which is nothing. What later revisions hold is dropped."""
        target_or_none = None if target == BASE else target

        def checked(before: str | None) -> bool:
            if (before or "") < (target_or_none or ""):
                raise MigrationError(f"the database has {_named(before)}, which comes before {target}")
            return before != target_or_none

        return self._move(command.downgrade, target, checked)

    def _move(self, run: Callable[[Config, str], None], target: str, is_needed: Callable[[str | None], bool]) -> Move:
        with self._connected() as connection, self._turn(connection):
            before = _revision_of(connection)
            if state_of(before) is SchemaState.UNKNOWN:
                raise MigrationError(f"{not_current_reason(before)}: it is left as it is")
            if not is_needed(before):
                return Move(before, before)
            connection.autocommit = False
            engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
            try:
                with engine.connect() as alchemy:
                    run(_config(connection=alchemy, on_version_apply=self._report), target)
            finally:
                if not connection.closed:
                    connection.rollback()
                    connection.autocommit = True
            return Move(before, _revision_of(connection))

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        try:
            with psycopg.connect(
                self._database_url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S, application_name="migration"
            ) as connection:
                for name, value_s in (
                    ("statement_timeout", self._patience.statement_s),
                    ("lock_timeout", self._patience.lock_s),
                ):
                    connection.execute("SELECT set_config(%s, %s, false)", (name, str(max(1, round(value_s * 1000)))))
                yield connection
        except (psycopg.Error, DBAPIError) as error:
            raise MigrationError(_sentence(error)) from error

    @contextmanager
    def _turn(self, connection: psycopg.Connection) -> Iterator[None]:
        """Asked for again and again, because whoever waits inside Postgres holds back its vacuum."""
        deadline_s = time.monotonic() + self._patience.turn_s
        while not _takes_lock(connection):
            if time.monotonic() >= deadline_s:
                raise MigrationError(f"another process still migrates after {self._patience.turn_s:g} s")
            time.sleep(_LOCK_POLL_S)
        # Let go of with the connection, which ends with this.
        yield

    def _report(self, *, step: MigrationInfo, **_: Any) -> None:
        direction = "upgraded to" if step.is_upgrade else "went back before"
        self._on_step(f"{direction} {step.up_revision_id} ({_subject(step.up_revision)})")


def history() -> list[tuple[str, str]]:
    """Revision and what it is about, the first one first."""
    scripts = ScriptDirectory.from_config(_config())
    return [(script.revision, _subject(script)) for script in reversed([*scripts.walk_revisions()])]


def sql(target: str, *, start: str) -> str:
    """What an upgrade, or a downgrade, would run; `start` and `target` are revisions, `base` or `head`."""
    written = StringIO()
    order = [BASE, *REVISIONS]
    start, target = (HEAD if revision == "head" else revision for revision in (start, target))
    goes_up = order.index(start) <= order.index(target)
    run = command.upgrade if goes_up else command.downgrade
    run(_config(output_buffer=written), f"{start}:{target}", sql=True)
    return written.getvalue()


def _config(*, output_buffer: StringIO | None = None, **attributes: Any) -> Config:
    config = Config(output_buffer=output_buffer, attributes=attributes)
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _revision_of(connection: psycopg.Connection) -> str | None:
    try:
        row = connection.execute(READ_REVISION).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return None if row is None else str(row[0])


def _takes_lock(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_MIGRATION_LOCK,)).fetchone()
    return row is not None and bool(row[0])


def _sentence(error: psycopg.Error | DBAPIError) -> str:
    """What Postgres said, without the SQL that SQLAlchemy adds."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    words = " ".join(str(cause).split()) or type(cause).__name__
    if isinstance(cause, psycopg.errors.LockNotAvailable):
        words += " (somebody else uses the table: try again, or allow more time with --lock-timeout-s)"
    return words


def _subject(script: Revision | None) -> str:
    return script.doc.rstrip(".") if isinstance(script, Script) else ""


def _named(revision: str | None) -> str:
    return "no schema" if revision is None else f"schema {revision}"

"""Brings the database to this version's schema beside the gateway's start, which never waits for it.

A database that is there already costs one query. The migration itself runs in a process of its own, because what it
imports has no place in the gateway; it ends with the gateway, whose end of a pipe it watches.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time

from api.database.revisions import HEAD, SchemaState, not_current_reason, read_revision, state_of
from api.postgres_connection import BoundedConnection

logger = logging.getLogger(__name__)

THREAD = "migrate"
_COMMAND = (sys.executable, "-m", "api.database", "--for-gateway", "upgrade")
_LOOK_TIMEOUT_S = 5.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0


class NotMigrated(Exception):
    """The migration's process failed; the message is its last line."""


def migrate_beside(database_url: str) -> None:
    """Returns at once. Tried again and again until the schema is this version's, or one that it does not know."""
    # A daemon: nor does the gateway's end wait for it.
    threading.Thread(target=_migrate, args=(database_url,), name=THREAD, daemon=True).start()


def _migrate(database_url: str) -> None:
    pause_s, told = _FIRST_PAUSE_S, ""
    while True:
        try:
            _bring_to_head(database_url)
        except Exception as error:  # noqa: BLE001 - whatever it was, the next attempt may be luckier
            reason = str(error).strip() or type(error).__name__
            if reason != told:  # once for each trouble, not for each attempt
                told = reason
                logger.warning("the database is not migrated yet", extra={"reason": reason})
        else:
            return
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _bring_to_head(database_url: str) -> None:
    """Raises psycopg.Error, OSError and NotMigrated."""
    revision = asyncio.run(_revision(database_url))
    match state_of(revision):
        case SchemaState.UNKNOWN:
            logger.error("the database is left as it is", extra={"reason": not_current_reason(revision)})
        case SchemaState.OLDER:
            _upgrade()
            logger.info("the database was migrated", extra={"from": revision or "nothing", "to": HEAD})


async def _revision(database_url: str) -> str | None:
    connection = await BoundedConnection.open(database_url, timeout_s=_LOOK_TIMEOUT_S)
    try:
        return await connection.run(read_revision(connection.psycopg), timeout_s=_LOOK_TIMEOUT_S)
    finally:
        await connection.close()


def _upgrade() -> None:
    """In a process that ends when this one does, however it ends. Raises OSError and NotMigrated."""
    with subprocess.Popen(  # noqa: S603 - our own module
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        # Until it ends, with standard input open so long.
        said = process.stdout.read().strip()
    if process.returncode != 0:
        raise NotMigrated(said.splitlines()[-1] if said else f"the migration ended with {process.returncode}")

"""One change of the directory: the rows, their line of the audit log and the news of it, all or nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from psycopg.abc import QueryNoTemplate
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from api.postgres_link import PostgresAwayError, PostgresLink
from api.tenants.errors import DirectoryAway, InvalidValue
from api.tenants.types import Actor

logger = logging.getLogger(__name__)

Row = dict[str, Any]
_T = TypeVar("_T")

_ADD_AUDIT_LINE = """
INSERT INTO audit_log (actor, actor_name, action, subject, tenant, outcome, code, before, after, request_id)
VALUES (%(actor)s, %(actor_name)s, %(action)s, %(subject)s, %(tenant)s, %(outcome)s, %(code)s, %(before)s, %(after)s,
        %(request_id)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """`before` and `after` are shown to people: no secret and no digest."""

    action: str
    subject: str
    tenant: str | None = None
    outcome: str = "done"
    code: str = ""
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None

    async def write(self, connection: psycopg.AsyncConnection, by: Actor) -> None:
        values = {
            "actor": by.id,
            "actor_name": by.name,
            "request_id": by.request_id,
            "action": self.action,
            "subject": self.subject,
            "tenant": self.tenant,
            "outcome": self.outcome,
            "code": self.code,
            "before": None if self.before is None else Jsonb(self.before),
            "after": None if self.after is None else Jsonb(self.after),
        }
        await connection.execute(_ADD_AUDIT_LINE, values)


@dataclass(slots=True)
class Change:
    """Under way: nobody else changes anything meanwhile."""

    connection: psycopg.AsyncConnection
    version: int = 0
    """For the rows of this change; 0 where nothing is to change."""
    line: AuditLine | None = field(default=None)
    """Set by what has changed something; None: nothing had to."""

    async def rows(self, query: QueryNoTemplate, values: Mapping[str, object]) -> list[Row]:
        """What `query` returns; `version` is among its values."""
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, {"version": self.version, **values})
            return await cursor.fetchall() if cursor.description is not None else []

    async def row(self, query: QueryNoTemplate, values: Mapping[str, object]) -> Row | None:
        found = await self.rows(query, values)
        return found[0] if found else None

    async def the_row(self, query: QueryNoTemplate, values: Mapping[str, object]) -> Row:
        """Of a statement that returns one."""
        (row,) = await self.rows(query, values)
        return row


Work = Callable[[Change], Coroutine[Any, Any, _T]]


class Changes:
    def __init__(self, link: PostgresLink) -> None:
        self._link = link

    async def make(self, work: Work[_T], *, by: Actor) -> _T:
        """What `work` returns, done and audited. Raises what it raises, InvalidValue and DirectoryAway."""

        async def in_transaction(connection: psycopg.AsyncConnection) -> _T:
            async with connection.transaction():
                # Whoever has this row changes the directory: others wait here, and see what was done when it is theirs.
                found = await connection.execute("SELECT version FROM directory_state FOR UPDATE")
                (known,) = await found.fetchone() or (None,)
                if known is None:
                    raise DirectoryAway("The directory's tables are not complete.")
                change = Change(connection, known + 1)
                done = await work(change)
                if change.line is not None:
                    async with connection.pipeline():
                        await connection.execute("UPDATE directory_state SET version = %s", [change.version])
                        await change.line.write(connection, by)
                        await connection.execute("NOTIFY directory")
                return done

        return await self._run(in_transaction)

    async def read(self, work: Work[_T]) -> _T:
        """What `work`, which changes nothing, returns. Raises what it raises, and DirectoryAway."""

        async def at_one_time(connection: psycopg.AsyncConnection) -> _T:
            async with connection.transaction():
                await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                return await work(Change(connection))

        return await self._run(at_one_time)

    async def note(self, lines: Sequence[tuple[AuditLine, Actor]]) -> None:
        """Write lines of what changed nothing. Raises InvalidValue and DirectoryAway."""

        async def in_transaction(connection: psycopg.AsyncConnection) -> None:
            async with connection.transaction(), connection.pipeline():
                for line, actor in lines:
                    await line.write(connection, actor)

        await self._run(in_transaction)

    async def _run(self, work: Callable[[psycopg.AsyncConnection], Coroutine[Any, Any, _T]]) -> _T:
        try:
            return await self._link.run(work)
        except PostgresAwayError as error:
            message = "Postgres is away or late: it is not known whether the change was made."
            raise DirectoryAway(message) from error
        except (psycopg.DataError, psycopg.IntegrityError, UnicodeError) as error:
            raise InvalidValue("Postgres does not take these values.") from error
        except psycopg.Error as error:
            logger.exception("the directory cannot be used")
            raise DirectoryAway("Postgres cannot do this now: its tables or its rights are not as expected.") from error


async def adopt(connection: psycopg.AsyncConnection) -> None:
    """Set a connection up for changes: nothing of them may hold up the changes of others for long."""
    await connection.execute(
        "SELECT set_config('TimeZone', 'UTC', false), set_config('statement_timeout', '4s', false), "
        "set_config('idle_in_transaction_session_timeout', '4s', false)"
    )

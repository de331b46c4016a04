"""The audit log, to read."""

from __future__ import annotations

from datetime import datetime

from api.tenants.directory import checked
from api.tenants.directory.changes import Change
from api.tenants.types import AuditEntry

_ENTRIES = """
SELECT id, at, actor, actor_name, action, subject, tenant, outcome, code, before, after, request_id FROM audit_log
WHERE (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(before_id)s::bigint IS NULL OR id < %(before_id)s)
ORDER BY id DESC LIMIT %(limit)s
"""


async def entries(
    change: Change, *, tenant: str | None, since: datetime | None, before_id: int | None, limit: int
) -> list[AuditEntry]:
    """Raises InvalidValue."""
    values = {
        "tenant": tenant,
        "since": None if since is None else checked.moment(since, param="since"),
        "before_id": before_id,
        "limit": limit,
    }
    return [AuditEntry(**row) for row in await change.rows(_ENTRIES, values)]

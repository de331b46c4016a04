"""API keys in Postgres, where only what is shown of them and their digests are."""

from __future__ import annotations

from datetime import datetime

import msgspec
from psycopg.sql import SQL

from api.tenants.directory import checked, tenant_changes
from api.tenants.directory.changes import AuditLine, Change, Row
from api.tenants.directory.secret_keys import NewKey
from api.tenants.errors import InvalidValue, KeyEnded, NoSuchKey
from api.tenants.types import ApiKey, IssuedKey, Lane

_COLUMNS = SQL("id, tenant, name, prefix, lane, created_at, expires_at, revoked_at, replaces")
_ADD = SQL("""
INSERT INTO api_keys (id, tenant, name, prefix, digest, lane, expires_at, replaces, version)
VALUES (%(id)s, %(tenant)s, %(name)s, %(prefix)s, %(digest)s, %(lane)s, %(expires_at)s, %(replaces)s, %(version)s)
RETURNING {}
""").format(_COLUMNS)


async def page(change: Change, *, tenant: str | None, after: str | None, limit: int) -> list[ApiKey]:
    """There may be 100,000: neither Postgres nor the event loop is asked for all. Raises NoSuchTenant."""
    if tenant is not None:
        await tenant_changes.existing(change, tenant)
    rows = await change.rows(
        SQL(
            "SELECT {} FROM api_keys WHERE (%(tenant)s::text IS NULL OR tenant = %(tenant)s) "
            "AND (%(after)s::text IS NULL OR id > %(after)s) ORDER BY id LIMIT %(limit)s"
        ).format(_COLUMNS),
        {"tenant": tenant, "after": after, "limit": limit},
    )
    return [_key(row) for row in rows]


async def existing(change: Change, key_id: str) -> ApiKey:
    """Raises NoSuchKey."""
    row = await change.row(SQL("SELECT {} FROM api_keys WHERE id = %(id)s").format(_COLUMNS), {"id": key_id})
    if row is None:
        raise NoSuchKey(f"There is no key {key_id!r}.", param="key_id")
    return _key(row)


async def create(
    change: Change, *, new: NewKey, tenant: str, name: str, lane: Lane | None, expires_at: datetime | None
) -> IssuedKey:
    """Raises NoSuchTenant, TenantDisabled and InvalidValue."""
    await tenant_changes.existing(change, tenant, active=True)
    expires_at = None if expires_at is None else checked.moment(expires_at, param="expires_at")
    if expires_at is not None and expires_at <= await _now(change):
        raise InvalidValue("expires_at must be in the future.", param="expires_at")
    name = checked.text(name, param="name")
    key = await _add(change, new, tenant=tenant, name=name, lane=lane, expires_at=expires_at)
    change.line = AuditLine(action="key.create", subject=key.id, tenant=tenant, after=msgspec.to_builtins(key))
    return IssuedKey(key=key, secret=new.secret)


async def rotate(change: Change, *, new: NewKey, key_id: str, grace_s: float) -> IssuedKey:
    """The new one has the old one's name, lane, limits and end. Raises NoSuchKey, KeyEnded and TenantDisabled."""
    old = await existing(change, key_id)
    await tenant_changes.existing(change, old.tenant, active=True)
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= await _now(change)):
        raise KeyEnded(f"The key {key_id} is revoked or expired.", param="key_id")
    heir = await change.row("SELECT id FROM api_keys WHERE replaces = %(id)s AND revoked_at IS NULL", {"id": key_id})
    if heir is not None:
        raise KeyEnded(f"The key {key_id} is replaced already, by {heir['id']}.", param="key_id")
    key = await _add(
        change, new, tenant=old.tenant, name=old.name, lane=old.lane, expires_at=old.expires_at, replaces=old.id
    )
    await change.rows(
        "INSERT INTO limits (tenant, key_id, model, requests_per_minute, tokens_per_minute, version) "
        "SELECT tenant, %(new)s, model, requests_per_minute, tokens_per_minute, %(version)s FROM limits "
        "WHERE key_id = %(old)s AND num_nonnulls(requests_per_minute, tokens_per_minute) > 0",
        {"new": key.id, "old": old.id},
    )
    row = await change.the_row(
        SQL(
            "UPDATE api_keys SET expires_at = least(expires_at, now() + make_interval(secs => %(grace_s)s)), "
            "version = %(version)s WHERE id = %(id)s RETURNING {}"
        ).format(_COLUMNS),
        {"id": old.id, "grace_s": checked.grace_s(grace_s)},
    )
    change.line = AuditLine(
        action="key.rotate",
        subject=old.id,
        tenant=old.tenant,
        before=msgspec.to_builtins(old),
        after={"old": msgspec.to_builtins(_key(row)), "new": msgspec.to_builtins(key)},
    )
    return IssuedKey(key=key, secret=new.secret)


async def revoke(change: Change, *, key_id: str) -> ApiKey:
    """A second time changes nothing. Raises NoSuchKey."""
    before = await existing(change, key_id)
    if before.revoked_at is not None:
        return before
    row = await change.the_row(
        SQL("UPDATE api_keys SET revoked_at = now(), version = %(version)s WHERE id = %(id)s RETURNING {}").format(
            _COLUMNS
        ),
        {"id": key_id},
    )
    after = _key(row)
    change.line = AuditLine(
        action="key.revoke",
        subject=key_id,
        tenant=after.tenant,
        before=msgspec.to_builtins(before),
        after=msgspec.to_builtins(after),
    )
    return after


async def _add(change: Change, new: NewKey, *, replaces: str | None = None, **values: object) -> ApiKey:
    lane = values["lane"]
    given = {"id": new.id, "prefix": new.prefix, "digest": new.digest, "replaces": replaces}
    row = await change.the_row(_ADD, values | given | {"lane": lane.value if isinstance(lane, Lane) else None})
    return _key(row)


async def _now(change: Change) -> datetime:
    now: datetime = (await change.the_row("SELECT now()", {}))["now"]
    return now


def _key(row: Row) -> ApiKey:
    return ApiKey(**row | {"lane": None if row["lane"] is None else Lane(row["lane"])})

"""What every action of the admin API has in common: who does it, its line in the log, and what its errors become."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from starlette.requests import Request

from api.errors import (
    ApiError,
    Conflict,
    DirectoryUnavailable,
    InvalidRequest,
    NotFound,
    UnknownTenant,
    UsageUnavailable,
)
from api.tenants.errors import (
    DirectoryAway,
    DirectoryError,
    KeyEnded,
    NoSuchKey,
    NoSuchPrice,
    NoSuchTenant,
    PriceBegun,
    PriceGap,
    PriceOverlap,
    TenantDisabled,
    TenantExists,
)
from api.tenants.types import Actor
from api.usage.errors import ReportTooLarge, UsageError

logger = logging.getLogger("gateway.admin")


class _Refusal(NamedTuple):
    kind: type[ApiError]
    param: str
    """Where the error names none."""
    code: str


_REFUSALS: dict[type[DirectoryError], _Refusal] = {
    NoSuchTenant: _Refusal(UnknownTenant, "tenant", "tenant_not_found"),
    NoSuchKey: _Refusal(NotFound, "key_id", "key_not_found"),
    TenantExists: _Refusal(Conflict, "name", "tenant_exists"),
    TenantDisabled: _Refusal(Conflict, "tenant", "tenant_disabled"),
    KeyEnded: _Refusal(Conflict, "key_id", "key_ended"),
    PriceGap: _Refusal(Conflict, "valid_from", "price_gap"),
    NoSuchPrice: _Refusal(NotFound, "valid_from", "price_not_found"),
    PriceBegun: _Refusal(Conflict, "valid_from", "price_begun"),
    PriceOverlap: _Refusal(Conflict, "valid_from", "price_overlap"),
}
"""What the directory's errors become; the others are values that nothing can have."""


def admin_actor(request: Request) -> Actor:
    """Who this admin request is from; `AdminGate` has put it there."""
    actor: Actor = request.scope["state"]["admin_actor"]
    return actor


@contextmanager
def administered(action: str, by: Actor, **what: object) -> Iterator[None]:
    """One line of the log, whatever comes of it. Raises ApiError for what the stores raise."""
    line: dict[str, object] = {"action": action, "key_id": by.id, "actor": by.name, **what}
    try:
        yield
    except (DirectoryError, UsageError) as error:
        translated = _translated(error)
        logger.warning("admin action failed", extra={**line, "reason": str(error), "code": translated.code})
        raise translated from error
    except ApiError as error:
        logger.warning("admin action refused", extra={**line, "code": error.code})
        raise
    logger.info("admin action", extra=line)


def _translated(error: DirectoryError | UsageError) -> ApiError:
    match error:
        case DirectoryAway():
            text = (
                "The store of tenants and keys is away or late: what was asked may be done or not. Look, and ask again."
            )
            return DirectoryUnavailable(text, retry_after_s=2.0)
        case DirectoryError():
            return _refusal(error)
        case ReportTooLarge():
            text = f"{error} Group by less, or ask for fewer days or for one tenant."
            return InvalidRequest(text, param="group_by", code="report_too_large")
        case _:
            return UsageUnavailable("The store of the usage is away or late. Ask again shortly.", retry_after_s=2.0)


def _refusal(error: DirectoryError) -> ApiError:
    refusal = _REFUSALS.get(type(error))
    if refusal is None:
        return InvalidRequest(str(error), param=error.param, code="invalid_value")
    return refusal.kind(str(error), param=error.param or refusal.param, code=refusal.code)

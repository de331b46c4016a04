"""The admin API of tenants: one router for each kind of thing that it changes or shows."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes.admin_audit import admin_audit_router
from api.routes.admin_keys import admin_keys_router
from api.routes.admin_limits import admin_budgets_router, admin_limits_router
from api.routes.admin_parts import AdminParts
from api.routes.admin_prices import admin_prices_router
from api.routes.admin_tenants import admin_tenants_router
from api.routes.admin_usage import admin_usage_router


def admin_router(parts: AdminParts) -> APIRouter:
    """Behind `AdminGate`, which has authenticated whoever gets here."""
    router = APIRouter()
    for routes in (
        admin_tenants_router,
        admin_keys_router,
        admin_limits_router,
        admin_budgets_router,
        admin_prices_router,
        admin_usage_router,
        admin_audit_router,
    ):
        router.include_router(routes(parts))
    return router

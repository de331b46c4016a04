"""The answer cache, or what stands in its place while it is off."""

from __future__ import annotations

from api.bootstrap.answer_cache_services import AnswerCacheServices
from api.bootstrap.tenants import TenantServices
from api.cache.off import CacheOff
from api.guard.base import Guard
from api.settings import Settings
from api.stages.admit import Admission
from api.stages.route import Router
from observability.metrics import Metrics
from serving.embedders.base import Embedder


def answer_cache(
    settings: Settings,
    metrics: Metrics,
    tenants: TenantServices,
    *,
    embedder: Embedder,
    router: Router,
    admission: Admission,
    guard: Guard,
) -> AnswerCacheServices:
    """`embedder`: it is started here. `router`: asks engines what audits want to know. Raises LexiconError."""
    has_admin = bool(settings.admin.admin_api_key.get_secret_value())
    if not settings.cache.semantic_cache_enabled and not has_admin:
        return AnswerCacheServices(cache=CacheOff(), admin=None)
    from api.bootstrap.answer_cache_parts import parts_of  # noqa: PLC0415 - nothing of it is imported where it is off

    parts = parts_of(
        settings,
        metrics,
        embedder=embedder,
        router=router,
        admission=admission,
        guard=guard,
        prices=tenants.prices,
    )
    admin = parts.administration(tenants.names) if has_admin else None
    if not settings.cache.semantic_cache_enabled:
        # An operator may look into it and empty it while it is off.
        return AnswerCacheServices(cache=CacheOff(), admin=admin, closes=(parts.link.aclose,))
    return parts.services(admin)

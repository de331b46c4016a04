"""`/admin/v1/cache`: statistics, purges, and why two questions do or do not share an answer."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from api.cache.base import CacheAdmin
from api.cache.errors import CacheError, UnknownTenantError
from api.cache.types import CacheStatus, Explanation, PurgeResult, TenantStats
from api.errors import CacheUnavailable, UnknownTenant
from api.routes.admin_access import ADMIN_PREFIX, admin_key_id
from observability.metrics import Metrics

logger = logging.getLogger("gateway.admin")
EVERY_TENANT = "*"
TAG_KINDS = ("entity", "period", "corpus", "model")
# Far more than what is compared by its meaning.
_MAX_QUESTION_CHARS = 4_000
_MAX_NAME_CHARS = 256

_TAG = re.compile(rf"({'|'.join(TAG_KINDS)}):\S.*")


def _checked_tag(tag: str) -> str:
    if not _TAG.fullmatch(tag):
        kinds = ", ".join(f"{kind}:…" for kind in TAG_KINDS)
        raise ValueError(f"must be one of {kinds}, such as entity:Apple")
    return tag


_Tag = Annotated[
    str,
    StringConstraints(max_length=_MAX_NAME_CHARS),
    AfterValidator(_checked_tag),
    Field(
        description="`entity:`, `period:`, `corpus:` or `model:` and what it names",
        examples=["entity:Apple"],
        json_schema_extra={"pattern": f"^{_TAG.pattern}$"},
    ),
]
_CorpusVersion = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128, pattern=r"^[!-~]+$"),
    Field(description="As requests name it in `X-Corpus-Version`", examples=["2024-11-21"]),
]
_Tenant = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_MAX_NAME_CHARS),
    Field(description="Its name in API_KEYS; `*` means every one that is named there", examples=["finsight"]),
]
_Question = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_QUESTION_CHARS)]


class PurgeBody(BaseModel):
    """All answers of the tenant, or those with one tag, or those of one version of the corpus."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tenant: _Tenant
    tag: _Tag | None = None
    corpus_version: _CorpusVersion | None = None

    @field_validator("corpus_version")
    @classmethod
    def _one_scope(cls, version: str | None, info: ValidationInfo) -> str | None:
        if version is not None and info.data.get("tag") is not None:
            raise ValueError("give tag or corpus_version, not both")
        return version

    @property
    def wanted_tag(self) -> str | None:
        return self.tag if self.corpus_version is None else f"corpus:{self.corpus_version}"


class ExplainBody(BaseModel):
    """Two questions, as a user would send them in the last message."""

    model_config = ConfigDict(extra="forbid", strict=True)

    a: _Question
    b: _Question


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayCounts:
    """What this gateway's workers have counted since it was started."""

    lookups: dict[str, int]
    """By what came of them, as `X-Cache` says it."""
    hit_rate: float | None
    """Hits of all look-ups that were made; None before the first."""
    saved_usd: dict[str, float]
    """By tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsPage:
    tenants: list[TenantStats]
    gateway: GatewayCounts


def admin_cache_router(cache: CacheAdmin, metrics: Metrics) -> APIRouter:
    """Behind `AdminGate`, which has authenticated whoever gets here."""
    router = APIRouter(prefix=f"{ADMIN_PREFIX}/cache", tags=["admin"])
    key = Depends(admin_key_id)

    @router.get("/stats", name="cache.stats", summary="What the answer cache holds, tenant by tenant")
    async def stats(
        tenant: Annotated[_Tenant | None, Query(description="Only this one; left out: all that there are")] = None,
        key_id: str = key,
    ) -> StatsPage:
        name = tenant or EVERY_TENANT
        with _action("cache.stats", key_id, tenant=name):
            found = await cache.stats(_tenant_or_all(name))
            return StatsPage(tenants=found, gateway=await asyncio.to_thread(_counts, metrics, found))

    @router.post("/purge", name="cache.purge", summary="Remove answers, and keep those under way from being stored")
    async def purge(body: PurgeBody, key_id: str = key) -> PurgeResult:
        with _action("cache.purge", key_id, tenant=body.tenant, tag=body.wanted_tag) as line:
            done = await cache.purge(_tenant_or_all(body.tenant), body.wanted_tag)
            line["removed"] = done.removed
        return done

    @router.post("/explain", name="cache.explain", summary="Why two questions do or do not share an answer")
    async def explain(body: ExplainBody, key_id: str = key) -> Explanation:
        with _action("cache.explain", key_id) as line:
            explanation = await cache.explain(body.a, body.b)
            line["verdict"] = explanation.verdict.value
        return explanation

    return router


@contextmanager
def _action(name: str, key_id: str, **what: object) -> Iterator[dict[str, object]]:
    """One line of the log, whatever comes of it: who (the key's id) did what, and when. Never the text of a question.

    What is put into the yielded dict goes into the line. Raises UnknownTenant and CacheUnavailable.
    """
    line: dict[str, object] = {"action": name, "key_id": key_id, **what}
    try:
        yield line
    except UnknownTenantError as error:
        logger.warning("admin action refused", extra={**line, "reason": "unknown tenant"})
        raise UnknownTenant(str(error), param="tenant") from error
    except CacheError as error:
        logger.warning("admin action failed", extra={**line, "reason": str(error)})
        # A purge goes in steps, and the last one may have been done by a Redis that was late to say so.
        text = "The cache's store is away or late: what was asked is done in part or not at all. Ask again shortly."
        raise CacheUnavailable(text) from error
    logger.info("admin action", extra=line)


def _counts(metrics: Metrics, tenants: Sequence[TenantStats]) -> GatewayCounts:
    counted = metrics.totals("gateway_cache_lookups", by="status")
    lookups = {
        status.value: int(counted.get(status.value, 0)) for status in CacheStatus if status is not CacheStatus.STALE
    }
    made = sum(lookups.values()) - lookups[CacheStatus.BYPASS.value]
    saved_usd = metrics.totals("gateway_cache_saved_usd", by="tenant")
    return GatewayCounts(
        lookups=lookups,
        hit_rate=(made - lookups[CacheStatus.MISS.value]) / made if made else None,
        saved_usd={each.tenant: saved_usd.get(each.tenant, 0.0) for each in tenants},
    )


def _tenant_or_all(name: str) -> str | None:
    return None if name == EVERY_TENANT else name

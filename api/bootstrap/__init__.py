"""The composition root: the only module that knows which concrete class plays which part."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from api.bootstrap.admin import AdminServices, admin_services
from api.bootstrap.answer_cache import answer_cache
from api.bootstrap.answer_cache_services import AnswerCacheServices
from api.bootstrap.corpus import CorpusServices, corpus_services
from api.bootstrap.embedders import Embedders
from api.bootstrap.sessions import SessionServices, session_services
from api.bootstrap.tenants import TenantServices, tenant_services
from api.bootstrap.turns import TurnServices, turn_services
from api.cache.base import CacheAdmin
from api.catalogue import read_catalogue
from api.guard.off import GuardOff
from api.pipeline import Pipeline
from api.readiness import Dependency, Readiness
from api.routes.admin_parts import AdminParts
from api.routes.admin_refusals import Refusals
from api.routes.models import ModelListing
from api.routes.rag_access import Corpus
from api.settings import GatewaySettings, Settings, UpstreamSettings
from api.stages.account import Accounting
from api.stages.admit import Admission
from api.stages.rag_request import RagDefaults
from api.stages.read import Reader
from api.stages.route import Candidate, Router
from observability.metrics import MULTIPROCESS_VARIABLE, Metrics
from serving.backends.local_embeddings import LocalEmbeddings
from serving.backends.openai_http import OpenAIBackend, Timeouts
from serving.base import Backend
from serving.catalogue.base import Catalogue, Upstream
from serving.http.pool import ConnectionPool

# How long the bookkeeping of requests that shutdown has cut off may take.
_SETTLE_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Services:
    pipeline: Pipeline
    models: ModelListing
    readiness: Readiness
    metrics: Metrics
    tenants: TenantServices
    turns: TurnServices
    pool: ConnectionPool
    redis: Redis
    embedders: Embedders
    answer_cache: AnswerCacheServices
    corpus_services: CorpusServices
    sessions: SessionServices
    admin_services: AdminServices

    @property
    def admission(self) -> Admission:
        return self.pipeline.admission

    @property
    def accounting(self) -> Accounting:
        return self.pipeline.accounting

    @property
    def corpus(self) -> Corpus | None:
        """None where there is none: RAG_ENABLED=false."""
        return self.corpus_services.corpus

    @property
    def cache_admin(self) -> CacheAdmin | None:
        """None where nobody may ask it: without ADMIN_API_KEY."""
        return self.answer_cache.admin

    @property
    def admin(self) -> AdminParts | None:
        """None where nobody may change tenants and keys: without ADMIN_API_KEY."""
        return self.admin_services.parts

    @property
    def refusals(self) -> Refusals:
        return self.tenants.refusals

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start what runs in the background; on the way out settle every account before anything closes."""
        async with AsyncExitStack() as held:
            held.push_async_callback(self.redis.aclose)
            held.push_async_callback(self.pool.aclose)
            await held.enter_async_context(self.tenants.running())
            await held.enter_async_context(self.turns.running())
            await held.enter_async_context(self.admin_services.running())
            held.push_async_callback(self.embedders.aclose)
            await held.enter_async_context(self.answer_cache.running())
            await held.enter_async_context(self.corpus_services.running())
            await held.enter_async_context(self.sessions.running())
            held.push_async_callback(self._settle)
            yield

    async def _settle(self) -> None:
        """Requests that were cut off by the shutdown deadline end now; wait for them to give back what they hold."""
        deadline = asyncio.get_running_loop().time() + _SETTLE_S
        # Polled, once and at the very end: an event for it would cost every request something.
        while self.admission.in_flight and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


def build(settings: Settings) -> Services:
    """The real services of one worker process. Raises CatalogueError, LexiconError and GlossaryError."""
    catalogue, metrics = read_catalogue(settings), Metrics(_multiprocess_dir(settings.variables))
    pool = ConnectionPool(connect_timeout_s=settings.upstream.connect_timeout_s)
    embedders = Embedders(settings, metrics, pool)
    backends = _backends(catalogue, pool, embedders, settings.upstream)
    tenants, turns = tenant_services(settings, metrics, catalogue), turn_services(settings, catalogue, metrics)
    redis = Redis.from_url(settings.stores.redis_address, socket_timeout=1.0, socket_connect_timeout=1.0)
    admission, accounting = _admission(settings.gateway, tenants, metrics), _accounting(settings, tenants, metrics)
    guard, embedder = GuardOff(), embedders.for_questions
    router, sessions = _router(catalogue, backends, accounting, metrics), session_services(settings, metrics)
    cache = answer_cache(settings, metrics, tenants, embedder=embedder, router=router, admission=admission, guard=guard)
    corpus = corpus_services(settings, metrics, pool, embedder=embedder, cache=cache)
    return Services(
        pipeline=Pipeline(
            keys=tenants.keys,
            reader=Reader(catalogue, rag=rag_defaults(settings), on_other_tenant=tenants.refusals.other_tenant),
            admission=admission,
            accounting=accounting,
            memory=sessions.memory,
            grounding=corpus.grounding,
            guard=guard,
            cache=cache.cache,
            budgets=tenants.budgets,
            turns=turns.turns,
            router=router,
        ),
        models=_listing(catalogue, backends),
        readiness=_readiness(backends, tenants, redis, cache, corpus),
        metrics=metrics,
        tenants=tenants,
        turns=turns,
        pool=pool,
        redis=redis,
        embedders=embedders,
        answer_cache=cache,
        corpus_services=corpus,
        sessions=sessions,
        admin_services=admin_services(settings, catalogue, tenants),
    )


def _accounting(settings: Settings, tenants: TenantServices, metrics: Metrics) -> Accounting:
    tells = settings.ledger.cost_in_answers
    return Accounting(ledger=tenants.ledger, prices=tenants.prices, metrics=metrics, cost_in_answers=tells)


def rag_defaults(settings: Settings) -> RagDefaults:
    rag = settings.rag
    return RagDefaults(version=rag.rag_default_version, top_k=rag.rag_top_k, context_tokens=rag.rag_context_tokens)


def _router(
    catalogue: Catalogue, backends: Mapping[Upstream, Backend], accounting: Accounting, metrics: Metrics
) -> Router:
    candidates = {
        model.key: [Candidate(backends[upstream], upstream.weight) for upstream in model.upstreams]
        for model in catalogue.models
    }
    return Router(
        catalogue=catalogue, candidates=candidates, accounting=accounting, metrics=metrics, rng=random.SystemRandom()
    )


def _listing(catalogue: Catalogue, backends: Mapping[Upstream, Backend]) -> ModelListing:
    forwarding = [backends[upstream] for model in catalogue.models if model.is_wildcard for upstream in model.upstreams]
    return ModelListing(catalogue, forwarding=forwarding)


def _backends(
    catalogue: Catalogue, pool: ConnectionPool, embedders: Embedders, defaults: UpstreamSettings
) -> dict[Upstream, Backend]:
    def backend(upstream: Upstream) -> Backend:
        timeouts = _timeouts(upstream, defaults)
        if upstream.builtin is not None:
            return LocalEmbeddings(
                name=upstream.name,
                model=upstream.builtin,
                embedder=embedders.builtin,
                timeout_s=timeouts.request_s,
            )
        return OpenAIBackend(
            name=upstream.name,
            base_url=upstream.base_url,
            pool=pool,
            timeouts=timeouts,
            model=upstream.model,
            api_key=upstream.api_key,
            usage_in_chunks=upstream.usage_in_chunks,
        )

    return {upstream: backend(upstream) for model in catalogue.models for upstream in model.upstreams}


def _timeouts(upstream: Upstream, defaults: UpstreamSettings) -> Timeouts:
    own = upstream.timeouts
    return Timeouts(
        connect_s=own.connect_s or defaults.connect_timeout_s,
        first_byte_s=own.first_byte_s or defaults.first_byte_timeout_s,
        between_chunks_s=own.between_chunks_s or defaults.between_chunks_timeout_s,
        request_s=own.request_s or defaults.request_timeout_s,
    )


def _readiness(
    backends: Mapping[Upstream, Backend],
    tenants: TenantServices,
    redis: Redis,
    cache: AnswerCacheServices,
    corpus: CorpusServices,
) -> Readiness:
    async def ping() -> None:
        try:
            await redis.ping()
        except RedisConnectionError:
            await redis.ping()  # the kept connection may have ended with a Redis that is back by now

    upstreams = {f"upstream:{upstream.name}": Dependency(backend.check) for upstream, backend in backends.items()}
    stores = {"redis": Dependency(ping), "postgres": Dependency(tenants.ledger.check)}
    # The built-in model alone can answer no completion.
    engines = frozenset(f"upstream:{upstream.name}" for upstream in backends if upstream.builtin is None)
    parts = {**tenants.directory_services.dependencies, **cache.dependencies, **corpus.dependencies}
    return Readiness({**stores, **parts, **upstreams}, needs_one_of=engines, cache=cache.describe)


def _admission(gateway: GatewaySettings, tenants: TenantServices, metrics: Metrics) -> Admission:
    return Admission(
        limiter=tenants.limiter,
        metrics=metrics,
        max_in_flight=gateway.max_inflight_per_worker,
        tenant_share=gateway.max_inflight_tenant_share,
    )


def _multiprocess_dir(variables: Mapping[str, str]) -> Path | None:
    folder = variables.get(MULTIPROCESS_VARIABLE)
    return Path(folder) if folder else None

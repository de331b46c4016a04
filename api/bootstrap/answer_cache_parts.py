"""The parts of the answer cache; imported only where there is one."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from api.bootstrap.answer_cache_services import AnswerCacheServices
from api.cache.administration import CacheAdministration
from api.cache.audit.auditor import Auditor
from api.cache.audit.demotions import Demotions
from api.cache.background import BackgroundWork
from api.cache.base import CacheAdmin
from api.cache.cacheability import CacheRules
from api.cache.corpus_answers import StoredCorpusAnswers
from api.cache.explain import Explainer
from api.cache.index_choice import ChosenIndex
from api.cache.keeping import Keeping
from api.cache.last_good import LastGoodAnswers
from api.cache.reading import CacheRequestReader, TimesToLive
from api.cache.redis_counters import RedisCounters
from api.cache.redis_store import RedisEntryStore
from api.cache.reporting import Reporting
from api.cache.scope import Digests
from api.cache.semantic_cache import SemanticCache
from api.cache.semantic_tier import SemanticTier
from api.cache.single_flight import SingleFlight
from api.cache.slots.parser import SlotParser
from api.cache.slots.words.lexicon import Lexicon
from api.cache.sweeper import Sweeper
from api.guard.base import Guard
from api.readiness import Dependency
from api.settings import CacheIndex, Settings
from api.stages.admit import Admission
from api.stages.route import Router
from api.tenants.base import Prices
from observability.metrics import Metrics
from resilience.redis_link import RedisLink
from serving.embedders.base import Embedder

logger = logging.getLogger(__name__)
# A worker with more requests than this has better things to do than an audit.
_QUIET_IN_FLIGHT = 32


@dataclass(frozen=True, kw_only=True)
class CacheParts:
    settings: Settings
    metrics: Metrics
    link: RedisLink
    store: RedisEntryStore
    parser: SlotParser
    auditor: Auditor | None
    embedder: Embedder
    digests: Digests
    prices: Prices
    index: ChosenIndex | None
    """None: nothing is found by nearness."""

    def administration(self, tenants: Callable[[], Iterable[str]]) -> CacheAdmin:
        cache = self.settings.cache
        explainer = Explainer(
            parser=self.parser,
            embedder=None if self.index is None else self.embedder,
            min_cosine=cache.semantic_cache_min_cosine,
            ttl_s=cache.semantic_cache_ttl_s,
            volatile_ttl_s=cache.semantic_cache_volatile_ttl_s,
            audit=self.auditor,
        )
        return CacheAdministration(
            store=self.store,
            index=self.index,
            explainer=explainer,
            tenants=tenants,
            tenant_digest=self.digests.tenant,
            forget_audits=None if self.auditor is None else self.auditor.reset,
        )

    def services(self, admin: CacheAdmin | None) -> AnswerCacheServices:
        background, index, embedder = BackgroundWork(), self.index, self.embedder
        sweeper = Sweeper(store=self.store, index=index, link=self.link)
        starts, closes = [self.link.start, sweeper.start], [background.aclose, sweeper.aclose]
        if self.auditor is not None:
            starts.append(self.auditor.start)
            closes.insert(0, self.auditor.aclose)
        dependencies = {}
        if index is not None:
            starts += [embedder.start, index.start]
            closes.append(index.aclose)
            dependencies = {"cache-index": Dependency(index.check), "embedder": Dependency(embedder.check)}
        reporting = Reporting(self.metrics)
        semantic = None if index is None else self._semantic_tier(index, reporting)
        answers = StoredCorpusAnswers(
            store=self.store,
            forget_vectors=None if semantic is None else semantic.forget,
            background=background,
            tenant_digest=self.digests.tenant,
        )
        return AnswerCacheServices(
            cache=self._cache(background, semantic, reporting),
            corpus_answers=answers,
            parser=self.parser,
            admin=admin,
            dependencies=dependencies,
            describe=self._description,
            starts=starts,
            closes=[*closes, self.link.aclose],
        )

    def _description(self) -> Mapping[str, str]:
        if self.index is None:
            return {"index": CacheIndex.OFF.value, "embedder": "off"}
        return {"index": self.index.description, "embedder": self.embedder.name}

    def _cache(self, background: BackgroundWork, semantic: SemanticTier | None, reporting: Reporting) -> SemanticCache:
        cache, now_s = self.settings.cache, time.time
        return SemanticCache(
            reader=CacheRequestReader(
                parser=self.parser,
                digests=self.digests,
                rules=CacheRules(
                    max_temperature=cache.semantic_cache_max_temperature,
                    omitted_temperature=cache.semantic_cache_omitted_temperature,
                ),
                times_to_live=TimesToLive(
                    stable_s=cache.semantic_cache_ttl_s, volatile_s=cache.semantic_cache_volatile_ttl_s
                ),
            ),
            flights=SingleFlight(self.store, background, wait_s=cache.semantic_cache_flight_wait_s),
            semantic=semantic,
            keeping=Keeping(
                store=self.store,
                semantic=semantic,
                background=background,
                reporting=reporting,
                last_good=self._last_good(reporting),
                prices=self.prices,
                now_s=now_s,
            ),
            reporting=reporting,
            audit=self.auditor,
            now_s=now_s,
        )

    def _last_good(self, reporting: Reporting) -> LastGoodAnswers | None:
        rag = self.settings.rag
        if not rag.rag_enabled:
            return None
        return LastGoodAnswers(store=self.store, reporting=reporting, keep_s=rag.rag_fallback_ttl_s, now_s=time.time)

    def _semantic_tier(self, index: ChosenIndex, reporting: Reporting) -> SemanticTier:
        return SemanticTier(
            embedder=self.embedder,
            index=index,
            store=self.store,
            min_cosine=self.settings.cache.semantic_cache_min_cosine,
            timeout_s=self.settings.embedder.embedder_timeout_s,
            reporting=reporting,
            now_s=time.time,
        )


def parts_of(
    settings: Settings,
    metrics: Metrics,
    *,
    embedder: Embedder,
    router: Router,
    admission: Admission,
    guard: Guard,
    prices: Prices,
) -> CacheParts:
    """Raises LexiconError."""
    cache, address = settings.cache, settings.stores.redis_address
    link = RedisLink(url=address, timeout_s=cache.semantic_cache_timeout_s, on_change=_report_store)
    parser = SlotParser(Lexicon.load(cache.semantic_cache_lexicon))
    versions = (guard.policy_version, embedder.name if cache.semantic_cache_enabled else "off", parser.version)
    return CacheParts(
        settings=settings,
        metrics=metrics,
        link=link,
        store=RedisEntryStore(
            link=link, max_entries=cache.semantic_cache_max_entries, max_bytes=cache.semantic_cache_max_bytes
        ),
        parser=parser,
        auditor=_auditor(settings, metrics, link, router, admission),
        embedder=embedder,
        digests=Digests(cache.semantic_cache_secret.get_secret_value().encode(), versions=versions),
        prices=prices,
        index=_index(settings, embedder),
    )


def _auditor(
    settings: Settings, metrics: Metrics, link: RedisLink, router: Router, admission: Admission
) -> Auditor | None:
    share = settings.cache.semantic_cache_audit_share
    if not share:
        return None
    return Auditor(
        router=router,
        demotions=Demotions(counters=RedisCounters(link=link), metrics=metrics),
        metrics=metrics,
        share=share,
        rng=random.SystemRandom(),
        is_busy=lambda: admission.in_flight > _QUIET_IN_FLIGHT,
    )


def _index(settings: Settings, embedder: Embedder) -> ChosenIndex | None:
    if settings.cache.semantic_cache_index is CacheIndex.OFF or not settings.cache.semantic_cache_enabled:
        return None
    return ChosenIndex(
        choice=settings.cache.semantic_cache_index,
        redis_url=settings.stores.redis_address,
        database_url=settings.stores.database_address,
        dimensions=lambda: embedder.dimensions,
        timeout_s=settings.cache.semantic_cache_timeout_s,
    )


def _report_store(connected: bool, reason: str) -> None:  # noqa: FBT001 - the link's callback signature
    if connected:
        logger.info("the answer cache has its store")
    else:
        logger.warning("requests go on without the answer cache: Redis is away", extra={"reason": reason})

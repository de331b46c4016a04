"""Which models share engines, and whose turn it is at them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from api.fairness.base import Turns
from api.fairness.engines import Engines
from api.fairness.off import TurnsOff
from api.fairness.queue import FairTurns
from api.fairness.reporting import Reporting
from api.fairness.sharing import Sharing, report_sharing
from api.settings import Settings
from observability.metrics import Metrics
from resilience.concurrency import AdaptiveLimit
from resilience.fair_queue import FairQueue
from resilience.redis_link import RedisLink
from serving.catalogue.base import Catalogue, Model, ModelKey

# Little, for all workers begin with it: what engines cannot do waits inside them, where nobody can put it in order.
# Where they can do more it is soon more.
_FIRST_LIMIT = 16
# Nobody waits for it, and one that is late is as good as none.
_EXCHANGE_TIMEOUT_S = 0.25


@dataclass(frozen=True, kw_only=True)
class TurnServices:
    turns: Turns
    sharing: Sharing | None = None
    """None where there is nothing to share: FAIR_QUEUE_ENABLED=false, or no engines."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        if self.sharing is None:
            yield
            return
        try:
            await self.sharing.start()
            yield
        finally:
            await self.sharing.aclose()


def turn_services(settings: Settings, catalogue: Catalogue, metrics: Metrics) -> TurnServices:
    groups = _groups(settings, catalogue, metrics) if settings.fairness.fair_queue_enabled else {}
    if not groups:
        return TurnServices(turns=TurnsOff())
    link = RedisLink(
        url=settings.stores.redis_address,
        timeout_s=_EXCHANGE_TIMEOUT_S,
        on_change=partial(report_sharing, metrics),
    )
    return TurnServices(turns=FairTurns(groups), sharing=Sharing(dict.fromkeys(groups.values()), link=link))


def _groups(settings: Settings, catalogue: Catalogue, metrics: Metrics) -> dict[ModelKey, Engines]:
    groups: dict[ModelKey, Engines] = {}
    for models in sharing_engines(catalogue.models):
        names = {upstream.name for model in models for upstream in model.upstreams if upstream.builtin is None}
        if names:
            engines = _engines(settings, names, metrics)
            groups |= {model.key: engines for model in models}
    return groups


def sharing_engines(models: Iterable[Model]) -> list[list[Model]]:
    """The models in groups: those of different groups have no upstream in common."""
    groups: list[tuple[set[str], list[Model]]] = []
    for model in models:
        names, members = {upstream.name for upstream in model.upstreams}, [model]
        apart = []
        for group in groups:
            if group[0] & names:
                names |= group[0]
                members = group[1] + members
            else:
                apart.append(group)
        groups = [*apart, (names, members)]
    return [members for _, members in groups]


def _engines(settings: Settings, upstreams: Collection[str], metrics: Metrics) -> Engines:
    fairness, name = settings.fairness, "+".join(sorted(upstreams))
    adaptive = AdaptiveLimit(initial=_FIRST_LIMIT, ceiling=fairness.fair_queue_max_concurrency)
    queue = FairQueue(
        clock=time.monotonic,
        limit=adaptive.limit,
        max_waiting=fairness.fair_queue_max_waiting,
        batch_share=fairness.fair_queue_batch_share,
    )
    return Engines(
        name=name,
        upstreams=upstreams,
        queue=queue,
        adaptive=adaptive,
        reporting=Reporting(metrics, name),
        timeout_s=fairness.fair_queue_timeout_s,
        longest_call_s=settings.upstream.request_timeout_s,
    )

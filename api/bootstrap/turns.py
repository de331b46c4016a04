"""Which models share engines, and whose turn it is at them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from api.fairness.base import Turns
from api.fairness.engines import Engines
from api.fairness.off import TurnsOff
from api.fairness.queue import FairTurns
from api.fairness.reporting import Reporting
from api.settings import Settings
from observability.metrics import Metrics
from resilience.concurrency import AdaptiveLimit
from resilience.fair_queue import FairQueue
from serving.catalogue.base import Catalogue, Model

# More than a worker usually has under way, and soon less where engines cannot do as much.
_FIRST_LIMIT = 64


def fair_turns(settings: Settings, catalogue: Catalogue, metrics: Metrics) -> Turns:
    if not settings.fairness.fair_queue_enabled:
        return TurnsOff()
    engines = {}
    for models in sharing_engines(catalogue.models):
        names = {upstream.name for model in models for upstream in model.upstreams if upstream.builtin is None}
        if names:
            shared = _engines(settings, names, metrics)
            engines.update({model.key: shared for model in models})
    return FairTurns(engines)


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
    fairness = settings.fairness
    adaptive = AdaptiveLimit(initial=_FIRST_LIMIT, ceiling=fairness.fair_queue_max_concurrency)
    queue = FairQueue(
        clock=time.monotonic,
        limit=adaptive.limit,
        max_waiting=fairness.fair_queue_max_waiting,
        batch_share=fairness.fair_queue_batch_share,
    )
    return Engines(
        upstreams=upstreams,
        queue=queue,
        adaptive=adaptive,
        reporting=Reporting(metrics, "+".join(sorted(upstreams))),
        timeout_s=fairness.fair_queue_timeout_s,
        longest_call_s=settings.upstream.request_timeout_s,
    )

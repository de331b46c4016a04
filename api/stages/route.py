"""Which upstream answers: the model's own by weight, then its others, then the models that may stand in for it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from api.call import ABANDONED, Call
from api.errors import Overloaded, from_backend
from api.stages.account import Accounting
from observability.metrics import Metrics
from serving.base import Backend
from serving.catalogue.base import Catalogue, Model, ModelKey
from serving.errors import BackendError
from serving.types import EngineRequest, Reply

# An engine's time ends so long before the call's: what it did not finish is then its failure, which nobody pays for,
# and not a client that has left.
_LAST_WORDS_S = 0.05


@dataclass(frozen=True, slots=True)
class Candidate:
    """An upstream of a model, and its share of the model's traffic."""

    backend: Backend
    weight: int


class Router:
    def __init__(
        self,
        *,
        catalogue: Catalogue,
        candidates: Mapping[ModelKey, Sequence[Candidate]],
        accounting: Accounting,
        metrics: Metrics,
        rng: random.Random,
    ) -> None:
        """`candidates`: model key -> its upstreams in the catalogue's order, at least one each."""
        self._candidates = {key: tuple(backends) for key, backends in candidates.items()}
        self._chains = {model.key: (model, *catalogue.fallback_chain(model)) for model in catalogue.models}
        self._accounting = accounting
        self._metrics = metrics
        self._answered = {
            candidate.backend.name: metrics.upstream_attempts.labels(candidate.backend.name, "ok")
            for backends in self._candidates.values()
            for candidate in backends
        }
        self._rng = rng

    async def open(self, call: Call) -> Reply:
        """Open a reply with the first upstream that gives one. Raises ApiError."""
        request = _request(call)
        failure: BackendError | None = None
        for model, backend in self._attempts(call.model):
            if failure is not None and asyncio.get_running_loop().time() >= request.deadline_s:
                break
            call.engine_began_s = time.monotonic()
            call.turn.asked(backend.name)
            self._accounting.engine_asked(call, model, backend.name)
            try:
                reply = await backend.open(request)
            except asyncio.CancelledError:
                call.turn.failed(None)
                call.served_model, call.abandoned, call.outcome = model, backend.name, ABANDONED
                raise
            except BackendError as error:
                call.turn.failed(error)
                self._accounting.engine_failed(call)
                self._metrics.upstream_attempts.labels(backend.name, type(error).__name__).inc()
                if not error.retryable:
                    raise from_backend(error) from error
                failure = error
                continue
            call.turn.answered(reply)
            self._answered[backend.name].inc()
            call.served_model, call.reply = model, reply
            if not model.is_wildcard:
                call.public_model = model.name
            return reply
        if failure is None:
            raise Overloaded("the model has no engines")
        raise from_backend(failure) from failure

    def _attempts(self, model: Model) -> Iterator[tuple[Model, Backend]]:
        for stand_in in self._chains[model.key]:
            for candidate in self._ordered(self._candidates[stand_in.key]):
                yield stand_in, candidate.backend

    def _ordered(self, candidates: tuple[Candidate, ...]) -> Iterator[Candidate]:
        """The first is drawn by weight; the others follow in the catalogue's order."""
        if len(candidates) == 1:
            yield candidates[0]
            return
        first = self._rng.choices(candidates, weights=[candidate.weight for candidate in candidates])[0]
        yield first
        yield from (candidate for candidate in candidates if candidate is not first)


def _request(call: Call) -> EngineRequest:
    return EngineRequest(
        endpoint=call.endpoint,
        body=call.body,
        stream=call.streams,
        request_id=call.request_id,
        choices=call.request.choices,
        deadline_s=call.deadline_s - _LAST_WORDS_S,
    )

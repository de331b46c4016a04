"""Whether a call may use an engine now: room in this worker, then the key's requests and tokens."""

from __future__ import annotations

from api.call import Call, Caller
from api.errors import Overloaded, RateLimited
from observability.metrics import Metrics
from resilience.limiter.base import LimitDecision, RateLimiter, Reservation
from resilience.limiter.headers import limit_headers
from resilience.shared_places import SharedPlaces
from serving.types import Held


class Admission:
    def __init__(
        self, *, limiter: RateLimiter, metrics: Metrics, max_in_flight: int, tenant_share: float = 1.0
    ) -> None:
        """`tenant_share`: of the `max_in_flight` places, those that a tenant gets that is alone."""
        self._limiter = limiter
        self._metrics = metrics
        self._places = SharedPlaces(max_in_flight, owner_share=tenant_share)

    @property
    def in_flight(self) -> int:
        return self._places.taken

    def enter(self, tenant: str, held: Held) -> None:
        """Take a place in this worker, given back when `held` is released. Raises Overloaded.

        Before the body is read, so that the places bound what bodies take of memory too.
        """
        refusal = self._places.take(tenant)
        if refusal is not None:
            self._metrics.places_refused.labels("worker" if refusal == "all" else "tenant").inc()
            whose = "" if refusal == "all" else " of this tenant"
            raise Overloaded(f"the gateway is serving as many requests{whose} as it can, try again shortly")
        self._metrics.in_flight.inc()
        held.callback(self._leave, tenant)

    async def admit(self, call: Call, held: Held) -> None:
        """Spend a request and reserve its tokens; what was not used comes back with `held`. Raises RateLimited."""
        window = call.caller.windows[0]
        decision = await self._limiter.reserve(window.key, window.quota, call.reserved_tokens)
        call.limits = decision
        if decision.reservation is None:
            raise self._refused(call.caller, call.reserved_tokens, decision)
        held.callback(self._settle, call, decision.reservation)

    async def spend(self, caller: Caller, tokens: int) -> LimitDecision:
        """Spend a request and these tokens, for what no engine has a part in. Raises RateLimited."""
        window = caller.windows[0]
        decision = await self._limiter.reserve(window.key, window.quota, tokens)
        if decision.reservation is None:
            raise self._refused(caller, tokens, decision)
        self._limiter.settle(decision.reservation, tokens)
        return decision

    def _leave(self, tenant: str) -> None:
        self._places.give_back(tenant)
        self._metrics.in_flight.dec()

    def _settle(self, call: Call, reservation: Reservation) -> None:
        usage = call.billed_usage()
        self._limiter.settle(reservation, 0 if usage is None else usage.total_tokens)

    def _refused(self, caller: Caller, tokens: int, decision: LimitDecision) -> RateLimited:
        limit = decision.refused_by or "requests"
        self._metrics.rate_limited.labels(caller.tenant, limit).inc()
        headers = wire_headers(decision)
        if decision.impossible:
            message = (
                f"Request too large: it may use {tokens} tokens, "
                f"and the limit is {decision.limit_tokens} tokens per minute."
            )
            return RateLimited(message, limit=limit, headers=[*headers, (b"x-should-retry", b"false")])
        allowed = decision.limit_requests if limit == "requests" else decision.limit_tokens
        message = f"Rate limit reached: {allowed} {limit} per minute. Try again in {decision.retry_after_s or 0:.1f} s."
        return RateLimited(message, limit=limit, headers=headers)


def wire_headers(decision: LimitDecision) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in limit_headers(decision).items()]

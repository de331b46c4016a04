"""Whether a call may use an engine now: room in this worker, then the requests and tokens of its windows."""

from __future__ import annotations

from api.call import Call, Caller
from api.errors import Overloaded, RateLimited
from observability.metrics import Metrics
from resilience.limiter.base import LimitDecision, RateLimiter, Reservation, WindowKind
from resilience.limiter.headers import format_duration, limit_headers
from resilience.shared_places import SharedPlaces
from serving.types import Held

_WHOSE = {
    WindowKind.KEY: "this API key",
    WindowKind.TENANT: "tenant {tenant}",
    WindowKind.MODEL: "model {model} in tenant {tenant}",
}


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
        """Spend a request and reserve its tokens in the windows of the caller and of the model, by its name in the
        catalogue; what was not used comes back with `held`. Raises RateLimited.
        """
        caller, windows = call.caller, call.caller.windows
        if caller.model_windows:
            windows += caller.model_windows.get(call.model.name, ())
        decision = await self._limiter.reserve(windows, call.reserved_tokens)
        call.limits = decision
        if decision.reservation is None:
            raise self._refused(caller, call.reserved_tokens, decision, model=call.model.name)
        held.callback(self._settle, call, decision.reservation)

    async def spend(self, caller: Caller, tokens: int) -> LimitDecision:
        """Spend a request and these tokens, for what no engine has a part in. Raises RateLimited."""
        decision = await self._limiter.reserve(caller.windows, tokens)
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

    def _refused(self, caller: Caller, tokens: int, decision: LimitDecision, *, model: str = "") -> RateLimited:
        limit = decision.refused_by or "requests"
        kind = WindowKind.KEY if decision.refused_in is None else decision.refused_in.kind
        self._metrics.rate_limited.labels(caller.tenant, limit, kind.value).inc()
        headers = wire_headers(decision)
        whose = _WHOSE[kind].format(tenant=caller.tenant, model=model)
        # OpenAI's words, which some clients look into.
        if decision.impossible:
            message = (
                f"Request too large for {whose} on tokens per min (TPM): Limit {decision.limit_tokens}, "
                f"Requested {tokens}. The input or output tokens must be reduced in order to run successfully."
            )
            return RateLimited(message, limit=limit, headers=[*headers, (b"x-should-retry", b"false")])
        unit, allowed, requested = (
            ("requests per min (RPM)", decision.limit_requests, 1)
            if limit == "requests"
            else ("tokens per min (TPM)", decision.limit_tokens, tokens)
        )
        when = format_duration(decision.retry_after_s or 0)
        message = (
            f"Rate limit reached for {whose} on {unit}: Limit {allowed}, Requested {requested}. "
            f"Please try again in {when}."
        )
        return RateLimited(message, limit=limit, headers=headers)


wire_headers = limit_headers

"""In-memory ends of the pipeline's seams, which write down what happened to them and can be told to stop or fail."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from api.call import Call, Caller
from api.stages.account import Accounting
from api.stages.read import Reader
from api.stages.route import Candidate, Router
from api.tenants.base import UsageRow
from api.tenants.off import CataloguePrices
from observability.metrics import Metrics
from resilience.limiter.base import LimitDecision, Limited, LimiterState, Quota, Reservation, Window
from serving.base import Backend
from serving.catalogue.base import Catalogue, Model, ModelKind, Price, Upstream
from serving.errors import BackendError
from serving.types import Endpoint, EngineRequest, Held, Json, Reply, StreamReply, Usage, WholeReply
from tests.unit.api.held_mark import Mark
from tests.unit.api.known_keys import keys_of

QUOTA = Quota(requests_per_min=100, tokens_per_min=10_000)
KEY = "key-1"
USAGE: Json = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}
CHAT: Json = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}


class Journal:
    """What happened, in order; `stop_at` a name waits there for ever, `fail_at` raises there."""

    def __init__(self, *, stop_at: str = "", fail_at: str = "", error: Exception | None = None) -> None:
        self.entries: list[str] = []
        self.stopped = asyncio.Event()
        self._stop_at = stop_at
        self._fail_at = fail_at
        self._error = error or RuntimeError("told to fail")

    async def reach(self, name: str) -> None:
        self.entries.append(name)
        await asyncio.sleep(0)
        if name == self._stop_at:
            self.stopped.set()
            await asyncio.Event().wait()
        if name == self._fail_at:
            raise self._error


@dataclass
class MemoryLimiter:
    """Grants everything, unless told what to refuse; remembers what has not been settled."""

    journal: Journal = field(default_factory=Journal)
    refuse: Limited | None = None
    impossible: bool = False
    open: list[Reservation] = field(default_factory=list)
    settled: list[tuple[Reservation, int]] = field(default_factory=list)
    state: LimiterState = LimiterState.SHARED

    async def start(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    async def reserve(self, windows: Sequence[Window], tokens: int) -> LimitDecision:
        await self.journal.reach("reserve")
        refused = self.refuse or ("tokens" if self.impossible else None)
        reservation = None if refused else Reservation(windows, tokens, 0)
        quota = windows[-1].quota
        if reservation is not None:
            self.open.append(reservation)
        return LimitDecision(
            allowed=refused is None,
            reservation=reservation,
            refused_by=refused,
            refused_in=windows[-1] if refused else None,
            impossible=self.impossible,
            limit_requests=quota.requests_per_min,
            remaining_requests=quota.requests_per_min - 1,
            reset_requests_s=1.0,
            limit_tokens=quota.tokens_per_min,
            remaining_tokens=quota.tokens_per_min - tokens,
            reset_tokens_s=1.0,
            retry_after_s=2.5 if refused and not self.impossible else None,
        )

    def settle(self, reservation: Reservation, used_tokens: int) -> None:
        self.journal.entries.append("settle")
        self.open.remove(reservation)
        self.settled.append((reservation, used_tokens))


@dataclass
class MemoryLedger:
    journal: Journal = field(default_factory=Journal)
    rows: list[UsageRow] = field(default_factory=list)
    under_way: dict[str, tuple[UsageRow, Usage]] = field(default_factory=dict)
    """What would be written if the worker was killed now."""

    def record(self, row: UsageRow) -> None:
        self.journal.entries.append("bill")
        self.rows.append(row)
        self.under_way.pop(row.id, None)

    async def keep(self, row: UsageRow) -> None:
        await self.journal.reach("keep")
        self.rows.append(row)
        self.under_way.pop(row.id, None)

    def begin(self, row: UsageRow) -> None:
        self.under_way[row.id] = (row, Usage(prompt_tokens=row.prompt_tokens))

    def progress(self, row_id: str, usage: Usage) -> None:
        row, _ = self.under_way[row_id]
        self.under_way[row_id] = (row, usage)

    def withdraw(self, row_id: str) -> None:
        self.under_way.pop(row_id, None)


class MemoryBackend:
    """Answers with `outcome`: an error to raise, a body, or the batches of a stream (an error ends them)."""

    def __init__(self, name: str, outcome: BackendError | Json | Sequence[Any], journal: Journal | None = None) -> None:
        self._name = name
        self.outcome = outcome
        self.journal = journal or Journal()
        self.requests: list[EngineRequest] = []
        self.closed = 0

    @property
    def name(self) -> str:
        return self._name

    async def open(self, request: EngineRequest) -> Reply:
        self.requests.append(request)
        await self.journal.reach("open")
        if isinstance(self.outcome, BackendError):
            raise self.outcome
        held = Held()
        held.callback(self._close)
        if isinstance(self.outcome, dict):
            body = msgspec.json.decode(msgspec.json.encode(self.outcome))
            usage = Usage.from_wire(body.get("usage"))
            return WholeReply(upstream=self._name, body=body, usage=usage).holding(held)
        return StreamReply(upstream=self._name, frames=self._frames(self.outcome)).holding(held)

    async def check(self) -> None:
        pass

    async def models(self) -> list[Json]:
        if isinstance(self.outcome, BackendError):
            raise self.outcome
        await self.journal.reach("models")
        return [{"id": "theirs"}]

    async def _frames(self, batches: Sequence[Any]) -> AsyncIterator[list[Json]]:
        for batch in batches:
            await self.journal.reach("frame")
            if isinstance(batch, Exception):
                raise batch
            yield msgspec.json.decode(msgspec.json.encode(batch))

    def _close(self) -> None:
        self.journal.entries.append("close upstream")
        self.closed += 1


@dataclass
class StoppingKeys:
    journal: Journal
    known: dict[str, str] = field(default_factory=lambda: {KEY: "finsight"})

    async def authenticate(self, token: str | None) -> Caller:
        await self.journal.reach("authenticate")
        return await keys_of(self.known, quota=QUOTA).authenticate(token)


@dataclass
class StoppingGuard:
    journal: Journal
    waits: bool = False
    policy_version: str = "none"
    turns: int = 0
    """How often it lets others run before it decides."""

    async def check(self, call: Call) -> None:  # noqa: ARG002 - the protocol's signature
        for _ in range(self.turns):
            await asyncio.sleep(0)
        await self.journal.reach("guard")


@dataclass
class StoppingCache:
    journal: Journal
    answer: Reply | None = None
    stale: Reply | None = None
    held: Mark | None = None
    """Held for the call from the moment of its look-up on."""

    async def get(self, call: Call, held: Held) -> Reply | None:  # noqa: ARG002 - the protocol's signature
        if self.held is not None:
            self.held.hold_with(held)
        await self.journal.reach("cache")
        return self.answer

    def keep(self, call: Call, reply: Reply) -> Reply:  # noqa: ARG002 - the protocol's signature
        return reply

    async def fallback(self, call: Call) -> Reply | None:  # noqa: ARG002 - the protocol's signature
        await self.journal.reach("fallback")
        return self.stale


def upstream(name: str, *, weight: int = 1) -> Upstream:
    return Upstream(name=name, base_url=f"http://{name}/v1", model="theirs", weight=weight)


def model(name: str, *upstreams: Upstream, kind: ModelKind = ModelKind.CHAT, fallbacks: tuple[str, ...] = ()) -> Model:
    return Model(
        name=name,
        version="1.0",
        kind=kind,
        upstreams=upstreams or (upstream(f"{name}-1"),),
        fallbacks=fallbacks,
        aliases=(f"{name}-alias",) if name != "*" else (),
        context_tokens=4096,
        max_output_tokens=1000,
        default_output_tokens=50,
        price=Price(prefill=1.0, decode=10.0, cached=0.1),
        created=1,
        owned_by="us",
    )


def catalogue(*models: Model, default: str | None = None) -> Catalogue:
    chat = [one.name for one in models if one.kind is ModelKind.CHAT and not one.is_wildcard]
    first = chat[0] if chat else None
    return Catalogue(models=models, default_model=default or first, default_embedding_model=None)


def accounting(ledger: MemoryLedger | None = None, metrics: Metrics | None = None, **options: Any) -> Accounting:
    return Accounting(
        ledger=ledger or MemoryLedger(), prices=CataloguePrices(), metrics=metrics or Metrics(), **options
    )


def router(
    offered: Catalogue,
    backends: Sequence[Backend],
    *,
    books: Accounting | None = None,
    metrics: Metrics | None = None,
    seed: int = 1,
) -> Router:
    by_name = {backend.name: backend for backend in backends}
    candidates = {
        one.key: [Candidate(by_name[each.name], each.weight) for each in one.upstreams] for one in offered.models
    }
    return Router(
        catalogue=offered,
        candidates=candidates,
        accounting=books or accounting(),
        metrics=metrics or Metrics(),
        rng=random.Random(seed),  # noqa: S311 - a load balancer's dice
    )


def call(body: Json | bytes = CHAT, *, endpoint: Endpoint = Endpoint.CHAT, journal: Journal | None = None) -> Call:
    """A call as it enters the pipeline."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)

    async def read_body() -> bytes:
        if journal is not None:
            await journal.reach("read")
        return raw

    return Call(endpoint=endpoint, request_id="req-1", arrived_s=time.monotonic(), token=KEY, read_body=read_body)


async def read_call(body: Json | bytes = CHAT, *, offered: Catalogue, endpoint: Endpoint = Endpoint.CHAT) -> Call:
    """A call that has passed authentication and reading."""
    entered = call(body, endpoint=endpoint)
    entered.caller = await keys_of({KEY: "finsight"}, quota=QUOTA).authenticate(KEY)
    await Reader(offered).read(entered)
    return entered

"""A whole pipeline with the answer cache in it: the real parser and guard, in-memory stores, an engine that echoes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from api.cache.background import BackgroundWork
from api.cache.base import HitAudit
from api.cache.cacheability import CacheRules
from api.cache.keeping import Keeping
from api.cache.last_good import LastGoodAnswers
from api.cache.reading import CacheRequestReader, TimesToLive
from api.cache.reporting import Reporting
from api.cache.scope import Digests
from api.cache.semantic_cache import SemanticCache
from api.cache.semantic_tier import SemanticTier
from api.cache.single_flight import SingleFlight
from api.cache.slots.parser import SlotParser
from api.cache.slots.words.lexicon import Lexicon
from api.call import Call
from api.fairness.off import TurnsOff
from api.grounding.off import GroundingOff
from api.pipeline import Pipeline
from api.sessions.off import MemoryOff
from api.stages.account import Accounting
from api.stages.admit import Admission
from api.stages.read import Reader
from api.tenants.base import Prices
from api.tenants.off import BudgetsOff, CataloguePrices
from observability.metrics import Metrics
from serving.catalogue.base import ModelKind
from serving.errors import BackendError
from serving.types import Endpoint, EngineRequest, Held, Json, Reply, StreamReply, Usage, WholeReply
from tests.unit.api.cache.fakes import Clock, MemoryIndex, MemoryStore, OneNumberEmbedder
from tests.unit.api.fakes import QUOTA, MemoryLedger, MemoryLimiter, call, catalogue, model, router
from tests.unit.api.known_keys import keys_of

PARSER = SlotParser(Lexicon.load(None))
KEYS = {"key-1": "finsight", "key-2": "finsight", "key-3": "other"}
KEEP_LAST_GOOD_S = 604_800.0
USAGE: Json = {"prompt_tokens": 7, "completion_tokens": 3}
Q3 = "What was Apple's revenue in Q3 2024?"
Q4 = "What was Apple's revenue in Q4 2024?"
# The same question in words that leave the same slots.
SAME_AS_Q3 = "apple revenue q3 2024"
# And one that says a little more, for which the guard alone has no eye.
ALIKE = "What was Apple's exact revenue in Q3 2024?"


def asked(question: str = Q3, **fields: Any) -> Json:
    return {"messages": [{"role": "user", "content": question}], "temperature": 0, **fields}


class EchoEngine:
    """Says back the question, so that a wrong hit is visible; can be told to wait, fail, or end otherwise."""

    def __init__(self, name: str = "fast-1") -> None:
        self.name = name
        self.requests: list[EngineRequest] = []
        self.closed = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.error: BackendError | None = None
        self.finish_reason = "stop"
        self.breaks_off: Exception | None = None

    async def open(self, request: EngineRequest) -> Reply:
        self.requests.append(request)
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        held = Held()
        held.callback(self._close)
        asked = request.body
        question = asked.get("prompt") or (asked.get("messages") or [{"content": ""}])[-1]["content"]
        if request.endpoint is Endpoint.EMBEDDINGS:
            return WholeReply(upstream=self.name, body={"data": [], "choices": []}).holding(held)
        text = f"{self.name} was asked: {question}"
        if request.stream:
            return StreamReply(upstream=self.name, frames=self._frames(request.endpoint, text)).holding(held)
        said = {"message": {"role": "assistant", "content": text}}
        choice = {"index": 0, "finish_reason": self.finish_reason}
        choice |= {"text": text} if request.endpoint is Endpoint.COMPLETIONS else said
        body = {"id": "theirs", "choices": [choice], "usage": dict(USAGE)}
        return WholeReply(upstream=self.name, body=body, usage=Usage.from_wire(USAGE)).holding(held)

    async def check(self) -> None:
        pass

    async def models(self) -> list[Json]:
        return []

    async def _frames(self, endpoint: Endpoint, text: str) -> AsyncIterator[list[Json]]:
        is_chat = endpoint is Endpoint.CHAT
        for word in text.split(" "):
            part: Json = {"delta": {"content": f"{word} "}} if is_chat else {"text": f"{word} "}
            yield [{"id": "theirs", "choices": [{"index": 0, **part, "finish_reason": None}]}]
            await asyncio.sleep(0)
        if self.breaks_off is not None:
            raise self.breaks_off
        last: Json = {"delta": {}} if is_chat else {"text": ""}
        yield [{"id": "theirs", "choices": [{"index": 0, **last, "finish_reason": self.finish_reason}]}]
        yield [{"id": "theirs", "choices": [], "usage": dict(USAGE)}]

    def _close(self) -> None:
        self.closed += 1


class Answer:
    """What a client got, and how."""

    def __init__(self, call: Call, reply: Reply, frames: list[Json]) -> None:
        self.call = call
        self.upstream = reply.upstream
        self.status = call.cache_status
        if isinstance(reply, WholeReply):
            frames = [reply.body]
        parts = [choice for frame in frames for choice in frame["choices"]]
        texts = [each.get("text") or each.get("delta", each.get("message", {})).get("content") for each in parts]
        self.text = "".join(text or "" for text in texts).strip()
        self.frames = frames
        self.usage = next((frame["usage"] for frame in frames if frame.get("usage")), None)
        self.id = frames[0].get("id")


class CachedHouse:
    def __init__(
        self,
        *,
        audit: HitAudit | None = None,
        wait_s: float = 20.0,
        semantic: bool = True,
        engine: EchoEngine | None = None,
        prices: Prices | None = None,
    ) -> None:
        self.clock = Clock()
        self.prices = prices or CataloguePrices()
        self.store = MemoryStore(self.clock)
        self.index = MemoryIndex()
        self.embedder = OneNumberEmbedder()
        self.engine, self.stand_in = engine or EchoEngine(), EchoEngine("slow-1")
        self.metrics = Metrics()
        self.limiter = MemoryLimiter()
        self.ledger = MemoryLedger()
        self.background = BackgroundWork()
        self.admission = Admission(limiter=self.limiter, metrics=self.metrics, max_in_flight=1000)
        self.digests = Digests(b"", versions=("none", self.embedder.name, PARSER.version))
        embedding = model("some-embedding", kind=ModelKind.EMBEDDING)
        offered = catalogue(model("fast", fallbacks=("slow",)), model("slow"), model("*"), embedding)
        others = [EchoEngine("*-1"), EchoEngine("some-embedding-1")]
        books = Accounting(ledger=self.ledger, prices=self.prices, metrics=self.metrics)
        self.pipeline = Pipeline(
            keys=keys_of(KEYS, quota=QUOTA),
            reader=Reader(offered),
            admission=self.admission,
            accounting=books,
            memory=MemoryOff(),
            grounding=GroundingOff(),
            guard=_Open(),
            cache=self._cache(audit, wait_s, semantic=semantic),
            budgets=BudgetsOff(),
            turns=TurnsOff(),
            router=router(offered, [self.engine, self.stand_in, *others], books=books, metrics=self.metrics),
        )

    async def ask(
        self,
        body: Json | None = None,
        *,
        key: str = "key-1",
        endpoint: Endpoint = Endpoint.CHAT,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        leave: bool = False,
    ) -> Answer:
        """A whole call to its end, `leave` in the middle of its stream; and then what goes on in the background."""
        asking = call(asked() if body is None else msgspec.json.encode(body), endpoint=endpoint)
        asking.token, asking.headers = key, headers
        reply = await self.pipeline.serve(asking)
        frames: list[Json] = []
        try:
            if isinstance(reply, StreamReply):
                async for batch in reply:
                    frames += batch
                    if leave:
                        break
        finally:
            reply.close()
        await self.settle()
        return Answer(asking, reply, frames)

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def counted(self, name: str, **labels: str) -> float:
        value = 0.0
        for line in self.metrics.exposition().decode().splitlines():
            found = line.startswith((f"{name}{{", f"{name} ")) and all(f'{k}="{v}"' in line for k, v in labels.items())
            value += float(line.rpartition(" ")[2]) if found else 0.0
        return value

    @property
    def holds_nothing(self) -> bool:
        return self.admission.in_flight == 0 and self.limiter.open == [] and self.store.leases == {}

    def _cache(self, audit: HitAudit | None, wait_s: float, *, semantic: bool) -> SemanticCache:
        reporting = Reporting(self.metrics)
        tier = SemanticTier(
            embedder=self.embedder,
            index=self.index,
            store=self.store,
            min_cosine=0.92,
            timeout_s=1.0,
            reporting=reporting,
            now_s=self.clock,
        )
        return SemanticCache(
            reader=CacheRequestReader(
                parser=PARSER,
                digests=self.digests,
                rules=CacheRules(max_temperature=0.3, omitted_temperature=True),
                times_to_live=TimesToLive(stable_s=86_400, volatile_s=300),
            ),
            flights=SingleFlight(self.store, self.background, wait_s=wait_s),
            semantic=tier if semantic else None,
            keeping=Keeping(
                store=self.store,
                semantic=tier if semantic else None,
                background=self.background,
                reporting=reporting,
                last_good=LastGoodAnswers(
                    store=self.store, reporting=reporting, keep_s=KEEP_LAST_GOOD_S, now_s=self.clock
                ),
                prices=self.prices,
                now_s=self.clock,
            ),
            reporting=reporting,
            audit=audit,
            now_s=self.clock,
        )


class _Open:
    policy_version = "none"
    waits = False

    async def check(self, call: Call) -> None:
        pass

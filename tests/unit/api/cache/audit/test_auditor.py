from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.cache.audit.auditor import Auditor
from api.cache.audit.demotions import Demotions
from api.cache.slots.types import Slots
from api.cache.types import CacheStatus, Entry
from api.cache.volatility import question_class
from api.call import Call
from api.errors import ApiError, Overloaded
from api.schemas.parse import check_request
from observability.metrics import Metrics
from serving.catalogue.base import Model, ModelKind, Price, Upstream
from serving.types import Endpoint, Json, Reply, WholeReply
from tests.unit.api.cache.audit.memory_counters import MemoryCounters
from tests.unit.api.fakes import CHAT

SLOTS = Slots(question_type="what", entities=("acme",), metrics=("revenue",), in_domain=True)
CLASS = question_class(SLOTS)
MODEL = Model(
    name="m",
    kind=ModelKind.CHAT,
    version="1",
    upstreams=(Upstream(name="a", base_url="http://a.test/v1"),),
    price=Price(prefill=0.0, decode=0.0, cached=0.0),
    context_tokens=1000,
    max_output_tokens=100,
    default_output_tokens=10,
    created=0,
    owned_by="us",
)


def answer(text: str) -> Json:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def entry(text: str = "It was $5bn.", slots: Slots | None = SLOTS, model: str = "m") -> Entry:
    return Entry(
        id="e",
        tenant="t",
        scope="s",
        exact_key="x",
        canonical_key=None,
        slots=slots,
        answer=answer(text),
        upstream="a",
        model=model,
        model_version="1",
        cost_usd=0.0,
        created_at_s=0.0,
        expires_at_s=1.0,
    )


def call(**fields: Any) -> Call:
    async def read_body() -> bytes:
        return b""

    made = Call(
        endpoint=Endpoint.CHAT, request_id="r", arrived_s=time.monotonic(), token="key", read_body=read_body, headers=()
    )
    made.body = {**CHAT, "model": "m", **fields}
    made.request, made.model, made.public_model = check_request(Endpoint.CHAT, made.body), MODEL, "m"
    return made


@dataclass
class ScriptedEngine:
    text: str = "It was $9bn."
    error: ApiError | None = None
    gate: asyncio.Event | None = None
    calls: list[Call] = field(default_factory=list)
    closed: int = 0

    async def open(self, call: Call) -> Reply:
        self.calls.append(call)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        reply = WholeReply(upstream="a", body=answer(self.text))
        reply._held.callback(self._close)
        call.served_model = MODEL
        return reply

    def _close(self) -> None:
        self.closed += 1


class Fixture:
    def __init__(self, *, share: float = 1.0, busy: bool = False, engine: ScriptedEngine | None = None) -> None:
        self.engine = engine or ScriptedEngine()
        self.counters = MemoryCounters()
        self.metrics = Metrics()
        self.busy = busy
        self.auditor = Auditor(
            router=self.engine,
            demotions=Demotions(counters=self.counters, metrics=self.metrics),
            metrics=self.metrics,
            share=share,
            rng=random.Random(1),  # noqa: S311 - only draws which hits
            is_busy=lambda: self.busy,
        )

    async def consider(self, status: CacheStatus = CacheStatus.SEMANTIC, **fields: Any) -> None:
        """One hit, and its audit to the end if there is one."""
        self.auditor.consider(call(), fields.get("entry", entry()), status)
        await self.end()

    async def end(self) -> None:
        """Of the audit that is under way."""
        while (audit := self.auditor._audit) is not None:
            await asyncio.wait([audit])

    def verdicts(self) -> dict[str, float]:
        samples = [s for m in self.metrics.cache_audits.collect() for s in m.samples if s.name.endswith("_total")]
        return {sample.labels["verdict"]: sample.value for sample in samples}

    def counts(self) -> dict[str, int]:
        return {
            key: n
            for name, day in self.counters.totals.items()
            if name.startswith("audit:day")
            for key, n in day.items()
        }


@pytest.mark.parametrize("status", [CacheStatus.EXACT, CacheStatus.CANONICAL, CacheStatus.SEMANTIC])
async def test_a_hit_is_asked_again_and_booked_by_class_and_tier(status: CacheStatus) -> None:
    fixture = Fixture()
    await fixture.consider(status)
    assert fixture.verdicts() == {"differ": 1}
    assert fixture.counts() == {f"{CLASS}|{status.value}:audits": 1, f"{CLASS}|{status.value}:wrong": 1}
    assert fixture.engine.closed == 1


async def test_three_wrong_hits_by_nearness_demote_their_class() -> None:
    fixture = Fixture()
    for _ in range(3):
        assert not fixture.auditor.is_demoted(CLASS)
        await fixture.consider()
    assert fixture.auditor.is_demoted(CLASS)
    assert not fixture.auditor.is_demoted("why/metric")
    await fixture.auditor.reset()
    assert not fixture.auditor.is_demoted(CLASS)


async def test_wrong_canonical_hits_demote_nothing() -> None:
    fixture = Fixture()
    for _ in range(5):
        await fixture.consider(CacheStatus.CANONICAL)
    assert not fixture.auditor.is_demoted(CLASS)


async def test_an_answer_that_agrees_is_booked_as_right() -> None:
    fixture = Fixture(engine=ScriptedEngine(text="Revenue came to 5.0 billion dollars."))
    await fixture.consider()
    assert fixture.verdicts() == {"agree": 1}
    assert fixture.counts() == {f"{CLASS}|semantic:audits": 1}


@pytest.mark.parametrize(
    ("engine", "hit"),
    [
        (ScriptedEngine(error=Overloaded("no")), entry()),
        (ScriptedEngine(text=""), entry()),
        (ScriptedEngine(), entry(model="another")),
        (ScriptedEngine(text="I cannot say."), entry()),
    ],
)
async def test_what_cannot_be_compared_is_undecided_and_not_booked(engine: ScriptedEngine, hit: Entry) -> None:
    fixture = Fixture(engine=engine)
    await fixture.consider(entry=hit)
    assert fixture.verdicts() == {"undecided": 1}
    assert fixture.counts() == {}


async def test_the_engine_gets_the_same_request_for_a_whole_answer() -> None:
    fixture = Fixture()
    asked = call(stream=True, stream_options={"include_usage": True}, temperature=0.1)
    before = dict(asked.body)
    fixture.auditor.consider(asked, entry(), CacheStatus.SEMANTIC)
    await asyncio.sleep(0)
    (again,) = fixture.engine.calls
    assert again is not asked
    assert again.request_id.startswith("audit-")
    assert again.body == {**CHAT, "model": "m", "temperature": 0.1, "stream": False}
    assert not again.streams
    assert asked.body == before
    await fixture.auditor.aclose()


@pytest.mark.parametrize("status", [CacheStatus.MISS, CacheStatus.BYPASS])
async def test_only_hits_are_audited(status: CacheStatus) -> None:
    fixture = Fixture()
    await fixture.consider(status)
    assert fixture.engine.calls == []


async def test_an_answer_without_slots_is_not_audited() -> None:
    fixture = Fixture()
    await fixture.consider(entry=entry(slots=None))
    assert fixture.engine.calls == []


async def test_a_busy_worker_audits_nothing() -> None:
    fixture = Fixture(busy=True)
    await fixture.consider()
    assert fixture.engine.calls == []


async def test_a_share_of_the_hits_is_audited() -> None:
    fixture = Fixture(share=0.1, engine=ScriptedEngine(text="It was $5bn."))
    for _ in range(1000):
        await fixture.consider()
    assert 60 <= len(fixture.engine.calls) <= 140  # four standard deviations, and the generator has a seed


async def test_one_audit_at_a_time() -> None:
    gate = asyncio.Event()
    fixture = Fixture(engine=ScriptedEngine(gate=gate))
    for _ in range(10):
        fixture.auditor.consider(call(), entry(), CacheStatus.SEMANTIC)
        await asyncio.sleep(0)
    assert len(fixture.engine.calls) == 1
    gate.set()
    await fixture.end()
    await fixture.consider()
    assert len(fixture.engine.calls) == 2


async def test_closing_ends_the_audit_that_is_under_way() -> None:
    fixture = Fixture(engine=ScriptedEngine(gate=asyncio.Event()))
    await fixture.auditor.start()
    fixture.auditor.consider(call(), entry(), CacheStatus.SEMANTIC)
    await asyncio.sleep(0)
    await fixture.auditor.aclose()
    await fixture.consider()
    assert len(fixture.engine.calls) == 1
    assert fixture.verdicts() == {}


async def test_a_mistake_in_an_audit_is_logged_and_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    fixture = Fixture()
    broken = call()
    broken.body = {"messages": "no"}
    fixture.auditor.consider(broken, entry(), CacheStatus.SEMANTIC)
    await fixture.end()
    assert "an audit of the cache failed" in caplog.text
    await fixture.consider()
    assert fixture.verdicts() == {"differ": 1}


async def test_without_redis_an_audit_is_lost_quietly(caplog: pytest.LogCaptureFixture) -> None:
    fixture = Fixture()
    fixture.counters.away = True
    await fixture.consider()
    assert fixture.verdicts() == {"differ": 1}
    assert "failed" not in caplog.text


async def test_no_word_of_question_or_answer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    fixture = Fixture(engine=ScriptedEngine(text="Zanzibar made $9bn."))
    for _ in range(3):
        await fixture.consider(entry=entry("Zanzibar made $5bn."))
    said = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "nearness" in said
    assert "Zanzibar" not in said
    assert "5bn" not in said

"""What goes on the bill, to the token, and into the metrics."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import asdict
from prometheus_client.parser import text_string_to_metric_families

from api.cache.types import CacheStatus
from api.call import Call
from api.stages.account import Accounting
from api.tenants.base import Prices
from api.tenants.off import CataloguePrices
from api.tenants.types import NANO_PER_USD, Saving
from observability.metrics import Metrics
from serving.catalogue.base import Model, Price
from serving.types import Held, StreamReply, Usage, WholeReply
from tests.unit.api.fakes import CHAT, MemoryLedger, call, catalogue, model, read_call


class Books:
    def __init__(self, prices: Prices | None = None) -> None:
        self.ledger = MemoryLedger()
        self.metrics = Metrics()
        self.accounting = Accounting(ledger=self.ledger, prices=prices or CataloguePrices(), metrics=self.metrics)

    def total(self, name: str, **labels: str) -> float:
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.metrics.exposition().decode())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


async def answered(usage: Usage | None, *, stream: bool = False, chunks: int = 0) -> Call:
    offered = catalogue(model("fast"))
    served = await read_call({**CHAT, "stream": stream}, offered=offered)
    served.served_model = served.model
    if stream:
        served.reply = StreamReply(upstream="near", frames=_no_frames(), usage=usage, produced_chunks=chunks)
    else:
        served.reply = WholeReply(upstream="near", body={}, usage=usage)
    return served


async def _no_frames() -> Any:
    return
    yield


@pytest.mark.parametrize(
    ("usage", "cost_usd"),
    [
        (Usage(prompt_tokens=1_000_000), 1.0),
        (Usage(completion_tokens=1_000_000), 10.0),
        (Usage(prompt_tokens=1_000_000, cached_tokens=1_000_000), 0.1),
        (Usage(prompt_tokens=300, cached_tokens=100, completion_tokens=50), (200 * 1 + 100 * 0.1 + 50 * 10) / 1e6),
        (Usage(), 0.0),
    ],
)
async def test_the_price_is_that_of_computed_cached_and_written_tokens(usage: Usage, cost_usd: float) -> None:
    books = Books()
    books.accounting.record(await answered(usage))
    [row] = books.ledger.rows
    assert row.cost_usd == Decimal(str(round(cost_usd, 9)))
    assert (row.prompt_tokens, row.cached_tokens, row.completion_tokens) == (
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.completion_tokens,
    )
    assert not row.estimated
    assert books.total("gateway_tokens_total", kind="prefill") == usage.prompt_tokens - usage.cached_tokens
    assert books.total("gateway_tokens_total", kind="cached") == usage.cached_tokens
    assert books.total("gateway_tokens_total", kind="decode") == usage.completion_tokens
    assert books.total("gateway_cost_usd_total") == pytest.approx(cost_usd)


async def test_a_row_says_who_asked_for_what_and_what_came_of_it() -> None:
    books = Books()
    served = await answered(Usage(prompt_tokens=1, completion_tokens=1), stream=True)
    served.first_output_s = served.arrived_s + 0.25
    served.outcome = "cancelled"
    books.accounting.record(served)
    [row] = books.ledger.rows
    assert (row.tenant, row.key_id, row.request_id) == ("finsight", served.caller.key_id, "req-1")
    assert (row.endpoint, row.model, row.model_version, row.upstream) == ("chat/completions", "fast", "1.0", "near")
    assert (row.streamed, row.outcome) == (True, "cancelled")
    assert row.time_to_first_token_s == pytest.approx(0.25)
    assert row.duration_s >= 0


async def test_every_call_has_one_row_with_an_id_of_its_own() -> None:
    books = Books()
    for _ in range(100):
        held = Held()
        served = await answered(Usage(prompt_tokens=1))
        books.accounting.admitted(served, held)
        await books.accounting.keep(served)
        books.accounting.record(served)
        held.release()
    assert len({row.id for row in books.ledger.rows}) == len(books.ledger.rows) == 100


async def test_what_is_owed_does_not_change_once_somebody_has_asked() -> None:
    books = Books()
    served = await answered(Usage(prompt_tokens=1_000_000))
    bill = served.make_bill(CataloguePrices().price_of)
    assert bill.cost_nano == NANO_PER_USD
    assert served.reply is not None
    served.reply.usage = Usage(prompt_tokens=2)
    books.accounting.record(served)
    assert books.ledger.rows[0].cost_usd == 1
    assert books.ledger.rows[0].prompt_tokens == 1_000_000


async def test_a_row_is_of_the_moment_in_which_the_call_arrived_and_has_the_prices_of_then() -> None:
    class ByTheHour:
        def price_of(self, model: Model, at: datetime) -> Price:  # noqa: ARG002 - the same for all
            return Price(prefill=at.hour, decode=0.000001, cached=0.1)

    books = Books(ByTheHour())
    served = await answered(Usage(prompt_tokens=7))
    served.arrived_at_s = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC).timestamp()
    books.accounting.record(served)
    [row] = books.ledger.rows
    assert row.occurred_at == datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    assert row.cost_usd == Decimal("0.000161")
    prices = (row.prefill_price_usd, row.decode_price_usd, row.cached_price_usd)
    assert prices == (Decimal(23), Decimal("0.000001"), Decimal("0.1"))


async def test_a_stored_answer_costs_nothing_and_says_what_it_has_spared() -> None:
    books = Books()
    served = await read_call(offered=catalogue(model("fast")))
    served.cache_status = CacheStatus.CANONICAL
    served.saving = Saving(tokens=12, cost_nano=345)
    books.accounting.record(served)
    [row] = books.ledger.rows
    assert (row.upstream, row.cache_tier, row.cost_usd) == ("", "canonical", Decimal(0))
    assert (row.saved_tokens, row.saved_usd) == (12, Decimal("0.000000345"))
    assert (row.prompt_tokens, row.completion_tokens, row.engine_s) == (0, 0, None)


@pytest.mark.parametrize(("stream", "chunks", "completion"), [(True, 12, 12), (True, 0, 0), (False, 0, 0)])
async def test_without_a_report_of_the_engine_the_bill_is_an_estimate(
    stream: bool, chunks: int, completion: int
) -> None:
    books = Books()
    served = await answered(None, stream=stream, chunks=chunks)
    books.accounting.record(served)
    [row] = books.ledger.rows
    assert row.estimated
    assert (row.prompt_tokens, row.completion_tokens) == (served.prompt_tokens, completion)


ONE_BIG_CHUNK = "Hello you " * 160
SMALL_CHUNKS = ["a"] * 100
ACCENTS = ["Zürich ", "and ", "日本 "] * 20


@pytest.mark.parametrize(
    ("pieces", "tokens"),
    [([ONE_BIG_CHUNK], 401), (["Hello ", "you "] * 160, 401), (SMALL_CHUNKS, 100), (ACCENTS, 127), ([], 0)],
    ids=["one chunk", "words", "letters", "accents", "nothing"],
)
async def test_a_cut_stream_owes_what_a_whole_answer_would(pieces: list[str], tokens: int) -> None:
    async def frames() -> Any:
        for piece in pieces:
            yield [{"choices": [{"delta": {"content": piece}}]}]

    cut, whole = await answered(None, stream=True), await answered(None)
    cut.reply = StreamReply(upstream="near", frames=frames())
    assert [batch async for batch in cut.reply] or not pieces
    whole.reply = WholeReply(upstream="near", body={"choices": [{"message": {"content": "".join(pieces)}}]})
    owed, owed_whole = cut.billed_usage(), whole.billed_usage()
    assert owed is not None
    assert owed_whole is not None
    assert owed.completion_tokens == tokens
    assert owed.estimated
    # Never less than a token for each chunk, and else the same.
    assert owed.completion_tokens == max(owed_whole.completion_tokens, len(pieces))


@pytest.mark.parametrize(("is_cut", "completion"), [(True, 6), (False, 9)])
async def test_of_several_choices_a_cut_stream_owes_all_that_were_written(is_cut: bool, completion: int) -> None:
    """As vLLM says it to clients that want usage in each chunk: for the chunk's choice alone, at the end for all."""

    async def frames() -> Any:
        for token in (1, 2, 3):
            for index in (0, 1):
                usage = {"prompt_tokens": 7, "completion_tokens": token}
                yield [{"choices": [{"index": index, "delta": {"content": "a"}}], "usage": usage}]
        if not is_cut:
            yield [{"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 9}}]

    served = await read_call({**CHAT, "stream": True, "n": 2}, offered=catalogue(model("fast")))
    served.served_model, served.reply = served.model, StreamReply(upstream="near", frames=frames())
    assert [batch async for batch in served.reply]
    assert served.billed_usage() == Usage(prompt_tokens=7, completion_tokens=completion, estimated=is_cut)


async def test_what_no_engine_answered_owes_nothing() -> None:
    books = Books()
    served = await read_call(offered=catalogue(model("fast")))
    served.outcome = "server_is_overloaded"
    books.accounting.record(served)
    [row] = books.ledger.rows
    assert (row.outcome, row.upstream, row.cost_usd, row.prompt_tokens) == ("server_is_overloaded", "", Decimal(0), 0)
    assert books.total("gateway_tokens_total") == 0


async def test_a_stand_in_is_billed_at_its_own_price() -> None:
    books = Books()
    served = await answered(Usage(prompt_tokens=1))
    served.served_model = model("slow")
    books.accounting.record(served)
    assert books.ledger.rows[0].model == "slow"
    assert books.total("gateway_tokens_total", model="slow") == 1


async def test_a_call_that_ended_is_counted_by_what_came_of_it() -> None:
    books = Books()
    for outcome in ("ok", "ok", "cancelled"):
        ended = await answered(Usage())
        ended.outcome = outcome
        books.accounting.observe(ended)
    labels = {"route": "chat/completions", "model": "fast", "tenant": "finsight"}
    assert books.total("gateway_requests_total", outcome="ok", **labels) == 2
    assert books.total("gateway_requests_total", outcome="cancelled", **labels) == 1
    assert books.total("gateway_request_duration_seconds_count", model="fast") == 3
    assert books.total("gateway_time_to_first_token_seconds_count") == 0


async def test_the_first_output_is_timed_once_it_came() -> None:
    books = Books()
    ended = await answered(Usage())
    ended.first_output_s = ended.arrived_s + 0.05
    books.accounting.observe(ended)
    assert books.total("gateway_time_to_first_token_seconds_count", model="fast") == 1
    assert books.total("gateway_time_to_first_token_seconds_sum") == pytest.approx(0.05)


async def test_no_label_takes_what_a_client_made_up() -> None:
    books = Books()
    forwarded = await read_call({**CHAT, "model": "invented-by-a-client"}, offered=catalogue(model("fast"), model("*")))
    forwarded.served_model = forwarded.model
    forwarded.reply = WholeReply(upstream="near", body={}, usage=Usage(prompt_tokens=1))
    for ended in (call(), forwarded):
        books.accounting.observe(ended)
    books.accounting.record(forwarded)
    text = books.metrics.exposition().decode()
    assert "invented" not in text
    assert 'model="other"' in text
    assert books.total("gateway_requests_total", model="none", tenant="none") == 1


@pytest.mark.parametrize("stands_in", [False, True])
async def test_a_row_that_was_begun_ends_as_one_that_was_not(stands_in: bool) -> None:
    """Whichever model was asked before, and whatever was written down of it."""
    rows = []
    for begins in (True, False):
        books = Books()
        served = await answered(Usage(prompt_tokens=7, cached_tokens=2, completion_tokens=5), stream=True)
        served.ledger_id, served.queue_s = "0" * 32, 0.5
        if begins:
            books.accounting.engine_asked(served, served.model, "far")
            books.accounting.engine_asked(served, served.model, "near")
        served.engine_began_s = served.first_output_s = served.arrived_s + 0.25
        if stands_in:
            served.served_model = replace(model("slow"), version="9", price=Price(prefill=4.0, decode=5.0, cached=1.0))
        served.outcome = "cancelled"
        books.accounting.record(served)
        rows += [asdict(row) for row in books.ledger.rows]
    begun, new = rows
    for row in rows:
        assert row.pop("duration_s") >= 0
        assert row.pop("engine_s") is not None
        assert row.pop("occurred_at")
    assert begun == new
    assert (begun["model"], begun["upstream"]) == ("slow" if stands_in else "fast", "near")

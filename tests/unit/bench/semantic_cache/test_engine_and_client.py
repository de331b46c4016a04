"""The echoing engine over real sockets, asked by the client that the benchmark measures with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import uvicorn

from bench.exchange import together
from bench.load import LoadError
from bench.semantic_cache.client import Client, chat, connected, read_content
from bench.semantic_cache.engine import EchoEngine
from scripts.embedded.ports import free_port


@pytest.fixture
async def engine() -> AsyncIterator[tuple[EchoEngine, int]]:
    application, port = EchoEngine(), free_port()
    config = uvicorn.Config(application, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield application, port
    server.should_exit = True
    await serving


@pytest.fixture
async def client(engine: tuple[EchoEngine, int]) -> AsyncIterator[Client]:
    async with connected(port=engine[1], key="k", connections=2) as client:
        yield client


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_says_which_call_it_is_from_when_and_to_what(client: Client, *, stream: bool) -> None:
    before = time.time()
    first = await client.ask(chat("one “quoted” question?", system="s", model="m", stream=stream))
    second = await client.ask(chat("another", system="s", model="m", stream=stream))
    assert [first.question, second.question] == ["one “quoted” question?", "another"]
    assert [first.call, second.call] == [1, 2]
    assert before <= first.sent_s <= first.engine_s <= first.received_s <= second.sent_s
    assert first.latency_s > 0
    assert (first.tier, first.is_hit) == ("off", False)


async def test_more_questions_than_connections_wait_for_their_turn(
    client: Client, engine: tuple[EchoEngine, int]
) -> None:
    questions = [f"question {number}" for number in range(20)]
    answers = await asyncio.gather(*(client.ask(chat(text, system="s", model="m")) for text in questions))
    assert [answer.question for answer in answers] == questions
    assert engine[0].calls == len({answer.call for answer in answers}) == 20


async def test_a_refusal_is_told_with_its_reason(client: Client) -> None:
    with pytest.raises(LoadError, match="status 500"):
        await client.ask({"model": "m", "messages": []})


async def test_a_port_where_nobody_listens() -> None:
    with pytest.raises(LoadError, match="refused connection 1"):
        async with connected(port=free_port(), key="k"):
            pass


async def test_the_first_that_fails_ends_the_others_and_is_told_as_it_is() -> None:
    ended = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fails() -> None:
        raise LoadError("status 500")

    with pytest.raises(LoadError, match=r"^status 500$"):
        await together([waits(), fails()])
    assert ended.is_set()


def test_an_answer_of_another_engine_is_none() -> None:
    with pytest.raises(LoadError, match="not an answer of the echoing engine"):
        read_content("Revenue was 4.2 billion.")

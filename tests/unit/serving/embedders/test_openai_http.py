"""What a server may answer, and what becomes of it; over real HTTP: tests/integration/serving/embedders."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import Callable
from typing import Any

import pytest

from serving.embedders.base import EmbedderTimeout, EmbedderUnavailable
from serving.embedders.openai_http import OpenAIEmbedder
from serving.errors import BackendOverloaded, BackendRejected, BackendTimeout, BackendUnavailable
from serving.types import EngineRequest, Json, Reply, WholeReply

Data = list[Any]


def entry(index: int, *numbers: float) -> Json:
    return {"object": "embedding", "index": index, "embedding": list(numbers)}


def well(texts: list[str]) -> Data:
    return [entry(index, 3.0, 4.0) for index in range(len(texts))]


class Server:
    """Answers with what `answer` makes of the texts, or raises it."""

    name = "embedder"

    def __init__(self) -> None:
        self.answer: Callable[[list[str]], Data] | Exception = well
        self.asked: list[list[str]] = []
        self.most_at_once = self.at_once = 0
        self.closed = 0
        self.takes_s = 0.0

    async def open(self, request: EngineRequest) -> Reply:
        self.asked.append(list(request.body["input"]))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.at_once -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        reply = WholeReply(upstream=self.name, body={"data": self.answer(self.asked[-1])})
        reply._held.callback(self.note_closed)
        return reply

    def note_closed(self) -> None:
        self.closed += 1

    async def check(self) -> None:
        if isinstance(self.answer, Exception):
            raise self.answer

    async def models(self) -> list[Json]:
        return []


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def embedder(server: Server) -> OpenAIEmbedder:
    made = OpenAIEmbedder(backend=server, model="theirs")
    await made.start()
    server.asked.clear()
    return made


async def test_vectors_are_scaled_to_length_1(embedder: OpenAIEmbedder) -> None:
    (vector,) = await embedder.embed(["a"], timeout_s=1)
    assert struct.unpack("<2f", vector) == pytest.approx((0.6, 0.8))
    assert (embedder.name, embedder.dimensions) == ("theirs/openai", 2)


async def test_the_servers_order_does_not_matter(embedder: OpenAIEmbedder, server: Server) -> None:
    server.answer = lambda _texts: [entry(1, 0.0, 1.0), entry(0, 1.0, 0.0)]
    first, second = await embedder.embed(["a", "b"], timeout_s=1)
    assert (struct.unpack("<2f", first), struct.unpack("<2f", second)) == ((1.0, 0.0), (0.0, 1.0))


async def test_base64_is_understood_too(embedder: OpenAIEmbedder, server: Server) -> None:
    raw = base64.b64encode(struct.pack("<2f", 0.0, 2.0)).decode()
    server.answer = lambda _texts: [{"index": 0, "embedding": raw}]
    assert await embedder.embed(["a"], timeout_s=1) == [struct.pack("<2f", 0.0, 1.0)]


@pytest.mark.parametrize(
    "data",
    [
        [],
        [entry(0, 1.0, 0.0)],
        [entry(0, 1.0, 0.0), entry(0, 1.0, 0.0)],
        [entry(0, 1.0, 0.0), entry(2, 1.0, 0.0)],
        [entry(0, 1.0, 0.0), entry(1, 1.0)],
        [entry(0, 1.0, 0.0), entry(1)],
        [entry(0, 1.0, 0.0, 0.0), entry(1, 1.0, 0.0, 0.0)],
        [entry(0, 1.0, 0.0), entry(1, 0.0, 0.0)],
        [entry(0, 1.0, 0.0), entry(1, float("nan"), 0.0)],
        [entry(0, 1.0, 0.0), {"index": 1}],
        [entry(0, 1.0, 0.0), {"index": 1, "embedding": "not base64!"}],
        [entry(0, 1.0, 0.0), {"index": 1, "embedding": ["x", "y"]}],
        [entry(0, 1.0, 0.0), {"index": "one", "embedding": [1.0, 0.0]}],
    ],
)
async def test_vectors_that_make_no_sense_are_no_vectors(embedder: OpenAIEmbedder, server: Server, data: Data) -> None:
    server.answer = lambda _texts: data
    with pytest.raises(EmbedderUnavailable, match="theirs's server sent vectors that make no sense"):
        await embedder.embed(["a", "b"], timeout_s=1)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (BackendTimeout("late", upstream="embedder"), EmbedderTimeout),
        (BackendUnavailable("away", upstream="embedder"), EmbedderUnavailable),
        (BackendOverloaded("busy", upstream="embedder"), EmbedderUnavailable),
        (BackendRejected("too long", upstream="embedder", status=400, error={}), EmbedderUnavailable),
    ],
)
async def test_a_server_that_fails_is_an_embedder_that_fails(
    embedder: OpenAIEmbedder, server: Server, failure: Exception, expected: type[Exception]
) -> None:
    server.answer = failure
    with pytest.raises(expected):
        await embedder.embed(["a"], timeout_s=1)


async def test_a_slow_server_is_given_up(embedder: OpenAIEmbedder, server: Server) -> None:
    server.takes_s = 30.0
    with pytest.raises(EmbedderTimeout, match=r"theirs had no vector within 0\.02 s"):
        await embedder.embed(["a"], timeout_s=0.02)
    assert server.at_once == 0


async def test_many_texts_are_several_requests(embedder: OpenAIEmbedder, server: Server) -> None:
    assert len(await embedder.embed([str(number) for number in range(150)], timeout_s=5)) == 150
    assert [len(texts) for texts in server.asked] == [64, 64, 22]
    assert server.closed == 4  # with that of the start


async def test_bulk_calls_wait_for_each_other_and_questions_for_nobody(
    embedder: OpenAIEmbedder, server: Server
) -> None:
    server.takes_s = 0.01
    await asyncio.gather(*(embedder.embed(["b"], timeout_s=30, bulk=True) for _ in range(4)))
    assert server.most_at_once == 1
    await asyncio.gather(*(embedder.embed(["q"], timeout_s=30) for _ in range(4)))
    assert server.most_at_once == 4


async def test_half_characters_and_no_text_are_sent_as_what_servers_take(
    embedder: OpenAIEmbedder, server: Server
) -> None:
    await embedder.embed(["\ud83d!", ""], timeout_s=1)
    assert server.asked == [["?!", " "]]


async def test_a_server_that_comes_later_is_found(server: Server) -> None:
    server.answer = BackendUnavailable("away", upstream="embedder")
    embedder = OpenAIEmbedder(backend=server, model="theirs")
    for attempt in (embedder.start(), embedder.check(), embedder.embed(["a"], timeout_s=1)):
        with pytest.raises(EmbedderUnavailable):
            await attempt
    server.answer = well
    await embedder.check()
    assert len(await embedder.embed(["a"], timeout_s=1)) == 1

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from serving.backends.local_embeddings import LocalEmbeddings
from serving.embedders.base import EmbedderTimeout, EmbedderUnavailable
from serving.errors import BackendRejected, BackendTimeout, BackendUnavailable
from serving.types import Endpoint, EngineRequest, Usage, WholeReply


class Lengths:
    """An embedder whose vectors tell the length of the text, so that their order can be seen."""

    name = "lengths/exact"
    dimensions = 2

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.calls: list[tuple[Sequence[str], bool]] = []

    async def start(self) -> None:
        await self.check()

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        await self.check()
        self.calls.append((texts, bulk))
        assert timeout_s == 30.0
        return [struct.pack("<2f", len(text), 0.5) for text in texts]

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) + 2 for text in texts]

    async def check(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def aclose(self) -> None:
        pass


def backend(embedder: Lengths) -> LocalEmbeddings:
    return LocalEmbeddings(name="builtin", model="lengths", embedder=embedder, timeout_s=30.0)


def request(body: Mapping[str, Any], endpoint: Endpoint = Endpoint.EMBEDDINGS) -> EngineRequest:
    return EngineRequest(endpoint=endpoint, body=body, stream=False, request_id="r", choices=0)


async def answer(body: Mapping[str, Any], embedder: Lengths | None = None) -> WholeReply:
    reply = await backend(embedder or Lengths()).open(request(body))
    assert isinstance(reply, WholeReply)
    return reply


async def test_one_text_gives_one_vector_of_numbers() -> None:
    reply = await answer({"model": "mine", "input": "two words"})
    assert reply.body == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [9.0, 0.5]}],
        "model": "lengths",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }
    assert reply.usage == Usage(prompt_tokens=4)
    assert reply.upstream == "builtin"


async def test_texts_come_back_in_their_order_by_the_bulk_lane() -> None:
    embedder = Lengths()
    reply = await answer({"input": ["a", "bbb", "bb"]}, embedder)
    assert [entry["embedding"][0] for entry in reply.body["data"]] == [1.0, 3.0, 2.0]
    assert [entry["index"] for entry in reply.body["data"]] == [0, 1, 2]
    assert embedder.calls == [(["a", "bbb", "bb"], True)]
    assert reply.usage == Usage(prompt_tokens=9)


async def test_base64_is_the_numbers_as_little_endian_float32() -> None:
    reply = await answer({"input": "abc", "encoding_format": "base64"})
    (entry,) = reply.body["data"]
    assert struct.unpack("<2f", base64.b64decode(entry["embedding"])) == (3.0, 0.5)


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"input": [1, 2, 3]}, "input", "lengths takes no token ids"),
        ({"input": [[1], [2]]}, "input", "lengths takes no token ids"),
        ({"input": []}, "input", "must be a string or an array of strings"),
        ({}, "input", "must be a string or an array of strings"),
        ({"input": ["a"] * 2049}, "input", "input holds 2049 texts: at most 2048 are allowed"),
        ({"input": "a", "dimensions": 128}, "dimensions", "dimensions is 128: lengths has 2 and no others"),
    ],
)
async def test_what_it_cannot_do_is_refused_with_the_parameter(body: dict[str, Any], param: str, message: str) -> None:
    embedder = Lengths()
    with pytest.raises(BackendRejected, match=message) as caught:
        await answer(body, embedder)
    assert caught.value.status == 400
    assert caught.value.error["param"] == param
    assert embedder.calls == []


async def test_its_own_dimensions_may_be_named() -> None:
    assert (await answer({"input": "a", "dimensions": 2})).body["data"]


async def test_completions_are_refused() -> None:
    with pytest.raises(BackendRejected, match="only makes embeddings"):
        await backend(Lengths()).open(request({"messages": []}, Endpoint.CHAT))


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(EmbedderTimeout("late"), BackendTimeout), (EmbedderUnavailable("no model"), BackendUnavailable)],
)
async def test_an_embedder_that_fails_is_an_engine_that_fails(failure: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected, match=str(failure)):
        await answer({"input": "a"}, Lengths(failure))


async def test_the_check_says_what_is_missing() -> None:
    await backend(Lengths()).check()
    with pytest.raises(BackendUnavailable, match="no model"):
        await backend(Lengths(EmbedderUnavailable("no model"))).check()

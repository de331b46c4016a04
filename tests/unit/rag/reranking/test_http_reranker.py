from __future__ import annotations

import pytest

from rag.base import RerankError
from rag.reranking.http_reranker import HttpReranker
from rag.types import StandaloneQuestion
from tests.unit.rag.passages import passage

QUESTION = StandaloneQuestion(text="What is it?", search_text="what", words=("what",))
PASSAGES = [passage(1, "one", headings=("Head",)), passage(2, "two"), passage(3, "three")]


class Server:
    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[tuple[str, object, float]] = []

    async def post(self, path: str, body: object, *, timeout_s: float) -> object:
        self.asked.append((path, body, timeout_s))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def reranker(server: Server, model: str = "bge") -> HttpReranker:
    return HttpReranker(server=server, model=model, timeout_s=0.5)


async def test_it_asks_as_such_servers_want_to_be_asked_and_orders_by_their_scores() -> None:
    server = Server({"results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.95}]})
    found = await reranker(server).rerank(QUESTION, PASSAGES, count=2)
    assert [(one.chunk_id, one.score) for one in found] == [(1, 0.95), (3, 0.9)]
    assert server.asked == [
        (
            "/rerank",
            {
                "query": "What is it?",
                "documents": ["Title > Head\none", "Title\ntwo", "Title\nthree"],
                "top_n": 2,
                "model": "bge",
            },
            0.5,
        )
    ]


async def test_a_server_with_one_model_is_told_none() -> None:
    server = Server({"results": [{"index": 0, "relevance_score": 1}]})
    await reranker(server, model="").rerank(QUESTION, PASSAGES, count=2)
    [(_, body, _)] = server.asked
    assert isinstance(body, dict)
    assert "model" not in body


async def test_more_than_asked_for_is_cut() -> None:
    server = Server({"results": [{"index": index, "relevance_score": index} for index in range(3)]})
    assert [one.chunk_id for one in await reranker(server).rerank(QUESTION, PASSAGES, count=2)] == [3, 2]


@pytest.mark.parametrize(
    "answer",
    [
        TimeoutError("late"),
        ConnectionRefusedError("away"),
        None,
        [],
        {},
        {"results": "none"},
        {"results": []},
        {"results": [None]},
        {"results": [{"index": 3, "relevance_score": 1.0}]},
        {"results": [{"index": -1, "relevance_score": 1.0}]},
        {"results": [{"index": True, "relevance_score": 1.0}]},
        {"results": [{"index": 0, "relevance_score": "high"}]},
        {"results": [{"index": 0, "relevance_score": 1.0}, {"index": 0, "relevance_score": 0.5}]},
    ],
)
async def test_what_cannot_be_used_is_an_error_of_the_reranker(answer: object) -> None:
    with pytest.raises(RerankError):
        await reranker(Server(answer)).rerank(QUESTION, PASSAGES, count=2)

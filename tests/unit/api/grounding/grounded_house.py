"""The house with the answer cache, and a small corpus in memory behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from api.cache.corpus_answers import StoredCorpusAnswers
from api.grounding.corpus import CorpusGrounding
from rag.errors import CorpusUnavailable, EmbedderMismatch, UnknownCollection
from rag.types import Collection, Passage, RagRequest, RagVersion, Retrieved, StandaloneQuestion
from serving.errors import BackendUnavailable
from serving.mock_llm.answers import answer
from serving.mock_llm.prompts import Turn
from serving.types import EngineRequest, Held, Json, Reply, StreamReply, Usage, WholeReply
from tests.unit.api.cache.cached_house import PARSER, USAGE, Answer, CachedHouse, EchoEngine
from tests.unit.rag.passages import passage

QUESTION = "What was Aldermoor's revenue in Q3 2024?"
SENTENCE = "Aldermoor reported revenue of $412.6 million in Q3 2024."
PASSAGES = (
    passage(1, SENTENCE, title="Aldermoor Q3 2024", document_id="doc_1"),
    passage(2, "Aldermoor reported revenue of $431.0 million in Q4 2024.", title="Aldermoor Q4 2024"),
)


def body(question: str = QUESTION, *, version: str = "v4", **fields: Any) -> Json:
    return {
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "rag": {"collection": "reports", "version": version},
        **fields,
    }


@dataclass
class MemoryCorpus:
    """The collections of one tenant."""

    away: bool = False
    versions: dict[str, int] = field(default_factory=lambda: {"reports": 3})
    tenant: str = "finsight"

    async def collection(self, tenant: str, name: str) -> Collection:
        if self.away:
            raise CorpusUnavailable("away")
        if tenant != self.tenant or name not in self.versions:
            raise UnknownCollection(name)
        return Collection(
            id=1,
            name=name,
            embedder="memory",
            dimensions=2,
            version=self.versions[name],
            documents=1,
            chunks=2,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )


@dataclass
class MemoryRetriever:
    """Finds what it is told to, and completes what it is told to."""

    corpus: MemoryCorpus
    passages: Sequence[Passage] = PASSAGES
    complete: dict[str, str] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    mismatch: bool = False
    earlier: list[Sequence[str]] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)

    def understand(self, request: RagRequest, question: str, earlier: Sequence[str]) -> StandaloneQuestion:
        self.earlier.append(list(earlier))
        text = question if request.version is RagVersion.V1 else self.complete.get(question, question)
        return StandaloneQuestion(text=text, search_text=text, words=())

    async def retrieve(
        self,
        tenant: str,
        collection: Collection,
        request: RagRequest,
        question: StandaloneQuestion,
    ) -> Retrieved:
        assert tenant == self.corpus.tenant
        self.searched.append(question.text)
        if self.corpus.away:
            raise CorpusUnavailable("away")
        if self.mismatch:
            raise EmbedderMismatch(collection=collection.name, stored="other", current="memory")
        return Retrieved(passages=tuple(self.passages[: request.top_k]), degraded=self.degraded)


class ReadingEngine(EchoEngine):
    """Answers from the passages in the prompt, in few characters at a time; or says what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.says: str | None = None
        self.step = 7

    async def open(self, request: EngineRequest) -> Reply:
        if self.error is not None:
            raise self.error
        self.requests.append(request)
        turns = [Turn(message["role"], str(message.get("content"))) for message in request.body["messages"]]
        text = answer(turns) if self.says is None else self.says
        held = Held()
        if request.stream:
            return StreamReply(upstream=self.name, frames=self._pieces(text, request.choices)).holding(held)
        choices = [
            {"index": n, "message": {"role": "assistant", "content": text}, "finish_reason": self.finish_reason}
            for n in range(request.choices)
        ]
        answered = {"id": "theirs", "choices": choices, "usage": dict(USAGE)}
        return WholeReply(upstream=self.name, body=answered, usage=Usage.from_wire(USAGE)).holding(held)

    async def _pieces(self, text: str, choices: int) -> Any:
        for start in range(0, len(text), self.step):
            piece = text[start : start + self.step]
            yield [
                {"id": "theirs", "choices": [{"index": n, "delta": {"content": piece}, "finish_reason": None}]}
                for n in range(choices)
            ]
        for n in range(choices):
            yield [{"id": "theirs", "choices": [{"index": n, "delta": {}, "finish_reason": self.finish_reason}]}]
        yield [{"id": "theirs", "choices": [], "usage": dict(USAGE)}]


class GroundedHouse(CachedHouse):
    def __init__(self, *, with_cache: bool = True) -> None:
        self.reading = ReadingEngine()
        super().__init__(engine=self.reading)
        self.corpus = MemoryCorpus()
        self.retriever = MemoryRetriever(self.corpus)
        self.answers = StoredCorpusAnswers(
            store=self.store, forget_vectors=None, background=self.background, tenant_digest=self.digests.tenant
        )
        grounding = CorpusGrounding(
            store=self.corpus,  # type: ignore[arg-type]  # the part of it that is asked
            retriever=self.retriever,
            pack=lambda passages: passages[:3],
            parser=PARSER if with_cache else None,
            rewriter_version="rules-1",
            metrics=self.metrics,
        )
        self.pipeline = replace(self.pipeline, grounding=grounding)

    async def asked(self, question: str = QUESTION, **options: Any) -> Answer:
        headers = options.pop("headers", ())
        key = options.pop("key", "key-1")
        return await self.ask(body(question, **options), headers=headers, key=key)


def conversation(*said: str, system: str | None = None) -> list[Json]:
    roles = ("user", "assistant")
    messages = [{"role": roles[place % 2], "content": text} for place, text in enumerate(said)]
    return messages if system is None else [{"role": "system", "content": system}, *messages]


def break_engines(house: GroundedHouse, error: Any = None) -> None:
    house.reading.error = error or BackendUnavailable("gone", upstream="fast-1")
    house.stand_in.error = error or BackendUnavailable("gone", upstream="slow-1")

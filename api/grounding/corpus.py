"""Answers from a private corpus: what is asked, what is found, what is cited."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from api.cache.base import QuestionParser
from api.call import Call
from api.corpus_errors import from_rag
from api.errors import CorpusAway
from api.grounding.citing import CitedStream, cite_whole
from api.grounding.conversation import asked_messages, questions_before, recent, text_of
from api.grounding.known_collections import KnownCollections
from api.schemas.tokens import estimated_tokens
from observability.metrics import Metrics
from rag.base import CorpusStore, Retriever
from rag.citations import MarkOutcome
from rag.errors import CorpusUnavailable, RagError, UnknownCollection
from rag.prompts import grounded_messages
from rag.types import Collection, Passage, RagRequest, RagVersion
from serving.types import Json, Reply, StreamReply, WholeReply

logger = logging.getLogger(__name__)
_PARAM = "rag.collection"
_RETRY_S = 2.0
Pack = Callable[[Sequence[Passage]], Sequence[Passage]]
"""As many of them as the budget of tokens holds."""


class CorpusGrounding:
    """Belongs to one event loop."""

    def __init__(
        self,
        *,
        store: CorpusStore,
        retriever: Retriever,
        pack: Pack,
        parser: QuestionParser | None,
        rewriter_version: str,
        metrics: Metrics,
    ) -> None:
        """`parser`: of the answer cache; None where there is none."""
        self._store = store
        self._retriever = retriever
        self._pack = pack
        self._parser = parser
        self._rewriter_version = rewriter_version
        self._known = KnownCollections()
        self._corpus_away = metrics.rag_degraded.labels("corpus")
        self._marks = {outcome: metrics.rag_citations.labels(outcome.value) for outcome in MarkOutcome}

    async def prepare(self, call: Call) -> None:
        rag = _request(call)
        messages = call.body["messages"]
        earlier = recent(call.earlier_questions) or questions_before(messages)
        call.standalone = self._retriever.understand(rag, text_of(messages[-1]), earlier)
        call.collection = await self._collection(call, rag)
        if call.collection is not None:
            call.corpus_version = f"{rag.collection}@{call.collection.version}"
        if rag.version is RagVersion.V4:
            call.asked = {**call.body, "messages": asked_messages(messages, call.standalone, self._parser)}
            call.asked["rag"] = {
                "collection": rag.collection,
                "version": rag.version.value,
                "top_k": rag.top_k,
                "rewriter": self._rewriter_version,
            }
            if not call.standalone.complete:
                # Passages are looked for with more than it says, of which the messages need not have anything: a
                # conversation that a session remembers may have had no room in the prompt.
                call.asked["rag"]["searched"] = call.standalone.search_text

    async def ground(self, call: Call) -> None:
        rag, collection, question = _request(call), call.collection, call.standalone
        if collection is None or question is None:
            raise CorpusAway("The documents cannot be reached now, try again shortly.", retry_after_s=_RETRY_S)
        try:
            found = await self._retriever.retrieve(call.caller.tenant, collection, rag, question)
        except RagError as error:
            raise from_rag(error, collection_param=_PARAM) from error
        is_packed = rag.version is RagVersion.V4
        passages = tuple(self._pack(found.passages) if is_packed else found.passages)
        call.retrieved = replace(found, passages=passages)
        call.rag_degraded += found.degraded
        # The same as the cache compares, so that no answer owes anything to what it does not know of.
        messages: list[Json] = (call.asked or call.body)["messages"]
        grounded = grounded_messages(messages, question.text, passages)
        call.body = {**call.body, "messages": grounded}
        call.prompt_tokens += estimated_tokens(grounded[-1]["content"])

    def cite(self, call: Call, reply: Reply) -> Reply:
        if call.retrieved is None or call.rag is None:
            return reply
        passages, checks = call.retrieved.passages, call.rag.version is RagVersion.V4
        try:
            if isinstance(reply, StreamReply):
                reply.frames = CitedStream(reply.frames, passages, checks=checks, on_marks=self._count)
            elif isinstance(reply, WholeReply):
                cite_whole(reply.body, passages, checks=checks, on_marks=self._count)
        except Exception:
            logger.exception("citations could not be read")
        return reply

    async def _collection(self, call: Call, rag: RagRequest) -> Collection | None:
        """As it is now, or while the store is away as this worker knew it last."""
        tenant = call.caller.tenant
        try:
            collection = await self._store.collection(tenant, rag.collection)
        except UnknownCollection as error:
            self._known.forget(tenant, rag.collection)
            raise from_rag(error, collection_param=_PARAM) from error
        except CorpusUnavailable:
            call.rag_degraded += ("corpus",)
            self._corpus_away.inc()
            return self._known.recall(tenant, rag.collection)
        self._known.learn(tenant, collection)
        return collection

    def _count(self, outcomes: Counter[MarkOutcome]) -> None:
        for outcome, count in outcomes.items():
            self._marks[outcome].inc(count)


def _request(call: Call) -> RagRequest:
    if call.rag is None:
        raise ValueError("this call is not to be answered from documents")
    return call.rag

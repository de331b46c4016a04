"""Answers from documents, and all of their parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from api.grounding.base import Grounding
from api.grounding.off import GroundingOff
from api.readiness import Dependency
from api.routes.rag_access import Corpus


@dataclass(frozen=True, kw_only=True)
class CorpusServices:
    grounding: Grounding
    corpus: Corpus | None
    """None: RAG_ENABLED=false."""
    dependencies: Mapping[str, Dependency] = field(default_factory=dict)
    starts: Sequence[Callable[[], Awaitable[None]]] = ()
    closes: Sequence[Callable[[], Awaitable[None]]] = ()
    """In this order."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            for close in reversed(self.closes):
                held.push_async_callback(close)
            for start in self.starts:
                await start()
            yield


def corpus_services() -> CorpusServices:
    return CorpusServices(grounding=GroundingOff(), corpus=None)

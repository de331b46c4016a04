"""What the gateway has of its answer cache, or of its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from api.bootstrap.background_starts import started_in_background
from api.cache.base import AnswerCache, CacheAdmin, CorpusAnswers, QuestionParser
from api.cache.off import CacheOff
from api.readiness import Dependency


@dataclass(frozen=True, kw_only=True)
class AnswerCacheServices:
    cache: AnswerCache
    admin: CacheAdmin | None
    """None where nobody may ask it: without ADMIN_API_KEY."""
    dependencies: Mapping[str, Dependency] = field(default_factory=dict)
    describe: Callable[[], Mapping[str, str]] | None = None
    """What the cache is made of by now; None where there is none."""
    starts: Sequence[Callable[[], Awaitable[None]]] = ()
    """In the background: the gateway serves at once, and the cache joins when its parts are there."""
    closes: Sequence[Callable[[], Awaitable[None]]] = ()
    """In this order."""
    corpus_answers: CorpusAnswers = field(default_factory=CacheOff)
    parser: QuestionParser | None = None
    """None where there is no cache."""

    def running(self) -> AbstractAsyncContextManager[None]:
        return started_in_background(self.starts, closes=self.closes, whose="the answer cache")

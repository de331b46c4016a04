"""An engine's answer with its citations, whole or on its way."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Self

from api.grounding.annotations import annotations_of
from rag.citations import CitationReader, MarkOutcome
from rag.types import Passage
from serving.types import Json

logger = logging.getLogger(__name__)
OnMarks = Callable[[Counter[MarkOutcome]], None]
"""Told what became of the marks of one choice."""


def cite_whole(body: Json, passages: Sequence[Passage], *, checks: bool, on_marks: OnMarks) -> None:
    """In place."""
    for choice in body.get("choices") or ():
        message = choice.get("message") or {}
        if not isinstance(text := message.get("content"), str):
            continue  # a tool call, or nothing
        reader = CitationReader(passages, checks=checks)
        message["content"] = reader.feed(text) + reader.finish()
        if reader.citations:
            message["annotations"] = [*(message.get("annotations") or ()), *annotations_of(reader.citations)]
        on_marks(reader.outcomes)


class CitedStream:
    """An engine's frames. A choice's annotations come in a delta of their own, before its finish reason."""

    def __init__(
        self, frames: AsyncIterator[list[Json]], passages: Sequence[Passage], *, checks: bool, on_marks: OnMarks
    ) -> None:
        self._frames = frames
        self._passages = passages
        self._checks = checks
        self._on_marks = on_marks
        self._readers: dict[int, CitationReader] = {}
        self._has_failed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Json]:
        batch = await anext(self._frames)
        if self._has_failed:
            return batch
        try:
            return [cited for frame in batch for cited in self._cited(frame)]
        except Exception:
            # A mistake in here costs the answer its citations, and no more than that.
            logger.exception("citations could not be read")
            self._has_failed = True
            return batch

    def _cited(self, frame: Json) -> Iterator[Json]:
        for choice in frame.get("choices") or ():
            index = choice.get("index") or 0
            reader = self._readers.get(index)
            if reader is None:
                reader = self._readers[index] = CitationReader(self._passages, checks=self._checks)
            delta = choice.get("delta") or {}
            if isinstance(text := delta.get("content"), str) and text:
                delta["content"] = reader.feed(text)
            if choice.get("finish_reason"):
                del self._readers[index]
                yield from self._closing(frame, choice, reader)
        yield frame

    def _closing(self, frame: Json, choice: Json, reader: CitationReader) -> Iterator[Json]:
        """What is left to say of a choice, with all that its last event says but the end itself."""
        rest = reader.finish()
        self._on_marks(reader.outcomes)
        if not rest and not reader.citations:
            return
        delta = dict(choice.get("delta") or {})
        if rest or delta.get("content"):
            delta["content"] = (delta.get("content") or "") + rest
        if reader.citations:
            delta["annotations"] = annotations_of(reader.citations)
        head = {name: value for name, value in frame.items() if name != "usage"}
        yield {**head, "choices": [{**choice, "delta": delta, "finish_reason": None}]}
        choice["delta"] = {}
        if choice.get("logprobs") is not None:
            choice["logprobs"] = None

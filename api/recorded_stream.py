"""An answer that is watched on its way to the client, for those who want it whole when it is complete."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Protocol, Self

from serving.types import Json

logger = logging.getLogger(__name__)


class Unfit(Exception):
    """This answer is not one to keep; the message is a word of a fixed list, for metrics."""


class AnswerParts(Protocol):
    """Puts an answer together from its parts, be it one or many."""

    def take(self, part: Json) -> None:
        """A whole answer or a stream's event, which is not changed nor kept. Raises Unfit."""
        ...

    def answer(self) -> Json:
        """The whole, when the engine has said that there is no more. Raises Unfit."""
        ...


def why_not(error: Exception) -> str:
    """The word for an answer that cannot be kept. What is no Unfit is a mistake of ours, or an engine's, and logged."""
    if isinstance(error, Unfit):
        return str(error)
    logger.error("an answer could not be recorded", exc_info=error)
    return "error"


OnAnswer = Callable[[Json | None, str], None]
"""Gets the whole answer, or None and the word that says why there is none to keep."""


class RecordedStream:
    """An engine's frames, passed on as they are, and put together on the way.

    `on_answer` is called once: when the engine has said that its answer is complete, or as soon as it is clear that
    there is none to keep. Never for a stream that breaks off or is left before.
    """

    def __init__(self, frames: AsyncIterator[list[Json]], parts: AnswerParts, on_answer: OnAnswer) -> None:
        self._frames = frames
        self._parts: AnswerParts | None = parts
        self._on_answer = on_answer
        self._handed_over_s: float | None = time.monotonic()

    def unread_s(self) -> float:
        """For how long nobody has asked for more."""
        return 0.0 if self._handed_over_s is None else time.monotonic() - self._handed_over_s

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Json]:
        self._handed_over_s = None
        try:
            batch = await anext(self._frames)
        except StopAsyncIteration:
            if self._parts is not None:
                self._end(self._parts)
            raise
        if self._parts is not None:
            self._take(self._parts, batch)
        self._handed_over_s = time.monotonic()
        return batch

    def _take(self, parts: AnswerParts, batch: list[Json]) -> None:
        try:
            for frame in batch:
                parts.take(frame)
        except Exception as error:  # noqa: BLE001 - the client's stream goes on, whatever an engine writes
            self._settle(None, why_not(error))

    def _end(self, parts: AnswerParts) -> None:
        try:
            answer = parts.answer()
        except Exception as error:  # noqa: BLE001 - as above
            self._settle(None, why_not(error))
        else:
            self._settle(answer, "")

    def _settle(self, answer: Json | None, reason: str) -> None:
        self._parts = None
        try:
            self._on_answer(answer, reason)
        except Exception:
            logger.exception("an answer could not be kept")

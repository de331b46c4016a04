"""The seam of the stages that answer from a corpus."""

from __future__ import annotations

from typing import Protocol

from api.call import Call
from serving.types import Reply


class Grounding(Protocol):
    """For calls whose `rag` is set; in the order of the pipeline."""

    async def prepare(self, call: Call) -> None:
        """What the question means by itself, and which state of the collection is to answer it.

        Sets the call's `standalone`, `collection` and `corpus_version`, and what the cache is to compare (`asked`).
        Raises ApiError.
        """
        ...

    async def ground(self, call: Call) -> None:
        """Retrieve, and put the passages in front of the question in the body for the engine. Raises ApiError."""
        ...

    def cite(self, call: Call, reply: Reply) -> Reply:
        """The engine's reply with its citations as annotations. Never raises."""
        ...

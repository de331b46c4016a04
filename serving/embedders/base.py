"""The seam for whatever turns texts into vectors.

EmbedderError
├── EmbedderTimeout        no vector within the caller's deadline
└── EmbedderUnavailable    the model cannot be loaded, crashed, or its server is away
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class EmbedderError(Exception):
    pass


class EmbedderTimeout(EmbedderError):
    pass


class EmbedderUnavailable(EmbedderError):
    pass


class Embedder(Protocol):
    @property
    def name(self) -> str:
        """Model and precision, such as `all-MiniLM-L6-v2/int8`: vectors of different names cannot be compared."""
        ...

    @property
    def dimensions(self) -> int: ...

    async def start(self) -> None:
        """Load what must be loaded, off the event loop. Raises EmbedderUnavailable; `embed` then raises it too."""
        ...

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        """A unit vector for each text: float32, little-endian, four bytes for each of the `dimensions`.

        Runs off the event loop; concurrent calls share batches. `bulk` work never holds up a call without it for
        longer than one small batch. Raises EmbedderTimeout and EmbedderUnavailable.
        A cancelled call costs nothing more.
        """
        ...

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        """Of each text before truncation, special tokens included, for usage and for limits."""
        ...

    async def check(self) -> None:
        """Raise EmbedderUnavailable unless it works."""
        ...

    async def aclose(self) -> None: ...

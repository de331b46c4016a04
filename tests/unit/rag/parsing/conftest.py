from __future__ import annotations

from collections.abc import Callable

import pytest

from rag.parsing.document import read
from rag.parsing.wire import Beginning, Order
from rag.types import Piece, ReadDocument

Read = Callable[..., ReadDocument]


@pytest.fixture(scope="session")
def read_document() -> Read:
    """Reads in this process."""

    def reading(
        data: bytes | str,
        filename: str = "notes.txt",
        media_type: str | None = None,
        *,
        chunk_tokens: int = 200,
        max_chunks: int = 20_000,
        max_pages: int = 100,
    ) -> ReadDocument:
        order = Order(
            filename=filename,
            media_type=media_type,
            chunk_tokens=chunk_tokens,
            max_chunks=max_chunks,
            max_pages=max_pages,
            memory_bytes=1_000_000_000,
            timeout_s=10,
        )
        beginning, *parts = read(data.encode() if isinstance(data, str) else data, order)
        assert isinstance(beginning, Beginning)
        pieces = tuple(part for part in parts if isinstance(part, Piece))
        assert len(pieces) == len(parts)
        return ReadDocument(title=beginning.title, media_type=beginning.media_type, pieces=pieces)

    return reading

"""What passes between a gateway and the process that reads a document for it: JSON, a line for each message.

In: an `Order`, then the document's bytes up to the end of the input. Out: a `Beginning`, pieces, and an `End` or a
`Refusal`; without one of these two the process has died.
"""

from __future__ import annotations

import msgspec

from rag.errors import DamagedDocument, DocumentError


class Order(msgspec.Struct, frozen=True, kw_only=True):
    filename: str
    media_type: str | None
    chunk_tokens: int
    max_chunks: int
    max_pages: int
    memory_bytes: int
    """Of address space."""
    timeout_s: float
    """Of time, and as much of a processor's."""


class Beginning(msgspec.Struct, frozen=True, kw_only=True, tag="beginning"):
    title: str
    media_type: str


class PieceRead(msgspec.Struct, frozen=True, kw_only=True, tag="piece", omit_defaults=True):
    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    pieces: int


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag="refusal"):
    error: str
    """Name of a DocumentError."""
    message: str


Message = Beginning | PieceRead | End | Refusal


def refusal(error: DocumentError) -> Refusal:
    return Refusal(error=type(error).__name__, message=str(error))


def refused(refusal: Refusal) -> DocumentError:
    """The error that was sent."""
    kinds = {kind.__name__: kind for kind in DocumentError.__subclasses__()}
    return kinds.get(refusal.error, DamagedDocument)(refusal.message)

"""What a client is told of a corpus that cannot do what it was asked for."""

from __future__ import annotations

from api.errors import ApiError, BodyTooLarge, Conflict, CorpusAway, InvalidRequest, NotFound
from rag.errors import (
    DamagedDocument,
    DocumentInProgress,
    DocumentTooLarge,
    EmbedderMismatch,
    EmptyDocument,
    EncryptedDocument,
    RagError,
    UnknownCollection,
    UnknownDocument,
    UnsupportedDocument,
)


def from_rag(error: RagError, *, collection_param: str = "collection") -> ApiError:
    """`collection_param`: how the client has named the collection, such as `rag.collection`."""
    message = str(error)
    match error:
        case UnknownCollection():
            return NotFound(message, param=collection_param, code="collection_not_found")
        case UnknownDocument():
            return NotFound(message, param="document_id", code="document_not_found")
        case EmbedderMismatch():
            return Conflict(message, param=collection_param, code="embedder_mismatch")
        case DocumentInProgress():
            return Conflict(message, param="file", code="document_in_progress")
        case UnsupportedDocument():
            return InvalidRequest(message, param="file", code="unsupported_document")
        case EncryptedDocument():
            return InvalidRequest(message, param="file", code="encrypted_document")
        case EmptyDocument():
            return InvalidRequest(message, param="file", code="empty_document")
        case DamagedDocument():
            return InvalidRequest(message, param="file", code="damaged_document")
        case DocumentTooLarge():
            return BodyTooLarge(message, param="file", code="document_too_large")
        case _:
            return CorpusAway("The documents cannot be reached now, try again shortly.", retry_after_s=2.0)

"""What goes wrong with a corpus.

RagError
├── DocumentError           the document cannot be taken; the message says why, in words for its owner
│   ├── UnsupportedDocument     no format that is read here
│   ├── DamagedDocument         it does not follow its format, or is binary where text was said to be
│   ├── EncryptedDocument       a password would be needed
│   ├── EmptyDocument           no text in it
│   └── DocumentTooLarge        more text, pages or time than one document may take
├── UnknownCollection       the tenant has none of that name
├── UnknownDocument         the tenant has none of that id
├── DocumentInProgress      the very same document is being stored by another call
├── EmbedderMismatch        the collection's vectors are of another model
└── CorpusUnavailable       the store is away or late; nothing was changed
"""

from __future__ import annotations


class RagError(Exception):
    pass


class DocumentError(RagError):
    """`code`: a word of a fixed list, for clients and metrics."""

    code = "invalid_document"


class UnsupportedDocument(DocumentError):
    code = "unsupported_document"


class DamagedDocument(DocumentError):
    code = "damaged_document"


class EncryptedDocument(DocumentError):
    code = "encrypted_document"


class EmptyDocument(DocumentError):
    code = "empty_document"


class DocumentTooLarge(DocumentError):
    code = "document_too_large"


class UnknownCollection(RagError):
    def __init__(self, name: str) -> None:
        super().__init__(f"The collection {name!r} does not exist.")
        self.name = name


class UnknownDocument(RagError):
    def __init__(self, document_id: str) -> None:
        super().__init__(f"The document {document_id!r} does not exist.")
        self.document_id = document_id


class DocumentInProgress(RagError):
    pass


class EmbedderMismatch(RagError):
    """`stored` and `current` are embedder names."""

    def __init__(self, *, collection: str, stored: str, current: str) -> None:
        super().__init__(
            f"The collection {collection!r} was embedded with {stored!r}, and the gateway runs {current!r}: "
            "delete it and ingest its documents again."
        )
        self.stored = stored
        self.current = current


class CorpusUnavailable(RagError):
    pass

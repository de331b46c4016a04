"""A citation as clients of OpenAI's format can show it: an annotation of the message."""

from __future__ import annotations

from collections.abc import Iterable

from rag.types import Citation
from serving.types import Json


def annotations_of(citations: Iterable[Citation]) -> list[Json]:
    """Indexes are in characters (code points) of the message's content."""
    return [_annotation(citation) for citation in citations]


def _annotation(citation: Citation) -> Json:
    passage = citation.passage
    return {
        "type": "url_citation",
        "url_citation": {
            "url": f"/v1/rag/documents/{passage.document_id}",
            "title": passage.title or passage.filename,
            "start_index": citation.start,
            "end_index": citation.end,
        },
        "document": {
            "id": passage.document_id,
            "filename": passage.filename,
            "chunk_id": passage.chunk_id,
            "page": passage.page,
            "headings": list(passage.headings),
            "text": passage.text,
        },
    }

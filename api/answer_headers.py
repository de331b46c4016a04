"""What an answer says in its headers, over HTTP and in a WebSocket's `started` event."""

from __future__ import annotations

from api.call import Call
from api.errors import Headers
from api.stages.admit import wire_headers
from rag.types import RagRequest
from serving.types import Reply


def answer_headers(call: Call, reply: Reply) -> Headers:
    """The key's limits, who answered, where there is a cache what it had, and how a session and documents fared."""
    headers: Headers = [] if call.limits is None else wire_headers(call.limits)
    headers.append((b"x-served-by", reply.upstream.encode("latin-1", "replace")))
    if call.cache_status is not None:
        headers.append((b"x-cache", call.cache_status.value.encode()))
    if call.cache_age_s is not None:
        headers.append((b"age", str(int(call.cache_age_s)).encode()))
    if call.session_state is not None:
        headers.append((b"x-session", call.session_state.value.encode()))
    if call.session_id is not None:
        headers.append((b"x-session-id", call.session_id.encode()))
    if call.rag is not None:
        headers += _corpus_headers(call, call.rag)
    return headers


def _corpus_headers(call: Call, rag: RagRequest) -> Headers:
    headers: Headers = [(b"x-rag-version", rag.version.value.encode())]
    if call.retrieved is not None and call.cache_age_s is None:  # what comes from the cache was found back then
        headers.append((b"x-rag-passages", str(len(call.retrieved.passages)).encode()))
    if call.rag_degraded:
        headers.append((b"x-rag-degraded", ",".join(call.rag_degraded).encode()))
    return headers

"""Digests that say who may share an answer: equal ones only for requests that are equal in all that matters. Pure.

Everything goes through one JSON array before it is hashed, so no value can be crafted to look like two, and through
a key, so nobody without it can compute a digest. Every field of a body is part of the scope unless it is known to
change nothing: a field that nobody here has heard of keeps two requests apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from api.cache.question import Question
from serving.types import Endpoint, Json

# How the answer travels, and how long it may wait; whose question it is (`audience` has that); the model (in its
# resolved form); and the question with what surrounds it, which each endpoint has in a field of its own.
_APART = {"stream", "stream_options", "service_tier", "user", "model"}
_APART_BY_ENDPOINT = {
    Endpoint.CHAT: frozenset(_APART | {"messages"}),
    Endpoint.COMPLETIONS: frozenset(_APART | {"prompt"}),
}
_BYTES = 20
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopedRequest:
    tenant: str
    """A name, from the key."""
    audience: Sequence[str]
    """Who may get the answer within the tenant: `("all",)`, `("user", name)` or `("key", key id)`."""
    endpoint: Endpoint
    model: Sequence[str]
    """What the model is called, its version, and the client's own name for it where the catalogue forwards any."""
    body: Json
    question: Question
    corpus_version: str | None


class Digests:
    """Lower-case hex, 160 bits."""

    def __init__(self, secret: bytes, *, versions: Sequence[str]) -> None:
        """`secret`: any length. `versions`: of what decides with whom an answer is shared, and whether it may be given:
        policy, embedder, parser.
        """
        self._key = blake2b(secret, digest_size=32, person=b"cache-key").digest()
        self._versions = list(versions)

    def tenant(self, name: str) -> str:
        return self._digest(b"tenant", [name])

    def scope(self, request: ScopedRequest) -> str:
        body, apart = request.body, _APART_BY_ENDPOINT[request.endpoint]
        fields = [(name, body[name]) for name in sorted(body) if name not in apart]
        return self._digest(
            b"scope",
            [
                self._versions,
                request.tenant,
                request.audience,
                request.endpoint.value,
                request.model,
                request.corpus_version,
                request.question.context,
                fields,
            ],
        )

    def exact_key(self, scope: str, question: Question) -> str:
        return self._digest(b"exact", [scope, question.content])

    def canonical_key(self, scope: str, form: bytes) -> str:
        """`form`: of the question's slots (api.cache.canonical)."""
        return self._digest(b"canonical", [scope, form.hex()])

    def likeness(self, scope: str, form: bytes) -> str:
        """`form`: what the agreement guard compares (api.cache.agreement)."""
        return self._digest(b"likeness", [scope, form.hex()])

    def flight_key(self, key: str, lane: str) -> str:
        """`key`: the canonical key, or the exact one where there is none."""
        return self._digest(b"flight", [key, lane])

    def _digest(self, purpose: bytes, value: Any) -> str:
        return blake2b(_encode(value), digest_size=_BYTES, key=self._key, person=purpose).hexdigest()

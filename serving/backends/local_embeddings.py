"""`/v1/embeddings` of a model that runs in the gateway itself."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from serving.embedders.base import Embedder, EmbedderError, EmbedderTimeout
from serving.errors import BackendRejected, BackendTimeout, BackendUnavailable
from serving.types import Endpoint, EngineRequest, Json, Reply, Usage, WholeReply

# As many as OpenAI takes.
_MAX_TEXTS = 2048


class LocalEmbeddings:
    """Texts go through the embedder's bulk lane, in their order: whoever shares the embedder hardly notices.

    Of a text the first tokens count, as many as the model reads, as with the model's own library; `usage` counts all.
    """

    def __init__(self, *, name: str, model: str, embedder: Embedder, timeout_s: float) -> None:
        """`name`: the upstream's in the catalogue. `timeout_s`: for all texts of one request."""
        self._name = name
        self._model = model
        self._embedder = embedder
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        return self._name

    async def open(self, request: EngineRequest) -> Reply:
        texts = self._checked(request)
        try:
            counts = await self._embedder.token_counts(texts)
            vectors = await self._embedder.embed(texts, timeout_s=self._timeout_s, bulk=True)
        except EmbedderTimeout as error:
            raise BackendTimeout(str(error), upstream=self._name) from error
        except EmbedderError as error:
            raise BackendUnavailable(str(error), upstream=self._name) from error
        tokens = sum(counts)
        as_text = request.body.get("encoding_format") == "base64"
        body = {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": _encoded(vector, as_text=as_text)}
                for index, vector in enumerate(vectors)
            ],
            "model": self._model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        return WholeReply(upstream=self._name, body=body, usage=Usage(prompt_tokens=tokens))

    async def check(self) -> None:
        try:
            await self._embedder.check()
        except EmbedderError as error:
            raise BackendUnavailable(str(error), upstream=self._name) from error

    async def models(self) -> list[Json]:
        return [{"id": self._model, "object": "model", "created": 0, "owned_by": "self-hosted"}]

    def _checked(self, request: EngineRequest) -> Sequence[str]:
        """The texts of a request that can be served. Raises BackendRejected."""
        if request.endpoint is not Endpoint.EMBEDDINGS:
            raise self._rejection(f"{self._model} only makes embeddings", param="model", code="invalid_model")
        body: Mapping[str, Any] = request.body
        dimensions = body.get("dimensions")
        if dimensions is not None and dimensions != self._embedder.dimensions:
            raise self._rejection(
                f"dimensions is {dimensions}: {self._model} has {self._embedder.dimensions} and no others",
                param="dimensions",
            )
        given = body.get("input")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise self._rejection(
                f"input must be a string or an array of strings: {self._model} takes no token ids", param="input"
            )
        if len(texts) > _MAX_TEXTS:
            raise self._rejection(f"input holds {len(texts)} texts: at most {_MAX_TEXTS} are allowed", param="input")
        return texts

    def _rejection(self, message: str, *, param: str, code: str = "invalid_value") -> BackendRejected:
        error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
        return BackendRejected(message, upstream=self._name, status=400, error=error)


def _encoded(vector: bytes, *, as_text: bool) -> str | list[float]:
    """As the client wants it: base64 of the bytes, or numbers."""
    if as_text:
        return base64.b64encode(vector).decode()
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))

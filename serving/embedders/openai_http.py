"""Vectors from an OpenAI-compatible server: vLLM, TEI, Ollama, a vendor's API."""

from __future__ import annotations

import asyncio
import base64
import binascii
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np

from serving.base import Backend
from serving.embedders.base import EmbedderTimeout, EmbedderUnavailable
from serving.embedders.unicode_text import encodable
from serving.embedders.vectors import unit_vectors
from serving.errors import BackendError, BackendTimeout
from serving.types import Endpoint, EngineRequest, WholeReply

_TEXTS_PER_REQUEST = 64
_START_TIMEOUT_S = 10.0
_BYTES_PER_TOKEN = 4


class OpenAIEmbedder:
    """Each call is a request of its own: servers batch by themselves. Bulk calls wait for each other here."""

    def __init__(self, *, backend: Backend, model: str) -> None:
        """`backend` knows the server's address, key and name for the model; `model` is what its vectors are called."""
        self._backend = backend
        self._model = model
        self._dimensions = 0
        self._bulk = asyncio.Semaphore(1)

    @property
    def name(self) -> str:
        return f"{self._model}/openai"

    @property
    def dimensions(self) -> int:
        """0 before `start`."""
        return self._dimensions

    async def start(self) -> None:
        """Asks the server for one vector, to know its length."""
        if not self._dimensions:
            (vector,) = await self._asked(["ready?"], timeout_s=_START_TIMEOUT_S, dimensions=None)
            self._dimensions = len(vector) // 4

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        if not self._dimensions:
            raise EmbedderUnavailable(f"{self._model} was not started, or its server did not answer then")
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline_s):
                if not bulk:
                    return await self._all(texts, deadline_s)
                async with self._bulk:
                    return await self._all(texts, deadline_s)
        except TimeoutError as error:
            raise EmbedderTimeout(f"{self._model} had no vector within {timeout_s:g} s") from error

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        """Estimated, since the server's tokeniser is not known: four bytes a token, and the two special ones."""
        return [len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN + 3 for text in texts]

    async def check(self) -> None:
        """Whether the server answers; starts what could not be started when it was away."""
        try:
            await self.start()
            await self._backend.check()
        except (BackendError, EmbedderTimeout) as error:
            raise EmbedderUnavailable(str(error)) from error

    async def aclose(self) -> None:
        """The connections are the backend's, and the pool's that it was given."""

    async def _all(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        vectors: list[bytes] = []
        for start in range(0, len(texts), _TEXTS_PER_REQUEST):
            left_s = deadline_s - asyncio.get_running_loop().time()
            part = texts[start : start + _TEXTS_PER_REQUEST]
            vectors += await self._asked(part, timeout_s=left_s, dimensions=self._dimensions)
        return vectors

    async def _asked(self, texts: Sequence[str], *, timeout_s: float, dimensions: int | None) -> list[bytes]:
        request = EngineRequest(
            endpoint=Endpoint.EMBEDDINGS,
            body={
                "model": self._model,
                "input": [encodable(text) or " " for text in texts],  # an empty text is refused by most
                "encoding_format": "float",  # base64 is shorter, and some servers do not know it
            },
            stream=False,
            request_id=f"embed-{uuid.uuid4().hex}",
            choices=0,
        )
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._backend.open(request)
        except (TimeoutError, BackendTimeout) as error:
            raise EmbedderTimeout(f"{self._model} had no vector within {timeout_s:g} s") from error
        except BackendError as error:
            raise EmbedderUnavailable(str(error)) from error
        reply.close()
        assert isinstance(reply, WholeReply)  # noqa: S101 - it was not asked for a stream
        try:
            return _vectors(reply.body["data"], count=len(texts), dimensions=dimensions)
        except (ValueError, TypeError, KeyError, binascii.Error) as error:
            raise EmbedderUnavailable(f"{self._model}'s server sent vectors that make no sense: {error}") from error


def _vectors(data: list[dict[str, Any]], *, count: int, dimensions: int | None) -> list[bytes]:
    """In the order of the texts, which `index` tells. Raises ValueError, TypeError and KeyError."""
    rows = {int(entry.get("index", place)): _numbers(entry["embedding"]) for place, entry in enumerate(data)}
    lengths = {len(row) for row in rows.values()}
    if sorted(rows) != list(range(count)) or len(lengths) != 1:
        raise ValueError(f"{len(data)} vectors for {count} texts, or not all of one length")
    if dimensions is not None and lengths != {dimensions}:
        raise ValueError(f"they have {lengths.pop()} dimensions, and had {dimensions} before")
    return unit_vectors([rows[index] for index in range(count)])


def _numbers(embedding: object) -> Sequence[float]:
    if isinstance(embedding, str):
        return list(np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4"))
    if not isinstance(embedding, list) or not embedding:
        raise TypeError("an embedding is neither a list of numbers nor base64")
    return embedding

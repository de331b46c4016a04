"""What the benchmark asks of a gateway with a corpus, and what it reads of the answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bench.exchange import Pool, opened
from bench.gateway import KEY
from bench.load import LoadError, post_request
from bench.rag.servers import EMBEDDER
from bench.serving.servers import MODEL

VERSIONS = ("v1", "v2", "v3", "v4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    chunk_id: int
    filename: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Passages, the best first."""

    passages: tuple[Passage, ...]
    question: str
    """What was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`cache`: what `X-Cache` says, `off` without it."""

    text: str
    cited: tuple[Passage, ...]
    cache: str
    latency_s: float


class Corpus:
    """One collection of a tenant."""

    def __init__(self, pool: Pool, *, port: int, key: str, collection: str) -> None:
        self._pool = pool
        self._port = port
        self._key = key
        self._collection = collection

    async def upload(self, filename: str, text: str) -> int:
        """How many chunks it has been split into. Raises LoadError."""
        body, _, _ = await self._post(
            "/v1/rag/documents", {"collection": self._collection, "filename": filename, "text": text}
        )
        return int(_loads(body)["chunks"])

    async def passages(self, question: str, *, version: str, top_k: int, earlier: Sequence[str] = ()) -> Found:
        """Raises LoadError, also where a part had to be left out: what is found then is no measure of it."""
        asked = query(self._collection, question, version=version, top_k=top_k, earlier=earlier)
        found = _loads((await self._post("/v1/rag/query", asked))[0])
        if found["degraded"]:
            raise LoadError(f"{question!r} was looked up without {', '.join(found['degraded'])}")
        return Found(passages=tuple(map(_passage, found["passages"])), question=found["question"])

    async def answer(
        self, question: str, *, version: str, earlier: Sequence[tuple[str, str]] = (), **fields: Any
    ) -> Answer:
        """`earlier`: what was asked and answered before. Raises LoadError, as `passages` does."""
        messages = [
            message
            for asked, answered in earlier
            for message in ({"role": "user", "content": asked}, {"role": "assistant", "content": answered})
        ]
        messages.append({"role": "user", "content": question})
        rag = {"collection": self._collection, "version": version}
        request = {"model": MODEL, "messages": messages, "temperature": 0, "max_tokens": 256, "rag": rag, **fields}
        body, latency_s, headers = await self._post("/v1/chat/completions", request)
        if degraded := headers["x-rag-degraded"]:
            raise LoadError(f"{question!r} was answered without {degraded}")
        message = _loads(body)["choices"][0]["message"]
        cited = [_passage(annotation["document"]) for annotation in message.get("annotations") or []]
        return Answer(
            text=message["content"], cited=tuple(cited), cache=headers["x-cache"] or "off", latency_s=latency_s
        )

    async def vectors(self, texts: Sequence[str]) -> list[list[float]]:
        """As the gateway's own embedder makes them. Raises LoadError."""
        body, _, _ = await self._post("/v1/embeddings", {"model": EMBEDDER, "input": list(texts)})
        return [row["embedding"] for row in _loads(body)["data"]]

    async def _post(self, path: str, body: Mapping[str, Any]) -> tuple[bytes, float, Mapping[str, str | None]]:
        request = post_request(path, json.dumps(body).encode(), port=self._port, key=self._key)
        async with self._pool.connection() as connection:
            received, latency_s = await connection.exchange(request)
            headers = {name: connection.reader.header(name) for name in ("x-cache", "x-rag-degraded")}
        return received, latency_s, headers


@asynccontextmanager
async def corpus(*, port: int, collection: str, connections: int, key: str = KEY) -> AsyncIterator[Corpus]:
    """Raises LoadError where the server takes no connection."""
    async with opened(port=port, connections=connections) as found:
        yield Corpus(Pool(found), port=port, key=key, collection=collection)


def query(
    collection: str, question: str, *, version: str, top_k: int, earlier: Sequence[str] = ()
) -> Mapping[str, Any]:
    """The body of a request for passages."""
    asked = {"collection": collection, "question": question, "version": version, "top_k": top_k}
    return {**asked, "earlier": list(earlier)} if earlier else asked


def _passage(found: Mapping[str, Any]) -> Passage:
    return Passage(chunk_id=int(found["chunk_id"]), filename=found["filename"], text=found["text"])


def _loads(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise LoadError(f"not JSON: {body[:200]!r}") from None

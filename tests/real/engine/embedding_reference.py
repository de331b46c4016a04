"""Runs where sentence-transformers is installed: texts in, what the library makes of them out, both as JSON.

    python -m tests.real.engine.embedding_reference MODEL_FOLDER <texts.json

It goes through the platform's own SentenceTransformersEmbedder, and says what that does beside embedding.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from typing import Any

from serving.embedders.base import EmbedderTimeout
from serving.embedders.sentence_transformers import SentenceTransformersEmbedder

_LONG_S = 600.0


async def answer(folder: str, texts: list[str]) -> dict[str, Any]:
    embedder = SentenceTransformersEmbedder(folder)
    before = embedder.dimensions
    await embedder.start()
    await embedder.start()
    await embedder.check()
    vectors = await embedder.embed(texts, timeout_s=_LONG_S, bulk=True)
    question, counts = texts[0], await embedder.token_counts(texts)
    bulk = asyncio.create_task(embedder.embed(texts, timeout_s=_LONG_S, bulk=True))
    await asyncio.sleep(0)
    (alone,) = await embedder.embed([question], timeout_s=_LONG_S)
    passed_bulk = not bulk.done()
    bulk.cancel()
    try:
        await embedder.embed([question], timeout_s=0.0)
        late = "a vector"
    except EmbedderTimeout:
        late = "EmbedderTimeout"
    await embedder.aclose()
    return {
        "name": embedder.name,
        "dimensions": [before, embedder.dimensions],
        "vectors": [base64.b64encode(vector).decode() for vector in vectors],
        "alone": base64.b64encode(alone).decode(),
        "counts": counts,
        "passed_bulk": passed_bulk,
        "late": late,
        "ids": token_ids(folder, texts),
    }


def token_ids(folder: str, texts: list[str]) -> list[list[int]]:
    """As the library gives them to the model, cut at its own length."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - it takes seconds

    model = SentenceTransformer(folder, device="cpu")
    length = model.max_seq_length
    return [model.tokenizer(text, truncation=True, max_length=length)["input_ids"] for text in texts]


if __name__ == "__main__":
    json.dump(asyncio.run(answer(sys.argv[1], json.load(sys.stdin))), sys.stdout)

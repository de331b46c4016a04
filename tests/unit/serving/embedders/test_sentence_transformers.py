"""What is said where the library is not installed, as here; with it: tests/real/engine."""

from __future__ import annotations

import pytest

from serving.embedders.base import EmbedderUnavailable
from serving.embedders.sentence_transformers import SentenceTransformersEmbedder


async def test_without_the_library_it_says_what_to_install() -> None:
    embedder = SentenceTransformersEmbedder("all-MiniLM-L6-v2")
    with pytest.raises(EmbedderUnavailable, match="run `pip install sentence-transformers`, or set EMBEDDER=onnx"):
        await embedder.start()
    for asked in (embedder.embed(["a"], timeout_s=1), embedder.token_counts(["a"]), embedder.check()):
        with pytest.raises(EmbedderUnavailable, match="pip install sentence-transformers"):
            await asked
    assert embedder.name == "all-MiniLM-L6-v2/float32"
    await embedder.aclose()

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serving.embedders.minilm_onnx import MiniLMEmbedder


@pytest.fixture
async def minilm(minilm_dir: Path) -> AsyncIterator[MiniLMEmbedder]:
    """The real model."""
    embedder = MiniLMEmbedder(minilm_dir)
    await embedder.start()
    yield embedder
    await embedder.aclose()

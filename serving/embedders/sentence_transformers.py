"""Any model of the sentence-transformers library on torch, for those who install it: it is no dependency."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from serving.embedders.base import EmbedderTimeout, EmbedderUnavailable
from serving.embedders.batch_runner import BatchRunner, Compute
from serving.embedders.batching import BatchLimits
from serving.embedders.vectors import unit_vectors

# In float32 a text's vector does not depend on its batch, and torch does 8 texts in half the time of 8 times one.
_LIMITS = BatchLimits(texts=8, chars=4096)
_BULK_LIMITS = BatchLimits(texts=8, chars=1024)
_CHECK_TIMEOUT_S = 10.0
_Count = Callable[[Sequence[str]], list[int]]


class SentenceTransformersEmbedder:
    def __init__(self, model: str) -> None:
        """`model`: a folder, or a name on the model hub."""
        self._model = model
        self._runner = BatchRunner(name=f"sentence-transformers {model}", limits=_LIMITS, bulk_limits=_BULK_LIMITS)
        self._count: _Count | None = None
        self._dimensions = 0

    @property
    def name(self) -> str:
        return f"{self._model}/float32"

    @property
    def dimensions(self) -> int:
        """0 before `start`."""
        return self._dimensions

    async def start(self) -> None:
        if self._count is None:
            self._count, self._dimensions = await self._runner.load(partial(_load, self._model))

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        return await self._runner.run(texts, timeout_s=timeout_s, bulk=bulk)

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        self._runner.require_loaded()
        assert self._count is not None  # noqa: S101 - set by the same load
        return await asyncio.to_thread(self._count, texts)

    async def check(self) -> None:
        try:
            await self.embed(["ready?"], timeout_s=_CHECK_TIMEOUT_S)
        except EmbedderTimeout as error:
            raise EmbedderUnavailable(str(error)) from error

    async def aclose(self) -> None:
        await self._runner.aclose()


def _load(name: str) -> tuple[Compute, tuple[_Count, int]]:
    try:
        # Here and not above: it takes seconds and loads torch, and is rarely installed.
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    except ImportError as error:
        raise EmbedderUnavailable(
            "EMBEDDER=sentence-transformers needs a package that is not installed here: "
            "run `pip install sentence-transformers`, or set EMBEDDER=onnx"
        ) from error
    model = SentenceTransformer(name, device="cpu")

    def compute(texts: Sequence[str]) -> list[bytes]:
        return unit_vectors(model.encode(list(texts), show_progress_bar=False))

    def count(texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in model.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]]

    (vector,) = compute(["The first run makes what later ones use."])
    return compute, (count, len(vector) // 4)

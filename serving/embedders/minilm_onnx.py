"""all-MiniLM-L6-v2 in int8 on ONNX Runtime, in one thread beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from serving.catalogue.base import MINILM
from serving.embedders.base import EmbedderTimeout, EmbedderUnavailable
from serving.embedders.batch_runner import BatchRunner, Compute
from serving.embedders.batching import BatchLimits
from serving.embedders.model_files import RECIPE, read_model_files
from serving.embedders.onnx_runtime import onnxruntime
from serving.embedders.wordpiece import WordPiece

_DIMENSIONS = 384
_FILES = f"{MINILM}/int8.{RECIPE}"
# Of the way the graph is run. Roundings in another order move vectors as far as another recipe does.
_RUN = 2
_NAME = f"{_FILES}.{_RUN}"
# A question is 1.6 ms, a text of 256 tokens 20. A batch is the time between two looks at the queue.
_LIMITS = BatchLimits(texts=8, chars=4096)
_BULK_LIMITS = BatchLimits(texts=8, chars=1024)
# ONNX Runtime makes one operation of an addition and the normalisation after it, a number at a time: 65 µs in place
# of 15, twelve times a text, which is a quarter of all.
_SLOWER_WITH = ["SkipLayerNormFusion"]
_CHECK_TIMEOUT_S = 5.0
# What is counted at once on the event loop, well below a millisecond.
_INLINE_CHARS = 4096


class MiniLMEmbedder:
    """A text's vector depends on that text alone: each runs by itself, also within a batch.

    Activations are quantised by the range of the whole batch, padding included, so that together with others a text
    gets another vector, by up to 0.015 in cosine: enough to move a pair of questions over the cache's threshold. Alone
    costs a fifth more at 18 tokens, and gives the same answer to the same question at all times.
    """

    def __init__(self, folder: Path, *, bulk_threads: int = 1) -> None:
        """`folder`: as set-up made it (serving/embedders/model_files.py); it is read by `start`. `bulk_threads`: how
        many texts of bulk work run at once, each on a core of its own where there is one that nobody wants.
        """
        self._folder = folder
        self._runner = BatchRunner(name=MINILM, limits=_LIMITS, bulk_limits=_BULK_LIMITS)
        # In threads of its own, which give way to questions and to the event loop in the middle of a text.
        self._bulk = BatchRunner(
            name=MINILM, limits=_BULK_LIMITS, bulk_limits=_BULK_LIMITS, gives_way=True, threads=bulk_threads
        )
        self._words: WordPiece | None = None

    @property
    def name(self) -> str:
        return _NAME

    @property
    def dimensions(self) -> int:
        return _DIMENSIONS

    async def start(self) -> None:
        if self._words is None:
            compute, words = await self._runner.load(partial(_load, self._folder))
            await self._bulk.load(lambda: (compute, None))
            self._words = words

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        self._runner.require_loaded()
        runner = self._bulk if bulk else self._runner
        return await runner.run(texts, timeout_s=timeout_s, bulk=False)

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        self._runner.require_loaded()
        words = self._words
        assert words is not None  # noqa: S101 - set by the same load
        if sum(map(len, texts)) <= _INLINE_CHARS:
            return words.counts(texts)
        return await asyncio.to_thread(words.counts, texts)

    async def check(self) -> None:
        try:
            await self.embed(["ready?"], timeout_s=_CHECK_TIMEOUT_S)
        except EmbedderTimeout as error:
            raise EmbedderUnavailable(str(error)) from error

    async def aclose(self) -> None:
        await self._runner.aclose()
        await self._bulk.aclose()


def _load(folder: Path) -> tuple[Compute, tuple[Compute, WordPiece]]:
    files = read_model_files(folder)
    if (files.manifest.name, files.manifest.dimensions) != (_FILES, _DIMENSIONS):
        raise EmbedderUnavailable(f"{folder} holds the model {files.manifest.name}, not {_FILES}")
    words = WordPiece(files.tokenizer, max_tokens=files.manifest.max_tokens)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # a worker has one core
    options.log_severity_level = 3  # errors; they are raised too
    session = onnxruntime.InferenceSession(
        files.graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER_WITH
    )

    def compute(texts: Sequence[str]) -> Iterator[bytes]:
        for text in texts:
            ids = np.array([words.ids(text)], dtype=np.int64)
            (vectors,) = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
            yield vectors[0].astype("<f4").tobytes()

    list(compute(["The first run makes what later ones use."]))
    return compute, (compute, words)

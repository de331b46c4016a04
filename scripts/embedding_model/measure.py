"""`python -m scripts.embedding_model.measure FOLDER`: the figures of docs/adr/014-embedder.md, on this machine.

One thread, no load beside it. Fetches the weights once more, to compare with float32.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
_FORMS = (
    "What was {name}'s {metric} in {period}?",
    "How did {metric} at {name} change over {period} compared with its peers?",
    "{name} {metric} {period}",
)
_NAMES = ("Apple", "Berkshire Hathaway", "JPMorgan Chase", "Nestlé", "NVIDIA")
_METRICS = ("revenue", "GAAP net income", "EBITDA margin", "free cash flow per share")
_PERIODS = ("Q3 2024", "fiscal year 2023", "the first half of 2023")
QUESTIONS = [
    form.format(name=name, metric=metric, period=period)
    for form, name, metric, period in itertools.product(_FORMS, _NAMES, _METRICS, _PERIODS)
]
LONG = "net interest income grew because deposits were repriced more slowly than loans " * 30
_RUNS = 300


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="measure", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the built model, such as .cache/models/all-MiniLM-L6-v2")
    folder: Path = parser.parse_args(arguments).folder
    asyncio.run(_as_served(folder))
    _graphs(folder)
    return 0


async def _as_served(folder: Path) -> None:
    """Through the embedder, its queue and its thread."""
    memory_mb, began = _resident_mb(), time.perf_counter()
    # Only now, so that what the libraries take counts too.
    from serving.embedders.minilm_onnx import MiniLMEmbedder  # noqa: PLC0415 - see above

    embedder = MiniLMEmbedder(folder)
    await embedder.start()
    print(f"import and load        {time.perf_counter() - began:.2f} s")
    print(f"tokens of a question   {statistics.mean(await embedder.token_counts(QUESTIONS)):.1f}")
    for name, texts in (("question", QUESTIONS), ("256 tokens", [LONG])):
        times = []
        for text in itertools.islice(itertools.cycle(texts), _RUNS):
            began = time.perf_counter()
            await embedder.embed([text], timeout_s=10)
            times.append(time.perf_counter() - began)
        print(f"one {name:18} {_milliseconds(times)}")
    print(f"memory                 {_resident_mb() - memory_mb:.0f} MB")
    await embedder.aclose()


def _graphs(folder: Path) -> None:
    """The graph in 8 bits beside that in float32, each text alone and eight together."""
    from scripts.embedding_model.build import float32_graph  # noqa: PLC0415 - not before memory was measured
    from scripts.embedding_model.weights import fetch  # noqa: PLC0415
    from serving.embedders.model_files import read_model_files  # noqa: PLC0415
    from serving.embedders.wordpiece import WordPiece  # noqa: PLC0415

    files = read_model_files(folder)
    words = WordPiece(files.tokenizer, max_tokens=files.manifest.max_tokens)
    ids = [words.ids(text) for text in QUESTIONS]
    alone = {}
    for name, graph in (("int8", files.graph), ("float32", float32_graph(fetch()).SerializeToString())):
        embed = _session(graph)
        alone[name], alone_ms = _timed(embed, [[text] for text in ids])
        together, together_ms = _timed(embed, _eights(ids))
        cosines = (alone[name] * together).sum(axis=1)
        print(f"{name:8} alone {alone_ms:.2f} ms, of eight {together_ms:.2f} ms each; ", end="")
        print(f"cosine between the two: least {cosines.min():.4f}, mean {cosines.mean():.4f}")
    cosines = (alone["int8"] * alone["float32"]).sum(axis=1)
    print(f"cosine of int8 and float32: least {cosines.min():.4f}, mean {cosines.mean():.4f}")


Embed = Callable[[Sequence[Sequence[int]]], Vectors]


def _session(graph: bytes) -> Embed:
    from serving.embedders.onnx_runtime import onnxruntime  # noqa: PLC0415 - not before memory was measured

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def embed(batch: Sequence[Sequence[int]]) -> Vectors:
        ids, mask = (np.zeros((len(batch), max(map(len, batch))), dtype=np.int64) for _ in range(2))
        for row, text in enumerate(batch):
            ids[row, : len(text)], mask[row, : len(text)] = text, 1
        vectors: Vectors = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors

    return embed


def _timed(embed: Embed, batches: Sequence[Sequence[Sequence[int]]]) -> tuple[Vectors, float]:
    """All vectors, and milliseconds for a text."""
    embed(batches[0])
    began = time.perf_counter()
    vectors = np.concatenate([embed(batch) for batch in batches])
    return vectors, (time.perf_counter() - began) * 1e3 / len(vectors)


def _eights(ids: Sequence[Sequence[int]]) -> list[Sequence[Sequence[int]]]:
    return [ids[start : start + 8] for start in range(0, len(ids), 8)]


def _milliseconds(times: Sequence[float]) -> str:
    ordered = sorted(times)
    return f"p50 {statistics.median(ordered) * 1e3:.2f} ms, p99 {ordered[len(ordered) * 99 // 100] * 1e3:.2f} ms"


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    sys.exit(main())

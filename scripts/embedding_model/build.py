"""From the published weights to the files that the gateway loads (serving/embedders/model_files.py)."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx

from scripts.embedding_model.folder import Files
from scripts.embedding_model.graph import Shape, build_graph
from scripts.embedding_model.safetensors import float32_tensors
from scripts.embedding_model.weights import WEIGHTS_SHA256, Published
from serving.catalogue.base import MINILM
from serving.embedders.model_files import GRAPH_FILE, MANIFEST_FILE, RECIPE, TOKENIZER_FILE, Manifest
from serving.embedders.onnx_runtime import onnxruntime


def model_files(published: Published) -> Files:
    """All files of the model's folder."""
    contents = {GRAPH_FILE: _int8_graph(published), TOKENIZER_FILE: published.tokenizer}
    manifest = Manifest(
        model=MINILM,
        precision="int8",
        dimensions=Shape().hidden,
        max_tokens=Shape().max_tokens,
        recipe=RECIPE,
        weights_sha256=WEIGHTS_SHA256,
        files={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        made_with={"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__},
    )
    return {**contents, MANIFEST_FILE: manifest.encoded()}


def float32_graph(published: Published) -> onnx.ModelProto:
    """What the 8-bit graph is made from, and compared with."""
    return build_graph(float32_tensors(published.safetensors), Shape())


def _int8_graph(published: Published) -> bytes:
    """Weights in 8 bits, activations too while it runs, each product's by their range.

    A scale for each column and not for each matrix: a mean cosine to float32 of 0.994 in place of 0.970, for no time.
    Reduced range, which is 7 bits: processors without VNNI add pairs of products in 16 bits, which 8 would overflow;
    it costs 0.001. docs/adr/014-embedder.md has the figures.
    """
    # Not at the top, where it would come before the import that keeps the library from reporting home.
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - see above

    with tempfile.TemporaryDirectory(prefix="embedding-model-") as work:
        source, target = Path(work, "float32.onnx"), Path(work, "int8.onnx")
        onnx.save(float32_graph(published), source)
        with _without_advice():
            quantize_dynamic(
                source,
                target,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                extra_options={"MatMulConstBOnly": True},  # not the products of attention, which have no weights
            )
        return target.read_bytes()


@contextmanager
def _without_advice() -> Iterator[None]:
    """The quantiser recommends a preparation, on the root logger, that does nothing for this graph."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)

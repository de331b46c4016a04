"""The ONNX graph against the same network written down in NumPy, with random weights and a shape of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from scripts.embedding_model.graph import OPSET, Shape, build_graph
from scripts.embedding_model.safetensors import Weights
from serving.embedders.onnx_runtime import onnxruntime

Matrix = NDArray[np.float32]
SHAPE = Shape(layers=2, heads=3, hidden=12, max_tokens=9, epsilon=1e-6)
VOCABULARY, WIDE = 20, 24


@pytest.fixture(scope="module")
def weights() -> Weights:
    random = np.random.default_rng(7)

    def draw(*shape: int) -> Matrix:
        return random.normal(0, 0.5, shape).astype(np.float32)

    hidden = SHAPE.hidden
    made = {
        "embeddings.word_embeddings.weight": draw(VOCABULARY, hidden),
        "embeddings.position_embeddings.weight": draw(16, hidden),
        "embeddings.token_type_embeddings.weight": draw(2, hidden),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(SHAPE.layers):
        prefix = f"encoder.layer.{layer}"
        sizes = dict.fromkeys([f"attention.self.{part}" for part in ("query", "key", "value")], (hidden, hidden))
        sizes |= {"attention.output.dense": (hidden, hidden)}
        sizes |= {"intermediate.dense": (WIDE, hidden), "output.dense": (hidden, WIDE)}
        for name, size in sizes.items():
            made |= {f"{prefix}.{name}.weight": draw(*size), f"{prefix}.{name}.bias": draw(size[0])}
        norms += [f"{prefix}.attention.output.LayerNorm", f"{prefix}.output.LayerNorm"]
    for name in norms:
        made |= {f"{name}.weight": draw(hidden), f"{name}.bias": draw(hidden)}
    return made


@pytest.fixture(scope="module")
def session(weights: Weights) -> onnxruntime.InferenceSession:
    model = build_graph(weights, SHAPE).SerializeToString()
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, texts: Sequence[Sequence[int]]) -> Matrix:
    longest = max(map(len, texts))
    ids, mask = (np.zeros((len(texts), longest), dtype=np.int64) for _ in range(2))
    for row, text in enumerate(texts):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    vectors: Matrix = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    return vectors


def reference(weights: Weights, ids: Sequence[int]) -> Matrix:
    """One text without padding, as Devlin et al. describe it: nothing merged, nothing folded in."""

    def dense(value: Matrix, name: str) -> Matrix:
        return value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normalised(value: Matrix, name: str) -> Matrix:
        centred = value - value.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + SHAPE.epsilon)
        result: Matrix = scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]
        return result

    def attended(value: Matrix, name: str) -> Matrix:
        width = SHAPE.hidden // SHAPE.heads
        query, key, content = (dense(value, f"{name}.self.{part}") for part in ("query", "key", "value"))
        heads = []
        for head in range(SHAPE.heads):
            part = slice(head * width, (head + 1) * width)
            scores = np.exp(query[:, part] @ key[:, part].T / math.sqrt(width))
            heads.append(scores / scores.sum(-1, keepdims=True) @ content[:, part])
        return normalised(value + dense(np.hstack(heads), f"{name}.output.dense"), f"{name}.output.LayerNorm")

    embedded = weights["embeddings.word_embeddings.weight"][list(ids)]
    embedded = embedded + weights["embeddings.position_embeddings.weight"][: len(ids)]
    hidden = normalised(embedded + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(SHAPE.layers):
        prefix = f"encoder.layer.{layer}"
        hidden = attended(hidden, f"{prefix}.attention")
        wide = dense(hidden, f"{prefix}.intermediate.dense")
        wide = wide * 0.5 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
        hidden = normalised(hidden + dense(wide, f"{prefix}.output.dense"), f"{prefix}.output.LayerNorm")
    mean = hidden.mean(0)
    unit: Matrix = mean / np.linalg.norm(mean)
    return unit


@pytest.mark.parametrize("length", [1, 2, 5, SHAPE.max_tokens])
def test_it_is_the_network_of_the_papers(session: onnxruntime.InferenceSession, weights: Weights, length: int) -> None:
    text = [(7 * place + 3) % VOCABULARY for place in range(length)]
    np.testing.assert_allclose(run(session, [text])[0], reference(weights, text), atol=2e-5)


def test_padding_changes_nothing(session: onnxruntime.InferenceSession, weights: Weights) -> None:
    texts = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10]]
    for vector, text in zip(run(session, texts), texts, strict=True):
        np.testing.assert_allclose(vector, reference(weights, text), atol=2e-5)


def test_vectors_have_length_1(session: onnxruntime.InferenceSession) -> None:
    vectors = run(session, [[1, 2], [3, 4, 5]])
    assert vectors.shape == (2, SHAPE.hidden)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_it_asks_for_an_opset_that_any_runtime_has(weights: Weights) -> None:
    model = build_graph(weights, SHAPE)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert {node.domain for node in model.graph.node} == {""}


def test_a_weight_that_is_missing_is_named(weights: Weights) -> None:
    lacking = {name: value for name, value in weights.items() if name != "encoder.layer.1.output.dense.bias"}
    with pytest.raises(KeyError, match=r"encoder\.layer\.1\.output\.dense\.bias"):
        build_graph(lacking, SHAPE)

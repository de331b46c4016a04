"""BERT's encoder with mean pooling as an ONNX graph: token ids in, unit vectors out.

Written from the architecture (Devlin et al. 2018; pooling: Reimers and Gurevych 2019). Each layer's query, key and
value are one product, and the attention's scale is part of its weights: that is less work for the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from scripts.embedding_model.safetensors import Weights

OPSET = 17  # the first with LayerNormalization
_IR_VERSION = 8  # that of opset 17's time: any ONNX Runtime since takes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Of all-MiniLM-L6-v2."""

    layers: int = 6
    heads: int = 12
    hidden: int = 384
    max_tokens: int = 256
    """What the model was trained with; the weights have 512 positions."""
    epsilon: float = 1e-12


def build_graph(weights: Weights, shape: Shape) -> onnx.ModelProto:
    """Inputs `input_ids` and `attention_mask`, int64 [batch, tokens], 1 to `max_tokens` tokens, a mask of 1 and 0.

    Output `embedding`, float32 [batch, hidden], each row of length 1. Raises KeyError for a weight that is missing.
    """
    return _Encoder(weights, shape).model()


class _Encoder:
    def __init__(self, weights: Weights, shape: Shape) -> None:
        self._weights = weights
        self._shape = shape
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def model(self) -> onnx.ModelProto:
        mask = self._add("Cast", "attention_mask", to=TensorProto.FLOAT)
        # Added to a score before the softmax: nothing for a token, and for padding so little that no weight is left.
        absent = self._add("Sub", self._float("one", 1.0), self._add("Unsqueeze", mask, self._ints("axes_1_2", [1, 2])))
        penalty = self._add("Mul", absent, self._float("no_weight", -1e9))
        hidden = self._embedded()
        for layer in range(self._shape.layers):
            prefix = f"encoder.layer.{layer}"
            hidden = self._attended(hidden, penalty, prefix)
            hidden = self._fed_forward(hidden, prefix)
        self._pooled(hidden, mask)
        graph = helper.make_graph(
            self._nodes,
            "sentence_encoder",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
                for name in ("input_ids", "attention_mask")
            ],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", self._shape.hidden])],
            list(self._constants.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _embedded(self) -> str:
        """Words and positions. There is one text in a sequence, so the first segment's vector is in every position."""
        positions = self._weights["embeddings.position_embeddings.weight"][: self._shape.max_tokens]
        segment = self._weights["embeddings.token_type_embeddings.weight"][0]
        table = self._constant("position_and_segment", positions + segment)
        words = self._add("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        tokens = self._add("Shape", "input_ids", start=1, end=2)
        placed = self._add("Slice", table, self._ints("first", [0]), tokens, self._ints("axis_0", [0]))
        return self._normalised(self._add("Add", words, placed), "embeddings.LayerNorm")

    def _attended(self, hidden: str, penalty: str, prefix: str) -> str:
        query, key, value = self._heads(hidden, f"{prefix}.attention.self")
        scores = self._add("MatMul", query, self._add("Transpose", key, perm=[0, 1, 3, 2]))
        shares = self._add("Softmax", self._add("Add", scores, penalty), axis=-1)
        mixed = self._add("Transpose", self._add("MatMul", shares, value), perm=[0, 2, 1, 3])
        joined = self._add("Reshape", mixed, self._ints("joined_shape", [0, 0, self._shape.hidden]))
        projected = self._dense(joined, f"{prefix}.attention.output.dense")
        return self._normalised(self._add("Add", projected, hidden), f"{prefix}.attention.output.LayerNorm")

    def _heads(self, hidden: str, prefix: str) -> list[str]:
        """Query (scaled), key and value, each [batch, heads, tokens, width]."""
        shape = self._shape
        width = shape.hidden // shape.heads
        scale = np.float32(1 / math.sqrt(width))
        factors = {"query": scale, "key": np.float32(1), "value": np.float32(1)}
        weight = np.concatenate([self._weights[f"{prefix}.{name}.weight"] * by for name, by in factors.items()])
        bias = np.concatenate([self._weights[f"{prefix}.{name}.bias"] * by for name, by in factors.items()])
        product = self._add("MatMul", hidden, self._constant(f"{prefix}.weight", weight.T))
        joint = self._add("Add", product, self._constant(f"{prefix}.bias", bias))
        by_head = self._ints("heads_shape", [0, 0, shape.heads, width])
        return [
            self._add("Transpose", self._add("Reshape", part, by_head), perm=[0, 2, 1, 3])
            for part in self._split(joint, parts=3)
        ]

    def _fed_forward(self, hidden: str, prefix: str) -> str:
        wide = self._gelu(self._dense(hidden, f"{prefix}.intermediate.dense"))
        narrow = self._dense(wide, f"{prefix}.output.dense")
        return self._normalised(self._add("Add", narrow, hidden), f"{prefix}.output.LayerNorm")

    def _gelu(self, value: str) -> str:
        """Exact, with the error function; in the order that ONNX Runtime knows and does as one operation."""
        error = self._add("Erf", self._add("Div", value, self._float("sqrt_2", math.sqrt(2))))
        return self._add(
            "Mul",
            self._add("Mul", value, self._add("Add", error, self._float("one", 1.0))),
            self._float("half", 0.5),
        )

    def _pooled(self, hidden: str, mask: str) -> None:
        """The mean over the tokens that are no padding, scaled to length 1."""
        axis = self._ints("axis_1", [1])
        weighted = self._add("Mul", hidden, self._add("Unsqueeze", mask, self._ints("axis_2", [2])))
        total = self._add("ReduceSum", weighted, axis, keepdims=0)
        count = self._add("ReduceSum", mask, axis, keepdims=1)
        mean = self._add("Div", total, count)
        length = self._add("ReduceL2", mean, axes=[1], keepdims=1)
        self._nodes.append(helper.make_node("Div", [mean, length], ["embedding"]))

    def _dense(self, value: str, prefix: str) -> str:
        weight = self._constant(f"{prefix}.weight", self._weights[f"{prefix}.weight"].T)
        return self._add("Add", self._add("MatMul", value, weight), self._weight(f"{prefix}.bias"))

    def _normalised(self, value: str, prefix: str) -> str:
        parts = self._weight(f"{prefix}.weight"), self._weight(f"{prefix}.bias")
        return self._add("LayerNormalization", value, *parts, axis=-1, epsilon=self._shape.epsilon)

    def _split(self, value: str, *, parts: int) -> list[str]:
        outputs = [f"split_{len(self._nodes)}_{part}" for part in range(parts)]
        sizes = self._ints("split_sizes", [self._shape.hidden] * parts)
        self._nodes.append(helper.make_node("Split", [value, sizes], outputs, axis=-1))
        return outputs

    def _add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, whose name comes back."""
        output = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _float(self, name: str, value: float) -> str:
        return self._constant(name, np.array(value, dtype=np.float32))

    def _ints(self, name: str, values: list[int]) -> str:
        return self._constant(name, np.array(values, dtype=np.int64))

    def _constant(self, name: str, value: NDArray[np.float32] | NDArray[np.int64]) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

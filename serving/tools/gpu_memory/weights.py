"""Bytes of a model's weights on each GPU, from its shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from serving.tools.command_line import InputError
from serving.tools.gpu_memory.model_shape import Experts, LatentAttention, ModelShape
from serving.tools.gpu_memory.numbers import Dtype

# Families with Llama's layer: four projections, a gated MLP of three matrices (or experts made of such), RMS norms.
LLAMA_LIKE = frozenset({
    "llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "gemma", "gemma2", "gemma3_text",
    "phi3", "deepseek_v2", "deepseek_v3",
})  # fmt: skip


class Split(StrEnum):
    """What tensor parallelism does with a matrix."""

    EVEN = "even"
    KV_HEADS = "kv heads"
    """Split as far as there are heads, then copied."""
    NONE = "none"
    """Every GPU has all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    outputs: int
    inputs: int = 1
    copies: int = 1
    quantized: bool = True
    split: Split = Split.EVEN


def parameter_count(shape: ModelShape) -> int:
    """Raises InputError for a family whose layers are not known."""
    return sum(matrix.copies * matrix.outputs * matrix.inputs for matrix in matrices(shape))


def weight_bytes(shape: ModelShape, dtype: Dtype, *, tensor_parallel: int = 1) -> int:
    """Bytes on one of `tensor_parallel` GPUs. Raises InputError for a family whose layers are not known."""
    return sum(_bytes(shape, matrix, dtype, tensor_parallel) for matrix in matrices(shape))


def _bytes(shape: ModelShape, matrix: Matrix, dtype: Dtype, tensor_parallel: int) -> int:
    if matrix.quantized:
        whole = shape.quantization.matrix_bytes(matrix.outputs, matrix.inputs, dtype)
    else:
        whole = matrix.outputs * matrix.inputs * dtype.size
    match matrix.split:
        case Split.EVEN:
            parts = tensor_parallel
        case Split.KV_HEADS:
            parts = min(tensor_parallel, shape.kv_heads)
        case Split.NONE:
            parts = 1
    return matrix.copies * -(-whole // parts)


def matrices(shape: ModelShape) -> Iterator[Matrix]:
    """All that holds weights. Raises InputError for a family whose layers are not known."""
    if shape.family not in LLAMA_LIKE:
        raise InputError(
            f"config.json: the weights of a model of type {shape.family!r} cannot be worked out from its config alone; "
            f"put its safetensors files or their index beside it (known types: {', '.join(sorted(LLAMA_LIKE))})."
        )
    hidden = shape.hidden_size
    yield Matrix(outputs=shape.vocab_size, inputs=hidden, quantized=False)
    if not shape.tied_embeddings:
        yield Matrix(outputs=shape.vocab_size, inputs=hidden, quantized=False)
    yield from _latent(shape, shape.latent) if shape.latent else _attention(shape)
    norms = shape.layers * shape.norms_per_layer + 1
    yield Matrix(outputs=hidden, copies=norms, quantized=False, split=Split.NONE)
    dense = shape.layers if shape.experts is None else shape.experts.dense_layers
    yield from _mlp(hidden, shape.intermediate_size, dense)
    if shape.experts is not None:
        yield from _experts(hidden, shape.experts, shape.layers - dense)


def _attention(shape: ModelShape) -> Iterator[Matrix]:
    hidden, layers = shape.hidden_size, shape.layers
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    yield Matrix(outputs=queries, inputs=hidden, copies=layers)
    yield Matrix(outputs=hidden, inputs=queries, copies=layers)
    yield Matrix(outputs=keys, inputs=hidden, copies=2 * layers, split=Split.KV_HEADS)
    if shape.query_bias:
        yield Matrix(outputs=queries, copies=layers, quantized=False)
        yield Matrix(outputs=keys, copies=2 * layers, quantized=False, split=Split.KV_HEADS)
    if shape.head_norms:
        yield Matrix(outputs=shape.head_dim, copies=2 * layers, quantized=False, split=Split.NONE)


def _latent(shape: ModelShape, latent: LatentAttention) -> Iterator[Matrix]:
    hidden, layers, heads = shape.hidden_size, shape.layers, shape.heads
    queries = heads * (latent.plain_head_dim + latent.rotary_head_dim)
    if latent.query_rank is None:
        yield Matrix(outputs=queries, inputs=hidden, copies=layers)
    else:
        yield Matrix(outputs=latent.query_rank, inputs=hidden, copies=layers, split=Split.NONE)
        yield Matrix(outputs=queries, inputs=latent.query_rank, copies=layers)
        yield Matrix(outputs=latent.query_rank, copies=layers, quantized=False, split=Split.NONE)
    compressed = latent.kv_rank + latent.rotary_head_dim
    yield Matrix(outputs=compressed, inputs=hidden, copies=layers, split=Split.NONE)
    yield Matrix(outputs=heads * (latent.plain_head_dim + latent.value_head_dim), inputs=latent.kv_rank, copies=layers)
    yield Matrix(outputs=latent.kv_rank, copies=layers, quantized=False, split=Split.NONE)
    yield Matrix(outputs=hidden, inputs=heads * latent.value_head_dim, copies=layers)


def _mlp(hidden: int, size: int, copies: int) -> Iterator[Matrix]:
    if copies and size:
        yield Matrix(outputs=size, inputs=hidden, copies=2 * copies)
        yield Matrix(outputs=hidden, inputs=size, copies=copies)


def _experts(hidden: int, experts: Experts, layers: int) -> Iterator[Matrix]:
    yield Matrix(outputs=experts.count, inputs=hidden, copies=layers, quantized=False, split=Split.NONE)
    if experts.router_bias:
        yield Matrix(outputs=experts.count, copies=layers, quantized=False, split=Split.NONE)
    yield from _mlp(hidden, experts.size, layers * experts.count)
    yield from _mlp(hidden, experts.shared_size, layers)
    if experts.shared_gate and experts.shared_size:
        yield Matrix(outputs=hidden, copies=layers, quantized=False, split=Split.NONE)

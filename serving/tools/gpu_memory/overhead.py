"""What a GPU holds besides weights and KV cache: estimates, unlike the rest. Engines measure these when they start."""

from __future__ import annotations

from dataclasses import dataclass

from serving.tools.gpu_memory.model_shape import ModelShape
from serving.tools.gpu_memory.numbers import GIB, Dtype

# Over what the largest tensors of a step add up to, for workspaces and the allocator's gaps: with it the formula gives
# 1.30 GiB for Llama 3 8B at 8,192 tokens, where vLLM reported 1.26 GiB (vllm-project/vllm, pull request 10511).
_ALLOCATOR = 1.2
_CUDA_CONTEXT_BYTES = int(0.5 * GIB)
_COMMUNICATION_BYTES = GIB
"""NCCL's buffers, when several GPUs work together."""
_GRAPH_BYTES_PER_LAYER = 16 * 2**20
_LOGIT_BYTES = 4 + 4
"""Logits are sampled from in float32, beside their probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """Bytes on each GPU."""

    activations: int
    cuda_graphs: int
    cuda_context: int

    @property
    def total(self) -> int:
        return self.activations + self.cuda_graphs + self.cuda_context


def estimate_overhead(
    shape: ModelShape,
    *,
    dtype: Dtype,
    max_batched_tokens: int,
    max_sequences: int,
    tensor_parallel: int = 1,
    cuda_graphs: bool = True,
) -> Overhead:
    """Activations of a step with `max_batched_tokens` tokens, of which `max_sequences` get logits.

    They are not divided among GPUs: vLLM reports the same peak for one and for two.
    """
    inner = shape.intermediate_size
    if shape.experts is not None:
        inner = max(inner, shape.experts.per_token * shape.experts.size + shape.experts.shared_size)
    # Residual and hidden state; the gated MLP's two inputs and their product.
    per_token = (2 * shape.hidden_size + 3 * inner) * dtype.size
    logits = min(max_sequences, max_batched_tokens) * shape.vocab_size * (dtype.size + _LOGIT_BYTES)
    return Overhead(
        activations=int(_ALLOCATOR * (max_batched_tokens * per_token + logits)),
        cuda_graphs=shape.layers * _GRAPH_BYTES_PER_LAYER if cuda_graphs else 0,
        cuda_context=_CUDA_CONTEXT_BYTES + (_COMMUNICATION_BYTES if tensor_parallel > 1 else 0),
    )

"""Blocks of the KV cache: how large one is on each GPU, and how many a sequence takes.

The rules are those of vLLM (v1/core/kv_cache_utils.py, v1/kv_cache_interface.py), held to a running vLLM in
tests/real/engine/test_estimate_gpu_memory.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from serving.tools.gpu_memory.model_shape import ModelShape
from serving.tools.gpu_memory.numbers import Dtype, KvDtype

# With layers of two kinds, vLLM makes groups as large as the smaller kind, unless the other is hardly larger.
_HARDLY_LARGER = 1.5
# A batch is computed while the next one is scheduled already, so a window's blocks are freed one batch late.
_BATCHES_IN_FLIGHT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class KvLayout:
    """A block holds `block_size` tokens of one group of layers. Bytes are those on one GPU."""

    block_size: int
    bytes_per_token_and_layer: int
    layers: int
    group_layers: int
    full_groups: int
    sliding_groups: int
    window_tokens: int

    @property
    def bytes_per_block(self) -> int:
        return self.block_size * self.bytes_per_token_and_layer * self.group_layers

    @property
    def bytes_per_token(self) -> int:
        """Of all layers, for a token within every window."""
        return self.bytes_per_token_and_layer * self.layers

    def blocks_for(self, tokens: int, *, max_batched_tokens: int) -> int:
        """Blocks that one sequence of `tokens` takes at most."""
        blocks = self.full_groups * _ceil(tokens, self.block_size)
        if self.sliding_groups:
            held = min(self.window_tokens - 1 + _BATCHES_IN_FLIGHT * max_batched_tokens, tokens)
            blocks += self.sliding_groups * (_ceil(held, self.block_size) + 1)  # a window starts within a block
        return blocks


def kv_layout(
    shape: ModelShape, *, dtype: Dtype, kv_dtype: KvDtype, block_size: int, tensor_parallel: int = 1
) -> KvLayout:
    """On one of `tensor_parallel` GPUs: heads are shared out, and copied where there are fewer heads than GPUs."""
    if shape.latent is not None:
        numbers = shape.latent.kv_rank + shape.latent.rotary_head_dim  # every GPU needs all of it
    else:
        numbers = 2 * max(1, shape.kv_heads // tensor_parallel) * shape.head_dim
    full = shape.full_layers
    sliding = shape.layers - full
    group = _group_layers(full, sliding)
    return KvLayout(
        block_size=block_size,
        bytes_per_token_and_layer=numbers * kv_dtype.size(dtype),
        layers=shape.layers,
        group_layers=group,
        full_groups=_ceil(full, group),
        sliding_groups=_ceil(sliding, group),
        window_tokens=shape.sliding.tokens if shape.sliding else 0,
    )


def _group_layers(full: int, sliding: int) -> int:
    if not full or not sliding:
        return full or sliding
    fewer, more = sorted((full, sliding))
    return more if more < fewer * _HARDLY_LARGER else fewer


def _ceil(value: int, divisor: int) -> int:
    return -(-value // divisor)

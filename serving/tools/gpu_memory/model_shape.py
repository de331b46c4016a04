"""The numbers of a model's architecture that decide how much memory it takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from serving.tools.gpu_memory.numbers import Dtype
from serving.tools.gpu_memory.quantization import UNQUANTIZED, Quantization


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingWindow:
    """`layers` of the model attend only to the last `tokens` tokens, and keep no others."""

    tokens: int
    layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Multi-head latent attention (DeepSeek): one compressed vector per token and layer instead of keys and values."""

    kv_rank: int
    query_rank: int | None
    rotary_head_dim: int
    plain_head_dim: int
    value_head_dim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """A mixture of experts in all layers but `dense_layers`; `shared_size` is always computed beside them."""

    count: int
    per_token: int
    size: int
    shared_size: int = 0
    shared_gate: bool = False
    router_bias: bool = False
    dense_layers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    name: str
    family: str
    """`model_type` of the config."""
    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    max_positions: int | None
    dtype: Dtype
    """What the weights are stored in."""
    tied_embeddings: bool = False
    query_bias: bool = False
    head_norms: bool = False
    norms_per_layer: int = 2
    sliding: SlidingWindow | None = None
    latent: LatentAttention | None = None
    experts: Experts | None = None
    quantization: Quantization = field(default=UNQUANTIZED)
    notes: tuple[str, ...] = ()
    """What the numbers leave out, one sentence each."""

    @property
    def full_layers(self) -> int:
        """Layers that attend to, and keep, the whole sequence."""
        return self.layers - (self.sliding.layers if self.sliding else 0)

"""From a model's config.json to its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.tools.command_line import InputError
from serving.tools.gpu_memory.model_shape import Experts, LatentAttention, ModelShape, SlidingWindow
from serving.tools.gpu_memory.numbers import Dtype
from serving.tools.gpu_memory.quantization import quantization_of

# Model types whose sliding window is only in force where the config says so.
_WINDOW_BY_SWITCH = {"qwen2", "qwen3", "qwen2_moe", "qwen3_moe"}
_QUERY_BIAS = {"qwen2", "qwen2_moe"}
_HEAD_NORMS = {"qwen3", "qwen3_moe", "gemma3_text"}
_FOUR_NORMS = {"gemma2", "gemma3_text"}
_TIED_BY_DEFAULT = {"gemma", "gemma2", "gemma3_text"}


def shape_of(config: Mapping[str, Any], *, name: str) -> ModelShape:
    """Raises InputError that names the field which is missing or wrong."""
    text = config.get("text_config")
    notes: tuple[str, ...] = ()
    if isinstance(text, Mapping):  # a model that sees or hears: the language model is a part of it
        notes = ("Encoders of images or sound are counted only where the safetensors files are there.",)
        inherited = {key: config[key] for key in ("dtype", "torch_dtype", "quantization_config") if key in config}
        config = {**inherited, **text}
    fields = _Fields(config)
    family = str(config.get("model_type") or "unknown")
    layers, hidden, heads = (
        fields.count("num_hidden_layers"),
        fields.count("hidden_size"),
        fields.count("num_attention_heads"),
    )
    return ModelShape(
        name=name,
        family=family,
        layers=layers,
        hidden_size=hidden,
        heads=heads,
        kv_heads=_kv_heads(fields, heads),
        head_dim=fields.count("head_dim", default=hidden // heads or None),
        intermediate_size=fields.count("intermediate_size"),
        vocab_size=fields.count("vocab_size"),
        max_positions=fields.optional_count("max_position_embeddings"),
        dtype=_dtype(config),
        tied_embeddings=bool(config.get("tie_word_embeddings", family in _TIED_BY_DEFAULT)),
        query_bias=bool(config.get("attention_bias", family in _QUERY_BIAS)),
        head_norms=family in _HEAD_NORMS,
        norms_per_layer=4 if family in _FOUR_NORMS else 2,
        sliding=_sliding(fields, family, layers),
        latent=_latent(fields),
        experts=_experts(fields, layers),
        quantization=quantization_of(config),
        notes=notes,
    )


class _Fields:
    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def optional_count(self, name: str, *, at_least: int = 1) -> int | None:
        value = self.config.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
            raise InputError(f"config.json: '{name}' has to be a whole number from {at_least} on, not {value!r}.")
        return value

    def items(self, name: str) -> list[Any]:
        """Of a list; none of a list that is not there."""
        value = self.config.get(name)
        if value is not None and not isinstance(value, list):
            raise InputError(f"config.json: '{name}' has to be a list, not {value!r}.")
        return value or []

    def count(self, name: str, *, default: int | None = None) -> int:
        value = self.optional_count(name)
        if value is None:
            value = default
        if value is None:
            raise InputError(f"config.json: '{name}' is missing; is this the config of a decoder language model?")
        return value


def _dtype(config: Mapping[str, Any]) -> Dtype:
    """Of the weights as they are stored."""
    name = str(config.get("dtype") or config.get("torch_dtype") or Dtype.BFLOAT16).removeprefix("torch.")
    if name not in list(Dtype):
        raise InputError(f"config.json: 'dtype' is {name!r}; known are {', '.join(Dtype)}.")
    return Dtype(name)


def _kv_heads(fields: _Fields, heads: int) -> int:
    if fields.config.get("multi_query") is True:
        return 1
    kv_heads = fields.count("num_key_value_heads", default=heads)
    if heads % kv_heads:
        raise InputError(
            f"config.json: 'num_attention_heads' ({heads}) is no multiple of 'num_key_value_heads' ({kv_heads})."
        )
    return kv_heads


def _sliding(fields: _Fields, family: str, layers: int) -> SlidingWindow | None:
    tokens = fields.optional_count("sliding_window")
    if tokens is None or (family in _WINDOW_BY_SWITCH and not fields.config.get("use_sliding_window")):
        return None
    kinds = fields.items("layer_types")
    if kinds:
        windowed = sum(kind == "sliding_attention" for kind in kinds)
    elif (pattern := fields.optional_count("sliding_window_pattern")) is not None:
        windowed = layers - layers // pattern  # every so-many-th layer sees all
    elif family == "gemma2":
        windowed = layers - layers // 2
    else:
        windowed = layers
    if windowed > layers:
        raise InputError(f"config.json: {windowed} 'layer_types' slide, but 'num_hidden_layers' is {layers}.")
    return SlidingWindow(tokens=tokens, layers=windowed) if windowed else None


def _latent(fields: _Fields) -> LatentAttention | None:
    kv_rank = fields.optional_count("kv_lora_rank")
    if kv_rank is None:
        return None
    return LatentAttention(
        kv_rank=kv_rank,
        query_rank=fields.optional_count("q_lora_rank"),
        rotary_head_dim=fields.count("qk_rope_head_dim"),
        plain_head_dim=fields.count("qk_nope_head_dim"),
        value_head_dim=fields.count("v_head_dim"),
    )


def _experts(fields: _Fields, layers: int) -> Experts | None:
    names = ("num_local_experts", "n_routed_experts", "num_experts")
    count = next((found for name in names if (found := fields.optional_count(name)) is not None), None)
    if count is None:
        return None
    size = fields.count("moe_intermediate_size", default=fields.count("intermediate_size"))
    shared = fields.optional_count("shared_expert_intermediate_size", at_least=0)
    if shared is None:
        shared = size * (fields.optional_count("n_shared_experts", at_least=0) or 0)
    first_dense = fields.optional_count("first_k_dense_replace", at_least=0) or 0
    dense = len(fields.items("mlp_only_layers")) + first_dense
    if dense > layers:
        raise InputError(f"config.json: {dense} layers without experts, but 'num_hidden_layers' is {layers}.")
    return Experts(
        count=count,
        per_token=fields.count("num_experts_per_tok", default=2),
        size=size,
        shared_size=shared,
        shared_gate="shared_expert_intermediate_size" in fields.config,
        router_bias=fields.config.get("topk_method") == "noaux_tc",
        dense_layers=dense,
    )

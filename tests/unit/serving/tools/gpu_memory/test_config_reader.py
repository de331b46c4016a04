"""Configs of all kinds: read as their models mean them, and refused in a sentence when they make no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.tools.command_line import InputError
from serving.tools.gpu_memory.config_reader import shape_of
from serving.tools.gpu_memory.kv_cache import kv_layout
from serving.tools.gpu_memory.model_shape import SlidingWindow
from serving.tools.gpu_memory.numbers import Dtype, KvDtype
from serving.tools.gpu_memory.quantization import Method, Quantization
from serving.tools.gpu_memory.sources import SHIPPED
from serving.tools.gpu_memory.weights import weight_bytes

CONFIG: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 12, "vocab_size": 512,
    "num_attention_heads": 4,
}  # fmt: skip
CONFIGS = {path.stem: json.loads(path.read_text()) for path in SHIPPED.glob("*.json")}


def test_what_is_left_out_has_the_usual_meaning() -> None:
    shape = shape_of(CONFIG, name="a")
    assert (shape.kv_heads, shape.head_dim, shape.dtype) == (4, 16, Dtype.BFLOAT16)
    assert (shape.sliding, shape.latent, shape.experts, shape.max_positions) == (None, None, None, None)


def test_multi_query_attention_has_one_head_of_keys() -> None:
    assert shape_of({**CONFIG, "multi_query": True}, name="a").kv_heads == 1


@pytest.mark.parametrize(
    ("fields", "window"),
    [
        ({"sliding_window": 100}, (100, 12)),
        ({"sliding_window": 100, "layer_types": ["sliding_attention", "full_attention"] * 6}, (100, 6)),
        ({"sliding_window": 100, "sliding_window_pattern": 6}, (100, 10)),
        ({"sliding_window": 100, "model_type": "gemma2"}, (100, 6)),
        ({"sliding_window": 100, "layer_types": ["full_attention"] * 12}, None),
        ({"sliding_window": 100, "model_type": "qwen2", "use_sliding_window": False}, None),
        ({"sliding_window": None}, None),
    ],
)
def test_windows_are_said_in_many_ways(fields: dict[str, Any], window: tuple[int, int] | None) -> None:
    wanted = None if window is None else SlidingWindow(tokens=window[0], layers=window[1])
    assert shape_of({**CONFIG, **fields}, name="a").sliding == wanted


@pytest.mark.parametrize(
    ("section", "wanted"),
    [
        ({"quant_method": "fp8"}, Quantization(method=Method.FP8, bits=8)),
        (
            {"quant_method": "fp8", "weight_block_size": [128, 64]},
            Quantization(method=Method.FP8, bits=8, block=(128, 64)),
        ),
        (
            {"quant_method": "gptq", "bits": 3, "group_size": -1},
            Quantization(method=Method.GPTQ, bits=3, zero_points=True),
        ),
        (
            {"quant_method": "awq", "w_bit": 4, "q_group_size": 64},
            Quantization(method=Method.AWQ, bits=4, group_size=64, zero_points=True),
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 4, "group_size": 128, "symmetric": True}}},
            },
            Quantization(method=Method.AWQ, bits=4, group_size=128),
        ),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 8}}}},
            Quantization(method=Method.FP8, bits=8),
        ),
        ({"quant_method": "mxfp4"}, Quantization(method=Method.OTHER)),
        (None, Quantization()),
    ],
)
def test_quantization_is_read(section: dict[str, Any] | None, wanted: Quantization) -> None:
    assert shape_of({**CONFIG, "quantization_config": section}, name="a").quantization == wanted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_experts": 8, "moe_intermediate_size": 32, "mlp_only_layers": list(range(13))}, "13 layers without exp"),
        ({"num_experts": 8, "mlp_only_layers": 3}, "'mlp_only_layers' has to be a list"),
        ({"sliding_window": 10, "layer_types": ["sliding_attention"] * 13}, "13 'layer_types' slide"),
        ({"num_attention_heads": 65}, "'head_dim' is missing"),
        ({"kv_lora_rank": 512}, "'qk_rope_head_dim' is missing"),
        ({"quantization_config": "fp8"}, "'quantization_config' has to be an object"),
        ({"quantization_config": {"quant_method": "compressed-tensors"}}, "without 'config_groups'"),
        ({"quantization_config": {"quant_method": "fp8", "weight_block_size": [0, 1]}}, "two numbers above 0"),
    ],
)
def test_what_makes_no_sense_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        shape_of({**CONFIG, **change}, name="a")


FIELDS = sorted(
    {name for config in CONFIGS.values() for name in config} | {"layer_types", "text_config", "num_experts"}
)
NESTED = ["quant_method", "bits", "group_size", "weight_block_size", "config_groups", "weights", "num_bits"]
METHODS = ["fp8", "awq", "gptq", "compressed-tensors"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.floats(allow_nan=False)
    | st.sampled_from(METHODS)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS + NESTED), inner, max_size=3),
    max_leaves=5,
)


@given(name=st.sampled_from(sorted(CONFIGS)), changes=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3))
def test_any_config_is_read_or_refused_in_a_sentence(name: str, changes: dict[str, Any]) -> None:
    try:
        shape = shape_of({**CONFIGS[name], **changes}, name=name)
        size = weight_bytes(shape, Dtype.FLOAT16)
    except InputError:
        return
    assert size > 0
    assert kv_layout(shape, dtype=Dtype.FLOAT16, kv_dtype=KvDtype.AUTO, block_size=16).bytes_per_block > 0

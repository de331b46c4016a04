from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.tools.gpu_memory.kv_cache import KvLayout, kv_layout
from serving.tools.gpu_memory.model_shape import SlidingWindow
from serving.tools.gpu_memory.numbers import Dtype, KvDtype
from serving.tools.gpu_memory.sources import read_model

KIB = 1024


def layout(name: str, **options: Any) -> KvLayout:
    defaults: dict[str, Any] = {"dtype": Dtype.FLOAT16, "kv_dtype": KvDtype.AUTO, "block_size": 16}
    return kv_layout(read_model(name).shape, **{**defaults, **options})


@pytest.mark.parametrize(
    ("name", "bytes_per_token"),
    [
        ("mistral-7b-instruct-v0.3", 128 * KIB),  # 2 x 32 layers x 8 heads x 128 x 2 bytes
        ("llama-3.1-70b-instruct", 320 * KIB),
        ("qwen2.5-7b-instruct", 56 * KIB),
        ("deepseek-v3", 61 * (512 + 64) * 2),  # one latent vector, no separate keys and values
    ],
)
def test_the_published_bytes_per_token(name: str, bytes_per_token: int) -> None:
    kv = layout(name)
    assert kv.bytes_per_token == bytes_per_token
    assert kv.bytes_per_block == 16 * bytes_per_token


def test_fp8_takes_half() -> None:
    assert layout("mistral-7b-v0.1", kv_dtype=KvDtype.FP8).bytes_per_token == 64 * KIB


@pytest.mark.parametrize(("gpus", "heads"), [(1, 8), (2, 4), (8, 1), (16, 1), (32, 1)])
def test_heads_are_shared_among_gpus_and_copied_beyond_their_number(gpus: int, heads: int) -> None:
    assert layout("mistral-7b-instruct-v0.3", tensor_parallel=gpus).bytes_per_token == heads * 16 * KIB


def test_a_latent_vector_is_on_every_gpu() -> None:
    assert layout("deepseek-v3", tensor_parallel=8) == layout("deepseek-v3")


@pytest.mark.parametrize(("tokens", "blocks"), [(1, 1), (16, 1), (17, 2), (8192, 512)])
def test_blocks_of_a_sequence(tokens: int, blocks: int) -> None:
    assert layout("mistral-7b-instruct-v0.3").blocks_for(tokens, max_batched_tokens=2048) == blocks


def test_a_window_bounds_what_a_sequence_holds() -> None:
    kv = layout("mistral-7b-v0.1")  # all 32 layers see 4,096 tokens
    # Two batches may be under way before what left the window is freed, and a window starts within a block.
    most = -(-(4096 - 1 + 2 * 2048) // 16) + 1
    assert kv.blocks_for(4096, max_batched_tokens=2048) == 257
    assert kv.blocks_for(32_768, max_batched_tokens=2048) == kv.blocks_for(131_072, max_batched_tokens=2048) == most


def test_layers_of_two_kinds_are_kept_in_groups_of_equal_size() -> None:
    kv = layout("gemma-2-9b-it")
    assert (kv.group_layers, kv.full_groups, kv.sliding_groups) == (21, 1, 1)
    assert kv.bytes_per_block == 16 * 21 * 2 * 8 * 256 * 2
    assert kv.bytes_per_token == 42 * 2 * 8 * 256 * 2


@pytest.mark.parametrize(
    ("layers", "windowed", "groups"),
    [(26, 22, (4, 1, 6)), (25, 12, (13, 1, 1)), (30, 20, (10, 1, 2)), (32, 32, (32, 0, 1)), (32, 0, (32, 1, 0))],
)
def test_groups_are_as_large_as_the_rarer_kind_unless_they_are_nearly_equal(
    layers: int, windowed: int, groups: tuple[int, int, int]
) -> None:
    sliding = SlidingWindow(tokens=512, layers=windowed) if windowed else None
    shape = dataclasses.replace(read_model("gemma-2-9b-it").shape, layers=layers, sliding=sliding)
    kv = kv_layout(shape, dtype=Dtype.BFLOAT16, kv_dtype=KvDtype.AUTO, block_size=16)
    assert (kv.group_layers, kv.full_groups, kv.sliding_groups) == groups


@given(tokens=st.integers(1, 200_000), more=st.integers(0, 5_000), name=st.sampled_from(["gemma-2-9b-it", "qwen3-8b"]))
def test_longer_sequences_never_take_fewer_blocks(tokens: int, more: int, name: str) -> None:
    kv = layout(name)
    few = kv.blocks_for(tokens, max_batched_tokens=512)
    assert 1 <= few <= kv.blocks_for(tokens + more, max_batched_tokens=512)

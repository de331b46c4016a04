"""Weights against what the models' publishers say of them."""

from __future__ import annotations

import dataclasses

import pytest

from serving.tools.command_line import InputError
from serving.tools.gpu_memory.numbers import Dtype
from serving.tools.gpu_memory.quantization import TYPICAL, Method
from serving.tools.gpu_memory.sources import read_model, shipped_names
from serving.tools.gpu_memory.weights import parameter_count, weight_bytes


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mistral-7b-v0.1", 7_241_732_096),
        ("mistral-7b-instruct-v0.3", 7_248_023_552),
        ("llama-3.1-8b-instruct", 8_030_261_248),
        ("llama-3.1-70b-instruct", 70_553_706_496),
        ("mixtral-8x7b-instruct-v0.1", 46_702_792_704),
        ("qwen2.5-7b-instruct", 7_615_616_512),
        ("qwen3-8b", 8_190_735_360),
        ("qwen3-30b-a3b", 30_532_122_624),
        ("gemma-2-9b-it", 9_241_705_984),
        ("deepseek-v3", 671_026_419_200),
    ],
)
def test_the_published_number_of_parameters(name: str, parameters: int) -> None:
    assert parameter_count(read_model(name).shape) == parameters


def test_every_shipped_model_can_be_worked_out() -> None:
    assert shipped_names()
    for name in shipped_names():
        shape = read_model(name).shape
        assert weight_bytes(shape, shape.dtype) > 10**9


def test_the_size_of_mistrals_files() -> None:
    shape = read_model("mistral-7b-v0.1").shape
    assert weight_bytes(shape, Dtype.BFLOAT16) == 14_483_464_192  # `total_size` of the published index
    assert weight_bytes(shape, Dtype.FLOAT32) == 2 * 14_483_464_192


def test_awq_takes_what_the_published_file_takes() -> None:
    """The file has 4,150,880,232 bytes, a header of the tensors' names among them."""
    size = weight_bytes(read_model("mistral-7b-instruct-v0.2-awq").shape, Dtype.FLOAT16)
    assert size == pytest.approx(4_150_880_232, rel=1e-4)


def test_each_method_takes_its_share() -> None:
    shape = read_model("mistral-7b-v0.1").shape
    sizes = {
        method: weight_bytes(dataclasses.replace(shape, quantization=quantization), Dtype.FLOAT16)
        for method, quantization in TYPICAL.items()
    }
    embeddings = 2 * 32_000 * 4096 * 2
    linear = sizes[Method.NONE] - embeddings
    assert (sizes[Method.FP8] - embeddings) / linear == pytest.approx(1 / 2, rel=1e-3)
    # 4 bits and, for every 128 of them, 16 of scale and 4 of zero point; GPTQ also says each input's group.
    assert (sizes[Method.AWQ] - embeddings) / linear == pytest.approx((4 + 20 / 128) / 16, rel=1e-3)
    assert sizes[Method.GPTQ] - sizes[Method.AWQ] == 32 * 4 * (6 * 4096 + 14336)


def test_gpus_share_what_can_be_shared() -> None:
    shape = read_model("mistral-7b-v0.1").shape
    whole, half = (weight_bytes(shape, Dtype.BFLOAT16, tensor_parallel=gpus) for gpus in (1, 2))
    norms = (32 * 2 + 1) * 4096 * 2
    assert half == (whole - norms) // 2 + norms


def test_key_and_value_heads_are_copied_beyond_their_number() -> None:
    shape = read_model("mistral-7b-v0.1").shape  # 8 of them, for 32 query heads
    eight, sixteen = (weight_bytes(shape, Dtype.BFLOAT16, tensor_parallel=gpus) for gpus in (8, 16))
    keys_and_values = 32 * 2 * (1024 * 4096) * 2 // 8
    norms = (32 * 2 + 1) * 4096 * 2
    assert sixteen == (eight - keys_and_values - norms) // 2 + keys_and_values + norms


def test_an_unknown_family_is_refused_by_name() -> None:
    shape = dataclasses.replace(read_model("mistral-7b-v0.1").shape, family="rwkv")
    with pytest.raises(InputError, match="type 'rwkv' cannot be worked out"):
        weight_bytes(shape, Dtype.BFLOAT16)

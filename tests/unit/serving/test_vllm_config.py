"""The configuration of a vLLM engine. That vLLM itself takes every argument is shown in tests/real/engine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.vllm_checks import ENGINE_CHECKS, OneOf, Share, Text, Texts, VllmConfigError, Whole
from serving.vllm_config import PRESETS, VllmConfig, preset
from serving.vllm_speculation import SPECULATION_CHECKS, Speculation

FIELDS = {field.name for field in dataclasses.fields(VllmConfig)}
NGRAM = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3}


def config(**fields: Any) -> VllmConfig:
    return VllmConfig(model="some/model", **fields)


def value(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_and_limits_the_output(name: str) -> None:
    arguments = preset(name).arguments()
    assert "--enable-prefix-caching" in arguments
    assert json.loads(value(arguments, "--override-generation-config")) == {"max_new_tokens": 2048}


def test_the_a10g_preset_is_what_was_asked_for() -> None:
    chosen = preset("mistral-7b-a10g")
    assert (chosen.max_num_seqs, chosen.gpu_memory_utilization, chosen.block_size) == (256, 0.85, 16)
    assert (chosen.max_model_len, chosen.enable_prefix_caching, chosen.enable_chunked_prefill) == (8192, True, True)


def test_every_field_is_checked() -> None:
    assert ENGINE_CHECKS.keys() == FIELDS - {"speculative_config", "lora_adapters"}
    assert SPECULATION_CHECKS.keys() == {field.name for field in dataclasses.fields(Speculation)}


@pytest.mark.parametrize("field", ENGINE_CHECKS)
@pytest.mark.parametrize("wrong", [-1, 10**20, 1.5, "", "-x", "two\nlines", ["a"], {"a": 1}, object()])
def test_a_wrong_value_is_an_error_with_field_value_and_what_is_allowed(field: str, wrong: Any) -> None:
    with pytest.raises(VllmConfigError) as raised:
        config(**{field: wrong}) if field != "model" else VllmConfig(model=wrong)
    assert str(raised.value) == f"{field} must be {ENGINE_CHECKS[field].allowed}, not {wrong!r}"


@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        ("max_num_seqs", "a whole number from 1 to 8192 sequences"),
        ("gpu_memory_utilization", "a number above 0 and at most 1"),
        ("watermark", "a number at least 0 and below 1"),
        ("block_size", "one of 16, 32, 64, 128, 256"),
        ("max_lora_rank", "one of 1, 8, 16, 32, 64, 128, 256, 320, 512"),
        ("enforce_eager", "true or false"),
        ("quantization", "one of awq, "),
        ("tool_call_parser", "a line of text that does not start with a hyphen, or nothing"),
    ],
)
def test_what_is_allowed_is_said_in_words(field: str, allowed: str) -> None:
    assert ENGINE_CHECKS[field].allowed.startswith(allowed)


@given(low=st.integers(), length=st.integers(min_value=0), tried=st.integers())
def test_a_whole_number_is_accepted_within_its_bounds_only(low: int, length: int, tried: int) -> None:
    check = Whole(low=low, high=low + length)
    assert check.accepts(tried) == (low <= tried <= low + length)
    assert check.accepts(low)
    assert check.accepts(low + length)


@pytest.mark.parametrize(("tried", "accepted"), [(0, False), (0.0, False), (1e-9, True), (1, True), (1.0001, False)])
def test_a_share_may_leave_out_a_bound(tried: float, accepted: bool) -> None:
    assert Share(low=0, high=1, includes_low=False, includes_high=True).accepts(tried) is accepted


@pytest.mark.parametrize("tried", [float("nan"), float("inf"), True, "0.5", None])
def test_a_share_is_a_number(tried: Any) -> None:
    assert not Share(low=0, high=1, includes_low=True, includes_high=True).accepts(tried)


def test_no_value_passes_for_another_of_a_different_type() -> None:
    assert not Whole(low=0, high=1).accepts(True)
    assert not OneOf((1, 8)).accepts(True)
    assert not OneOf((1, 8)).accepts(8.0)
    assert not Text().accepts("  ")
    assert not Texts().accepts(("a", "a"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"max_output_tokens": 8192},
            "max_output_tokens (8192) must be below max_model_len (8192): the prompt is in there as well",
        ),
        (
            {"max_num_batched_tokens": 255},
            "max_num_batched_tokens (255) must be at least max_num_seqs (256): a step decodes a token of every",
        ),
        (
            {"enable_chunked_prefill": False},
            "max_num_batched_tokens (2048) must be at least max_model_len (8192) when enable_chunked_prefill is false",
        ),
        (
            {"enable_chunked_prefill": False, "max_num_batched_tokens": 8192, "long_prefill_token_threshold": 1},
            "long_prefill_token_threshold (1) must be 0 when enable_chunked_prefill is false: it cuts prompts",
        ),
        (
            {"long_prefill_token_threshold": 8193},
            "long_prefill_token_threshold (8193) must be at most max_model_len (8192)",
        ),
        (
            {"quantization": "awq", "dtype": "float32"},
            "dtype must be auto, bfloat16 or float16 when quantization is awq, not float32",
        ),
        ({"max_loras": 4, "max_cpu_loras": 3}, "max_cpu_loras (3) must be at least max_loras (4)"),
    ],
)
def test_fields_that_contradict_each_other_are_an_error(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(VllmConfigError) as raised:
        config(**fields)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("speculation", "message"),
    [
        ({"method": "ngram"}, "speculative_config.num_speculative_tokens is missing"),
        ({**NGRAM, "method": "magic"}, "speculative_config.method must be one of ngram, draft_model, eagle, eagle3"),
        ({**NGRAM, "num_speculative_tokens": 0}, "speculative_config.num_speculative_tokens must be a whole number"),
        ({**NGRAM, "prompt_lookup_max": None}, "speculative_config.prompt_lookup_max is missing"),
        ({**NGRAM, "prompt_lookup_min": 5}, "speculative_config.prompt_lookup_min (5) must not be above prompt_lookup"),
        ({**NGRAM, "method": "eagle"}, "speculative_config.model is missing: the method eagle needs a draft model"),
        ({**NGRAM, "methods": 1}, "There is no field speculative_config.methods: did you mean method?"),
        ({**NGRAM, "draft_tensor_parallel_size": 2}, "speculative_config.draft_tensor_parallel_size (2) must be 1 or"),
        ("ngram", "speculative_config must be an object"),
    ],
)
def test_a_wrong_speculative_configuration_names_its_field(speculation: Any, message: str) -> None:
    with pytest.raises(VllmConfigError) as raised:
        preset("mistral-7b-a10g", speculative_config=speculation)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("adapters", "message"),
    [
        ([{"name": "a"}], "lora_adapters.path is missing"),
        ([{"name": "", "path": "p"}], "lora_adapters.name must be a line of text"),
        ([{"name": "a", "path": "p"}, {"name": "a", "path": "q"}], "lora_adapters must have names of their own"),
        ([{"name": "mistral-7b", "path": "p"}], "lora_adapters must have names of their own"),
        (["a=p"], "lora_adapters must be a list of objects with name and path"),
        ("a=p", "lora_adapters must be a list of objects with name and path"),
    ],
)
def test_wrong_adapters_name_their_field(adapters: Any, message: str) -> None:
    with pytest.raises(VllmConfigError) as raised:
        preset("mistral-7b-a10g", lora_adapters=adapters)
    assert str(raised.value).startswith(message)


def test_overrides_are_json_and_take_the_place_of_the_presets_own() -> None:
    chosen = preset(
        "mistral-7b-a10g",
        max_num_seqs=8,
        served_model_names=["a", "b"],
        speculative_config=NGRAM,
        lora_adapters=[{"name": "law", "path": "/adapters/law"}],
    )
    arguments = chosen.arguments()
    assert arguments[arguments.index("--served-model-name") :][:3] == ["--served-model-name", "a", "b"]
    assert value(arguments, "--max-num-seqs") == "8"
    assert json.loads(value(arguments, "--speculative-config")) == NGRAM
    assert json.loads(value(arguments, "--lora-modules")) == {"name": "law", "path": "/adapters/law"}
    assert "--enable-lora" in arguments


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("mistral-7b-h10", {}, "There is no preset 'mistral-7b-h10': did you mean mistral-7b-h100?"),
        ("x", {}, "There is no preset 'x': there are cpu-tiny, mistral-7b-a100, mistral-7b-a10g, mistral-7b-h100"),
        ("cpu-tiny", {"max_seqs": 1}, "There is no field 'max_seqs': did you mean max_num_seqs?"),
    ],
)
def test_an_unknown_name_is_an_error_that_helps(name: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(VllmConfigError) as raised:
        preset(name, **fields)
    assert str(raised.value) == message


def test_what_is_none_is_left_to_vllm() -> None:
    arguments = config(max_output_tokens=None).arguments()
    for option in ("quantization", "kv-cache-memory-bytes", "override-generation-config", "enable-lora", "max-loras"):
        assert f"--{option}" not in arguments


def test_switches_are_said_in_both_directions() -> None:
    arguments = config(enable_prefix_caching=False, enforce_eager=True).arguments()
    assert {"--no-enable-prefix-caching", "--enable-chunked-prefill", "--enforce-eager"} <= set(arguments)


def test_engines_on_one_machine_share_its_cores_and_compile_nothing_if_told_so() -> None:
    assert preset("cpu-tiny").environment() == {
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        "TORCH_COMPILE_DISABLE": "1",
    }
    assert preset("mistral-7b-a10g").environment() == {"VLLM_NO_USAGE_STATS": "1"}


def test_the_reference_page_has_every_field_with_its_default_and_what_it_must_be() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "vllm.md").read_text("utf-8")
    for field in dataclasses.fields(VllmConfig):
        assert f"| `{field.name}` |" in page
        if field.name in ENGINE_CHECKS:
            default = "" if field.default is dataclasses.MISSING else str(field.default).lower()
            written = "nothing" if default in ("none", "()") else default
            assert f"| `{field.name}` | {written} | {ENGINE_CHECKS[field.name].allowed} |" in page
    for name in PRESETS:
        assert f"`{name}`" in page

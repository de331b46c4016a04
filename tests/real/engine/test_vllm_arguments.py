"""Every field and every preset, read by vLLM's own parser and, as far as goes without a GPU, by its own checks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.vllm_checks import ENGINE_CHECKS, Check, Flag, OneOf, Optional, Share, Text, Texts, Whole
from serving.vllm_config import PRESETS, VllmConfig, preset
from tests.real.engine.vllm_process import ENGINE_PYTHON, ROOT

pytestmark = pytest.mark.real

# Fields that vLLM calls differently, or holds inside another option.
UNDERSTOOD_AS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "served_model_names": lambda options: options["served_model_name"],
    "max_output_tokens": lambda options: options["override_generation_config"].get("max_new_tokens"),
    "images_per_prompt": lambda options: options["limit_mm_per_prompt"].get("image"),
    "disable_any_whitespace": lambda options: (
        "disable_any_whitespace=True" in str(options["structured_outputs_config"])
    ),
}
# Read by nobody's parser: it goes into the environment.
NO_ARGUMENT = {"cpu_threads"}
# In the command line only when there are adapters.
OF_ADAPTERS = {"max_loras", "max_lora_rank", "max_cpu_loras"}
# What vLLM looks up, so that any text will not do.
REAL_TEXTS = {"tool_call_parser": "hermes", "chat_template": "{{ messages[0].content }}", "model": "some/model"}


def understood(command_lines: list[list[str]], *flags: str) -> list[dict[str, Any]]:
    """What vLLM made of each. Fails with vLLM's own message when it refuses one."""
    assert ENGINE_PYTHON.exists(), "vLLM is not installed: run scripts/venv.sh vllm"
    done = subprocess.run(
        [ENGINE_PYTHON, "-m", "tests.real.engine.vllm_arguments", *flags],
        cwd=ROOT,
        input=json.dumps(command_lines),
        env={"PATH": "/usr/bin:/bin", "VLLM_LOGGING_LEVEL": "ERROR", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    results: list[dict[str, Any]] = json.loads(done.stderr[done.stderr.index("[{") :])
    return results


def samples(field: str, check: Check) -> list[Any]:
    """Values that the check accepts: all, if they can be counted."""
    match check:
        case Optional():
            return samples(field, check.check)
        case Whole():
            # Large enough for no other field to object.
            return [min(check.high, max(check.low, 1 if field == "tensor_parallel_size" else 4096))]
        case Share():
            return [0.5]
        case OneOf():
            return list(check.values)
        case Flag():
            return [True, False]
        case Texts():
            return [("one", "two")]
        case Text():
            return [REAL_TEXTS[field]]
        case _:
            raise AssertionError(f"no sample for {check}")


def configured(field: str, value: Any) -> VllmConfig:
    needed: dict[str, Any] = {}
    if field == "max_num_seqs":
        needed["max_num_batched_tokens"] = value
    if field in OF_ADAPTERS:
        needed["lora_adapters"] = [{"name": "law", "path": "/adapters/law"}]
    if field == "enable_chunked_prefill":
        needed |= {"max_num_batched_tokens": 8192, "long_prefill_token_threshold": 0}
    if field == "quantization":
        needed["dtype"] = "auto"
    return preset("cpu-tiny", **needed, **{field: value})


def test_vllm_understands_every_field_as_it_is_meant() -> None:
    cases = [
        (field, value)
        for field, check in ENGINE_CHECKS.items()
        if field not in NO_ARGUMENT
        for value in samples(field, check)
    ]
    results = understood([configured(field, value).arguments() for field, value in cases])
    for (field, value), options in zip(cases, results, strict=True):
        found = UNDERSTOOD_AS[field](options) if field in UNDERSTOOD_AS else options[field]
        assert found == (list(value) if isinstance(value, tuple) else value), field


def test_vllm_understands_adapters_and_speculation() -> None:
    adapters = [{"name": "law", "path": "/adapters/law"}, {"name": "tax", "path": "/adapters/tax"}]
    guesses: list[dict[str, Any]] = [
        {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_min": 2, "prompt_lookup_max": 3},
        {"method": "draft_model", "num_speculative_tokens": 2, "model": "a/b"},
        {"method": "eagle3", "num_speculative_tokens": 3, "model": "a/b", "draft_tensor_parallel_size": 1},
    ]
    first, *others = understood(
        [
            preset("mistral-7b-a10g", lora_adapters=adapters, max_cpu_loras=4).arguments(),
            *(preset("mistral-7b-a10g", speculative_config=guess).arguments() for guess in guesses),
        ]
    )
    assert first["enable_lora"] is True
    assert [("law" in adapter, "tax" in adapter) for adapter in first["lora_modules"]] == [(True, False), (False, True)]
    assert [options["speculative_config"] for options in others] == guesses


def test_vllm_builds_an_engine_of_every_preset(tiny_model: Path) -> None:
    """With the tiny model's weights in place of those that would have to be downloaded."""
    chosen = {name: preset(name, model=str(tiny_model)) for name in PRESETS}
    ngram = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3}
    chosen["n-gram speculation"] = preset("cpu-tiny", model=str(tiny_model), speculative_config=ngram)
    chosen["whole prompts"] = preset(
        "cpu-tiny",
        model=str(tiny_model),
        enable_chunked_prefill=False,
        long_prefill_token_threshold=0,
        max_num_batched_tokens=8192,
    )
    results = understood([config.arguments() for config in chosen.values()], "--engine")
    for (name, config), engine in zip(chosen.items(), results, strict=True):
        output = engine.pop("output")
        assert output == {"max_tokens": config.max_output_tokens}, name
        assert engine == {field: getattr(config, field) for field in engine}, name

"""The tools that look at servers from outside, against a real vLLM."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.integration.serving.tools.command import run_tool

pytestmark = pytest.mark.real


def generated_tokens(url: str) -> float:
    text = httpx.get(f"{url}/metrics", timeout=30).text
    return sum(map(float, re.findall(r"^vllm:generation_tokens_total\{[^}]*\} (\S+)$", text, re.MULTILINE)))


def test_a_bare_vllm_passes_validation(vllm_url: str, tmp_path: Path) -> None:
    finished = run_tool("validate_deployment", vllm_url, "--metrics-url", vllm_url, folder=tmp_path)
    outcomes = {check["name"]: check["outcome"] for check in finished.document["checks"]}
    assert outcomes.pop("authentication") == "unsupported", finished.out  # it was given no key
    assert set(outcomes.values()) == {"passed"}, finished.out
    assert len(outcomes) == 10
    assert finished.code == 0


def test_a_bare_vllm_is_measured(vllm_url: str, tmp_path: Path) -> None:
    before = generated_tokens(vllm_url)
    finished = run_tool(
        "benchmark_inference", "--base-url", vllm_url, "--concurrency", "1,4", "--requests", "8", "--warmup", "0",
        "--prompt-tokens", "128", "--output-tokens", "16", folder=tmp_path,
    )  # fmt: skip
    assert finished.code == 0, finished.out + finished.err
    assert finished.document["exact_lengths"]
    for level in finished.document["levels"]:
        assert (level["answered"], level["output_tokens"], level["usage_reported"]) == (8, 16, True)
        assert level["prompt_tokens"] == pytest.approx(128, rel=0.1)
    # And a token each of the two requests that look at the tokenizer.
    assert generated_tokens(vllm_url) - before == 2 * 8 * 16 + 2

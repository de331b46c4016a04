"""The tools that look at a server from outside, against the gateway with its key, limits and workers."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.gateway.processes import KEY, Gateway
from tests.integration.serving.tools.command import run_tool


def test_the_gateway_passes_validation(gateway: Gateway, tmp_path: Path) -> None:
    arguments = ["--api-key-file", "-", "--metrics-url", gateway.url]
    finished = run_tool("validate_deployment", gateway.url, *arguments, folder=tmp_path, standard_input=f"{KEY}\n")
    assert finished.code == 0, finished.out
    assert {check["outcome"] for check in finished.document["checks"]} == {"passed"}, finished.out
    assert len(finished.document["checks"]) == 11


def test_without_its_key_the_gateway_is_not_to_be_used(gateway: Gateway, tmp_path: Path) -> None:
    finished = run_tool("validate_deployment", gateway.url, folder=tmp_path)
    assert finished.code == 1
    (models,) = (check for check in finished.document["checks"] if check["name"] == "models")
    assert models["detail"].startswith("Status 401")
    assert models["hint"] == "Give the API key with --api-key-file."


def test_the_gateway_is_measured(gateway: Gateway, tmp_path: Path) -> None:
    before = gateway.samples().total("gateway_tokens_total", kind="decode")
    finished = run_tool(
        "benchmark_inference", "--base-url", gateway.url, "--api-key-file", "-", "--concurrency", "1,4",
        "--requests", "8", "--warmup", "0", "--output-tokens", "16", folder=tmp_path, standard_input=KEY,
    )  # fmt: skip
    assert finished.code == 0, finished.out + finished.err
    assert [level["answered"] for level in finished.document["levels"]] == [8, 8]
    # What is reported is what is billed, with a token each for the two requests that look at the tokenizer.
    assert gateway.samples().total("gateway_tokens_total", kind="decode") - before == 2 * 8 * 16 + 2

"""The benchmark against a real MockLLM process."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.integration.serving.mock_llm.conftest import MockProcess
from tests.integration.serving.tools.conftest import Tool

NAME = "benchmark_inference"
SHORT = ("--prompt-tokens", "64", "--output-tokens", "8")


def test_every_level_is_measured(engine: MockProcess, tool: Tool) -> None:
    finished = tool(NAME, "--base-url", engine.url, "--concurrency", "1,4", "--requests", "6", *SHORT)
    assert finished.code == 0, finished.err
    one, four = finished.document["levels"]
    assert (one["level"]["concurrency"], four["level"]["concurrency"]) == (1, 4)
    for level in (one, four):
        assert (level["answered"], level["failures"], level["output_tokens"]) == (6, [], 8)
        assert level["prompt_tokens"] == pytest.approx(64, abs=3)
        chunks = 6 * 8 / level["tokens_per_chunk"]  # fewer than tokens where the reader was late
        assert level["inter_token_latency_s"]["count"] == pytest.approx(chunks - 6)
        for name in ("time_to_first_token_s", "time_per_output_token_s", "end_to_end_s"):
            times = level[name]
            assert 0 <= times["smallest"] <= times["p50"] <= times["p95"] <= times["p99"] <= times["largest"]
    assert finished.document["model"] == "first"
    assert finished.document["machine"]["cores"] >= 1
    assert finished.err == ""  # no progress bar where there is no terminal
    assert "TTFT" in finished.out


def test_the_server_saw_what_is_reported(engine: MockProcess, tool: Tool) -> None:
    before = engine.metric("vllm:generation_tokens_total"), engine.metric("vllm:prompt_tokens_total")
    finished = tool(
        NAME, "--base-url", engine.url, "--concurrency", "3", "--requests", "9", "--warmup", "0", "--seed", "77", *SHORT
    )
    (level,) = finished.document["levels"]
    made = engine.metric("vllm:generation_tokens_total") - before[0]
    assert made == 9 * 8 + 2  # and a token each of the two requests that look at the tokenizer
    read = engine.metric("vllm:prompt_tokens_total") - before[1]
    assert level["prompt_tokens"] * 9 < read < level["prompt_tokens"] * 9 + 200


def test_no_answer_is_quicker_than_the_engine(engine: MockProcess, tool: Tool) -> None:
    """Its model takes 26 ms for a step: 2.6 ms here."""
    finished = tool(NAME, "--base-url", engine.url, "--concurrency", "1", "--requests", "5", *SHORT)
    (level,) = finished.document["levels"]
    assert level["time_to_first_token_s"]["smallest"] >= 0.0026
    assert level["end_to_end_s"]["smallest"] >= 8 * 0.0026


def test_a_rate_instead_of_clients(engine: MockProcess, tool: Tool) -> None:
    finished = tool(NAME, "--base-url", engine.url, "--request-rate", "50", "--requests", "20", *SHORT)
    assert finished.code == 0, finished.err
    (level,) = finished.document["levels"]
    assert (level["answered"], level["level"]["rate_per_s"]) == (20, 50)
    assert "50/s" in finished.out


def test_a_shared_beginning_is_found_in_the_prefix_cache(engine: MockProcess, tool: Tool) -> None:
    arguments = ["--concurrency", "1", "--requests", "5", "--prompt-tokens", "256", "--output-tokens", "2"]
    own = tool(NAME, "--base-url", engine.url, *arguments, "--seed", "901")
    shared = tool(NAME, "--base-url", engine.url, *arguments, "--seed", "902", "--shared-prefix-tokens", "192")
    again = tool(NAME, "--base-url", engine.url, *arguments, "--seed", "901")
    assert own.document["levels"][0]["cached_tokens"] < 16
    assert 150 < shared.document["levels"][0]["cached_tokens"] < 200
    assert "in a prefix cache, from an earlier run with this seed perhaps" in again.out


def test_failures_are_counted_and_shown(faulty: MockProcess, tool: Tool) -> None:
    faulty.put_faults(cut_stream={"after_chunks": 3, "times": 2})
    finished = tool(NAME, "--base-url", faulty.url, "--concurrency", "2", "--requests", "10", "--warmup", "0", *SHORT)
    assert finished.code == 1
    (level,) = finished.document["levels"]
    assert level["answered"] == 8
    (failure,) = level["failures"]
    assert (failure["kind"], failure["count"]) == ("cut short", 2)
    assert "2 x cut short: the stream ended without [DONE]" in finished.out


def test_ctrl_c_prints_what_there_is(engine: MockProcess) -> None:
    command = [sys.executable, "-m", f"serving.tools.{NAME}", "--base-url", engine.url, "--concurrency", "1",
               "--requests", "100000", *SHORT]  # fmt: skip
    before = engine.metric("vllm:request_success_total")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while engine.metric("vllm:request_success_total") < before + 8:  # warmed up, and measuring
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130, err
    assert "Interrupted: these are the answers that had arrived." in out
    assert "TTFT" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--base-url", "127.0.0.1:8000"], "--base-url: '127.0.0.1:8000' is not an http(s) URL"),
        (["--base-url", "http://127.0.0.1:1/v1"], "127.0.0.1:1 cannot be measured: cannot connect"),
        (["--concurrency", "1,0"], "0 is not a whole number from 1 on"),
        (["--concurrency", "1", "--request-rate", "2"], "not allowed with argument"),
        (["--shared-prefix-tokens", "300"], "--shared-prefix-tokens 300 is more than --prompt-tokens 256"),
        (["--api-key-file", "/no/such/file"], "cannot read --api-key-file /no/such/file"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(tool: Tool, arguments: list[str], message: str) -> None:
    finished = tool(NAME, *arguments)
    assert (finished.code, finished.out) == (2, "")
    assert message in finished.err
    assert finished.err.count("\n") == 1


def test_a_model_that_is_not_there_is_named(engine: MockProcess, tool: Tool) -> None:
    finished = tool(NAME, "--base-url", engine.url, "--model", "none-such")
    assert finished.code == 2
    assert "refused a short request: 404: The model 'none-such' does not exist." in finished.err

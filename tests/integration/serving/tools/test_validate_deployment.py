"""The validation against a real MockLLM, in health and with its faults on."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.integration.serving.mock_llm.conftest import MockProcess
from tests.integration.serving.tools.command import Finished
from tests.integration.serving.tools.conftest import Tool

NAME = "validate_deployment"


def outcomes(finished: Finished) -> dict[str, str]:
    return {check["name"]: check["outcome"] for check in finished.document["checks"]}


def check(finished: Finished, name: str) -> dict[str, Any]:
    return next(found for found in finished.document["checks"] if found["name"] == name)


def test_a_healthy_engine_passes(engine: MockProcess, tool: Tool) -> None:
    finished = tool(NAME, engine.url, "--metrics-url", engine.url)
    assert finished.code == 0, finished.out
    found = outcomes(finished)
    assert found.pop("authentication") == "unsupported"  # it asks for no key
    assert set(found.values()) == {"passed"}, finished.out
    assert (finished.document["healthy"], finished.document["model"]) == (True, "first")
    assert all(check["seconds"] > 0 for check in finished.document["checks"])
    assert "10 passed, 0 failed, 1 unsupported, 0 skipped in " in finished.out


def test_without_metrics_there_is_nothing_to_see_in_them(engine: MockProcess, tool: Tool) -> None:
    finished = tool(NAME, f"{engine.url}/v1")
    assert finished.code == 0
    found = outcomes(finished)
    assert (found["metrics"], found["disconnect"]) == ("skipped", "skipped")


@pytest.mark.parametrize(
    ("faults", "failing", "reason", "hint"),
    [
        ({"error_rate": {"probability": 1.0, "status": 503}}, "completion", "Status 503", "not ready yet, or overload"),
        ({"out_of_memory": {}}, "completion", "Status 500", "See the server's log"),
        ({"cut_stream": {"after_chunks": 5}}, "stream", "ended without [DONE]", "cut off"),
        ({"reset": {"after_chunks": 5}}, "stream", "The connection broke", "See the log"),
        ({"stalled_stream": {"after_chunks": 5}}, "stream", "No answer within 2 s", "is the engine stuck"),
        ({"hang": {}}, "completion", "No answer within 2 s", "is the engine stuck"),
    ],
    ids=["overloaded", "out of memory", "cut", "reset", "stalled", "hung"],
)
def test_a_fault_is_found_named_and_explained(
    faulty: MockProcess, tool: Tool, faults: dict[str, Any], failing: str, reason: str, hint: str
) -> None:
    faulty.put_faults(**faults)
    finished = tool(NAME, faulty.url, "--timeout-s", "2", "--only", failing)
    assert finished.code == 1
    found = check(finished, failing)
    assert found["outcome"] == "failed"
    assert reason in found["detail"]
    assert hint in found["hint"]
    assert "FAILED" in finished.out
    assert f"hint: {found['hint']}" in finished.out


def test_what_needs_a_failed_check_is_skipped(faulty: MockProcess, tool: Tool) -> None:
    faulty.put_faults(error_rate={"probability": 1.0, "status": 500})
    found = outcomes(tool(NAME, faulty.url))
    assert found["completion"] == "failed"
    assert found["tool_call"] == found["json_schema"] == found["logprobs"] == "skipped"
    assert found["health"] == found["models"] == "passed"


def test_a_server_that_is_not_there(tool: Tool) -> None:
    finished = tool(NAME, "http://127.0.0.1:1/v1")
    assert finished.code == 1
    assert "cannot connect to 127.0.0.1:1" in finished.out
    assert "hint: Is it started, and are host and port right?" in finished.out
    assert set(outcomes(finished).values()) == {"failed", "skipped"}


def test_ctrl_c_ends_it_at_once_and_in_a_sentence(faulty: MockProcess) -> None:
    faulty.put_faults(hang={})
    command = [sys.executable, "-m", f"serving.tools.{NAME}", faulty.url, "--timeout-s", "3600"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        while "models" not in process.stdout.readline():  # so it is waiting for the completion now
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, err) == (130, f"{NAME}: interrupted.\n")


def test_another_model_by_name(engine: MockProcess, tool: Tool) -> None:
    assert tool(NAME, engine.url, "--model", "second", "--only", "completion").document["model"] == "second"
    unknown = tool(NAME, engine.url, "--model", "third", "--only", "completion")
    assert unknown.code == 1
    assert check(unknown, "models")["detail"] == "'third' is not listed."
    assert "Listed are first, second" in check(unknown, "models")["hint"]


def test_metrics_that_are_somebody_elses_do_not_move(engine: MockProcess, tool: Tool) -> None:
    finished = tool(NAME, engine.url, "--metrics-url", f"{engine.url}/health", "--only", "metrics")
    assert check(finished, "metrics")["outcome"] == "failed"
    assert "--metrics-url" in check(finished, "metrics")["hint"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ftp://host/"], "base_url: 'ftp://host/' is not an http(s) URL"),
        (["--metrics-url", "host:1"], "--metrics-url: 'host:1' is not an http(s) URL"),
        (["--api-key-file", "/dev/null"], "--api-key-file /dev/null holds no key"),
        (["--only", "nothing"], "argument --only: invalid choice: 'nothing'"),
        (["--only", "health", "--skip", "health"], "--only and --skip leave no check"),
        (["--skip", "models"], "--skip models leaves no way to find a model"),
        (["--timeout-s", "0"], "0 is not a number above 0"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(tool: Tool, arguments: list[str], message: str) -> None:
    finished = tool(NAME, *arguments)
    assert finished.code == 2
    assert message in finished.err
    assert (finished.out, finished.err.count("\n"), finished.document) == ("", 1, None)

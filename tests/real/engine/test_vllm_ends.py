"""How vLLM ends: the last thing that it says, with which exit status, and what becomes of what runs."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from scripts.embedded.ports import free_port
from tests.real.engine.vllm_process import ROOT, START_S, vllm_command, vllm_process

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kv_cache_memory_bytes": 2**50}, "is less than requested memory for kv"),
        ({"max_model_len": 9000}, "User-specified max_model_len (9000) is greater than the derived max_model_len"),
        ({"tool_call_parser": "nobody"}, "invalid tool call parser: nobody"),
    ],
    ids=["out of memory", "a context the model has not", "an unknown parser"],
)
def test_an_engine_that_cannot_start_says_why_last(tiny_model: Path, settings: dict[str, Any], message: str) -> None:
    done = subprocess.run(
        vllm_command(tiny_model, free_port(), **settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=START_S,
    )
    last = done.stdout.rstrip().rsplit("\n", 1)[-1]
    assert last.startswith("vllm_server: the engine did not start: "), done.stdout[-3000:]
    assert message in last
    assert done.returncode == 1


def test_an_engine_that_dies_takes_its_server_along(tiny_model: Path, tmp_path: Path) -> None:
    with vllm_process(tiny_model, tmp_path) as running:
        engine = next(
            child
            for child in psutil.Process(running.process.pid).children()
            if "EngineCore" in "".join(child.cmdline())
        )
        engine.kill()
        # vLLM looks every five seconds.
        assert running.process.wait(60) == 1
        assert running.last_line() == "vllm_server: the engine died: its process was killed"


def test_sigterm_lets_a_stream_finish(tiny_model: Path, tmp_path: Path) -> None:
    with vllm_process(tiny_model, tmp_path) as running:
        body = {
            "model": "tiny-mistral",
            "messages": [{"role": "user", "content": "Go on."}],
            "stream": True,
            "max_tokens": 400,
            "ignore_eos": True,
        }
        lines: list[str] = []
        begun = threading.Event()

        def read() -> None:
            with httpx.stream("POST", f"{running.url}/v1/chat/completions", json=body, timeout=60) as answer:
                for line in answer.iter_lines():
                    lines.append(line)
                    begun.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert begun.wait(60)
        running.process.terminate()
        reader.join(60)
        assert lines[-2:] == ["data: [DONE]", ""], lines[-3:]
        assert '"finish_reason":"length"' in lines[-4]
        assert running.process.wait(60) == 0

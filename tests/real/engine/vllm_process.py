"""Starts a real vLLM on this machine's cores, from the environment that `scripts/venv.sh vllm` makes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from scripts.embedded.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
ENGINE_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
# About 40 s on two idle cores; the rest is for cores that are not.
START_S = 600
# Longer than vLLM drains for.
STOP_S = 60


@dataclass(frozen=True, slots=True)
class VllmProcess:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_line(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace").rstrip().rsplit("\n", 1)[-1]


@contextmanager
def vllm_server(model: Path, folder: Path, **settings: object) -> Iterator[str]:
    """Its root URL, while it serves `model`; `settings` are fields of VllmConfig. Its log is in `folder`."""
    with vllm_process(model, folder, **settings) as running:
        yield running.url


@contextmanager
def vllm_process(model: Path, folder: Path, **settings: object) -> Iterator[VllmProcess]:
    """The same, for tests that end it themselves."""
    port = free_port()
    log = folder / "vllm.log"
    with log.open("wb") as opened:
        process = subprocess.Popen(
            vllm_command(model, port, **settings), cwd=ROOT, stdout=opened, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _await_ready(url, process, log)
            yield VllmProcess(url, process, log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def vllm_command(model: Path, port: int, **settings: object) -> list[str]:
    fields = [f"--set={name}={json.dumps(value)}" for name, value in settings.items()]
    command = [ENGINE_PYTHON, "-m", "serving.vllm_server", "--preset", "cpu-tiny", "--model", model, "--port", port]
    return [*map(str, command), *fields]


def _await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert process.poll() is None, f"vLLM ended: {log.read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"vLLM was not ready within {START_S} s: {log.read_text()[-3000:]}"
        time.sleep(0.5)

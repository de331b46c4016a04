"""Seven gates that a running platform must pass, wherever it runs: `pytest tests/test_smoke.py -v`.

They run against `BASE_URL` (with or without `/v1`) if that is set, else against what answers at this machine's
`GATEWAY_PORT`, else against an embedded stack with the default settings that they start and stop. `API_KEY` is the key
to use; without it, the first of `API_KEYS`, or `dev-key` for a `BASE_URL`.

With `--own-stack` it is such a stack in any case, so that nothing that this machine runs or sets decides the result.
"""

from __future__ import annotations

import json
import math
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[1]
CHAT = "/v1/chat/completions"
READY_TIMEOUT_S = 90
WINDOW_S = 60
QUESTION = {"messages": [{"role": "user", "content": "What does continuous batching do?"}]}


@pytest.fixture(scope="module")
def platform(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a platform that says it is ready."""
    with ExitStack() as held:
        own = pytestconfig.getoption("--own-stack")
        found = None if own else _named_platform() or _running_platform()
        base_url, key = found or _start_stack(held, tmp_path_factory.mktemp("stack"))
        # What is asked is asked of an engine, however often these tests are run.
        headers = {**_bearer(key), "cache-control": "no-cache, no-store"}
        client = held.enter_context(httpx.Client(base_url=base_url, headers=headers, timeout=60))
        _wait_until_ready(client)
        yield client


def test_ready(platform: httpx.Client) -> None:
    answer = platform.get("/readyz")
    assert answer.status_code == 200
    report = _whole_report(platform)
    assert report["status"] == "ready", report
    assert report["dependencies"]
    assert set(report["dependencies"].values()) == {"ok"}, report


def test_bad_key_is_refused(platform: httpx.Client) -> None:
    answer = platform.post(CHAT, json=QUESTION, headers=_bearer("not-a-key"))
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert error["message"]
    assert error["code"] == "invalid_api_key"


def test_completion_without_naming_a_model(platform: httpx.Client) -> None:
    answer = _ask(platform, QUESTION)
    completion = answer.json()
    (choice,) = completion["choices"]
    assert completion["object"] == "chat.completion"
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"].strip()
    assert choice["finish_reason"] in {"stop", "length"}
    usage = completion["usage"]
    assert usage["prompt_tokens"] > 0
    assert usage["completion_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert completion["model"] in {model["id"] for model in platform.get("/v1/models").json()["data"]}


def test_stream_ends_with_done(platform: httpx.Client) -> None:
    answer = _ask(platform, {**QUESTION, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *frames, done = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line.startswith("data: ")]
    assert done == "[DONE]"
    chunks = [json.loads(frame) for frame in frames]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices).strip()
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] in (["stop"], ["length"])


def test_every_answer_has_an_id_and_its_time(platform: httpx.Client) -> None:
    minted = [_ask(platform, QUESTION), platform.get("/v1/models"), platform.get("/no-such-path")]
    minted.append(platform.post(CHAT, json=QUESTION, headers=_bearer("not-a-key")))
    ids = {answer.headers["x-request-id"] for answer in minted}
    assert len(ids) == len(minted)
    for answer in minted:
        assert re.fullmatch(r"\d+(\.\d+)?ms", answer.headers["x-response-time"])
    echoed = _ask(platform, QUESTION, headers={"x-request-id": "smoke-0001"})
    assert echoed.headers["x-request-id"] == "smoke-0001"


def test_metrics_count_requests_and_tokens(platform: httpx.Client) -> None:
    before = _counters(platform)
    tokens = _ask(platform, QUESTION).json()["usage"]["total_tokens"]
    # A request is counted when its answer has ended, which may be just after the client saw the end.
    deadline = time.monotonic() + 10
    while True:
        after = _counters(platform)
        if after["gateway_requests_total"] > before["gateway_requests_total"] or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert after["gateway_requests_total"] >= before["gateway_requests_total"] + 1
    assert after["gateway_tokens_total"] >= before["gateway_tokens_total"] + tokens
    assert after["gateway_request_duration_seconds_count"] > before["gateway_request_duration_seconds_count"]


def test_limits_are_told_and_enforced(platform: httpx.Client) -> None:
    """Streams that together reserve more tokens than a minute allows: the one too many is refused.

    Reservations are given back when the streams end, so that the key can be used right after this test.
    """
    told = _ask(platform, {**QUESTION, "max_tokens": 1}).headers
    for kind in ("requests", "tokens"):
        assert 0 <= int(told[f"x-ratelimit-remaining-{kind}"]) < int(told[f"x-ratelimit-limit-{kind}"])
        assert re.fullmatch(r"\d+ms|(\d+h)?(\d+m)?\d+(\.\d+)?s", told[f"x-ratelimit-reset-{kind}"])

    refused = _first_refusal(platform, limit=int(told["x-ratelimit-limit-tokens"]))
    error = refused.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert error["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= WINDOW_S + 1
    assert int(refused.headers["retry-after-ms"]) > 0

    began = time.monotonic()
    _ask(platform, QUESTION)
    assert time.monotonic() - began < WINDOW_S / 2, "the tokens of ended streams were not given back"


def _first_refusal(platform: httpx.Client, *, limit: int) -> httpx.Response:
    """The first 429, while all streams opened before it are still held open, unread."""
    max_tokens = min(4000, math.ceil(0.55 * limit))
    choices = min(128, math.ceil(0.55 * limit / max_tokens))
    body = {**QUESTION, "stream": True, "max_tokens": max_tokens, "n": choices}
    # A small receive buffer: what is not read stops the stream, so that it cannot end meanwhile.
    transport = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)])
    with (
        httpx.Client(base_url=platform.base_url, headers=platform.headers, timeout=60, transport=transport) as client,
        ExitStack() as held,
    ):
        for _ in range(2 * math.ceil(limit / (max_tokens * choices)) + 1):
            answer = held.enter_context(client.stream("POST", CHAT, json=body))
            if answer.status_code == 429:
                answer.read()
                return answer
            assert answer.status_code == 200, answer.read().decode()
    pytest.fail(f"{limit} tokens a minute are the limit, but streams that reserve more than twice that were accepted")


def _ask(platform: httpx.Client, body: dict[str, Any], *, headers: dict[str, str] | None = None) -> httpx.Response:
    """A success. Where this key's minute is used up already, as by an earlier run, the wait is what the 429 says."""
    for _ in range(3):
        answer = platform.post(CHAT, json=body, headers=headers)
        if answer.status_code != 429:
            break
        time.sleep(min(float(answer.headers["retry-after-ms"]) / 1000, WINDOW_S + 1))
    assert answer.status_code == 200, answer.text
    return answer


def _counters(platform: httpx.Client) -> dict[str, float]:
    """Metric name -> its value, added up over its labels."""
    answer = platform.get("/metrics")
    assert answer.status_code == 200
    sums: dict[str, float] = {}
    for name, value in re.findall(r"^(\w+)(?:\{.*\})? (\S+)", answer.text, re.MULTILINE):
        sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def _named_platform() -> tuple[str, str] | None:
    """(base URL, key) of what `BASE_URL` names."""
    if not (address := os.environ.get("BASE_URL")):
        return None
    return address.rstrip("/").removesuffix("/v1"), os.environ.get("API_KEY", "dev-key")


def _running_platform() -> tuple[str, str] | None:
    """(base URL, key) of what answers at this machine's GATEWAY_PORT."""
    from api.settings import Settings  # noqa: PLC0415 - a remote platform is tested without the platform's packages

    settings = Settings.load(ROOT / ".env")
    port = settings.gateway.gateway_port
    with socket.socket() as probe:
        probe.settimeout(5)
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return None
    key = next(iter(settings.keys.tenants_by_key()))
    return f"http://127.0.0.1:{port}", os.environ.get("API_KEY", key)


def _start_stack(held: ExitStack, data_dir: Path) -> tuple[str, str]:
    """(base URL, key) of a new stack with default settings, which ends with `held`; its data are in `data_dir`."""
    from api.settings import setting_names  # noqa: PLC0415 - as above

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name not in setting_names()}
    environment |= {"DATA_DIR": str(data_dir), "GATEWAY_PORT": str(port)}

    def stack(command: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-m", "scripts.stack", "--env-file", os.devnull, command]
        return subprocess.run(
            arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    held.callback(stack, "clean")
    started = stack("up")
    if started.returncode != 0:
        pytest.fail(f"the embedded stack did not start: {started.stderr or started.stdout}")
    return f"http://127.0.0.1:{port}", "dev-key"


def _wait_until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    said = ""
    while time.monotonic() < deadline:
        try:
            answer = client.get("/readyz")
        except httpx.TransportError as error:
            said = str(error)
        else:
            if answer.status_code == 200:
                return
            said = answer.text
        time.sleep(0.25)
    pytest.fail(f"{client.base_url} was not ready within {READY_TIMEOUT_S} s: {said}")


def _whole_report(client: httpx.Client) -> dict[str, Any]:
    """What the platform says of itself when its cache has joined, which it does not wait for before it serves."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        report: dict[str, Any] = client.get("/readyz").json()
        if report["status"] == "ready" or time.monotonic() > deadline:
            return report
        time.sleep(0.25)


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}

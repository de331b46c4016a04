"""A real vLLM behind Ray Serve, Nginx and two gateways, driven by OpenAI's own client."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

from scripts.embedded.ray_server import RayPorts
from tests.acceptance.conftest import Stack, wait_until
from tests.real.chain.conftest import processes_of_ray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openai.types.chat import ChatCompletion

pytestmark = pytest.mark.real

MODEL = "finsight-fast"
QUESTION: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
# Random weights end an answer when they like to; this keeps them going up to `max_tokens`.
ENDLESS = {"ignore_eos": True}
# Tokens that take the engine seconds.
LONG = 2000
_CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "Oslo"]}, "today": {"type": "boolean"}},
    "required": ["city", "today"],
    "additionalProperties": False,
}
WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": _CITY}}
_REPLACED_S = 300.0


@pytest.fixture(scope="module")
def chain(start_chain: Callable[..., Stack]) -> Stack:
    return start_chain(RAY_ENGINE="vllm")


@pytest.fixture(scope="module")
def client(chain: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=chain.base_url, api_key=chain.api_key, max_retries=0, timeout=120) as client:
        yield client


def engine_metric(chain: Stack, name: str) -> float:
    """Of vLLM itself, from its own page: the gateway and Nginx pass none of it on."""
    port = RayPorts(first=chain.ports.ray).ingress
    page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).raise_for_status().text
    found = re.findall(rf"^{name}{{.*}} (\S+)$", page, re.MULTILINE)
    assert found, f"{name} is not on vLLM's page"
    return sum(map(float, found))


def ended(ask: Callable[[int], ChatCompletion]) -> ChatCompletion:
    """The first answer that came to its own end: random weights may fill all there is with blanks between two words."""
    answer = ask(0)
    for seed in range(1, 10):
        if answer.choices[0].finish_reason != "length":
            break
        answer = ask(seed)
    return answer


def test_an_answer_tells_what_it_took(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=5, extra_body=ENDLESS)
    assert answer.model == MODEL
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 5


def test_a_stream_says_the_same_as_a_whole_answer(client: openai.OpenAI) -> None:
    asked: Any = {"model": MODEL, "messages": QUESTION, "max_tokens": 12, "temperature": 0, "extra_body": ENDLESS}
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].usage is not None
    assert whole.usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_a_tool_call_has_arguments_of_its_schema(client: openai.OpenAI) -> None:
    answer = ended(
        lambda seed: client.chat.completions.create(
            model=MODEL, messages=QUESTION, tools=[WEATHER], tool_choice="required", max_tokens=300, seed=seed
        )
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    for call in answer.choices[0].message.tool_calls or pytest.fail("no tool was called"):
        assert call.type == "function"
        assert call.function.name == "weather"
        arguments = json.loads(call.function.arguments)
        assert arguments.keys() == {"city", "today"}
        assert arguments["city"] in {"Paris", "Oslo"}


def test_an_answer_keeps_to_a_json_schema(client: openai.OpenAI) -> None:
    schema: Any = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": _CITY}}
    answer = ended(
        lambda seed: client.chat.completions.create(
            model=MODEL, messages=QUESTION, response_format=schema, max_tokens=300, seed=seed
        )
    )
    parsed = json.loads(answer.choices[0].message.content or "")
    assert parsed["city"] in {"Paris", "Oslo"}
    assert isinstance(parsed["today"], bool)


def test_log_probabilities_come_with_each_token(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=4, logprobs=True, top_logprobs=3, extra_body=ENDLESS
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    tokens = logprobs.content or []
    assert len(tokens) == 4
    for token in tokens:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 3
        assert len({tuple(top.bytes or ()) for top in token.top_logprobs}) == 3
    assert "".join(token.token for token in tokens) == answer.choices[0].message.content


def test_a_prefix_that_was_seen_is_not_computed_again(chain: Stack, client: openai.OpenAI) -> None:
    report = " ".join(f"Revenue of quarter {quarter} was {quarter * 7} million." for quarter in range(80))
    before = engine_metric(chain, "vllm:prefix_cache_hits_total")
    for question in ("How much was it?", "When was it?"):
        messages: Any = [{"role": "system", "content": report}, {"role": "user", "content": question}]
        answer = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=1)
    hits = engine_metric(chain, "vllm:prefix_cache_hits_total") - before
    assert hits > 0
    assert answer.usage is not None
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == hits


def is_idle(chain: Stack) -> bool:
    return engine_metric(chain, "vllm:num_requests_running") == 0


def test_a_client_that_goes_away_stops_the_engine(chain: Stack, client: openai.OpenAI) -> None:
    written = engine_metric(chain, "vllm:generation_tokens_total")
    stream = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=LONG, stream=True, extra_body=ENDLESS
    )
    next(iter(stream))
    stream.close()
    wait_until(lambda: is_idle(chain), what="the engine stopped")
    # Not because it was done.
    assert 0 < engine_metric(chain, "vllm:generation_tokens_total") - written < LONG


def test_a_client_that_gives_up_on_a_whole_answer_stops_the_engine(chain: Stack, client: openai.OpenAI) -> None:
    written = engine_metric(chain, "vllm:generation_tokens_total")
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(
            model=MODEL, messages=QUESTION, max_tokens=LONG, extra_body=ENDLESS
        )
    wait_until(lambda: is_idle(chain), what="the engine stopped")
    assert engine_metric(chain, "vllm:generation_tokens_total") - written < LONG


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_longer_than_the_context_is_the_callers_error(client: openai.OpenAI, *, stream: bool) -> None:
    messages: Any = [{"role": "user", "content": "word " * 12_000}]
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODEL, messages=messages, max_tokens=5, stream=stream)
    error: Any = refused.value.body
    assert error["code"] == "context_length_exceeded"
    assert error["type"] == "invalid_request_error"
    assert "8192" in error["message"]


def test_an_engine_killed_in_a_stream_is_an_error_and_is_replaced(chain: Stack, client: openai.OpenAI) -> None:
    [engine] = processes_of_ray(chain, "VLLM::EngineCore")
    lines: list[str] = []
    began = threading.Event()

    def listen() -> None:
        body = {"model": MODEL, "messages": QUESTION, "max_tokens": LONG, "stream": True, **ENDLESS}
        headers = {"Authorization": f"Bearer {chain.api_key}"}
        with httpx.stream(
            "POST", f"{chain.base_url}/chat/completions", json=body, headers=headers, timeout=120
        ) as reply:
            assert reply.status_code == 200
            for line in reply.iter_lines():
                lines.append(line)
                if len(lines) > 10:
                    began.set()

    listener = threading.Thread(target=listen)
    listener.start()
    assert began.wait(60)
    os.kill(engine, signal.SIGKILL)
    listener.join(120)
    assert not listener.is_alive()
    events = [line.removeprefix("data: ") for line in lines if line]
    assert "[DONE]" not in events
    assert json.loads(events[-1])["error"]["message"]

    def serves() -> bool:
        try:
            answer = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=2, extra_body=ENDLESS)
        except openai.InternalServerError as error:
            assert error.status_code == 503, error  # noqa: PT017 - anything else is not "come back later"
            return False
        return answer.usage is not None and answer.usage.completion_tokens == 2

    wait_until(serves, what="the replica is replaced", timeout_s=_REPLACED_S)
    assert processes_of_ray(chain, "VLLM::EngineCore") != [engine]
    assert chain.run("status").returncode == 0

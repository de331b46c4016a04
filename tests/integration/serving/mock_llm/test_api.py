"""The API over real HTTP, with the official client where it has an opinion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

if TYPE_CHECKING:
    from tests.integration.serving.mock_llm.conftest import MockProcess

MODEL = "finsight-fast"
QUESTION: Any = [{"role": "user", "content": "What is the colour of the sky?"}]


def test_chat_answers_and_counts(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model=MODEL, messages=QUESTION)
    choice = reply.choices[0]
    assert "MockLLM" in (choice.message.content or "")
    assert "What is the colour of the sky?" in (choice.message.content or "")
    assert (choice.finish_reason, choice.message.role, reply.model) == ("stop", "assistant", MODEL)
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_a_stream_says_the_same_as_a_body(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=QUESTION)
    stream = client.chat.completions.create(
        model=MODEL, messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert whole.usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert len({chunk.id for chunk in chunks}) == 1


def test_usage_comes_only_when_asked_for(mock: MockProcess) -> None:
    assert not any("usage" in event for event in mock.events(messages=QUESTION))


def test_usage_comes_with_each_chunk_when_asked_for(mock: MockProcess) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    *chunks, last = mock.events(messages=QUESTION, stream_options=options)
    written = [event["usage"]["completion_tokens"] for event in chunks if event["choices"][0]["delta"].get("content")]
    assert written == sorted(written)
    assert written[0] < written[-1] <= last["usage"]["completion_tokens"]
    assert {event["usage"]["prompt_tokens"] for event in chunks if "usage" in event} == {last["usage"]["prompt_tokens"]}


def test_a_repeated_prompt_is_found_in_the_prefix_cache(client: openai.OpenAI) -> None:
    messages: Any = [{"role": "system", "content": "A long system prompt. " * 40}, *QUESTION]
    cached = []
    for _ in range(2):
        usage = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=1).usage
        assert usage is not None
        assert usage.prompt_tokens_details is not None
        cached.append(usage.prompt_tokens_details.cached_tokens)
        prompt_tokens = usage.prompt_tokens
    assert cached == [0, (prompt_tokens - 1) // 16 * 16]


def test_choices_and_seeds_differ_and_repeat(client: openai.OpenAI) -> None:
    def texts(**options: Any) -> list[str | None]:
        reply = client.chat.completions.create(model=MODEL, messages=QUESTION, **options)
        return [choice.message.content for choice in reply.choices]

    assert len(set(texts(n=3))) == 3
    assert texts(n=3) == texts(n=3)
    assert texts(seed=5) == texts(seed=5) != texts(seed=6)
    assert len(set(texts(n=3, temperature=0))) == 1


def test_streamed_choices_keep_apart(mock: MockProcess) -> None:
    texts = ["", ""]
    for event in mock.events(messages=QUESTION, n=2):
        for choice in event["choices"]:
            texts[choice["index"]] += choice["delta"].get("content") or ""
    assert texts[1] == "In short: " + texts[0]


@pytest.mark.parametrize("stream", [False, True])
def test_stop_strings_end_the_answer_across_token_borders(mock: MockProcess, *, stream: bool) -> None:
    if stream:
        found = mock.events(messages=QUESTION, stop=["ckLLM, a sim"])
        text = "".join(event["choices"][0]["delta"].get("content") or "" for event in found)
        reason = found[-1]["choices"][0]["finish_reason"]
    else:
        body = {"messages": QUESTION, "stop": "ckLLM, a sim"}
        choice = mock.client.post(f"{mock.url}/v1/chat/completions", json=body).json()["choices"][0]
        text, reason = choice["message"]["content"], choice["finish_reason"]
    assert (text, reason) == ("This is Mo", "stop")


@pytest.mark.parametrize(
    ("options", "tokens", "reason"),
    [
        ({"max_tokens": 3}, 3, "length"),
        ({"max_completion_tokens": 3}, 3, "length"),
        ({"min_tokens": 90}, 90, "stop"),
        ({"max_tokens": 120, "ignore_eos": True}, 120, "length"),
    ],
)
def test_limits_are_kept(mock: MockProcess, options: dict[str, Any], tokens: int, reason: str) -> None:
    reply = mock.client.post(f"{mock.url}/v1/chat/completions", json={"messages": QUESTION, **options}).json()
    assert reply["usage"]["completion_tokens"] == tokens
    assert reply["choices"][0]["finish_reason"] == reason


def test_logprobs_cover_every_token(client: openai.OpenAI, mock: MockProcess) -> None:
    reply = client.chat.completions.create(model=MODEL, messages=QUESTION, logprobs=True, top_logprobs=3)
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert "".join(entry.token for entry in logprobs.content) == reply.choices[0].message.content
    for entry in logprobs.content:
        ranked = [one.logprob for one in entry.top_logprobs]
        assert len(ranked) == 3
        assert ranked == sorted(ranked, reverse=True)
        assert entry.top_logprobs[0].token == entry.token
        assert entry.logprob < 0
    found = mock.events(messages=QUESTION, logprobs=True)
    streamed = [entry for event in found for entry in (event["choices"][0]["logprobs"] or {"content": []})["content"]]
    assert [entry["token"] for entry in streamed] == [entry.token for entry in logprobs.content]


def test_completions_take_several_prompts_and_choices(client: openai.OpenAI) -> None:
    reply = client.completions.create(model=MODEL, prompt=["One?", "Two?"], n=2, max_tokens=40)
    assert [choice.index for choice in reply.choices] == [0, 1, 2, 3]
    assert ["One?" in choice.text for choice in reply.choices] == [True, True, False, False]
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == 4


def test_completions_default_to_16_tokens_and_take_token_ids(client: openai.OpenAI) -> None:
    reply = client.completions.create(model=MODEL, prompt=[1, 2, 3])
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (3, 16)


def test_echo_repeats_the_prompt_with_logprobs(client: openai.OpenAI) -> None:
    reply = client.completions.create(model=MODEL, prompt="Say it.", echo=True, logprobs=2, max_tokens=4)
    choice = reply.choices[0]
    assert choice.text.startswith("Say it.")
    assert choice.logprobs is not None
    tokens, offsets, values = choice.logprobs.tokens, choice.logprobs.text_offset, choice.logprobs.token_logprobs
    assert tokens is not None
    assert offsets is not None
    assert values is not None
    assert "".join(tokens) == choice.text
    assert [choice.text[at : at + len(token)] for at, token in zip(offsets, tokens, strict=True)] == tokens
    first: float | None = values[0]  # the client declares floats only
    assert first is None
    assert all(value < 0 for value in values[1:])


def test_echo_alone_computes_only_the_prompt(mock: MockProcess) -> None:
    for stream in (False, True):
        body = {"prompt": "Say it.", "echo": True, "max_tokens": 0, "stream": stream}
        reply = mock.client.post(f"{mock.url}/v1/completions", json=body)
        assert reply.status_code == 200
        assert "Say it." in reply.text


def test_completions_stream(client: openai.OpenAI) -> None:
    whole = client.completions.create(model=MODEL, prompt="Why?", max_tokens=30, echo=True)
    chunks = list(client.completions.create(model=MODEL, prompt="Why?", max_tokens=30, echo=True, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason


def test_embeddings_are_near_for_similar_texts(client: openai.OpenAI) -> None:
    texts = ["Apple's revenue in Q3 2024", "revenue of Apple, Q3 2024", "two eggs and a cup of flour"]
    reply = client.embeddings.create(model="mock-embedding", input=texts)
    first, second, third = (row.embedding for row in reply.data)
    near = sum(a * b for a, b in zip(first, second, strict=True))
    far = sum(a * b for a, b in zip(first, third, strict=True))
    assert near > 0.7
    assert far < 0.3
    small = client.embeddings.create(model="mock-embedding", input=texts[0], dimensions=16, encoding_format="float")
    assert len(small.data[0].embedding) == 16


def test_models_are_listed_and_shown(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["finsight-fast", "finsight-accurate", "mock-embedding"]
    assert client.models.retrieve("finsight-accurate").id == "finsight-accurate"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


def test_metrics_have_the_names_of_vllm(mock: MockProcess) -> None:
    text = mock.client.get(f"{mock.url}/metrics").text
    for kind, names in {
        "gauge": ["num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"],
        "counter": ["prefix_cache_queries_total", "prefix_cache_hits_total", "prompt_tokens_total",
                    "generation_tokens_total", "request_success_total", "num_preemptions_total"],
        "histogram": ["time_to_first_token_seconds", "inter_token_latency_seconds", "e2e_request_latency_seconds",
                      "request_time_per_output_token_seconds", "request_queue_time_seconds",
                      "request_prefill_time_seconds", "request_decode_time_seconds"],
    }.items():  # fmt: skip
        for name in names:
            assert f"# TYPE vllm:{name} {kind}\n" in text
    assert 'vllm:num_requests_running{engine="0",model_name="finsight-fast"} 0.0' in text

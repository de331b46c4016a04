"""What has to be known of a server before it is measured: its model, its tokenizer, whether it keeps to lengths."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.tools.benchmark.prompts import PromptWriter, words_for_tokens
from serving.tools.command_line import InputError
from serving.tools.openai_client import Answer, OpenAIClient, error_message
from serving.types import Usage

# Enough to tell a word's tokens from the template's, and short enough for any context.
_FEW_WORDS, _MANY_WORDS = 8, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`exact_lengths`: whether the server takes `ignore_eos` and `min_tokens`, so that every answer is as long."""

    model: str
    words: int
    shared_words: int
    exact_lengths: bool
    counts_tokens: bool

    def body(self, prompt: str, *, output_tokens: int, seed: int) -> dict[str, Any]:
        body = {**_body(self.model, prompt, output_tokens), "stream": True, "temperature": 0, "seed": seed}
        body["stream_options"] = {"include_usage": True}
        return {**body, **_lengths(output_tokens)} if self.exact_lengths else body


async def find_model(client: OpenAIClient, *, timeout_s: float) -> str:
    """The first that the server lists. Raises InputError."""
    answer = await _asked(client.get("/models"), client, timeout_s=timeout_s)
    try:
        listed = answer.json()["data"]
        return str(listed[0]["id"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        said = f"status {answer.status}: {error_message(answer.body)}"
        raise InputError(f"the server lists no model ({said}); name one with --model.") from error


async def examine(
    client: OpenAIClient, model: str, *, prompt_tokens: int, shared_tokens: int, seed: int, timeout_s: float
) -> Target:
    """Two short requests. Raises InputError when the server cannot be reached or refuses them."""
    counts, exact = [], True
    for number, words in enumerate((_FEW_WORDS, _MANY_WORDS)):
        prompt = PromptWriter(seed=seed, words=words).prompt(-1 - number)
        answer = await _completion(client, _body(model, prompt, 1), exact=exact, timeout_s=timeout_s)
        if exact and 400 <= answer.status < 500:  # perhaps for a field that OpenAI's own API does not have
            exact = False
            answer = await _completion(client, _body(model, prompt, 1), exact=exact, timeout_s=timeout_s)
        if answer.status != 200:
            raise InputError(f"the server refused a short request: {answer.status}: {error_message(answer.body)}")
        counts.append((words, _prompt_tokens(answer)))
    counts_tokens = all(tokens > 0 for _, tokens in counts)
    if not counts_tokens:
        return Target(
            model=model, words=prompt_tokens, shared_words=shared_tokens, exact_lengths=exact, counts_tokens=False
        )
    counted = (counts[0], counts[1])
    words = words_for_tokens(prompt_tokens, counted=counted)
    shared = round(words * shared_tokens / prompt_tokens)
    return Target(model=model, words=words, shared_words=shared, exact_lengths=exact, counts_tokens=True)


def _body(model: str, prompt: str, output_tokens: int) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": output_tokens}


def _lengths(output_tokens: int) -> dict[str, Any]:
    return {"ignore_eos": True, "min_tokens": output_tokens}


async def _completion(client: OpenAIClient, body: Mapping[str, Any], *, exact: bool, timeout_s: float) -> Answer:
    sent = {**body, **_lengths(int(body["max_tokens"]))} if exact else body
    return await _asked(client.post("/chat/completions", sent), client, timeout_s=timeout_s)


async def _asked(asking: Any, client: OpenAIClient, *, timeout_s: float) -> Answer:
    """Raises InputError in place of what the network raises."""
    where = client.address.origin.authority
    try:
        async with asyncio.timeout(timeout_s):
            answer: Answer = await asking
            return answer
    except TimeoutError as error:
        raise InputError(f"{where} did not answer a short request in {timeout_s:g} s.") from error
    except OSError as error:
        raise InputError(f"{where} cannot be measured: {error}.") from error


def _prompt_tokens(answer: Answer) -> int:
    """0 where the server does not count."""
    try:
        document = answer.json()
    except ValueError as error:
        raise InputError(f"the server's answer is {error}.") from error
    usage = Usage.from_wire(document.get("usage")) if isinstance(document, dict) else None
    return usage.prompt_tokens if usage else 0

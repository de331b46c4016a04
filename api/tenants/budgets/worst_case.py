"""The most that a call may cost, before anybody knows what it will."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from api.call import Call
from api.tenants.base import Prices
from serving.catalogue.base import Catalogue, Model, ModelKey
from serving.types import Json

# What chat templates add by themselves: tags, a system prompt of their own, how tools are to be called.
TEMPLATE_TOKENS = 512
# Texts that a template may write in another way than they came, such as tools with indentation.
_REWRITTEN = ("tools", "functions", "response_format", "documents")
_PARTS_OF_TEXT = ("text", "refusal")
_encode = msgspec.json.Encoder().encode


class WorstCase:
    def __init__(self, *, catalogue: Catalogue, prices: Prices) -> None:
        self._chains: Mapping[ModelKey, tuple[Model, ...]] = {
            model.key: (model, *catalogue.fallback_chain(model)) for model in catalogue.models
        }
        self._prices = prices

    def nano(self, call: Call) -> int:
        """Nano-dollars, by the dearest of the models that may answer; 0 where all are free."""
        priced = [(model, call.price(model, self._prices.price_of)) for model in self._chains[call.model.key]]
        if not any(price.prefill or price.decode or price.cached for _, price in priced):
            return 0
        bound, inputs = prompt_bound(call), _inputs(call.body)
        dearest = 0
        for model, price in priced:
            # An engine refuses what its context does not hold.
            prompt = model.context_tokens * inputs if bound is None else min(bound, model.context_tokens * inputs)
            written = call.request.generations * _output_bound(call, model)
            computed = price.cost_nano(prompt_tokens=prompt, completion_tokens=written, cached_tokens=0)
            cached = price.cost_nano(prompt_tokens=prompt, completion_tokens=written, cached_tokens=prompt)
            dearest = max(dearest, computed, cached)
        return dearest


def prompt_bound(call: Call) -> int | None:
    """Tokens that the prompt has at the most, by its bytes; None where they say nothing.

    No tokenizer makes two tokens of one byte, and an estimate of four characters a token can be far below the truth.
    """
    body = call.body
    if "chat_template" in body or _has_media(body):
        return None
    # A session and a corpus have put more into the body than the client has sent.
    grown = call.session_id is not None or call.rag is not None
    size = len(_encode(body)) if grown else call.body_bytes
    return size + sum(len(_encode(body[name])) for name in _REWRITTEN if name in body) + TEMPLATE_TOKENS


def _output_bound(call: Call, model: Model) -> int:
    """Tokens of one answer. Without a limit of the client's it is the model's, which its engine is set to keep."""
    limit = call.request.output_limit
    return min(model.max_output_tokens, model.context_tokens) if limit is None else limit[1]


def _inputs(body: Json) -> int:
    """How many prompts there are, each with a context of its own."""
    value = body.get("prompt", body.get("input"))
    return len(value) if isinstance(value, list) and not isinstance(value[0], int) else 1


def _has_media(body: Json) -> bool:
    """Pictures, sounds and files cost tokens that their bytes do not tell."""
    return any(_is_media(part) for message in body.get("messages") or () for part in _parts(message))


def _parts(message: Any) -> list[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _is_media(part: Any) -> bool:
    return part.get("type") not in _PARTS_OF_TEXT

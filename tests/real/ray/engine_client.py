"""What the tests of engines in replicas send and look at."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families


def completion(model: str, *, max_tokens: int = 20, **fields: Any) -> dict[str, Any]:
    """The body of a request whose answer has exactly `max_tokens` tokens."""
    messages = [{"role": "user", "content": "Tell me a long story."}]
    return {"model": model, "messages": messages, "max_tokens": max_tokens, "ignore_eos": True, **fields}


@dataclass(kw_only=True)
class Streamed:
    """One streamed answer. `arrivals`: when each piece came, in seconds, and how many events were in it."""

    status: int
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    text: bytes = b""
    error: str | None = None

    @property
    def looks_complete(self) -> bool:
        """Whether a client would take it for a whole answer."""
        return self.status == 200 and b'"finish_reason":"' in self.text and self.text.endswith(b"data: [DONE]\n\n")

    @property
    def tokens(self) -> int:
        usages = [json.loads(line[6:]).get("usage") for line in self.text.splitlines() if line.startswith(b"data: {")]
        return max((usage["completion_tokens"] for usage in usages if usage), default=0)


async def streamed(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> Streamed:
    """Reads the answer to its end, whatever that is."""
    body = {**body, "stream": True, "stream_options": {"include_usage": True}}
    answer = Streamed(status=0)
    try:
        async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as response:
            answer.status = response.status_code
            async for piece in response.aiter_raw():
                answer.arrivals.append((time.monotonic(), piece.count(b"data: ")))
                answer.text += piece
    except httpx.TransportError as error:
        answer.error = repr(error)
    return answer


def engine_metric(url: str, name: str) -> float:
    """The sum of a metric's samples, as one replica's engine tells it."""
    exposition = httpx.get(f"{url}/metrics", timeout=10).text
    families = text_string_to_metric_families(exposition)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)

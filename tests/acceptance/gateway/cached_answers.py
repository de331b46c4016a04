"""One tenant's requests through a gateway with the answer cache on, and what the answers say of themselves."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.acceptance.gateway.cache_tenants import Tenant, tenant_key
from tests.acceptance.gateway.processes import Gateway, eventually
from tests.acceptance.gateway.raw_http import CHAT

Q3 = "What was Apple's revenue in Q3 2024?"
SAME_AS_Q3 = "apple revenue q3 2024"
# Words apart that the guard forgives and no canonical key does, and a cosine of 0.96.
BACKLOG = "What was Boeing's order backlog at the end of 2023?"
NEAR_BACKLOG = "What was Boeing's exact order backlog at the end of 2023?"


@dataclass(frozen=True)
class CachedAnswer:
    status: str | None
    """What `X-Cache` says."""
    headers: httpx.Headers
    text: str
    usage: dict[str, Any] | None
    id: str

    @classmethod
    def of(cls, response: httpx.Response) -> CachedAnswer:
        """Whole or streamed; a stream must have ended as it should."""
        assert response.status_code == 200, response.text
        if response.headers["content-type"].startswith("text/event-stream"):
            *frames, done = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
            assert done == "[DONE]", response.text
            parts = [json.loads(frame) for frame in frames]
        else:
            parts = [response.json()]
        choices = [choice for part in parts for choice in part["choices"]]
        texts = [
            each.get("text") or (each.get("delta") or each.get("message") or {}).get("content") for each in choices
        ]
        usage = [part["usage"] for part in parts if part.get("usage")]
        return cls(
            status=response.headers.get("x-cache"),
            headers=response.headers,
            text="".join(text or "" for text in texts),
            usage=usage[-1] if usage else None,
            id=parts[0]["id"],
        )


def asked(question: str = Q3, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}], **fields}


def ask(tenant: Tenant, body: dict[str, Any], path: str = CHAT, **headers: str) -> CachedAnswer:
    """`headers`: with underscores for hyphens."""
    with tenant.gateway.client(tenant_key(tenant.name)) as client:
        return CachedAnswer.of(client.post(path, json=body, headers=_named(headers)))


def store(tenant: Tenant, body: dict[str, Any], path: str = CHAT, **headers: str) -> CachedAnswer:
    """Ask what has not been asked, and wait until the answer can be found."""
    kept = tenant.stats()["entries"]
    answer = ask(tenant, body, path, **headers)
    assert answer.status == "miss", answer
    eventually(lambda: tenant.stats()["entries"], until=lambda entries: entries == kept + 1)
    return answer


async def ask_at_once(tenant: Tenant, bodies: list[dict[str, Any]], **headers: str) -> list[CachedAnswer]:
    """Each over a connection of its own, so that all workers get some."""
    async with tenant.gateway.async_client(tenant_key(tenant.name), timeout_s=60) as client:
        posts = [client.post(CHAT, json=body, headers=_named(headers)) for body in bodies]
        return [CachedAnswer.of(response) for response in await asyncio.gather(*posts)]


def engine_calls(gateway: Gateway) -> float:
    """How often this gateway has asked an engine."""
    return gateway.samples().total("gateway_upstream_attempts_total", outcome="ok")


def echoes(answer: CachedAnswer, question: str = Q3) -> bool:
    """Whether it is the engine's answer to that very question: MockLLM says it back."""
    return answer.text.strip().endswith(f"You asked: {question}")


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}

"""Tenants of a gateway with its answer cache on, and what its admin API says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.acceptance.gateway.processes import Gateway, eventually

ADMIN_KEY = "acceptance-admin-key-1"
TENANTS = 400


@dataclass(frozen=True)
class Tenant:
    """One that no other test asks as, through a gateway that they share."""

    gateway: Gateway
    name: str

    def ask(self, question: str, **headers: str) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": question}]}
        with self.gateway.client(tenant_key(self.name)) as client:
            answer = client.post(
                "/v1/chat/completions",
                json=body,
                headers={name.replace("_", "-"): value for name, value in headers.items()},
            )
        assert answer.status_code == 200, answer.text
        return answer

    def status(self, question: str, **headers: str) -> str:
        """What `X-Cache` says."""
        return self.ask(question, **headers).headers["x-cache"]

    def keep(self, *questions: str, **headers: str) -> None:
        """Ask, and wait until the answers can be found."""
        kept = self.stats()["entries"]
        for question in questions:
            assert self.status(question, **headers) == "miss"
        eventually(lambda: self.stats()["entries"], until=lambda entries: entries == kept + len(questions))

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any]
        (found,) = ask_admin(self.gateway, "GET", f"stats?tenant={self.name}")["tenants"]
        return found

    def purge(self, **scope: str) -> dict[str, Any]:
        return ask_admin(self.gateway, "POST", "purge", {"tenant": self.name, **scope})


def ask_admin(gateway: Gateway, method: str, action: str, body: Any = None, *, key: str = ADMIN_KEY) -> dict[str, Any]:
    with gateway.client(key) as client:
        answer = client.request(method, f"/admin/v1/cache/{action}", json=body)
    assert answer.status_code == 200, answer.text
    decoded: dict[str, Any] = answer.json()
    return decoded


def keys_of_tenants() -> str:
    """API_KEYS with a key for each tenant."""
    return ",".join(f"{tenant_key(name)}:{name}" for name in _names())


def tenants_of(gateway: Gateway) -> Iterator[Tenant]:
    return (Tenant(gateway, name) for name in _names())


def tenant_key(name: str) -> str:
    return f"key-of-{name}"


def _names() -> Iterator[str]:
    return (f"tenant-{number}" for number in range(TENANTS))

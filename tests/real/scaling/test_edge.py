"""What clients reach through Nginx, and what they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.conftest import Compose

pytestmark = pytest.mark.real

QUESTION: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "What is a yield curve?"}]


@pytest.fixture
def official(base_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{base_url}/v1", api_key="dev-key", max_retries=0) as client:
        yield client


def test_openai_client_is_served_by_ray(official: openai.OpenAI) -> None:
    model = next(iter(official.models.list())).id
    raw = official.chat.completions.with_raw_response.create(model=model, messages=QUESTION, max_tokens=20)
    assert raw.headers["x-served-by"] == "ray"
    whole = raw.parse().choices[0].message.content
    stream = official.chat.completions.create(model=model, messages=QUESTION, max_tokens=20, stream=True)
    chunks = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert len(chunks) > 2
    assert "".join(chunks) == whole


@pytest.mark.parametrize(
    "path", ["/metrics", "/readyz", "/admin", "/-/healthz", "/-/routes", "/v1/../metrics", "//readyz"]
)
def test_operations_are_closed_from_outside(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_url"


def test_operations_are_open_inside(compose: Compose) -> None:
    command = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/metrics').read().decode())"
    for service in ("gateway-1", "gateway-2"):
        assert "gateway_requests_in_flight" in compose.run(service, "python", "-c", command)  # there from the start


def test_request_id_goes_through(client: httpx.Client) -> None:
    body = {"messages": [{"role": "user", "content": "Whose id?"}], "max_tokens": 1}
    answer = client.post("/v1/chat/completions", json=body, headers={"x-request-id": "from-the-client"})
    assert answer.headers["x-request-id"] == "from-the-client"


def test_both_gateways_are_used(compose: Compose, client: httpx.Client) -> None:
    """And count one limit: the remaining requests only ever fall by one."""
    for _ in range(6):
        assert client.get("/v1/models").status_code == 200
    log = compose.docker("compose", "logs", "--no-log-prefix", "--tail", "200", "nginx")
    addresses = [compose.container(service)["NetworkSettings"]["Networks"] for service in ("gateway-1", "gateway-2")]
    inside = [network["IPAddress"] for networks in addresses for network in networks.values()]
    assert sum(f'"{address}:8000"' in log for address in inside) == 2

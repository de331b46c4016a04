"""What is closed is closed in every spelling; what is open reaches its upstream in one."""

from __future__ import annotations

import pytest

from tests.integration.nginx.conftest import Nginx
from tests.integration.nginx.wire import ask

OPERATIONS = [
    "/metrics", "/readyz", "/admin", "/admin/keys", "/admin/v1/cache/stats", "/admin/v1/cache/purge",
    "/-/healthz", "/-/routes", "/-/nginx", "/-/error",
]  # fmt: skip
SPELLINGS = [
    "//metrics",
    "/metrics/",
    "/METRICS",
    "/metrics?x=1",
    "/metrics;x",
    "/metrics%20",
    "/metrics%00",
    "/%6detrics",
    "/%2fmetrics",
    "/%2Fmetrics",
    "/./metrics",
    "/v1/../metrics",
    "/v1/%2e%2e/metrics",
    "/v1/%2e%2e%2fmetrics",
    "/v1/..%2f..%2fmetrics",
    "/v1//../metrics",
    "/healthz/../metrics",
    "/healthz%2f..%2fmetrics",
    "/v1/x/../../readyz",
    "/v1/../Admin",
    "/v1/../admin/v1/cache/purge",
    "/v1/%2e%2e/admin/v1/cache/purge",
    "/v1/..%2fadmin%2fv1%2fcache%2fpurge",
    "/ADMIN/v1/cache/purge",
]
# What vLLM has beside its models' endpoints.
ENGINE_CONTROLS = [
    "/sleep", "/wake_up", "/is_sleeping", "/pause", "/resume", "/abort_requests", "/collective_rpc",
    "/reset_prefix_cache", "/reset_mm_cache", "/reset_encoder_cache", "/release_kv_cache_memory", "/update_weights",
    "/start_profile", "/stop_profile", "/scale_elastic_ep", "/fault_tolerance/apply", "/server_info", "/load",
    "/inference/v1/generate/../../../sleep", "/tokenizer_info", "/version", "/health", "/invocations", "/docs",
    "/metrics",
]  # fmt: skip
ADAPTERS = [
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
    "/mistral/v1/load_lora_adapter",
    "/mistral/v1/unload_lora_adapter",
    "/v1//load_lora_adapter",
    "/v1/load%5flora_adapter",
    "/v1/LOAD_lora_adapter",
    "/v1/load_lora_adapter/",
    "/v1/load_lora_adapter?x",
    "/v1/x/../load_lora_adapter",
]


@pytest.mark.parametrize("path", [*OPERATIONS, *SPELLINGS, "/", "/v1", "/v2/rerank", "/redoc", "*"])
async def test_the_edge_closes(nginx: Nginx, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = await ask(nginx.edge, method, path)
        assert answer.status in {400, 404}, f"{method} {path}"
        assert answer.error["code"] in {"unknown_url", "invalid_http"}
    assert not any(node.exchanges for node in nginx.nodes)


@pytest.mark.parametrize(
    "path", [*ENGINE_CONTROLS, *ADAPTERS, "/-/routes", "/", "/v1", "/a/b/v1/models", "/mistral/v1"]
)
async def test_the_inside_closes(nginx: Nginx, path: str) -> None:
    answer = await ask(nginx.inside, "POST", path, b"{}")
    assert answer.status == 404
    assert answer.error["code"] == "unknown_url"
    assert not any(node.exchanges for node in nginx.nodes)


@pytest.mark.parametrize(
    ("server", "path", "arrives_as"),
    [
        ("edge", "/v1/models", "/v1/models"),
        ("edge", "/v1/models?a=%20b&c", "/v1/models?a=%20b&c"),
        ("edge", "/v1/models/org%2Fname", "/v1/models/org/name"),
        ("edge", "/v1/models/na%20me%3F%25", "/v1/models/na%20me%3F%25"),
        ("edge", "/v1/a%0d%0aX-Evil:%201", "/v1/a%0D%0AX-Evil:%201"),
        ("edge", "/v1//models", "/v1/models"),
        ("edge", "/metrics/../v1/models", "/v1/models"),
        ("edge", "/healthz", "/healthz"),
        ("edge", "/docs", "/docs"),
        ("edge", "/openapi.json", "/openapi.json"),
        ("inside", "/v1/chat/completions", "/v1/chat/completions"),
        ("inside", "/mistral-7b/v1/models?a=%20b&c", "/mistral-7b/v1/models?a=%20b&c"),
        ("inside", "/mistral-7b/v1/models/org%2Fname", "/mistral-7b/v1/models/org/name"),
        ("inside", "/sleep/../v1/models", "/v1/models"),
        ("inside", "/v1/%6dodels", "/v1/models"),
        ("inside", "/-/healthz", "/-/healthz"),
    ],
)
async def test_what_is_open_arrives_as_nginx_read_it(nginx: Nginx, server: str, path: str, arrives_as: str) -> None:
    assert (await ask(getattr(nginx, server), "GET", path)).status == 200
    (exchange,) = [exchange for node in nginx.nodes for exchange in node.exchanges]
    assert exchange.target == arrives_as
    assert exchange.header("x-evil") is None
    assert exchange.node in (nginx.gateways if server == "edge" else nginx.ingresses)


@pytest.mark.parametrize("path", ["/v1/a%0d%0aX-Evil:%201", "/v1/na%20me%3F%25x"])
async def test_a_path_that_is_passed_on_stays_one_path(nginx: Nginx, path: str) -> None:
    assert (await ask(nginx.inside, "GET", path)).status == 200
    (exchange,) = [exchange for node in nginx.nodes for exchange in node.exchanges]
    assert exchange.target.lower() == path.lower()
    assert exchange.header("x-evil") is None

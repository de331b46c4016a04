"""The engine of each MODEL_BACKEND as services of the stack, and where the gateway finds it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from api.settings import ModelBackend
from scripts.embedded.engine_choice import choose_vllm, gpu_names, served_names, uses_vllm
from scripts.embedded.engine_environment import engine_python
from scripts.embedded.probes import answers_http
from scripts.embedded.ray_server import RayPorts, ray_service
from scripts.embedded.service import Service
from scripts.embedded.stack_ports import Ports
from scripts.embedded.stack_settings import StackSettings

# Loading and compiling a model; on a machine with a GPU the first start downloads it as well.
_ENGINE_START_TIMEOUT_S = 1800.0


@dataclass(frozen=True, kw_only=True)
class Engine:
    services: list[Service] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    """Settings for the gateway."""


def engine_of(stack: StackSettings, ports: Ports) -> Engine:
    """Raises ServiceError."""
    match stack.settings.models.model_backend:
        case ModelBackend.MOCK:
            return Engine(
                services=[_mock_llm(stack, ports)],
                addresses={"MOCK_BASE_URL": f"http://127.0.0.1:{ports.mock}/v1"},
            )
        case ModelBackend.VLLM:
            return _vllm(stack, ports)
        case ModelBackend.RAY:
            return _ray(stack, ports)
    return Engine()


def _mock_llm(stack: StackSettings, ports: Ports) -> Service:
    embedded = stack.settings.embedded
    return Service(
        name="mock-llm",
        command=[
            *(sys.executable, "-m", "serving.mock_llm", "--host", "127.0.0.1"),
            *("--port", str(ports.mock), "--admin-port", str(ports.mock_admin)),
            *("--time-scale", str(embedded.mock_time_scale), "--batching", embedded.mock_batching),
        ],
        log_file=stack.log_dir / "mock-llm.log",
        port=ports.mock,
        environment=stack.environment,
        is_ready=lambda: answers_http(host="127.0.0.1", port=ports.mock, path="/health"),
    )


def _vllm(stack: StackSettings, ports: Ports) -> Engine:
    base_url = f"http://127.0.0.1:{ports.vllm}/v1"
    choice = choose_vllm(stack.settings, data_dir=stack.data_dir, gpus=gpu_names())
    names = served_names(stack.settings, vllm_base_url=base_url, name=choice.name)
    service = Service(
        name="vllm",
        command=[
            *(str(engine_python(stack.settings, root=stack.root)), "-m", "serving.vllm_server"),
            *("--preset", choice.preset.value, "--model", choice.model, "--served-model-name", *names),
            *("--host", "127.0.0.1", "--port", str(ports.vllm)),
        ],
        log_file=stack.log_dir / "vllm.log",
        port=ports.vllm,
        environment=stack.environment,
        is_ready=lambda: answers_http(host="127.0.0.1", port=ports.vllm, path="/health"),
        start_timeout_s=_ENGINE_START_TIMEOUT_S,
        stop_timeout_s=30.0,
    )
    return Engine(services=[service], addresses={"VLLM_BASE_URL": base_url, "UPSTREAM_MODEL": choice.name})


def _ray(stack: StackSettings, ports: Ports) -> Engine:
    settings = stack.settings
    ray_ports = RayPorts(first=ports.ray)
    base_url = f"http://127.0.0.1:{ports.nginx}/v1"
    service = ray_service(
        python=engine_python(settings, root=stack.root),
        directory=stack.data_dir / "ray",
        ports=ray_ports,
        config=_serve_config(stack, ray_ports),
        environment=stack.environment,
        log_file=stack.log_dir / "ray.log",
        cpus=16,
        start_timeout_s=_ENGINE_START_TIMEOUT_S if uses_vllm(settings) else 120.0,
    )
    return Engine(services=[service], addresses={"RAY_BASE_URL": base_url})


def _serve_config(stack: StackSettings, ports: RayPorts) -> dict[str, Any]:
    return {
        "proxy_location": "EveryNode",
        "http_options": {"host": "127.0.0.1", "port": ports.ingress},
        "applications": [
            {
                "name": "ray",
                "route_prefix": "/",
                "import_path": "serving.ray_serve_app:build",
                "args": {
                    "name": "ray",
                    "kind": "mock",
                    "models": ["finsight-fast", "mistralai/Mistral-7B-Instruct-v0.3"],
                },
            }
        ],
    }

"""The engine of each MODEL_BACKEND as services of the stack, and where the gateway finds it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from api.settings import ModelBackend, Settings
from scripts.embedded.engine_choice import (
    VllmChoice,
    choose_vllm,
    gpu_names,
    longest_request_s,
    replica_bounds,
    served_names,
    starts_ray,
    starts_vllm,
    uses_vllm,
)
from scripts.embedded.engine_environment import engine_python
from scripts.embedded.probes import answers_http
from scripts.embedded.ray_server import RayNode, RayPorts, ray_service
from scripts.embedded.service import Service
from scripts.embedded.stack_ports import Ports
from scripts.embedded.stack_settings import StackSettings

# Loading and compiling a model; on a machine with a GPU the first start downloads it as well.
_ENGINE_START_TIMEOUT_S = 1800.0
_RAY_START_TIMEOUT_S = 180.0
# Ray counts what replicas say they need; how busy the machine gets is decided by the largest number of replicas.
_CPUS = 64
_MOCK_MODEL = "mock-llm"


@dataclass(frozen=True, kw_only=True)
class Engine:
    services: list[Service] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    """Settings for the gateway."""


def engine_of(stack: StackSettings, ports: Ports) -> Engine:
    """None, where the settings name one's own. Raises ServiceError."""
    if stack.settings.models.model_backend is ModelBackend.MOCK:
        return Engine(
            services=[_mock_llm(stack, ports)], addresses={"MOCK_BASE_URL": f"http://127.0.0.1:{ports.mock}/v1"}
        )
    if starts_vllm(stack.settings):
        return _vllm(stack, ports)
    return _ray(stack, ports) if starts_ray(stack.settings) else Engine()


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


def _engine_environment(stack: StackSettings) -> dict[str, str]:
    """vLLM would ask for a key that the shell happens to name, and nothing in front of the engine would have it."""
    return {name: value for name, value in stack.environment.items() if name != "VLLM_API_KEY"}


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
        environment=_engine_environment(stack),
        is_ready=lambda: answers_http(host="127.0.0.1", port=ports.vllm, path="/health"),
        start_timeout_s=_ENGINE_START_TIMEOUT_S,
        stop_timeout_s=30.0,
    )
    return Engine(services=[service], addresses={"VLLM_BASE_URL": base_url, "UPSTREAM_MODEL": choice.name})


def _ray(stack: StackSettings, ports: Ports) -> Engine:
    settings = stack.settings
    gpus = gpu_names() if uses_vllm(settings) else []
    vllm = choose_vllm(settings, data_dir=stack.data_dir, gpus=gpus) if uses_vllm(settings) else None
    name = vllm.name if vllm else settings.models.upstream_model or _MOCK_MODEL
    # A models file may say ${NGINX_PORT}: with several engines each has its own path there.
    addresses = {
        "RAY_BASE_URL": f"http://127.0.0.1:{ports.nginx}/v1",
        "NGINX_PORT": str(ports.nginx),
        "UPSTREAM_MODEL": name,
    }
    service = ray_service(
        RayNode(
            python=engine_python(settings, root=stack.root),
            directory=stack.data_dir / "ray",
            ports=RayPorts(first=ports.ray),
            cpus=_CPUS,
        ),
        config_arguments=_serve_config_arguments(settings, vllm=vllm, gpus=gpus, name=name),
        environment={**_engine_environment(stack), **addresses, "PYTHONPATH": str(stack.root)},
        log_file=stack.log_dir / "ray.log",
        longest_request_s=longest_request_s(settings, addresses=addresses),
        start_timeout_s=_ENGINE_START_TIMEOUT_S if vllm else _RAY_START_TIMEOUT_S,
    )
    return Engine(services=[service], addresses=addresses)


def _serve_config_arguments(
    settings: Settings, *, vllm: VllmChoice | None, gpus: Sequence[str], name: str
) -> list[str]:
    engine = settings.engine
    arguments = ["--engine", engine.ray_engine.value]
    if settings.models.models_file is not None:
        arguments += ["--models-file", str(settings.models.models_file)]
    else:
        arguments += ["--served-model-name", name]
    if vllm is not None:
        arguments += ["--preset", vllm.preset.value, "--model", vllm.model]
    else:
        arguments += ["--set", f"time_scale={settings.embedded.mock_time_scale}"]
    least, most = replica_bounds(settings, vllm=vllm, gpus=gpus)
    arguments += ["--min-replicas", str(least), "--max-replicas", str(most)]
    return [*arguments, "--market-hours" if engine.ray_market_hours else "--no-market-hours"]

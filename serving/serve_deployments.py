"""What Ray Serve is to run, from the catalogue: one application with one deployment for each engine. Pure.

An application's `args` are the engine's settings, and a change of them replaces its replicas; its `deployments` say how
many replicas there are and how they end, and a change of that leaves running replicas as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from serving.autoscaling_policy import ray_autoscaling_config
from serving.catalogue.base import Catalogue, EngineSpec, ModelKind, Upstream
from serving.engine_settings import EngineSettings, EngineSettingsError
from serving.ray_environment import graceful_shutdown_s
from serving.replica_scaling import ScalingLimits, ScalingLimitsError

# Enough for connections that Nginx keeps to be closed by Nginx.
_KEEP_ALIVE_S = 90
# A replica is asked again as soon as it has answered, and given up after three failures in a row.
_HEALTH_CHECK_PERIOD_S = 2.0
# What Ray waits for an answer beyond what the engine gets, so that the engine's own sentence is what is logged.
_HEALTH_CHECK_MARGIN_S = 5.0
# MockLLM's replicas share the machine's cores with everything else; this only bounds how many Ray starts.
_MOCK_CPUS = 0.25
_REFUSED_FOR_S = 1
_LARGEST_PORT = 65_535
_LONGEST_S = 86_400


class ServeConfigError(ValueError):
    """No config file can be made; the message names the engine and its setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineDeployment:
    """An engine, where it is found, and the arguments of MarketHoursPolicy for its replicas.

    `route_prefix`: what its address has before `/v1`, such as `/fast`; `/` for nothing.
    """

    settings: EngineSettings
    route_prefix: str = "/"
    autoscaling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """Where every node takes requests. `longest_request_s`: what replicas that end wait for; nothing cuts a request."""

    host: str = "127.0.0.1"
    port: int = 8000
    longest_request_s: float = 600.0

    def __post_init__(self) -> None:
        """Raises ServeConfigError."""
        if not 1 <= self.port <= _LARGEST_PORT:
            raise ServeConfigError(f"ingress port is {self.port}: must be 1 to {_LARGEST_PORT}")
        if not 0 < self.longest_request_s <= _LONGEST_S:
            raise ServeConfigError(
                f"longest_request_s is {self.longest_request_s}: must be above 0 and at most {_LONGEST_S:,}"
            )


def serve_config(
    engines: Sequence[EngineDeployment], *, ingress: Ingress, max_replicas_per_node: int | None = None
) -> dict[str, Any]:
    """What `serve deploy` takes.

    `max_replicas_per_node`: of one engine; with a minimum of more than this, no node holds all of them, and one that is
    lost and comes back gets its share again. None: as many as fit. Raises ServeConfigError.
    """
    if not engines:
        raise ServeConfigError("no engine: give an upstream of the models file an `engine:`, or name one with --engine")
    if max_replicas_per_node is not None and max_replicas_per_node < 1:
        raise ServeConfigError(f"max_replicas_per_node is {max_replicas_per_node}: must be 1 or more")
    _check_places(engines)
    return {
        "proxy_location": "EveryNode",
        "http_options": {
            "host": ingress.host,
            "port": ingress.port,
            "keep_alive_timeout_s": _KEEP_ALIVE_S,
            # The gateway has time-outs for each kind of request; one here would cut long streams.
            "request_timeout_s": None,
        },
        "logging_config": {"encoding": "JSON", "log_level": "INFO", "enable_access_log": False},
        "applications": [_application(engine, ingress, max_replicas_per_node) for engine in engines],
    }


def engine_deployments(
    catalogue: Catalogue, *, otherwise: EngineSpec | None = None, autoscaling: Mapping[str, Any] | None = None
) -> list[EngineDeployment]:
    """One for each upstream with an engine; where none has one, `otherwise` is the engine of all.

    `autoscaling` takes the place of what the catalogue says, argument by argument. Raises ServeConfigError.
    """
    upstreams = [
        (model.kind, upstream) for model in catalogue.models for upstream in model.upstreams if upstream.builtin is None
    ]
    specs = {upstream.name: upstream.engine for _kind, upstream in upstreams if upstream.engine is not None}
    if not specs and otherwise is not None:
        specs = dict.fromkeys((upstream.name for _kind, upstream in upstreams), otherwise)
    deployments = []
    for name, spec in specs.items():
        served = [(kind, upstream) for kind, upstream in upstreams if upstream.name == name]
        deployments.append(
            EngineDeployment(
                settings=_settings(name, spec, served),
                route_prefix=_route_prefix(served[0][1]),
                autoscaling=_within_maximum({**spec.autoscaling, **(autoscaling or {})}),
            )
        )
    return deployments


def _settings(name: str, spec: EngineSpec, served: Sequence[tuple[ModelKind, Upstream]]) -> EngineSettings:
    names = {
        wanted: tuple(sorted({upstream.model for kind, upstream in served if kind is wanted and upstream.model}))
        for wanted in ModelKind
    }
    try:
        return EngineSettings(
            name=name,
            kind=spec.kind,
            models=names[ModelKind.CHAT],
            # A vLLM engine runs one model, and what that is in the catalogue is a chat model.
            embedding_models=names[ModelKind.EMBEDDING] if spec.kind == "mock" else (),
            preset=spec.preset,
            model=spec.model,
            set=spec.set,
        )
    except EngineSettingsError as error:
        raise ServeConfigError(f"the engine of upstream {name!r}: {error}") from None


def _within_maximum(autoscaling: dict[str, Any]) -> dict[str, Any]:
    """With a maximum below the default of the market hours' minimum, nobody should have to name that too."""
    maximum = autoscaling.get("max_replicas")
    if isinstance(maximum, int) and 0 < maximum < ScalingLimits().market_hours_min_replicas:
        return {"market_hours_min_replicas": maximum, **autoscaling}
    return autoscaling


def _route_prefix(upstream: Upstream) -> str:
    path = urlsplit(upstream.base_url).path
    if not path.endswith("/v1"):
        raise ServeConfigError(
            f"upstream {upstream.name!r}: base_url must end with /v1, where engines have their endpoints"
        )
    prefix = path.removesuffix("/v1") or "/"
    # nginx.conf lets nothing else in: a longer path would be deployed and never reached.
    if not re.fullmatch(r"/[A-Za-z0-9._-]*", prefix):
        raise ServeConfigError(
            f"upstream {upstream.name!r}: before /v1, base_url may have one name of letters, digits and . _ -, such as "
            f"http://host/{upstream.name}/v1"
        )
    return prefix


def _check_places(engines: Sequence[EngineDeployment]) -> None:
    taken: dict[str, str] = {}
    for engine in engines:
        name = engine.settings.name
        other = taken.setdefault(engine.route_prefix, name)
        if other != name:
            raise ServeConfigError(
                f"upstreams {other!r} and {name!r} both have the path {engine.route_prefix!r}: where there are several "
                f"engines each needs its own, such as /{name} in http://host/{name}/v1"
            )


def _application(engine: EngineDeployment, ingress: Ingress, max_per_node: int | None) -> dict[str, Any]:
    settings = engine.settings
    spread = {} if max_per_node is None else {"max_replicas_per_node": max_per_node}
    application = {
        "name": settings.name,
        "route_prefix": engine.route_prefix,
        "import_path": "serving.ray_serve_app:build",
        "args": _arguments(settings),
        "deployments": [_deployment(engine, ingress) | spread],
    }
    if settings.kind == "vllm":
        application["runtime_env"] = {"env_vars": settings.vllm_config().environment()}
    return application


def _arguments(settings: EngineSettings) -> dict[str, Any]:
    """Only what was said, and only what JSON has."""
    arguments = {
        "name": settings.name,
        "kind": settings.kind,
        "models": list(settings.models),
        "embedding_models": list(settings.embedding_models),
        "preset": settings.preset,
        "model": settings.model,
        "set": dict(settings.set),
        "check_timeout_s": settings.check_timeout_s,
    }
    return {name: value for name, value in arguments.items() if value}


def _deployment(engine: EngineDeployment, ingress: Ingress) -> dict[str, Any]:
    settings = engine.settings
    try:
        autoscaling = ray_autoscaling_config(**engine.autoscaling)
    except ScalingLimitsError as error:
        raise ServeConfigError(f"the autoscaling of upstream {settings.name!r}: {error}") from None
    # What one step computes may run in a replica at once, and as much may wait there for its turn. Only what runs is
    # load in the eyes of Ray, so it must be enough to ask for every replica.
    wanted = autoscaling["target_ongoing_requests"] * autoscaling["max_replicas"]
    max_ongoing_requests = max(settings.max_num_seqs, math.ceil(wanted))
    return {
        "name": settings.name,
        "autoscaling_config": autoscaling,
        "max_ongoing_requests": max_ongoing_requests,
        "max_queued_requests": max_ongoing_requests,
        "backpressure_config": {"status_code": 503, "retry_after_s": _REFUSED_FOR_S},
        "ray_actor_options": _resources(settings),
        "graceful_shutdown_timeout_s": graceful_shutdown_s(ingress.longest_request_s),
        "graceful_shutdown_wait_loop_s": 1.0,
        "health_check_period_s": _HEALTH_CHECK_PERIOD_S,
        "health_check_timeout_s": settings.check_timeout_s + _HEALTH_CHECK_MARGIN_S,
    }


def _resources(settings: EngineSettings) -> dict[str, Any]:
    """What Ray keeps free on a node for one replica. The workers of a vLLM engine run on the replica's node."""
    if settings.kind == "mock":
        return {"num_cpus": _MOCK_CPUS}
    config = settings.vllm_config()
    if config.cpu_threads is not None:
        return {"num_cpus": config.cpu_threads}
    return {"num_cpus": 1, "num_gpus": config.tensor_parallel_size}

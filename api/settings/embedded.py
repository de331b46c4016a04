"""What only `make up` reads: where its services run, and which engine it starts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from api.settings.groups import Group, OptionalPort, Positive


class RayEngine(StrEnum):
    MOCK = "mock"
    VLLM = "vllm"


class VllmPreset(StrEnum):
    MISTRAL_7B_A10G = "mistral-7b-a10g"
    MISTRAL_7B_A100 = "mistral-7b-a100"
    MISTRAL_7B_H100 = "mistral-7b-h100"
    CPU_TINY = "cpu-tiny"


class EmbeddedSettings(Group):
    """The stack that `make up` starts; a port of 0 means any free one, remembered in DATA_DIR"""

    data_dir: Path = Path(".data")
    """Data, logs and passwords of the embedded services; relative to the checkout."""
    mock_port: OptionalPort = 0
    """Port of MockLLM."""
    mock_admin_port: OptionalPort = 0
    """Port of MockLLM's fault switches."""
    mock_time_scale: Annotated[float, Field(gt=0)] = 1.0
    """How many times faster than a real GPU MockLLM answers."""
    mock_batching: str = Field("continuous", pattern=r"^(continuous|static)$")
    """How MockLLM batches: continuous or static."""
    redis_port: OptionalPort = 0
    """Port of the embedded Redis."""
    postgres_port: OptionalPort = 0
    """Port of the embedded Postgres."""
    vllm_port: OptionalPort = 0
    """Port of vLLM, for MODEL_BACKEND=vllm."""
    nginx_port: OptionalPort = 0
    """Port on which Nginx passes requests on to Ray Serve, for MODEL_BACKEND=ray."""
    ray_port: Annotated[int, Field(ge=0, le=65_336)] = 0
    """First of the 200 ports in a row that Ray uses, for MODEL_BACKEND=ray."""


class EngineSettings(Group):
    """The engine that `make up` starts, for MODEL_BACKEND=ray and vllm"""

    ray_engine: RayEngine = RayEngine.MOCK
    """What Ray Serve's replicas run: mock, the simulated engine, or vllm."""
    ray_min_replicas: Positive = 1
    """Replicas of each engine at the least."""
    ray_max_replicas: Positive = 4
    """Replicas of each engine at the most."""
    ray_market_hours: bool = True
    """Keep two replicas at least while the New York Stock Exchange is open."""
    vllm_preset: VllmPreset | None = None
    """How vLLM runs: mistral-7b-a10g, mistral-7b-a100, mistral-7b-h100, cpu-tiny; empty: as suits the GPU."""
    vllm_model: str = ""
    """Model that vLLM loads, a folder or a name on the hub; empty: the preset's, for cpu-tiny one made here."""

    @model_validator(mode="after")
    def _min_is_not_above_max(self) -> Self:
        if self.ray_min_replicas > self.ray_max_replicas:
            raise ValueError("RAY_MIN_REPLICAS is larger than RAY_MAX_REPLICAS")
        return self

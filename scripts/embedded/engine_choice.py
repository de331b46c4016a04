"""Which vLLM suits the settings and this machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from api.catalogue import read_catalogue
from api.settings import ModelBackend, ModelSettings, RayEngine, Settings, VllmPreset
from serving.catalogue.base import CatalogueError
from serving.catalogue.defaults import MISTRAL

TINY_MODEL = "tiny-mistral"

_QUERY_TIMEOUT_S = 30.0
# Part of the name that the driver gives a GPU -> preset. Others get the one that asks least of the GPU's memory.
_PRESET_OF = {
    "H100": VllmPreset.MISTRAL_7B_H100,
    "H200": VllmPreset.MISTRAL_7B_H100,
    "A100": VllmPreset.MISTRAL_7B_A100,
}


@dataclass(frozen=True, kw_only=True)
class VllmChoice:
    preset: VllmPreset
    model: str
    """A folder, or a name on the model hub."""
    name: str
    """What the gateway calls it."""
    is_made_here: bool
    """Whether `model` is the folder of the tiny model, which is made when it is missing."""


def starts_ray(settings: Settings) -> bool:
    """Whether `make up` starts Ray Serve: not where RAY_BASE_URL names one's own."""
    return settings.models.model_backend is ModelBackend.RAY and _is_default(settings.models, "ray_base_url")


def starts_vllm(settings: Settings) -> bool:
    """Whether `make up` starts vLLM by itself: not where VLLM_BASE_URL names one's own."""
    return settings.models.model_backend is ModelBackend.VLLM and _is_default(settings.models, "vllm_base_url")


def uses_vllm(settings: Settings) -> bool:
    """Whether `make up` starts vLLM, by itself or in Ray Serve's replicas."""
    return starts_vllm(settings) or (starts_ray(settings) and settings.engine.ray_engine is RayEngine.VLLM)


def choose_vllm(settings: Settings, *, data_dir: Path, gpus: Sequence[str]) -> VllmChoice:
    """`gpus`: names of the machine's GPUs, as `gpu_names` gives them."""
    preset = settings.engine.vllm_preset or _suited_to(gpus)
    is_made_here = preset is VllmPreset.CPU_TINY and not settings.engine.vllm_model
    model = str(data_dir / "models" / TINY_MODEL) if is_made_here else settings.engine.vllm_model or MISTRAL
    folder = Path(model).expanduser()
    name = folder.name if folder.is_dir() or is_made_here else model
    return VllmChoice(
        preset=preset, model=model, name=settings.models.upstream_model or name, is_made_here=is_made_here
    )


def served_names(settings: Settings, *, vllm_base_url: str, name: str) -> tuple[str, ...]:
    """By which names the catalogue calls the engine at `vllm_base_url`; `name` when it has none of its own."""
    models = settings.models.model_copy(update={"vllm_base_url": vllm_base_url, "upstream_model": name})
    variables = {**settings.variables, "VLLM_BASE_URL": vllm_base_url}
    try:
        catalogue = read_catalogue(replace(settings, models=models, variables=variables))
    except CatalogueError:
        return (name,)  # the gateway says what is wrong with the models file
    names = {
        upstream.model or model.name
        for model in catalogue.models
        for upstream in model.upstreams
        if upstream.base_url == vllm_base_url
    }
    return tuple(sorted(names)) or (name,)


def replica_bounds(settings: Settings, *, vllm: VllmChoice | None, gpus: Sequence[str]) -> tuple[int, int]:
    """Replicas at the least and at the most: what the settings say, but no more of vLLM than there are GPUs.

    A preset's engine takes a whole one. A replica that finds none would keep its application from being ready.
    """
    least, most = settings.engine.ray_min_replicas, settings.engine.ray_max_replicas
    if vllm is not None and vllm.preset is not VllmPreset.CPU_TINY:
        most = min(most, max(1, len(gpus)))
    return min(least, most), most


def longest_request_s(settings: Settings, *, addresses: Mapping[str, str]) -> float:
    """REQUEST_TIMEOUT_S, or what an upstream of the models file has in its place if that is more.

    `addresses`: settings that say where the engine is, which a models file may name.
    """
    longest_s = settings.upstream.request_timeout_s
    try:
        catalogue = read_catalogue(replace(settings, variables={**settings.variables, **addresses}))
    except CatalogueError:
        return longest_s  # as above
    own = (upstream.timeouts.request_s for model in catalogue.models for upstream in model.upstreams)
    return max(longest_s, *(timeout_s for timeout_s in own if timeout_s is not None), 0.0)


def gpu_names() -> list[str]:
    """The NVIDIA GPUs of this machine as the driver calls them; empty without a working driver."""
    query = shutil.which("nvidia-smi")
    if query is None:
        return []
    try:
        answer = subprocess.run(  # noqa: S603  # a fixed command
            [query, "--query-gpu=name", "--format=csv,noheader"],
            check=False,
            capture_output=True,
            text=True,
            timeout=_QUERY_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()] if answer.returncode == 0 else []


def _is_default(models: ModelSettings, field: str) -> bool:
    """By its value: a copy of .env.example may say the default."""
    return bool(getattr(models, field) == ModelSettings.model_fields[field].default)


def _suited_to(gpus: Sequence[str]) -> VllmPreset:
    if not gpus:
        return VllmPreset.CPU_TINY
    return next((preset for part, preset in _PRESET_OF.items() if part in gpus[0]), VllmPreset.MISTRAL_7B_A10G)

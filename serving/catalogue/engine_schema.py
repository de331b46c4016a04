"""The `engine:` of an upstream: what the platform is to run at that address. The gateway itself only checks it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from serving.catalogue.entry import Entry, Text
from serving.engine_settings import EngineSettings, EngineSettingsError
from serving.vllm_presets import PRESETS


class AutoscalingEntry(Entry):
    """Arguments of `serving.autoscaling_policy.MarketHoursPolicy`, which knows their ranges; None keeps its default."""

    min_replicas: int | None = None
    max_replicas: int | None = None
    market_hours_min_replicas: int | None = None
    target_ongoing_requests: float | None = None
    upscale_delay_s: float | None = None
    downscale_delay_s: float | None = None
    scale_to_zero: bool | None = None
    market_hours: bool | None = None
    exchange: Text | None = None
    prewarm_minutes: float | None = None
    clock_start: Text | None = None


class EngineEntry(Entry):
    kind: Literal["mock", "vllm"]
    preset: Text | None = Field(default=None, validate_default=True)
    model: Text | None = None
    set: dict[str, Any] = Field(default={}, validate_default=True)
    autoscaling: AutoscalingEntry = AutoscalingEntry()

    @field_validator("preset")
    @classmethod
    def _preset_suits(cls, preset: str | None, info: ValidationInfo) -> str | None:
        match info.data.get("kind"):
            case "vllm" if preset not in PRESETS:
                raise ValueError(f"must be one of {', '.join(PRESETS)}")
            case "mock" if preset is not None:
                raise ValueError("is for engines of kind vllm: leave the field out")
        return preset

    @field_validator("set")
    @classmethod
    def _settings_fit(cls, values: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        known = info.data
        if {"kind", "preset", "model"} <= known.keys():
            try:
                EngineSettings(name="engine", models=("model",), set=values, **known)
            except EngineSettingsError as error:
                raise ValueError(str(error)) from None
        return values

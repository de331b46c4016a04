"""Which engine a replica runs and how: checked before anything is deployed, and again where it starts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from serving.vllm_checks import VllmConfigError
from serving.vllm_config import VllmConfig, preset

KINDS = ("mock", "vllm")

_MIB = 1 << 20


class EngineSettingsError(ValueError):
    """A setting that cannot be; the message names it, its value and what it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MockEngineConfig:
    """`time_scale`: how many times faster than the modelled machine. The rest is called as in vLLM.

    `admin_port`: where the fault switches of the first replica listen, on loopback; the next replica of the same
    machine takes the next port. None: there are none.
    """

    time_scale: float = 1.0
    max_model_len: int = 8192
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    admin_port: int | None = None

    def __post_init__(self) -> None:
        _check("time_scale", self.time_scale, low=0.001, high=10_000, whole=False)
        _check("max_model_len", self.max_model_len, low=1, high=_MIB)
        _check("max_num_seqs", self.max_num_seqs, low=1, high=65_536)
        _check("max_num_batched_tokens", self.max_num_batched_tokens, low=1, high=_MIB)
        if self.admin_port is not None:
            _check("admin_port", self.admin_port, low=1024, high=65_535)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What a replica is told, as JSON values.

    name: of the deployment. kind: one of KINDS. models, embedding_models: the names the engine answers to.
    preset, model: of vLLM: a name of `serving.vllm_config.PRESETS`, and the weights (a folder, or a name on a hub).
    set: the engine's own settings, field by field: of VllmConfig, or of MockEngineConfig.
    check_timeout_s: how long the engine may take to answer a health check; longer than its longest step.
    """

    name: str
    kind: str
    models: tuple[str, ...]
    embedding_models: tuple[str, ...] = ()
    preset: str | None = None
    model: str | None = None
    set: Mapping[str, Any] = field(default_factory=dict)
    check_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        _check("check_timeout_s", self.check_timeout_s, low=0.1, high=600, whole=False)
        if self.kind not in KINDS:
            raise EngineSettingsError(f"kind is {self.kind!r}: it must be {' or '.join(KINDS)}")
        if not self.models and not self.embedding_models:
            raise EngineSettingsError("models is empty: an engine must answer to at least one name")
        if self.kind == "vllm":
            if not self.models:
                raise EngineSettingsError("models is empty: vLLM serves chat models here")
            self.vllm_config()
        else:
            for name in ("preset", "model"):
                if getattr(self, name) is not None:
                    raise EngineSettingsError(f"{name} is {getattr(self, name)!r}: only engines of kind vllm have one")
            self.mock_config()

    @property
    def max_num_seqs(self) -> int:
        """How many sequences the engine computes together."""
        return self.vllm_config().max_num_seqs if self.kind == "vllm" else self.mock_config().max_num_seqs

    def vllm_config(self) -> VllmConfig:
        """Raises EngineSettingsError."""
        if self.preset is None:
            raise EngineSettingsError("preset is missing: an engine of kind vllm needs one")
        overrides = dict(self.set)
        if self.model is not None:
            overrides["model"] = self.model
        try:
            return preset(self.preset, **{"served_model_names": self.models, **overrides})
        except VllmConfigError as error:
            raise EngineSettingsError(str(error)) from None

    def mock_config(self) -> MockEngineConfig:
        """Raises EngineSettingsError."""
        known = [one.name for one in fields(MockEngineConfig)]
        for name in self.set:
            if name not in known:
                raise EngineSettingsError(f"{name} is no setting of MockLLM: it has {', '.join(known)}")
        return MockEngineConfig(**self.set)


def engine_settings(args: Mapping[str, Any]) -> EngineSettings:
    """From the `args` of a Serve config file. Raises EngineSettingsError."""
    known = {one.name: one for one in fields(EngineSettings)}
    for name in args:
        if name not in known:
            raise EngineSettingsError(f"{name} is no setting of an engine: it has {', '.join(known)}")
    for name in ("name", "kind", "models"):
        if name not in args:
            raise EngineSettingsError(f"{name} is missing")
    lists = {name: tuple(args[name]) for name in ("models", "embedding_models") if name in args}
    return EngineSettings(**{**args, **lists})


def _check(name: str, value: Any, *, low: float, high: float, whole: bool = True) -> None:
    right_type = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not right_type or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise EngineSettingsError(f"{name} is {value!r}: it must be {kind} from {low:,g} to {high:,g}")

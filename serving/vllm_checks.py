"""What each field of a vLLM configuration may hold, and the sentence for a value that it may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class VllmConfigError(ValueError):
    """A configuration that vLLM could not run with: one sentence with the field and what it may hold."""


class Check(Protocol):
    """Whether a value will do. `allowed` completes the sentence "field must be …"."""

    @property
    def allowed(self) -> str: ...

    def accepts(self, value: object) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number, both ends included."""

    low: int
    high: int
    unit: str = ""

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.low} to {self.high}{self.unit and ' '}{self.unit}"

    def accepts(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of a whole. The bounds that vLLM leaves out are left out here as well."""

    low: float
    high: float
    includes_low: bool
    includes_high: bool

    @property
    def allowed(self) -> str:
        above = "at least" if self.includes_low else "above"
        below = "at most" if self.includes_high else "below"
        return f"a number {above} {self.low:g} and {below} {self.high:g}"

    def accepts(self, value: object) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return (self.low < value < self.high) or (
            (self.includes_low and value == self.low) or (self.includes_high and value == self.high)
        )


@dataclass(frozen=True, slots=True)
class OneOf:
    values: tuple[object, ...]

    @property
    def allowed(self) -> str:
        return f"one of {', '.join(str(value) for value in self.values)}"

    def accepts(self, value: object) -> bool:
        # True is 1 and 1.0 is 1 to Python, but not to a command line.
        return any(type(value) is type(known) and value == known for known in self.values)


@dataclass(frozen=True, slots=True)
class Flag:
    allowed: str = "true or false"

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Text:
    """One line that a command line can carry and that is not mistaken for an option."""

    allowed: str = "a line of text that does not start with a hyphen"

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and value.isprintable() and bool(value.strip()) and not value.startswith("-")


@dataclass(frozen=True, slots=True)
class Texts:
    """Any number of different texts."""

    allowed: str = "a list of different names, each a line of text that does not start with a hyphen"

    def accepts(self, value: object) -> bool:
        if not isinstance(value, tuple) or not all(Text().accepts(item) for item in value):
            return False
        return len(set(value)) == len(value)


@dataclass(frozen=True, slots=True)
class Optional:
    """The same, or nothing."""

    check: Check

    @property
    def allowed(self) -> str:
        return f"{self.check.allowed}, or nothing"

    def accepts(self, value: object) -> bool:
        return value is None or self.check.accepts(value)


def check_fields(owner: str, values: Mapping[str, Any], checks: Mapping[str, Check]) -> None:
    """Raises VllmConfigError for the first field whose value will not do. `owner` goes before the field's name."""
    for name, check in checks.items():
        if not check.accepts(values[name]):
            raise VllmConfigError(f"{owner}{name} must be {check.allowed}, not {values[name]!r}")


def check_combinations(broken: Iterable[tuple[bool, str]]) -> None:
    """Raises VllmConfigError with the first sentence that comes with True."""
    for is_broken, sentence in broken:
        if is_broken:
            raise VllmConfigError(sentence)


_MIB = 2**20
_TOKENS = Whole(low=1, high=10_000_000, unit="tokens")
# The names of vllm.model_executor.layers.quantization that serve a text model; "fp8" and those with "per" in their
# name quantise a 16-bit checkpoint while it is loaded, the others read a quantised one.
QUANTIZATIONS = (
    "awq",
    "awq_marlin",
    "gptq",
    "gptq_marlin",
    "compressed-tensors",
    "modelopt",
    "torchao",
    "mxfp4",
    "fp8",
    "fp8_per_tensor",
    "fp8_per_block",
    "int8_per_channel_weight_only",
)

ENGINE_CHECKS: dict[str, Check] = {
    "model": Text(),
    "served_model_names": Texts(),
    "dtype": OneOf(("auto", "bfloat16", "float16", "float32")),
    "seed": Whole(low=0, high=2**32 - 1),
    "max_model_len": _TOKENS,
    "max_output_tokens": Optional(_TOKENS),
    "max_logprobs": Whole(low=0, high=100),
    "quantization": Optional(OneOf(QUANTIZATIONS)),
    "kv_cache_dtype": OneOf(("auto", "bfloat16", "float16", "fp8", "fp8_e4m3", "fp8_e5m2")),
    "block_size": OneOf((16, 32, 64, 128, 256)),
    "enable_prefix_caching": Flag(),
    "gpu_memory_utilization": Share(low=0, high=1, includes_low=False, includes_high=True),
    "kv_cache_memory_bytes": Optional(Whole(low=_MIB, high=2**50, unit="bytes")),
    "max_num_seqs": Whole(low=1, high=8192, unit="sequences"),
    "max_num_batched_tokens": _TOKENS,
    "enable_chunked_prefill": Flag(),
    "long_prefill_token_threshold": Whole(low=0, high=10_000_000, unit="tokens"),
    "watermark": Share(low=0, high=1, includes_low=True, includes_high=False),
    "max_num_queued_reqs": Optional(Whole(low=1, high=1_000_000, unit="requests")),
    "tensor_parallel_size": Whole(low=1, high=64, unit="GPUs"),
    "max_loras": Whole(low=1, high=256, unit="adapters"),
    "max_lora_rank": OneOf((1, 8, 16, 32, 64, 128, 256, 320, 512)),
    "max_cpu_loras": Optional(Whole(low=1, high=100_000, unit="adapters")),
    "tool_call_parser": Optional(Text()),
    "tool_strict_level": OneOf(("auto", "function", "parameter")),
    "disable_any_whitespace": Flag(),
    "chat_template": Optional(Text()),
    "images_per_prompt": Optional(Whole(low=0, high=64, unit="images")),
    "enforce_eager": Flag(),
    "shutdown_timeout": Whole(low=0, high=3600, unit="seconds"),
    "cpu_threads": Optional(Whole(low=1, high=1024, unit="threads")),
}

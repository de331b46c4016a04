"""How vLLM is run: a checked configuration, rendered to the arguments of `vllm serve`. Nothing of vLLM is imported.

Field names are vLLM's own where it has the field. The ranges are vLLM's, narrowed to what can be meant; vLLM checks
again at the start, then with the model and the device before it. docs/reference/vllm.md lists every field.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from serving.vllm_checks import ENGINE_CHECKS, Text, VllmConfigError, check_combinations, check_fields
from serving.vllm_presets import PRESETS
from serving.vllm_speculation import Speculation

__all__ = ["PRESETS", "LoraAdapter", "Speculation", "VllmConfig", "VllmConfigError", "preset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraAdapter:
    """A LoRA adapter, served as the model `name`."""

    name: str
    path: str  # a directory, or the name of a repository of the model hub

    def __post_init__(self) -> None:
        check_fields("lora_adapters.", dataclasses.asdict(self), {"name": Text(), "path": Text()})


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmConfig:
    """One engine. Raises VllmConfigError, which names the field and what it may hold.

    Not known before the start are the model's own limits, the number of GPUs and their memory: vLLM says those.
    """

    model: str  # a directory, or the name of a repository of the model hub
    served_model_names: tuple[str, ...] = ()  # what clients call it; none: the name of `model`
    dtype: str = "auto"
    seed: int = 0
    max_model_len: int = 8192  # prompt and output together
    max_output_tokens: int | None = 2048  # the guardrail: no request gets more, whatever its max_tokens says
    max_logprobs: int = 20  # OpenAI's limit
    quantization: str | None = None
    kv_cache_dtype: str = "auto"
    block_size: int = 16  # tokens; a prefix is found again in whole blocks
    enable_prefix_caching: bool = True
    gpu_memory_utilization: float = 0.85  # of the GPU's memory, for weights, activations and KV cache together
    kv_cache_memory_bytes: int | None = None  # the KV cache's size for certain, instead of what is left
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048  # tokens in one step, so the longest time between two tokens of a stream
    enable_chunked_prefill: bool = True
    long_prefill_token_threshold: int = 0  # tokens of one prompt in a step that others wait for; 0: no limit
    watermark: float = 0.0  # share of the KV blocks that stay free when a request is admitted
    max_num_queued_reqs: int | None = None  # waiting and running together; beyond it vLLM answers 503
    tensor_parallel_size: int = 1
    speculative_config: Speculation | None = None
    lora_adapters: tuple[LoraAdapter, ...] = ()
    max_loras: int = 1  # different adapters in one step
    max_lora_rank: int = 16
    max_cpu_loras: int | None = None
    tool_call_parser: str | None = None  # also switches `tool_choice: auto` on
    tool_strict_level: str = "auto"  # "parameter": a call's arguments always match its schema, also if not `strict`
    disable_any_whitespace: bool = False  # guided JSON is compact: a weak model cannot lose itself in blanks
    chat_template: str | None = None
    images_per_prompt: int | None = None  # for models that see; None: vLLM's default
    enforce_eager: bool = False  # no compilation and no CUDA graphs: a quick start, slower steps
    shutdown_timeout: int = 30  # seconds that running requests get to finish after SIGTERM
    cpu_threads: int | None = None  # threads of the CPU build, bound to no core; None: vLLM takes the cores

    def __post_init__(self) -> None:
        if not isinstance(self.speculative_config, Speculation | None):
            raise VllmConfigError(
                "speculative_config must be an object with method and num_speculative_tokens, or nothing"
            )
        adapters = self.lora_adapters
        if not isinstance(adapters, tuple) or not all(isinstance(adapter, LoraAdapter) for adapter in adapters):
            raise VllmConfigError("lora_adapters must be a list of objects with name and path")
        check_fields("", {name: getattr(self, name) for name in ENGINE_CHECKS}, ENGINE_CHECKS)
        check_combinations(self._combinations_of_tokens())
        check_combinations(self._combinations_of_parts())

    def arguments(self) -> list[str]:
        """The command line of `vllm serve`, all but --host and --port. What is None is left to vLLM."""
        return [part for flag, values in self._options() for part in (flag, *values)]

    def environment(self) -> dict[str, str]:
        """The variables that vLLM reads before it reads its arguments."""
        threads = self.cpu_threads
        # Without a binding of its own each engine on a machine would take the same cores.
        binding = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(threads)} if threads else {}
        # vLLM's sampler would still compile a kernel for the first request with log probabilities, which needs a C++
        # compiler and holds up every other request for seconds.
        eager = {"TORCH_COMPILE_DISABLE": "1"} if self.enforce_eager else {}
        return {"VLLM_NO_USAGE_STATS": "1", **binding, **eager}

    def _combinations_of_tokens(self) -> Iterator[tuple[bool, str]]:
        tokens = self.max_num_batched_tokens
        yield (
            self.max_output_tokens is not None and self.max_output_tokens >= self.max_model_len,
            (
                f"max_output_tokens ({self.max_output_tokens}) must be below max_model_len ({self.max_model_len}): "
                "the prompt is in there as well"
            ),
        )
        yield (
            tokens < self.max_num_seqs,
            (
                f"max_num_batched_tokens ({tokens}) must be at least max_num_seqs ({self.max_num_seqs}): "
                "a step decodes a token of every sequence"
            ),
        )
        yield (
            not self.enable_chunked_prefill and tokens < self.max_model_len,
            (
                f"max_num_batched_tokens ({tokens}) must be at least max_model_len ({self.max_model_len}) when "
                "enable_chunked_prefill is false: a prompt then has to fit into one step"
            ),
        )
        yield (
            not self.enable_chunked_prefill and self.long_prefill_token_threshold > 0,
            (
                f"long_prefill_token_threshold ({self.long_prefill_token_threshold}) must be 0 when "
                "enable_chunked_prefill is false: it cuts prompts into chunks"
            ),
        )
        yield (
            self.long_prefill_token_threshold > self.max_model_len,
            (
                f"long_prefill_token_threshold ({self.long_prefill_token_threshold}) must be at most max_model_len "
                f"({self.max_model_len})"
            ),
        )

    def _combinations_of_parts(self) -> Iterator[tuple[bool, str]]:
        names = [adapter.name for adapter in self.lora_adapters]
        draft_size = self.speculative_config and self.speculative_config.draft_tensor_parallel_size
        yield (
            self.quantization is not None and self.dtype == "float32",
            f"dtype must be auto, bfloat16 or float16 when quantization is {self.quantization}, not float32",
        )
        yield (
            draft_size not in (None, 1, self.tensor_parallel_size),
            (
                f"speculative_config.draft_tensor_parallel_size ({draft_size}) must be 1 or tensor_parallel_size "
                f"({self.tensor_parallel_size})"
            ),
        )
        yield (
            self.max_cpu_loras is not None and self.max_cpu_loras < self.max_loras,
            f"max_cpu_loras ({self.max_cpu_loras}) must be at least max_loras ({self.max_loras})",
        )
        yield (
            len({*names, *self.served_model_names}) < len(names) + len(self.served_model_names),
            "lora_adapters must have names of their own, different from each other and from served_model_names: "
            + ", ".join([*self.served_model_names, *names]),
        )

    def _options(self) -> Iterator[tuple[str, list[str]]]:
        yield "--model", [self.model]
        if self.served_model_names:
            yield "--served-model-name", list(self.served_model_names)
        yield from _plain_options(self, _PLAIN)
        for name in ("enable_prefix_caching", "enable_chunked_prefill", "enforce_eager"):
            yield f"--{'' if getattr(self, name) else 'no-'}{name.replace('_', '-')}", []
        # Sampling defaults are OpenAI's, whatever the model's generation_config.json says.
        yield "--generation-config", ["vllm"]
        if self.max_output_tokens is not None:
            # Given here, and not in the model's file, it binds also the requests that ask for more.
            yield "--override-generation-config", [json.dumps({"max_new_tokens": self.max_output_tokens})]
        if self.speculative_config:
            guess = dataclasses.asdict(self.speculative_config)
            yield (
                "--speculative-config",
                [json.dumps({name: value for name, value in guess.items() if value is not None})],
            )
        if self.lora_adapters:
            yield "--enable-lora", []
            yield "--lora-modules", [json.dumps(dataclasses.asdict(adapter)) for adapter in self.lora_adapters]
            yield from _plain_options(self, ("max_loras", "max_lora_rank", "max_cpu_loras"))
        if self.tool_call_parser is not None:
            yield "--enable-auto-tool-choice", []
        if self.disable_any_whitespace:
            # Only some back ends can; this is the one that vLLM takes by itself where it can.
            guided = {"backend": "xgrammar", "disable_any_whitespace": True}
            yield "--structured-outputs-config", [json.dumps(guided)]
        if self.images_per_prompt is not None:
            yield "--limit-mm-per-prompt", [json.dumps({"image": self.images_per_prompt})]
        yield "--enable-prompt-tokens-details", []  # how much of a prompt the prefix cache had, in the usage
        yield "--disable-access-log-for-endpoints", ["/health,/metrics"]


def _plain_options(config: VllmConfig, names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    for name in names:
        if (value := getattr(config, name)) is not None:
            yield f"--{name.replace('_', '-')}", [str(value)]


# Fields that are an option of the same name with a value.
_PLAIN = (
    "dtype",
    "seed",
    "max_model_len",
    "max_logprobs",
    "quantization",
    "kv_cache_dtype",
    "block_size",
    "gpu_memory_utilization",
    "kv_cache_memory_bytes",
    "max_num_seqs",
    "max_num_batched_tokens",
    "long_prefill_token_threshold",
    "watermark",
    "max_num_queued_reqs",
    "tensor_parallel_size",
    "tool_call_parser",
    "tool_strict_level",
    "chat_template",
    "shutdown_timeout",
)


def preset(name: str, **overrides: Any) -> VllmConfig:
    """A preset, with the fields of `overrides` in place of its own. They may be JSON: lists, and objects for the
    speculative configuration and LoRA adapters. Raises VllmConfigError.
    """
    if name not in PRESETS:
        raise VllmConfigError(f"There is no preset {name!r}: {_suggestion(name, PRESETS)}")
    known = {field.name for field in dataclasses.fields(VllmConfig)}
    for field in overrides:
        if field not in known:
            raise VllmConfigError(f"There is no field {field!r}: {_suggestion(field, known)}")
    fields = {**PRESETS[name], **{field: _from_json(field, value) for field, value in overrides.items()}}
    return VllmConfig(**fields)


def _from_json(field: str, value: Any) -> Any:
    match field, value:
        case "speculative_config", dict():
            return _made(Speculation, field, value)
        case "lora_adapters", list() | tuple():
            return tuple(_made(LoraAdapter, field, item) if isinstance(item, dict) else item for item in value)
        case _, list():
            return tuple(value)
    return value


_Part = TypeVar("_Part", Speculation, LoraAdapter)


def _made(part: type[_Part], owner: str, values: Mapping[str, Any]) -> _Part:
    fields = dataclasses.fields(part)
    names = {field.name for field in fields}
    missing = {field.name for field in fields if field.default is dataclasses.MISSING} - values.keys()
    if missing:
        raise VllmConfigError(f"{owner}.{min(missing)} is missing")
    for name in values.keys() - names:
        raise VllmConfigError(f"There is no field {owner}.{name}: {_suggestion(name, names)}")
    return part(**values)


def _suggestion(wrong: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(wrong, names, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"

"""How many bytes a weight matrix takes once it is quantised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from serving.tools.command_line import InputError
from serving.tools.gpu_memory.numbers import Dtype

_SCALE_BYTES = 2
_FP8_SCALE_BYTES = 4
_INDEX_BYTES = 4
_COMPRESSED_TENSORS = "compressed-tensors"


class Method(StrEnum):
    NONE = "none"
    FP8 = "fp8"
    AWQ = "awq"
    GPTQ = "gptq"
    OTHER = "other"
    """Known to the engine and not to the arithmetic here: the sizes of the files have to say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """`bits` of a weight; `group_size`: inputs that share a scale (None: all of a row), `block`: rows and columns."""

    method: Method = Method.NONE
    bits: int = 16
    group_size: int | None = None
    block: tuple[int, int] | None = None
    zero_points: bool = False

    def matrix_bytes(self, outputs: int, inputs: int, dtype: Dtype) -> int:
        """Bytes of a matrix of `outputs` rows and `inputs` columns with all that belongs to it."""
        if self.method is Method.NONE:
            return outputs * inputs * dtype.size
        if self.method is Method.OTHER:
            raise InputError(
                "config.json: the quantization method is none that can be estimated without the safetensors files; "
                f"known are fp8, awq, gptq and {_COMPRESSED_TENSORS}."
            )
        if self.method is Method.FP8:
            if self.block is None:
                return outputs * inputs + _FP8_SCALE_BYTES
            rows, columns = self.block
            return outputs * inputs + _ceil(outputs, rows) * _ceil(inputs, columns) * _FP8_SCALE_BYTES
        groups = 1 if self.group_size is None else _ceil(inputs, self.group_size)
        packed = _ceil(outputs * inputs * self.bits, 8)
        scales = groups * outputs * _SCALE_BYTES
        zeros = _ceil(groups * outputs * self.bits, 8) if self.zero_points else 0
        order = inputs * _INDEX_BYTES if self.method is Method.GPTQ else 0  # which group each input is in
        return packed + scales + zeros + order

    def __str__(self) -> str:
        if self.method in (Method.NONE, Method.OTHER):
            return self.method.value
        groups = f", groups of {self.group_size}" if self.group_size else ""
        return f"{self.method.value}, {self.bits} bits{groups}"


UNQUANTIZED = Quantization()
# What `--quantization` alone stands for: the settings that nearly all published models of the method have.
TYPICAL = {
    Method.NONE: UNQUANTIZED,
    Method.FP8: Quantization(method=Method.FP8, bits=8),
    Method.AWQ: Quantization(method=Method.AWQ, bits=4, group_size=128, zero_points=True),
    Method.GPTQ: Quantization(method=Method.GPTQ, bits=4, group_size=128, zero_points=True),
}


def quantization_of(config: Mapping[str, Any]) -> Quantization:
    """From `quantization_config` of a config.json. Raises InputError where it contradicts itself."""
    section = config.get("quantization_config")
    if not section:
        return UNQUANTIZED
    if not isinstance(section, Mapping):
        raise InputError("config.json: 'quantization_config' has to be an object.")
    method = str(section.get("quant_method", "")).lower()
    if method == "fp8":
        block = section.get("weight_block_size")
        return Quantization(method=Method.FP8, bits=8, block=_pair(block) if block else None)
    if method in (Method.AWQ, Method.GPTQ):
        return Quantization(
            method=Method(method),
            bits=_bits(section.get("bits", section.get("w_bit", 4))),
            group_size=_group_size(section.get("group_size", section.get("q_group_size", 128))),
            zero_points=True,
        )
    if method == _COMPRESSED_TENSORS:
        return _compressed_tensors(section)
    return Quantization(method=Method.OTHER)


def _compressed_tensors(section: Mapping[str, Any]) -> Quantization:
    groups = section.get("config_groups")
    first = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
    weights = first.get("weights") if isinstance(first, Mapping) else None
    if not isinstance(weights, Mapping):
        raise InputError(f"config.json: {_COMPRESSED_TENSORS} without 'config_groups' that say what weights are.")
    bits = _bits(weights.get("num_bits", 8))
    if bits == 8:
        block = weights.get("block_structure")
        return Quantization(method=Method.FP8, bits=8, block=_pair(block) if block else None)
    return Quantization(
        method=Method.AWQ,  # the same layout: packed weights, and scales by group
        bits=bits,
        group_size=_group_size(weights.get("group_size") or -1),
        zero_points=not weights.get("symmetric", True),
    )


def _bits(value: object) -> int:
    if isinstance(value, int) and value in (2, 3, 4, 8):
        return value
    raise InputError(f"config.json: 'quantization_config' says {value!r} bits; 2, 3, 4 and 8 are possible.")


def _group_size(value: object) -> int | None:
    """None for -1, which stands for the whole row."""
    if isinstance(value, int) and (value == -1 or value > 0):
        return None if value == -1 else value
    raise InputError(
        f"config.json: 'quantization_config' says group size {value!r}; -1 or a number above 0 is possible."
    )


def _pair(value: object) -> tuple[int, int]:
    match value:
        case [int(rows), int(columns)] if rows > 0 and columns > 0:
            return rows, columns
    raise InputError(f"config.json: the block of the quantisation has to be two numbers above 0, not {value!r}.")


def _ceil(value: int, divisor: int) -> int:
    return -(-value // divisor)

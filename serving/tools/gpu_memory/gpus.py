"""Data-centre GPUs: the memory that a program sees of them, and what they can compute in."""

from __future__ import annotations

from dataclasses import dataclass

from serving.tools.gpu_memory.numbers import GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """`memory_gib` is what CUDA reports as total, less than the name says; it differs by 1 % between drivers."""

    name: str
    memory_gib: float
    compute_capability: tuple[int, int]

    @property
    def memory_bytes(self) -> int:
        return int(self.memory_gib * GIB)

    @property
    def has_bfloat16(self) -> bool:
        return self.compute_capability >= (8, 0)

    @property
    def has_fp8(self) -> bool:
        """Whether it multiplies 8-bit floats; others unpack fp8 weights on the way (vLLM: Marlin kernels)."""
        return self.compute_capability >= (8, 9)


# From the smallest to the largest.
GPUS: tuple[Gpu, ...] = (
    Gpu(name="T4", memory_gib=14.6, compute_capability=(7, 5)),
    Gpu(name="A10G", memory_gib=22.0, compute_capability=(8, 6)),
    Gpu(name="L4", memory_gib=22.0, compute_capability=(8, 9)),
    Gpu(name="A100-40GB", memory_gib=39.4, compute_capability=(8, 0)),
    Gpu(name="L40S", memory_gib=44.4, compute_capability=(8, 9)),
    Gpu(name="A100-80GB", memory_gib=79.1, compute_capability=(8, 0)),
    Gpu(name="H100-80GB", memory_gib=79.1, compute_capability=(9, 0)),
    Gpu(name="H200", memory_gib=139.8, compute_capability=(9, 0)),
    Gpu(name="B200", memory_gib=178.3, compute_capability=(10, 0)),
)
BY_NAME = {gpu.name.lower(): gpu for gpu in GPUS}

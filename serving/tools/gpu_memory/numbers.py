"""Kinds of numbers that weights and KV caches are made of."""

from __future__ import annotations

from enum import StrEnum

GIB = 2**30


class Dtype(StrEnum):
    """What a model computes in."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"

    @property
    def size(self) -> int:
        """Bytes of one number."""
        return 4 if self is Dtype.FLOAT32 else 2


class KvDtype(StrEnum):
    """What keys and values are kept in: as the model computes, or in 8 bits."""

    AUTO = "auto"
    FP8 = "fp8"

    def size(self, dtype: Dtype) -> int:
        """Bytes of one number in the KV cache of a model that computes in `dtype`."""
        return 1 if self is KvDtype.FP8 else dtype.size

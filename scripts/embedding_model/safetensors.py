"""The safetensors format, as much as float32 weights need: a JSON header with places, and the numbers behind it."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]
_LENGTH_BYTES = 8


def float32_tensors(content: bytes) -> Weights:
    """The float32 tensors in `content`, by name, as views of it. Raises ValueError for what is no such file."""
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    if not _LENGTH_BYTES < start <= len(content):
        raise ValueError("the weights are no safetensors file: its header is longer than the file")
    tensors: Weights = {}
    for name, entry in json.loads(content[_LENGTH_BYTES:start]).items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        first, end = (start + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(content[first:end], dtype="<f4").reshape(entry["shape"])
    return tensors

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from scripts.embedding_model.safetensors import float32_tensors


def packed(header: dict[str, object], data: bytes) -> bytes:
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def test_tensors_are_read_by_name_and_shape() -> None:
    data = struct.pack("<6f", 1, 2, 3, 4, 5, 6) + struct.pack("<2q", 7, 8)
    content = packed(
        {
            "__metadata__": {"format": "pt"},
            "b": {"dtype": "F32", "shape": [2], "data_offsets": [16, 24]},
            "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
            "positions": {"dtype": "I64", "shape": [2], "data_offsets": [24, 40]},
        },
        data,
    )
    tensors = float32_tensors(content)
    assert set(tensors) == {"a", "b"}
    np.testing.assert_array_equal(tensors["a"], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(tensors["b"], [5, 6])


@pytest.mark.parametrize("content", [b"", b"abc", struct.pack("<Q", 1000) + b"{}"])
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no safetensors file"):
        float32_tensors(content)

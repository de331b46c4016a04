from __future__ import annotations

import struct

import pytest

from serving.embedders.vectors import unit_vectors


def test_rows_become_unit_vectors_of_little_endian_floats() -> None:
    first, second = unit_vectors([[3.0, 4.0], [0.0, -0.5]])
    assert struct.unpack("<2f", first) == pytest.approx((0.6, 0.8))
    assert struct.unpack("<2f", second) == (0.0, -1.0)


@pytest.mark.parametrize("rows", [[[0.0, 0.0]], [[float("nan"), 1.0]], [[float("inf"), 1.0]], [1.0, 2.0]])
def test_what_has_no_direction_is_refused(rows: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="not finite, or has length 0"):
        unit_vectors(rows)

"""Numbers of any library or server as the vectors that an embedder gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def unit_vectors(rows: ArrayLike) -> list[bytes]:
    """Each row scaled to length 1, as float32, little-endian. Raises ValueError for rows that have no direction."""
    matrix = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(matrix, axis=-1, keepdims=True)
    if matrix.ndim != 2 or not np.isfinite(lengths).all() or not lengths.all():
        raise ValueError("a vector is not finite, or has length 0")
    return [row.tobytes() for row in (matrix / lengths).astype("<f4")]

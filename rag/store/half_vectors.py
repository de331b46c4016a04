"""Vectors on their way to Postgres: half precision in pgvector's binary form."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format


class HalfVector(bytes):
    """As `halfvec_recv` reads it."""

    __slots__ = ()

    @classmethod
    def of(cls, vector: bytes) -> HalfVector:
        """`vector`: float32, little-endian."""
        numbers = np.frombuffer(vector, dtype="<f4").astype(">f2")
        return cls(struct.pack(">HH", len(numbers), 0) + numbers.tobytes())


class _HalfVectorDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        return bytes(obj)


def adopt_half_vectors(connection: psycopg.AsyncConnection) -> None:
    connection.adapters.register_dumper(HalfVector, _HalfVectorDumper)

"""What this stage is for: the Redis behind these tests is one that the tests of `make test` do not have."""

from __future__ import annotations

import os
import struct

import pytest
import redis

pytestmark = pytest.mark.real


@pytest.fixture
def server(redis_url: str) -> redis.Redis:
    assert redis_url == os.environ["TEST_REDIS_URL"]
    return redis.Redis.from_url(redis_url)


def test_it_is_redis_8_or_later(server: redis.Redis) -> None:
    version = str(server.info("server")["redis_version"])
    assert int(version.partition(".")[0]) >= 8, version


def test_it_finds_the_nearest_vector_that_passes_a_filter(server: redis.Redis) -> None:
    def command(*words: object) -> object:
        return server.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py's own

    def add(name: str, *values: float, scope: str) -> None:
        vector = struct.pack(f"<{len(values)}f", *values)
        attributes = f'{{"scope": "{scope}"}}'
        assert command("VADD", "near", "FP32", vector, name, "NOQUANT", "SETATTR", attributes) == 1

    add("a", 1.0, 0.0, scope="mine")
    add("b", 0.6, 0.8, scope="mine")
    add("c", 0.8, 0.6, scope="other")
    asked = struct.pack("<2f", 0.8, 0.6)
    found = command("VSIM", "near", "FP32", asked, "COUNT", 1, "FILTER", '.scope == "mine"', "TRUTH")
    assert found == [b"b"]

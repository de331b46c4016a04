from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.unit.serving.http.wire import Wire


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def wire(loop: asyncio.AbstractEventLoop) -> Wire:
    return Wire(loop)

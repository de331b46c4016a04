from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.api.cache.entries import Workplace


@pytest.fixture
async def workplace(redis_url: str) -> AsyncIterator[Workplace]:
    """With an empty Redis."""
    place = Workplace(redis_url)
    yield place
    await place.aclose()

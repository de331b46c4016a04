from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.api.sessions.desk import Desk


@pytest.fixture
async def desk(redis_url: str) -> AsyncIterator[Desk]:
    """With an empty Redis."""
    place = Desk(redis_url)
    yield place
    await place.aclose()

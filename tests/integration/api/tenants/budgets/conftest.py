from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.api.tenants.budgets.bank import Bank


@pytest.fixture
async def bank(redis_url: str) -> AsyncIterator[Bank]:
    """With an empty Redis."""
    place = Bank(redis_url)
    yield place
    await place.aclose()

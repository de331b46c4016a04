from __future__ import annotations

import pytest

from api.errors import Unauthenticated
from api.tenants.keys import SettingsKeys
from resilience.limiter.base import Window
from tests.unit.api.fakes import QUOTA

KEYS = SettingsKeys({"key-1": "finsight", "key-2": "other", "key-3": "finsight"}, quota=QUOTA)


async def test_a_key_is_its_tenants() -> None:
    callers = [await KEYS.authenticate(f"key-{number}") for number in (1, 2, 3)]
    assert [caller.tenant for caller in callers] == ["finsight", "other", "finsight"]
    assert len({caller.key_id for caller in callers}) == 3
    assert all(caller.windows == (Window(caller.key_id, QUOTA),) for caller in callers)
    assert all("key-" not in caller.key_id for caller in callers)


@pytest.mark.parametrize("token", [None, "", "key-", "key-11", "KEY-1", " key-1", "kéy", "\udcff"])
async def test_anything_else_is_refused(token: str | None) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await KEYS.authenticate(token)
    assert (refused.value.status, refused.value.code, refused.value.param) == (401, "invalid_api_key", "Authorization")
    assert (b"www-authenticate", b"Bearer") in refused.value.headers
    if token:
        assert token not in refused.value.message

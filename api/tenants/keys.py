"""API keys from the settings."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from api.call import Caller
from api.errors import BEARER_CHALLENGE, Unauthenticated
from resilience.limiter.base import Quota, Window


class SettingsKeys:
    def __init__(self, tenants_by_key: Mapping[str, str], *, quota: Quota) -> None:
        # Looking a digest up tells a stranger nothing about how near a guess is, as comparing keys would.
        self._callers = {
            digest: (
                digest,
                Caller(tenant=tenant, key_id=digest.hex()[:16], windows=(Window(digest.hex()[:16], quota),)),
            )
            for key, tenant in tenants_by_key.items()
            for digest in (_digest(key),)
        }

    async def authenticate(self, token: str | None) -> Caller:
        if not token:
            raise Unauthenticated(
                "You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'.",
                param="Authorization",
                headers=BEARER_CHALLENGE,
            )
        presented = _digest(token)
        known, caller = self._callers.get(presented, (b"", None))
        if caller is None or not hmac.compare_digest(presented, known):
            raise Unauthenticated("Incorrect API key provided.", param="Authorization", headers=BEARER_CHALLENGE)
        return caller


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()

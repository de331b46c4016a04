"""Keys of the directory and keys from the settings, both known by their digests alone."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from typing import NoReturn, Protocol

from api.call import Caller
from api.errors import BEARER_CHALLENGE, KeysAway, Unauthenticated
from api.tenants.directory.rows import TenantRow
from api.tenants.directory.secret_keys import KeyDigests
from api.tenants.directory.snapshot import KnownKey, KnownTenant, Snapshot
from api.tenants.types import Lane
from resilience.limiter.base import Quota


class KnownDirectory(Protocol):
    """What this worker has of the directory."""

    @property
    def snapshot(self) -> Snapshot | None:
        """None: nothing yet."""
        ...

    @property
    def now_s(self) -> float:
        """The latest time of day that was ever seen, so that a clock that goes back revives no key."""
        ...

    async def wait_for_snapshot(self) -> Snapshot | None:
        """As long as it may soon be there; None: it is not."""
        ...


class DirectoryKeys:
    def __init__(
        self, *, tenants_by_key: Mapping[str, str], digests: KeyDigests, directory: KnownDirectory, quota: Quota
    ) -> None:
        """`tenants_by_key`: keys from the settings, which work at once. `quota`: of a key without a limit."""
        self._digests = digests
        self._directory = directory
        self._quota = quota
        self._from_settings = {
            digest: KnownKey(digest, digest.hex()[:16], tenant)
            for key, tenant in tenants_by_key.items()
            for digest in (digests.of(key),)
        }
        # Until the directory is there, and for those that Postgres does not take.
        self._unknown_tenants = {
            name: KnownTenant(TenantRow(name, 1.0, Lane.INTERACTIVE.value, disabled=False))
            for name in tenants_by_key.values()
        }

    async def authenticate(self, token: str | None) -> Caller:
        """Raises Unauthenticated, and KeysAway where nobody can say whether it is a key."""
        if not token:
            raise Unauthenticated(
                "You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'.",
                param="Authorization",
                headers=BEARER_CHALLENGE,
            )
        # Looking a digest up tells a stranger nothing about how near a guess is, as comparing keys would.
        digest = self._digests.of(token)
        snapshot = self._directory.snapshot
        known = self._from_settings.get(digest)
        if known is None:
            if snapshot is None:
                snapshot = await self._directory.wait_for_snapshot()
                if snapshot is None:
                    raise KeysAway("API keys cannot be checked at the moment, try again shortly", retry_after_s=2.0)
            known = snapshot.keys.get(digest)
            if known is None:
                _refuse()
        return self._caller(known, digest, snapshot)

    def _caller(self, known: KnownKey, digest: bytes, snapshot: Snapshot | None) -> Caller:
        tenant = None if snapshot is None else snapshot.tenants.get(known.tenant)
        if tenant is None:
            tenant = self._unknown_tenants.get(known.tenant)
        if (
            tenant is None
            or tenant.row.disabled
            or not hmac.compare_digest(digest, known.digest)
            or (known.expires_s is not None and known.expires_s <= self._directory.now_s)
        ):
            _refuse()
        caller = known.caller
        if caller is None or known.made_of != tenant.state:
            caller = known.caller = tenant.caller(known, self._quota)
            known.made_of = tenant.state
        return caller


class LatestTime:
    """The time of day, in seconds since 1970; it never goes back."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._latest_s = 0.0

    def now_s(self) -> float:
        self._latest_s = max(self._latest_s, self._clock())
        return self._latest_s

    def seen(self, at_s: float) -> None:
        """Somebody else's clock says so."""
        self._latest_s = max(self._latest_s, at_s)


def _refuse() -> NoReturn:
    raise Unauthenticated("Incorrect API key provided.", param="Authorization", headers=BEARER_CHALLENGE)

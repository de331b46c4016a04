"""Keys of the settings alone, beside a directory that is there and empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.tenants.directory.keys import DirectoryKeys
from api.tenants.directory.secret_keys import KeyDigests
from api.tenants.directory.snapshot import Snapshot
from resilience.limiter.base import Quota


@dataclass
class StillDirectory:
    """What a worker knows, and nobody changes."""

    snapshot: Snapshot | None = field(default_factory=Snapshot)
    now_s: float = 0.0

    async def wait_for_snapshot(self) -> Snapshot | None:
        return self.snapshot


def keys_of(tenants_by_key: Mapping[str, str], *, quota: Quota) -> DirectoryKeys:
    return DirectoryKeys(tenants_by_key=tenants_by_key, digests=KeyDigests(""), directory=StillDirectory(), quota=quota)

"""The directory: who may change it, what each worker knows of it, and who is told."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from psycopg.conninfo import conninfo_to_dict

from api.readiness import Dependency
from api.settings import Settings
from api.tenants.base import Directory, Keys, Prices
from api.tenants.directory.follower import DirectoryFollower
from api.tenants.directory.keeping import SnapshotKeeper
from api.tenants.directory.keys import DirectoryKeys
from api.tenants.directory.postgres import PostgresDirectory
from api.tenants.directory.price_table import DirectoryPrices, PriceTable
from api.tenants.directory.secret_keys import KeyDigests
from api.tenants.directory.settings_tenants import SettingsTenants
from api.tenants.directory.snapshot import Snapshot
from api.tenants.directory.snapshot_file import SnapshotFile
from observability.metrics import Metrics
from resilience.limiter.base import Quota

_NO_PRICES = PriceTable()


@dataclass(frozen=True, kw_only=True)
class DirectoryServices:
    keys: Keys
    prices: Prices
    directory: Directory
    """For those who change it."""
    dependencies: Mapping[str, Dependency]
    _postgres: PostgresDirectory
    _follower: DirectoryFollower
    _keeper: SnapshotKeeper
    _settings_tenants: SettingsTenants
    _configured_tenants: set[str]

    def tenants(self) -> set[str]:
        """The names of all tenants that this worker knows, with those of the settings."""
        snapshot = self._follower.snapshot
        return self._configured_tenants | (set() if snapshot is None else snapshot.tenants.keys())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            for part in (self._postgres, self._keeper, self._follower):
                held.push_async_callback(part.aclose)
                await part.start()
            held.push_async_callback(self._settings_tenants.aclose)
            yield


def directory_services(settings: Settings, metrics: Metrics) -> DirectoryServices:
    database_url = settings.stores.database_address
    digests = KeyDigests(settings.tenants.key_hash_secret.get_secret_value())
    tenants_by_key = settings.keys.tenants_by_key()
    postgres = PostgresDirectory(database_url=database_url, digests=digests)
    # Several gateways with one folder may have different databases.
    kept = settings.embedded.data_dir / "directory" / _database_name(database_url)
    file = SnapshotFile(kept.with_suffix(".snapshot"), digests=digests)
    keeper = SnapshotKeeper(file, lock=kept.with_suffix(".lock"))
    settings_tenants = SettingsTenants(tenants_by_key.values(), directory=postgres)

    def current(snapshot: Snapshot) -> None:
        keeper.current(snapshot)
        settings_tenants.look(snapshot)

    follower = DirectoryFollower(
        database_url=database_url, fallback=file, on_current=current, on_state=partial(_report, metrics)
    )
    quota = Quota(settings.limits.rate_limit_rpm, settings.limits.rate_limit_tpm)
    return DirectoryServices(
        keys=DirectoryKeys(tenants_by_key=tenants_by_key, digests=digests, directory=follower, quota=quota),
        prices=DirectoryPrices(lambda: _NO_PRICES if follower.snapshot is None else follower.snapshot.prices),
        directory=postgres,
        dependencies={"directory": Dependency(follower.check)},
        _postgres=postgres,
        _follower=follower,
        _keeper=keeper,
        _settings_tenants=settings_tenants,
        _configured_tenants=set(tenants_by_key.values()),
    )


def _report(metrics: Metrics, snapshot: Snapshot | None, age_s: float) -> None:
    metrics.directory_age_s.set(age_s)
    if snapshot is not None:
        metrics.directory_version.set(snapshot.version)
        metrics.directory_keys.set(len(snapshot.keys))


def _database_name(database_url: str) -> str:
    """Stands for the database, and tells nothing of it."""
    parts = conninfo_to_dict(database_url)
    place = "\0".join(str(parts.get(name, "")) for name in ("host", "port", "dbname", "user"))
    return hashlib.sha256(place.encode()).hexdigest()[:16]

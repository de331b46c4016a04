"""Does it matter how many keys there are: the cheapest authenticated route with few keys and with many."""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from bench.cores import Cores, choose_cores
from bench.figures import percentile
from bench.gateway import KEY, gateway_command
from bench.load import LoadError, Plan, Target, closed_loop
from bench.processes import Child, pinned
from bench.stores import Stores, running_stores
from bench.tenants.admin import Admin
from bench.tenants.site import Site
from bench.tenants.stack import ADMIN_KEY
from scripts.embedded.ports import free_port

FEW = 10
_TENANTS = 5
_PATH = "/v1/models"
_HASH_SECRET = "bench-key-hash-secret-40aa71c6"  # noqa: S105  # of the stores of one run
_READY_TIMEOUT_S = 60.0
_WARM_UP_S = 1.0
# The same row that the admin API writes for a key, a change of all of them at once.
_FILL = """
    WITH changed AS (UPDATE directory_state SET version = version + 1 RETURNING version)
    INSERT INTO api_keys (id, tenant, prefix, digest, version)
    SELECT 'key_bench_' || number, 'tenant-' || number %% %(tenants)s, 'sk-bench', digest, changed.version
    FROM changed, unnest(%(digests)s::bytea[]) WITH ORDINALITY AS made (digest, number)
"""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One gateway in one round, with one connection, and with many."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    crowded_p99_ms: float


@dataclass(frozen=True, kw_only=True)
class Result:
    keys: Mapping[str, int]
    """Name of a gateway -> how many keys it has."""
    rounds: Mapping[str, list[Round]]
    resident_mb: Mapping[str, float]
    """Of the worker, at the end."""
    loaded_s: float
    """From the change to all of the many keys being known."""


@dataclass(frozen=True, kw_only=True)
class _Subject:
    name: str
    port: int
    child: Child
    secrets: list[str]


async def run(site: Site, *, many: int, rounds: int, seconds: float) -> Result:
    """Raises ProcessError, ServiceError and LoadError."""
    # Not the site's: as for what the gateway costs, one worker on a core of its own.
    cores = choose_cores(os.sched_getaffinity(0))
    with ExitStack() as held:
        held.enter_context(pinned(cores.load))
        stores = held.enter_context(running_stores(site.directory))
        subjects, loaded_s = [], 0.0
        for count in (FEW, many):
            name = f"{count:,} keys"
            port = free_port()
            child = held.enter_context(_gateway(site.directory, port, _database(stores, f"keys_{count}"), cores))
            began_s = time.perf_counter()
            known = await _fill(_database(stores, f"keys_{count}"), port, count)
            loaded_s = time.perf_counter() - began_s
            site.progress(f"{name} are known after {loaded_s:.1f} s")
            subjects.append(_Subject(name=name, port=port, child=child, secrets=known))
        found: dict[str, list[Round]] = {subject.name: [] for subject in subjects}
        for number in range(-1, rounds):
            for subject in subjects if number % 2 else subjects[::-1]:
                one = await _round(subject, seconds if number >= 0 else _WARM_UP_S, seed=number)
                if number >= 0:
                    found[subject.name].append(one)
            site.progress(f"round {number + 1} of {rounds}")
        return Result(
            keys={subject.name: len(subject.secrets) for subject in subjects},
            rounds=found,
            resident_mb={subject.name: subject.child.resident_bytes() / 1e6 for subject in subjects},
            loaded_s=loaded_s,
        )


def _database(stores: Stores, name: str) -> Stores:
    return replace(stores, database_url=urlsplit(stores.database_url)._replace(path=f"/{name}").geturl())


@contextmanager
def _gateway(directory: Path, port: int, stores: Stores, cores: Cores) -> Iterator[Child]:
    name = urlsplit(stores.database_url).path[1:]
    server = urlsplit(stores.database_url)._replace(path="/postgres").geturl()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    folder = directory / name
    folder.mkdir()
    settings = {"ADMIN_API_KEY": ADMIN_KEY, "KEY_HASH_SECRET": _HASH_SECRET, "RAG_ENABLED": "false"}
    command = gateway_command(
        port=port, directory=folder, upstream="http://127.0.0.1:9/v1", model="none", stores=stores, settings=settings
    )
    with Child(replace(command, name=name), cores=cores.server) as child:
        child.await_ready(f"http://127.0.0.1:{port}{_PATH}", key=KEY, timeout_s=_READY_TIMEOUT_S)
        yield child


async def _fill(stores: Stores, port: int, count: int) -> list[str]:
    """The secrets of all keys, when the gateway knows them. Tenants and one key come over the admin API."""
    admin = Admin(port)
    for number in range(_TENANTS):
        await admin.create_tenant(f"tenant-{number}")
    _, first = await admin.create_key("tenant-0")
    made = [f"sk-bench-{secrets.token_urlsafe(32)}" for _ in range(count - 1)]
    digests = [hmac.digest(_HASH_SECRET.encode(), key.encode(), "sha256") for key in made]
    await asyncio.to_thread(_insert, stores.database_url, digests)
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while not await _opens(port, made[-1]):
        if time.monotonic() > deadline:
            raise LoadError(f"{count:,} keys are not known after {_READY_TIMEOUT_S:g} s")
        await asyncio.sleep(0.05)
    return [first, *made]


def _insert(database_url: str, digests: list[bytes]) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(_FILL, {"tenants": _TENANTS, "digests": digests})
        connection.execute("NOTIFY directory")


async def _opens(port: int, key: str) -> bool:
    result = await closed_loop(_target(port), Plan(connections=1, requests=1), source=lambda _: (_get(port, key), None))
    return result.answers == 1


async def _round(subject: _Subject, seconds: float, *, seed: int) -> Round:
    """A key at random for each request, of all there are."""
    rng = Random(seed)  # noqa: S311  # repeatable on purpose

    def source(_: int) -> tuple[bytes, None]:
        return _get(subject.port, rng.choice(subject.secrets)), None

    single = await closed_loop(_target(subject.port), Plan(connections=1, duration_s=seconds), source=source)
    crowded = await closed_loop(_target(subject.port), Plan(connections=16, duration_s=seconds), source=source)
    single.or_raise(subject.name)
    crowded.or_raise(subject.name)
    return Round(
        requests_per_s=crowded.answers_per_s,
        p50_ms=percentile(single.latencies_s, 0.5) * 1e3,
        p99_ms=percentile(single.latencies_s, 0.99) * 1e3,
        crowded_p99_ms=percentile(crowded.latencies_s, 0.99) * 1e3,
    )


def _target(port: int) -> Target:
    return Target(name="gateway", port=port, model="none", key=KEY)


def _get(port: int, key: str) -> bytes:
    return f"GET {_PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()

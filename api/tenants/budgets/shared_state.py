"""What the budgets have in Redis, each step one atomic script: `lua/budget.lua` says what the keys hold.

All keys are in one slot of a cluster, that every script may look at the key of the run. A run is one of the Redis
server, and begins anew where its data are lost: until the workers have told it what they know it is closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from secrets import token_hex
from typing import Any, NamedTuple

from resilience.redis_link import Argument, RedisAwayError, RedisLink, Script

# The greatest number that Lua's arithmetic is exact for: nine million dollars.
MOST_NANO = 2**53 - 1
_FOLDER = files("api.tenants.budgets").joinpath("lua")
_RUN_TTL_MS = 24 * 3600 * 1000


class Standing(NamedTuple):
    verdict: str
    """`granted`, `refused`, `settled`, `told`, `read`; `unknown`: nobody knows what was spent; `closed` and
    `forgotten`: this run of Redis has to be told first."""
    spent: int
    held: int
    """Leases included."""
    leased: int
    crossed: bool
    """The soft threshold, and it is for this one to tell."""
    is_short: bool
    """A call was refused a moment ago because of what is leased."""
    lease: int


class Tell(NamedTuple):
    """The arguments of `lua/tell.lua`, from the budget on."""

    budget: int
    soft: int
    seed: int
    floor: int
    reported_before: int
    reported: int
    lease_kept: int
    lease_wanted: int
    lease_ttl_ms: int


class SharedState:
    """Belongs to one event loop. Every method raises RedisAwayError and RedisRefusedError."""

    def __init__(self, *, link: RedisLink, worker: str, prefix: str = "{budget}") -> None:
        """`worker`: a name that no other worker has, nor ever had."""
        self._link = link
        self._worker = worker
        self._prefix = prefix
        self._run = ""
        self._data = ""
        names = ("reserve", "settle", "tell", "read")
        self._reserve, self._settle, self._tell, self._read = (_script("budget", name) for name in names)
        self._begin, self._announce = _script("begin"), _script("announce")

    @property
    def connected(self) -> bool:
        return self._link.connected

    async def begin(self, *, wait_ms: int) -> None:
        """Find out which run of Redis this is, and which data it has: for each connection, before anything else.

        Where it has none, it decides nothing for `wait_ms`.
        """
        self._run = _run_of(await self._link.call("INFO", "server"))
        self._data = ""
        data = await self._link.run(self._begin, self._run_keys, token_hex(8), wait_ms, _RUN_TTL_MS)
        self._data = data.decode()

    async def is_same(self) -> bool:
        """Whether it still has those data."""
        data: bytes | None = await self._link.call("HGET", self._run_keys[0], "data")
        return data is not None and data.decode() == self._data

    async def announce(self, *, workers: int) -> bool:
        """That this worker has told all it knows. Whether that is still there."""
        return bool(await self._link.run(self._announce, self._run_keys, self._data, self._worker, workers))

    async def reserve(  # noqa: PLR0913 - the arguments of the script
        self, tenant: str, month: str, id_: str, *, amount: int, budget: int, soft: int, ttl_ms: int, known: int
    ) -> Standing:
        """`known`: what the ledger says was spent, for a month that begins; -1 if nobody knows."""
        arguments = (month, id_, amount, min(budget, MOST_NANO), soft, ttl_ms, known)
        return await self._ask(self._reserve, tenant, *arguments)

    async def settle(self, tenant: str, month: str, costs: Iterable[tuple[str, int]], *, soft: int) -> Standing:
        return await self._ask(self._settle, tenant, month, soft, *(value for cost in costs for value in cost))

    async def tell(self, tenant: str, month: str, told: Tell, holds: Iterable[tuple[str, int, int]]) -> Standing:
        """`holds`: id, amount, ms that it may last."""
        told = told._replace(budget=min(told.budget, MOST_NANO))
        held = (value for hold in holds for value in hold)
        return await self._ask(self._tell, tenant, month, self._worker, *told, *held)

    async def read(self, tenant: str, month: str) -> Standing:
        return await self._ask(self._read, tenant, month)

    @property
    def _run_keys(self) -> list[str]:
        return [f"{self._prefix}:run:{self._run}", f"{self._prefix}:told:{self._run}"]

    async def _ask(self, script: Script, tenant: str, *arguments: Argument) -> Standing:
        keys = [f"{self._prefix}:{part}:{tenant}" for part in ("state", "holds", "ends")]
        keys.append(self._run_keys[0])
        reply = await self._link.run(script, keys, self._data, *arguments)
        verdict, spent, held, leased, crossed, short, lease = reply
        return Standing(verdict.decode(), spent, held, leased, bool(crossed), bool(short), lease)


def _script(*parts: str) -> Script:
    return Script("\n".join(_FOLDER.joinpath(f"{part}.lua").read_text("utf-8") for part in parts))


def _run_of(info: Any) -> str:
    for line in bytes(info).splitlines():
        if line.startswith(b"run_id:"):
            return line.removeprefix(b"run_id:").decode()
    raise RedisAwayError("Redis does not say which run it is")

"""What the budgets have in Redis, each step one atomic script: `lua/budget.lua` says what the keys hold.

All keys are in one slot of a cluster, that every script may look at the key of the run. A run is one of the Redis
server, and begins anew where its data are lost: until the workers have told it what they know it is closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
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
        names = ("reserve", "settle", "tell", "read")
        self._reserve, self._settle, self._tell, self._read = map(_script, names)
        self._announce = Script(_FOLDER.joinpath("announce.lua").read_text("utf-8"))

    @property
    def connected(self) -> bool:
        return self._link.connected

    async def find_run(self) -> None:
        """Which run of Redis this is: to be done for each connection, before anything else."""
        self._run = _run_of(await self._link.call("INFO", "server"))

    async def is_known(self) -> bool:
        """Whether this run has been told."""
        return bool(await self._link.call("EXISTS", self._run_key))

    async def announce(self, *, workers: int, wait_ms: int) -> int:
        """That this worker has told all it knows. How many ms the run will be closed."""
        keys = [self._run_key, f"{self._run_key}:told"]
        return int(await self._link.run(self._announce, keys, self._worker, workers, wait_ms, _RUN_TTL_MS))

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
    def _run_key(self) -> str:
        return f"{self._prefix}:run:{self._run}"

    async def _ask(self, script: Script, tenant: str, *arguments: Argument) -> Standing:
        keys = [f"{self._prefix}:{part}:{tenant}" for part in ("state", "holds", "ends")]
        verdict, spent, held, leased, crossed, short, lease = await self._link.run(
            script, [*keys, self._run_key], *arguments
        )
        return Standing(verdict.decode(), spent, held, leased, bool(crossed), bool(short), lease)


def _script(name: str) -> Script:
    return Script("\n".join(_FOLDER.joinpath(f"{part}.lua").read_text("utf-8") for part in ("budget", name)))


def _run_of(info: Any) -> str:
    for line in bytes(info).splitlines():
        if line.startswith(b"run_id:"):
            return line.removeprefix(b"run_id:").decode()
    raise RedisAwayError("Redis does not say which run it is")

"""Of many who ask the same at once, one asks the engine: in this worker through memory, across workers by a lease.

The first call of a worker acts for all that ask the same there: it looks up, takes the lease or waits until the one
that has it has stored its answer. The call with the lease *leads*. When it ends without an answer, its followers start
over, and one of them leads; when that one ends so too, when an answer is unfit to share, or when the leader's client
does not read, all of them go on alone, at once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from api.cache.background import BackgroundWork
from api.cache.base import EntryStore
from api.cache.errors import StoreError
from api.cache.types import CacheStatus, Entry, Flight, FlightRequest, FlightState, LookUp, LookUpKeys

# A leader that was killed holds up its followers in other workers for so long.
_LEASE_S = 3.0
# So many leaders that end without an answer are waited for: one may have left, but an engine that fails would fail each
# follower after all that were before it.
_MOST_LEADERS = 2
# A leader whose client has not read for so long does not find out how its answer goes on.
_UNREAD_S = 1.0
# How often followers look whether another worker's leader has stored its answer: at first, and at most.
_FIRST_POLL_S, _LONGEST_POLL_S = 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Boarding:
    """What a look-up came to. Without an entry the call is to find an answer itself; with a lead others wait for it."""

    entry: Entry | None
    status: CacheStatus
    generation: int | None
    """None: not known, so the answer cannot be stored."""
    lead: Lead | None = None
    alike: tuple[str, ...] = ()
    """Without an entry: those that may answer by nearness."""


class SingleFlight:
    def __init__(
        self,
        store: EntryStore,
        background: BackgroundWork,
        *,
        wait_s: float,
        lease_s: float = _LEASE_S,
    ) -> None:
        """`wait_s`: how long a call waits for another's answer before it goes on alone; 0: not at all."""
        self._store = store
        self._background = background
        self._wait_s = wait_s
        self._lease_s = lease_s
        self._here: dict[str, _Group] = {}

    async def look_up(
        self, tenant: str, keys: LookUpKeys, flight_key: str | None, on_follower: Callable[[], object]
    ) -> Boarding:
        """Waits while another call gets the answer, and says so once by `on_follower`. Raises StoreError.

        `flight_key`: None for a call that waits for nobody. A lead must be ended, whatever happens.
        """
        if flight_key is None or not self._wait_s:
            return await self._apart(tenant, keys)
        give_up_s = asyncio.get_running_loop().time() + self._wait_s
        on_follower = _once(on_follower)
        for _ in range(_MOST_LEADERS):
            group = self._here.get(flight_key)
            if group is None:
                return await self._act_for_all(tenant, keys, flight_key, give_up_s, on_follower)
            on_follower()
            await group.wait(give_up_s)
            if group.entry is not None:
                return Boarding(group.entry, _status(group.entry, keys), group.generation)
            if group.goes_alone or asyncio.get_running_loop().time() >= give_up_s:
                return Boarding(None, CacheStatus.MISS, group.generation)
        return await self._apart(tenant, keys)

    async def pass_by(self, tenant: str) -> Boarding:
        """For a call that takes no stored answer and waits for nobody. Raises StoreError."""
        return Boarding(None, CacheStatus.MISS, await self._store.generation(tenant))

    async def _apart(self, tenant: str, keys: LookUpKeys) -> Boarding:
        return _boarding(await self._store.look_up(tenant, keys, None))

    async def _act_for_all(
        self, tenant: str, keys: LookUpKeys, flight_key: str, give_up_s: float, on_follower: Callable[[], object]
    ) -> Boarding:
        group = self._here[flight_key] = _Group()
        lead = Lead(self, tenant, Flight(flight_key, secrets.token_hex(8)), group)
        try:
            found = await self._unless_another_leads(lead, keys, give_up_s, on_follower)
        except StoreError:
            lead.go_alone()
            raise
        except BaseException:
            lead.abandon()  # the lease may be ours by now, though nobody was there to hear it
            raise
        match found.flight:
            case FlightState.LEADING:
                lead.extend_later()
                return _boarding(found, lead)
            case FlightState.ALONE:
                lead.end_here(goes_alone=True)
            case _:
                lead.end_here(entry=found.entry)
        return _boarding(found)

    async def _unless_another_leads(
        self, lead: Lead, keys: LookUpKeys, give_up_s: float, on_follower: Callable[[], object]
    ) -> LookUp:
        request = FlightRequest(lead.flight, self._lease_s)
        pause_s = _FIRST_POLL_S
        while True:
            found = await self._store.look_up(lead.tenant, keys, request)
            lead.note_generation(found.generation)
            if found.flight is not FlightState.FOLLOWING or asyncio.get_running_loop().time() >= give_up_s:
                return found
            on_follower()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_POLL_S)

    # What follows is for Lead.

    def leave(self, flight: Flight, group: _Group) -> None:
        if self._here.get(flight.key) is group:
            del self._here[flight.key]

    def land(self, lead: Lead, *, shareable: bool) -> None:
        self._background.start(self._landed(lead, shareable=shareable))

    def extend_after(self, lead: Lead) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        return loop.call_later(self._lease_s / 3, lambda: self._background.start(self._extended(lead)))

    async def _landed(self, lead: Lead, *, shareable: bool) -> None:
        with suppress(StoreError):  # the lease runs out by itself
            await self._store.land(lead.tenant, lead.flight, shareable=shareable)

    async def _extended(self, lead: Lead) -> None:
        if lead.unread_s() >= _UNREAD_S:
            lead.go_alone()
            return
        try:
            held = await self._store.extend(lead.tenant, lead.flight)
        except StoreError:
            held = True  # perhaps next time
        if held:
            lead.extend_later()


def _boarding(found: LookUp, lead: Lead | None = None) -> Boarding:
    return Boarding(found.entry, found.status, found.generation, lead, found.alike)


def _status(entry: Entry, keys: LookUpKeys) -> CacheStatus:
    """How an entry that the leader has given answers a follower; the leader may have found it by nearness."""
    if entry.exact_key == keys.exact:
        return CacheStatus.EXACT
    if entry.canonical_key is not None and entry.canonical_key == keys.canonical:
        return CacheStatus.CANONICAL
    return CacheStatus.SEMANTIC


def _read() -> float:
    return 0.0


def _once(report: Callable[[], object]) -> Callable[[], object]:
    left = [report]

    def report_once() -> None:
        if left:
            left.pop()()

    return report_once


class _Group:
    """Those of this worker who ask the same; one of them acts for all."""

    __slots__ = ("_ended", "entry", "generation", "goes_alone")

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        self.entry: Entry | None = None
        self.goes_alone = False
        self.generation: int | None = None

    async def wait(self, until_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until_s):
                await self._ended.wait()

    def end(self, entry: Entry | None, *, goes_alone: bool) -> None:
        self.entry, self.goes_alone = entry, goes_alone
        self._ended.set()


class Lead:
    """The right, and the duty, to find the answer that others wait for. The first of its endings counts."""

    __slots__ = ("_ended", "_flights", "_group", "_timer", "_work_left", "flight", "tenant", "unread_s")

    def __init__(self, flights: SingleFlight, tenant: str, flight: Flight, group: _Group) -> None:
        self.tenant = tenant
        self.flight = flight
        self._flights = flights
        self._group = group
        self._ended = False
        self._work_left = False
        self._timer: asyncio.TimerHandle | None = None
        self.unread_s: Callable[[], float] = _read
        """For how long the leader's client has not taken what there is for it."""

    def share(self, entry: Entry, *, stored: bool) -> None:
        """The answer, which followers elsewhere find where it was `stored`."""
        self._end(entry, shareable=stored)

    def go_alone(self) -> None:
        """Followers are to ask the engine themselves."""
        self._end(goes_alone=True, shareable=False)

    def abandon(self) -> None:
        """Somebody else is to lead."""
        self._end(shareable=True)

    def close(self) -> None:
        """The call has ended: whoever keeps its answer ends the lead, else nobody will."""
        if not self._work_left:
            self.abandon()

    def keep(self) -> None:
        """The answer is there; the call may end before it is stored."""
        self._work_left = True

    def note_generation(self, generation: int) -> None:
        self._group.generation = generation

    def extend_later(self) -> None:
        if not self._ended:
            self._timer = self._flights.extend_after(self)

    def end_here(self, entry: Entry | None = None, *, goes_alone: bool = False) -> None:
        """In this worker; there is no lease to give back."""
        if self._finish():
            self._group.end(entry, goes_alone=goes_alone)

    def _end(self, entry: Entry | None = None, *, goes_alone: bool = False, shareable: bool) -> None:
        if self._finish():
            # Before the followers wake up, so that the one who asks Redis next finds the lease free.
            self._flights.land(self, shareable=shareable)
            self._group.end(entry, goes_alone=goes_alone)

    def _finish(self) -> bool:
        """Whether it had not ended before."""
        if self._ended:
            return False
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        self._flights.leave(self.flight, self._group)
        return True

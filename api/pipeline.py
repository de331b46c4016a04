"""Everything that happens to a completion, in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from api.cache.base import AnswerCache
from api.call import ABANDONED, Call
from api.errors import ApiError, as_api_error
from api.fairness.base import Turns
from api.grounding.base import Grounding
from api.guard.base import Guard
from api.sessions.base import Memory
from api.stages.account import Accounting
from api.stages.admit import Admission
from api.stages.read import Reader
from api.stages.route import Router
from api.tenants.base import Budgets, Keys
from serving.types import Held, Reply

# From this status on an error is no fault of the request's.
_OURS = 500
# When the documents or an engine may be back.
_RETRY_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    keys: Keys
    reader: Reader
    admission: Admission
    accounting: Accounting
    memory: Memory
    grounding: Grounding
    guard: Guard
    cache: AnswerCache
    budgets: Budgets
    turns: Turns
    router: Router

    async def serve(self, call: Call) -> Reply:
        """The answer, holding its permit and its bill: both end when the reply is closed. Raises ApiError."""
        held = Held()
        try:
            call.caller = await self.keys.authenticate(call.token)
            self.admission.enter(call.caller.tenant, held)  # room in this worker
            await self.reader.read(call)
            if call.session_id is not None:
                await self.memory.recall(call)  # what was said before is part of what the call may use
            await self.admission.admit(call, held)  # requests and tokens of its key, tenant and model
            self.accounting.admitted(call, held)
            if call.rag is not None:
                await self.grounding.prepare(call)
            if self.guard.waits:
                reply = await self._looked_up_beside_the_guard(call, held)
            else:
                await self.guard.check(call)
                reply = await self.cache.get(call, held)
            if reply is None:
                reply = await self._from_engine(call, held)
            # From here on `held` has the engine too, so whatever a stage after this one raises lets go of it.
            reply.holding(held)
            if call.session_id is not None:
                await self.memory.remember(call, reply)
        except BaseException as error:
            call.outcome = as_api_error(error).outcome if isinstance(error, Exception) else ABANDONED
            held.release()
            raise
        return reply

    async def _from_engine(self, call: Call, held: Held) -> Reply:
        if call.rag is None:
            return self.cache.keep(call, await self._opened(call, held))
        try:
            await self.grounding.ground(call)
            reply = await self._opened(call, held)
        except ApiError as error:
            if error.status < _OURS:
                raise
            stale = await self.cache.fallback(call)
            if stale is None:
                error.say_when(retry_after_s=_RETRY_S)
                raise
            return stale
        return self.cache.keep(call, self.grounding.cite(call, reply))

    async def _opened(self, call: Call, held: Held) -> Reply:
        await self.budgets.reserve(call, held)  # what it may cost at the most
        self.accounting.money_set_aside(call)
        await self.turns.take(call, held)
        return await self.router.open(call)

    async def _looked_up_beside_the_guard(self, call: Call, held: Held) -> Reply | None:
        """What the cache has for a call that the guard has let pass. A refusal ends the look-up and what it holds."""
        beside = Held()
        look_up = asyncio.create_task(self.cache.get(call, beside))
        try:
            await self.guard.check(call)
            reply = await look_up
        except BaseException:
            look_up.cancel()
            look_up.add_done_callback(partial(_let_go, beside))
            raise
        beside.move_to(held)
        return reply


def _let_go(held: Held, look_up: asyncio.Task[Reply | None]) -> None:
    """Of what was found for a call that is not to have it."""
    try:
        if not look_up.cancelled() and look_up.exception() is None and (reply := look_up.result()) is not None:
            reply.close()
    finally:
        held.release()

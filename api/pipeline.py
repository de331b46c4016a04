"""Everything that happens to a completion, in order."""

from __future__ import annotations

from dataclasses import dataclass

from api.cache.base import AnswerCache
from api.call import Call
from api.guard.base import Guard
from api.stages.account import Accounting
from api.stages.admit import Admission
from api.stages.read import Reader
from api.stages.route import Router
from api.tenants.base import Keys
from serving.types import Held, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    keys: Keys
    reader: Reader
    admission: Admission
    accounting: Accounting
    guard: Guard
    cache: AnswerCache
    router: Router

    async def serve(self, call: Call) -> Reply:
        """The answer, holding its permit and its bill: both end when the reply is closed. Raises ApiError."""
        held = Held()
        try:
            call.caller = await self.keys.authenticate(call.token)
            self.admission.enter(held)  # room in this worker
            await self.reader.read(call)
            await self.admission.admit(call, held)  # the key's requests and tokens
            held.callback(self.accounting.bill, call)
            await self.guard.check(call)
            # From here on `held` has the engine too, so whatever a stage after this one raises lets go of it.
            reply = await self.cache.get(call, held)
            if reply is None:
                reply = self.cache.keep(call, await self.router.open(call))
            return reply.holding(held)
        except BaseException:
            held.release()
            raise

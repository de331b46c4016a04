"""Everything that happens to a completion, in order."""

from __future__ import annotations

from dataclasses import dataclass

from api.cache.base import AnswerCache
from api.call import Call
from api.stages.account import Accounting
from api.stages.admit import Admission
from api.stages.guard import Guard
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
            await self.reader.read(call)
            await self.admission.admit(call, held)  # rate, tokens, room
            held.callback(self.accounting.bill, call)
            await self.guard.check(call)
            reply = await self.cache.get(call) or await self.router.open(call)
            return reply.holding(held)
        except BaseException:
            held.release()
            raise

"""No memory: a call that names a session is answered without one, and told so."""

from __future__ import annotations

from api.call import Call
from serving.types import Reply


class MemoryOff:
    async def recall(self, call: Call) -> None:
        call.session_state = "off"

    def remember(self, call: Call, reply: Reply) -> Reply:  # noqa: ARG002 - the protocol has it
        return reply

"""No memory: a call that names a session is answered without one, and told so."""

from __future__ import annotations

from api.call import Call
from api.sessions.types import SessionState
from serving.types import Reply


class MemoryOff:
    async def recall(self, call: Call) -> None:
        call.session_state, call.session_id = SessionState.OFF, None

    async def remember(self, call: Call, reply: Reply) -> None:
        """Never reached: no call keeps its session."""

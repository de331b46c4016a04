"""No corpus: a call that asks for one is told so."""

from __future__ import annotations

from api.call import Call
from api.errors import RagDisabled
from serving.types import Reply


class GroundingOff:
    async def prepare(self, call: Call) -> None:  # noqa: ARG002 - the protocol has it
        raise RagDisabled("Answers from documents are off on this gateway (RAG_ENABLED=false).", param="rag")

    async def ground(self, call: Call) -> None:
        """Never reached."""

    def cite(self, call: Call, reply: Reply) -> Reply:  # noqa: ARG002 - idem
        return reply

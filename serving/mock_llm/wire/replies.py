"""The bodies and chunks of chat and text completions, shaped as vLLM and OpenAI shape them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from serving.mock_llm.wire.logprobs import chat_logprobs, completion_logprobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.mock_llm.outputs import OutputPlan


class ReplyFormat(Protocol):
    """How one endpoint writes its choices. `start` and `end` count tokens of the choice's output."""

    def opening(self, index: int) -> list[dict[str, Any]]:
        """Chunks before the choice's first token."""

    def chunk(self, index: int, start: int, end: int, finish_reason: str | None) -> dict[str, Any]: ...

    def usage_chunk(self, usage: dict[str, Any]) -> dict[str, Any]: ...

    def body(self, finish_reasons: Sequence[str], usage: dict[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """The fields every body and chunk of one reply repeats."""

    reply_id: str
    created: int
    model: str

    def around(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.reply_id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "mock-llm",
            "choices": choices,
        }


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    call_id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class ChatReply:
    """With `tool_calls`, one for each choice, the output is the arguments of a call and not the content."""

    envelope: Envelope
    plans: Sequence[OutputPlan]
    tool_calls: Sequence[ToolCall] | None = None
    # The finish reason instead of "stop": OpenAI says "tool_calls" when the model chose, "stop" when the client did.
    stop_means: str = "stop"
    top_logprobs: int | None = None

    def opening(self, index: int) -> list[dict[str, Any]]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None if self.tool_calls else ""}]
        if self.tool_calls:
            call = self.tool_calls[index]
            function = {"name": call.name, "arguments": ""}
            deltas.append({"tool_calls": [{"index": 0, "id": call.call_id, "type": "function", "function": function}]})
        return [self._chunk(index, delta, None, None) for delta in deltas]

    def chunk(self, index: int, start: int, end: int, finish_reason: str | None) -> dict[str, Any]:
        text = self.plans[index].delta(start, end)
        delta: dict[str, Any] = {}
        if self.tool_calls and text:
            delta = {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
        elif text or (end > start and finish_reason is None):
            delta = {"content": text}
        return self._chunk(index, delta, self._logprobs(index, start, end), self._reason(finish_reason))

    def usage_chunk(self, usage: dict[str, Any]) -> dict[str, Any]:
        return self.envelope.around("chat.completion.chunk", []) | {"usage": usage}

    def body(self, finish_reasons: Sequence[str], usage: dict[str, Any]) -> dict[str, Any]:
        choices = [self._choice(index, reason) for index, reason in enumerate(finish_reasons)]
        return self.envelope.around("chat.completion", choices) | {"usage": usage}

    def _choice(self, index: int, finish_reason: str) -> dict[str, Any]:
        plan = self.plans[index]
        message: dict[str, Any] = {"role": "assistant", "content": plan.text, "refusal": None}
        if self.tool_calls:
            call = self.tool_calls[index]
            function = {"name": call.name, "arguments": plan.text}
            message["content"] = None
            message["tool_calls"] = [{"id": call.call_id, "type": "function", "function": function}]
        return {
            "index": index,
            "message": message,
            "logprobs": self._logprobs(index, 0, len(plan.tokens)),
            "finish_reason": self._reason(finish_reason),
        }

    def _chunk(
        self, index: int, delta: dict[str, Any], logprobs: dict[str, Any] | None, finish_reason: str | None
    ) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        return self.envelope.around("chat.completion.chunk", [choice])

    def _reason(self, finish_reason: str | None) -> str | None:
        return self.stop_means if finish_reason == "stop" else finish_reason

    def _logprobs(self, index: int, start: int, end: int) -> dict[str, Any] | None:
        if self.top_logprobs is None:
            return None
        return chat_logprobs(self.plans[index].tokens[start:end], first=start, top=self.top_logprobs)


@dataclass(frozen=True, kw_only=True)
class CompletionReply:
    """`echoes` holds the prompt's tokens for each choice when the client wants them repeated, else nothing."""

    envelope: Envelope
    plans: Sequence[OutputPlan]
    echoes: Sequence[Sequence[str]] = ()
    top_logprobs: int | None = None

    def opening(self, index: int) -> list[dict[str, Any]]:
        if not self.echoes:
            return []
        echo = self.echoes[index]
        return [self._around([self._choice(index, "".join(echo), self._echo_logprobs(echo), None)])]

    def chunk(self, index: int, start: int, end: int, finish_reason: str | None) -> dict[str, Any]:
        text = self.plans[index].delta(start, end)
        return self._around([self._choice(index, text, self._logprobs(index, start, end), finish_reason)])

    def usage_chunk(self, usage: dict[str, Any]) -> dict[str, Any]:
        return self._around([]) | {"usage": usage}

    def body(self, finish_reasons: Sequence[str], usage: dict[str, Any]) -> dict[str, Any]:
        choices = []
        for index, reason in enumerate(finish_reasons):
            plan = self.plans[index]
            echo = self.echoes[index] if self.echoes else ()
            logprobs = self._logprobs(index, 0, len(plan.tokens))
            before = self._echo_logprobs(echo)
            if logprobs is not None and before is not None:
                logprobs = {key: before[key] + values for key, values in logprobs.items()}
            choices.append(self._choice(index, "".join(echo) + plan.text, logprobs, reason))
        return self._around(choices) | {"usage": usage}

    def _around(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self.envelope.around("text_completion", choices)

    def _choice(
        self, index: int, text: str, logprobs: dict[str, Any] | None, finish_reason: str | None
    ) -> dict[str, Any]:
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}

    def _logprobs(self, index: int, start: int, end: int) -> dict[str, Any] | None:
        if self.top_logprobs is None:
            return None
        tokens = self.plans[index].tokens
        echo = self.echoes[index] if self.echoes else ()
        offset = sum(map(len, echo)) + sum(map(len, tokens[:start]))
        return completion_logprobs(tokens[start:end], first=len(echo) + start, offset=offset, top=self.top_logprobs)

    def _echo_logprobs(self, echo: Sequence[str]) -> dict[str, Any] | None:
        if self.top_logprobs is None:
            return None
        logprobs = completion_logprobs(echo, first=0, offset=0, top=self.top_logprobs)
        if echo:
            # Nothing comes before the first token, so nothing gives it a probability.
            logprobs["token_logprobs"][0] = None
            logprobs["top_logprobs"][0] = None
        return logprobs


def usage_of(*, prompt_tokens: int, completion_tokens: int, cached_tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
    }

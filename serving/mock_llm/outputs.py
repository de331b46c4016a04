"""What a sequence is going to say, token by token, once the request's limits have been applied to a text."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, count
from typing import TYPE_CHECKING

from serving.mock_llm.core.sequence import FinishReason
from serving.mock_llm.tokenizer import tokenize

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLimits:
    """The request's say in where an output ends. `stop` strings are not part of the output."""

    max_tokens: int
    min_tokens: int = 0
    ignore_eos: bool = False
    stop: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlan:
    """`shown[k]` is how many characters of `text` may be shown after `k` tokens.

    That is less than the tokens hold while their end could still turn out to begin a stop string.
    """

    tokens: tuple[str, ...]
    text: str
    shown: list[int]
    finish_reason: FinishReason
    stop_reason: str | None = None

    def delta(self, start: int, end: int) -> str:
        """The text that becomes visible between `start` and `end` tokens."""
        return self.text[self.shown[start] : self.shown[end]]


def plan_output(text: str, limits: OutputLimits) -> OutputPlan:
    tokens = tokenize(text)
    wanted = limits.max_tokens if limits.ignore_eos else min(limits.min_tokens, limits.max_tokens)
    if len(tokens) < wanted:
        tokens += _continuation(wanted - len(tokens))
    reason = FinishReason.LENGTH if len(tokens) > limits.max_tokens or limits.ignore_eos else FinishReason.STOP
    tokens = tokens[: limits.max_tokens]
    whole = "".join(tokens)
    ends = list(accumulate(map(len, tokens), initial=0))
    found = _find_stop(whole, ends, limits)
    if found is not None:
        used, cut, stop_string = found
        shown = _held_back(ends[: used + 1], whole[:cut], limits.stop)
        return OutputPlan(
            tokens=tuple(tokens[:used]),
            text=whole[:cut],
            shown=shown,
            finish_reason=FinishReason.STOP,
            stop_reason=stop_string,
        )
    return OutputPlan(
        tokens=tuple(tokens), text=whole, shown=_held_back(ends, whole, limits.stop), finish_reason=reason
    )


def _find_stop(text: str, ends: list[int], limits: OutputLimits) -> tuple[int, int, str] | None:
    """`(tokens used, where the text is cut, the stop string)` of the stop string that is complete first.

    As in vLLM, one that completes within the first `min_tokens` tokens does not count.
    """
    best: tuple[int, int, str] | None = None
    earliest = ends[min(limits.min_tokens, len(ends) - 1)]
    for stop_string in limits.stop:
        start = text.find(stop_string, max(0, earliest - len(stop_string) + 1))
        if start >= 0 and (best is None or start + len(stop_string) < best[0]):
            best = (start + len(stop_string), start, stop_string)
    if best is None:
        return None
    complete_at, cut, stop_string = best
    used = next(index for index, end in enumerate(ends) if end >= complete_at)
    return used, cut, stop_string


def _held_back(ends: list[int], text: str, stop: Sequence[str]) -> list[int]:
    hold = max(map(len, stop), default=1) - 1
    shown = [max(0, min(end - hold, len(text))) for end in ends]
    shown[-1] = len(text)
    return shown


def _continuation(missing: int) -> list[str]:
    """`missing` tokens of filler, numbered so that no two sentences of it are the same."""
    tokens: list[str] = []
    for number in count(1):
        tokens += tokenize(f" This is filler sentence {number}, for more tokens were asked for than the answer has.")
        if len(tokens) >= missing:
            break
    return tokens[:missing]

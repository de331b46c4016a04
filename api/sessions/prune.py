"""As much of a conversation as a budget of tokens holds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from api.sessions.messages import calls_of, message_tokens, result_of
from serving.types import Json


def prune_context(
    *,
    system: Sequence[Json],
    turns: Sequence[Sequence[Json]],
    last: Sequence[Json],
    budget_tokens: int,
    tokens_of: Callable[[Json], int] = message_tokens,
) -> list[Json]:
    """The system prompt, the newest turns, and the last turn, in the order in which they were said.

    The system prompt and the last turn are kept whatever they take. Of `turns` (the oldest first) whole ones are left
    out, the oldest first, until all of it fits. One whose calls of tools are answered in a turn that is kept is kept
    too. So a tool's result never stands without its call; and a call that no result followed is left out, which
    engines would refuse.
    """
    blocks = [*turns, last]
    needs = _needs(blocks)
    start = _with_needed(len(turns), needs)
    spent = _tokens([*system, *(message for block in blocks[start:] for message in block)], tokens_of)
    while start > 0:
        wider = _with_needed(start - 1, needs)
        spent += _tokens((message for block in blocks[wider:start] for message in block), tokens_of)
        if spent > budget_tokens:
            break
        start = wider
    history = [message for block in turns[start:] for message in block]
    return [*system, *_sound(history, last), *last]


def _needs(blocks: Sequence[Sequence[Json]]) -> list[int]:
    """For each block the earliest one that has a call which it answers; itself where it answers none of before."""
    needs = []
    called_in: dict[str, int] = {}
    for place, block in enumerate(blocks):
        earliest = place
        for message in block:
            result = result_of(message)
            if result is not None:
                earliest = min(earliest, called_in.get(result, place))
            called_in.update(dict.fromkeys(calls_of(message), place))
        needs.append(earliest)
    return needs


def _with_needed(start: int, needs: Sequence[int]) -> int:
    """The nearest place at or before `start` from which no block needs one that stands before it."""
    place = len(needs) - 1
    while place >= start:
        start = min(start, needs[place])
        place -= 1
    return start


def _tokens(messages: Iterable[Json], tokens_of: Callable[[Json], int]) -> int:
    return sum(tokens_of(message) for message in messages)


def _sound(history: Sequence[Json], last: Sequence[Json]) -> list[Json]:
    """Without results of calls that are not there, and without calls whose results are not there."""
    kept: list[Json] = []
    called: set[str] = set()
    for message in history:
        result = result_of(message)
        if result is None or result in called:
            kept.append(message)
            called.update(calls_of(message))
    answered: set[str] = set()
    for message in reversed(last):
        _note(message, answered)
    sound: list[Json] = []
    for message in reversed(kept):
        if (whole := _answered_calls(message, answered)) is not None:
            sound.append(whole)
        _note(message, answered)
    return sound[::-1]


def _note(message: Json, answered: set[str]) -> None:
    """Going backwards: which calls have a result further on. An id that comes twice is of two calls."""
    answered.difference_update(calls_of(message))
    if (result := result_of(message)) is not None:
        answered.add(result)


def _answered_calls(message: Json, answered: set[str]) -> Json | None:
    """The message without the calls that nobody answered; None where nothing is left of it."""
    calls = list(calls_of(message))
    if all(call in answered for call in calls):
        return message
    left = {name: value for name, value in message.items() if name not in ("tool_calls", "function_call")}
    if tools := [call for call in message.get("tool_calls") or () if str(call.get("id")) in answered]:
        left["tool_calls"] = tools
    return left if tools or left.get("content") else None

"""What is left out of a conversation is whole turns, the oldest first, and what is kept still makes sense."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.sessions.messages import calls_of, message_tokens, result_of
from api.sessions.prune import prune_context
from serving.types import Json

SYSTEM: Json = {"role": "system", "content": "Be brief."}


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def assistant(text: str | None, *calls: str) -> Json:
    made = [{"id": call, "type": "function", "function": {"name": "f", "arguments": "{}"}} for call in calls]
    return {"role": "assistant", "content": text, **({"tool_calls": made} if calls else {})}


def result(call: str) -> Json:
    return {"role": "tool", "tool_call_id": call, "content": "r"}


def one_each(_: Json) -> int:
    return 1


names = st.sampled_from("abcd")
messages = st.one_of(
    st.builds(user, st.text(max_size=3)),
    st.builds(
        lambda text, calls: assistant(text, *calls), st.none() | st.text(max_size=3), st.lists(names, max_size=2)
    ),
    st.builds(result, names),
)
# Of all shapes, also such as no client sends.
any_turns = st.lists(st.lists(messages, min_size=1, max_size=4), max_size=6)


@st.composite
def sensible_turns(draw: st.DrawFn) -> list[list[Json]]:
    """A user asks; the assistant may call tools, whose results follow; in the end it answers."""
    turns = []
    for number in range(draw(st.integers(0, 6))):
        turn = [user(f"question {number}" * draw(st.integers(1, 5)))]
        for step in range(draw(st.integers(0, 3))):
            calls = [f"{number}.{step}.{each}" for each in range(draw(st.integers(1, 2)))]
            turn += [assistant(None, *calls), *map(result, calls)]
        turns.append([*turn, assistant(f"answer {number}")])
    return turns


def kept_history(kept: list[Json], system: list[Json], last: list[Json]) -> list[Json]:
    return kept[len(system) : len(kept) - len(last)]


@given(sensible_turns(), st.booleans(), st.integers(0, 400))
def test_whole_turns_the_newest_that_fit(turns: list[list[Json]], has_system: bool, budget: int) -> None:
    system, last = [SYSTEM] * has_system, [user("and now?")]
    kept = prune_context(system=system, turns=turns, last=last, budget_tokens=budget)
    fixed = sum(map(message_tokens, [*system, *last]))
    costs = [sum(map(message_tokens, turn)) for turn in turns]
    fitting = max((n for n in range(len(turns) + 1) if fixed + sum(costs[len(turns) - n :]) <= budget), default=0)
    expected = turns[len(turns) - fitting :]
    assert kept == [*system, *(message for turn in expected for message in turn), *last]


@given(any_turns, st.lists(messages, min_size=1, max_size=3), st.integers(0, 30))
def test_system_prompt_and_last_turn_are_kept_and_the_order_too(
    turns: list[list[Json]], last: list[Json], budget: int
) -> None:
    kept = prune_context(system=[SYSTEM], turns=turns, last=last, budget_tokens=budget, tokens_of=one_each)
    assert kept[0] == SYSTEM
    assert kept[len(kept) - len(last) :] == last
    said = iter([message for turn in turns for message in turn])
    for message in kept_history(kept, [SYSTEM], last):
        # What has lost a call that nobody answered is known by what is left of it.
        assert any(_is_of(message, each) for each in said)


def _is_of(message: Json, original: Json) -> bool:
    bare = {name: value for name, value in original.items() if name != "tool_calls"}
    calls = message.get("tool_calls", [])
    same = {name: value for name, value in message.items() if name != "tool_calls"} == bare
    return same and all(call in original.get("tool_calls", []) for call in calls)


@given(any_turns, st.lists(messages, min_size=1, max_size=3), st.integers(0, 30))
def test_no_result_without_its_call_and_no_call_without_its_result(
    turns: list[list[Json]], last: list[Json], budget: int
) -> None:
    kept = prune_context(system=[], turns=turns, last=last, budget_tokens=budget, tokens_of=one_each)
    history = kept_history(kept, [], last)
    called: set[str] = set()
    for message in history:
        assert result_of(message) is None or result_of(message) in called
        called.update(calls_of(message))
    for place, message in enumerate(history):
        for call in calls_of(message):
            assert call in {result_of(later) for later in kept[place + 1 :]}


@given(any_turns, st.lists(messages, min_size=1, max_size=3), st.integers(0, 30))
def test_what_the_last_turn_answers_is_kept_whatever_it_takes(
    turns: list[list[Json]], last: list[Json], budget: int
) -> None:
    kept = prune_context(system=[], turns=turns, last=last, budget_tokens=budget, tokens_of=one_each)
    history = kept_history(kept, [], last)
    called = {call for turn in turns for message in turn for call in calls_of(message)}
    own: set[str] = set()
    for message in last:
        named = result_of(message)
        if named is not None and named not in own and named in called:
            assert any(named in calls_of(earlier) for earlier in history)
        own.update(calls_of(message))


@given(any_turns, st.lists(messages, min_size=1, max_size=3), st.integers(0, 30), st.integers(0, 30))
def test_more_tokens_never_hold_less(turns: list[list[Json]], last: list[Json], one: int, other: int) -> None:
    lengths = [
        len(prune_context(system=[], turns=turns, last=last, budget_tokens=budget, tokens_of=one_each))
        for budget in sorted((one, other))
    ]
    assert lengths == sorted(lengths)


def test_a_chain_of_tools_is_kept_for_its_last_result() -> None:
    chain = [[user("q"), assistant(None, "a")], [result("a"), assistant(None, "b")]]
    old: list[list[Json]] = [[user("old"), assistant("old")]]
    kept = prune_context(system=[], turns=[*old, *chain], last=[result("b")], budget_tokens=0)
    assert kept == [user("q"), assistant(None, "a"), result("a"), assistant(None, "b"), result("b")]


def test_a_call_that_the_user_did_not_wait_for_is_left_out() -> None:
    turns = [[user("q"), assistant("I look", "a", "b")], [result("b"), assistant("so far")]]
    kept = prune_context(system=[], turns=turns, last=[user("never mind")], budget_tokens=1000)
    assert kept == [user("q"), assistant("I look", "b"), result("b"), assistant("so far"), user("never mind")]
    nothing_said: list[list[Json]] = [[user("q"), assistant(None, "a")]]
    assert prune_context(system=[], turns=nothing_said, last=[user("n")], budget_tokens=1000) == [user("q"), user("n")]


def test_functions_the_older_tools_are_calls_too() -> None:
    calling: Json = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    answer: Json = {"role": "function", "name": "f", "content": "r"}
    turns: Any = [[user("q"), calling]]
    assert prune_context(system=[], turns=turns, last=[answer], budget_tokens=0) == [user("q"), calling, answer]
    assert prune_context(system=[], turns=turns, last=[user("n")], budget_tokens=99) == [user("q"), user("n")]

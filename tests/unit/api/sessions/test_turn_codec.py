"""A turn as bytes comes back as it was, or is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sessions.turn_codec import (
    CorruptTurnError,
    entry_of,
    sealed_system,
    system_of,
    turn_of,
    written,
    written_system,
)
from api.sessions.types import Turn

texts = st.text(st.characters(codec="utf-8"), max_size=1000)
# As large as JSON has them.
values = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
messages = st.lists(st.dictionaries(texts, values, max_size=3), min_size=1, max_size=3).map(tuple)


@given(messages, st.none() | texts, st.booleans())
def test_a_turn_comes_back_as_it_was(said: Any, question: str | None, continues: bool) -> None:
    turn = Turn(messages=said, question=question, at_s=1_700_000_000.25, continues=continues)
    entry = entry_of(written(turn), continues=continues)
    assert turn_of(entry) == turn
    assert entry[:1] == (b"C" if continues else b"T")
    assert int.from_bytes(entry[1:5], "big") == len(written(turn))


@given(messages)
def test_so_does_a_system_prompt(said: Any) -> None:
    assert system_of(sealed_system(written_system(said))) == said


@given(st.data())
def test_a_damaged_one_is_refused(data: st.DataObject) -> None:
    turn = Turn(
        messages=({"role": "user", "content": "A" * data.draw(st.sampled_from([1, 5000]))},), question="q", at_s=1
    )
    entry = entry_of(written(turn), continues=False)
    place = data.draw(st.integers(1, len(entry) - 1))
    damaged = entry[:place] + bytes([entry[place] ^ (1 << data.draw(st.integers(0, 7)))]) + entry[place + 1 :]
    for wrong in (damaged, entry[:place], entry + b"x", b"X" + entry[1:]):
        with pytest.raises(CorruptTurnError):
            turn_of(wrong)


@given(st.binary(max_size=60))
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptTurnError):
        turn_of(data)
    with pytest.raises(CorruptTurnError):
        system_of(data)
    with pytest.raises(CorruptTurnError):
        system_of(entry_of(data, continues=False)[5:])

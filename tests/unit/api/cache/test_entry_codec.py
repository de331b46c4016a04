from __future__ import annotations

import zlib
from binascii import crc32
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cache.entry_codec import CorruptEntryError, decoded, encoded
from api.cache.slots.types import Slots
from api.cache.types import Entry


def entry(**fields: Any) -> Entry:
    values: dict[str, Any] = {
        "id": "1" * 24,
        "tenant": "t" * 40,
        "scope": "s" * 40,
        "exact_key": "x" * 40,
        "canonical_key": None,
        "slots": None,
        "answer": {"choices": [{"message": {"content": "42"}}]},
        "upstream": "near",
        "model": "finsight",
        "model_version": "1",
        "cost_usd": 0.001,
        "created_at_s": 1_700_000_000.123,
        "expires_at_s": 1_700_000_300.123,
    }
    return Entry(**values | fields)


texts = st.text(st.characters(codec="utf-8"), max_size=2000)
answers = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | texts,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(texts, parts, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, answers, max_size=4), st.lists(texts, max_size=3))
def test_an_entry_comes_back_as_it_was(answer: dict[str, Any], words: list[str]) -> None:
    slots = Slots(question_type="value", entities=tuple(words), ordered=True)
    original = entry(answer=answer, tags=tuple(words), slots=slots, canonical_key="c" * 40)
    assert decoded(encoded(original)) == original


def test_a_long_answer_takes_less_room_than_it_has_characters() -> None:
    long = entry(answer={"text": "Revenue grew in every segment, and margins with it. " * 40})
    assert len(encoded(long)) < 600
    assert len(encoded(entry())) < 400


@given(st.binary(max_size=200))
def test_what_is_no_entry_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptEntryError):
        decoded(data)


@given(st.data())
def test_a_damaged_entry_is_refused(data: st.DataObject) -> None:
    original = encoded(entry(answer={"text": "A" * data.draw(st.sampled_from([1, 5000]))}))
    place = data.draw(st.integers(0, len(original) - 1))
    flipped = original[place] ^ (1 << data.draw(st.integers(0, 7)))
    with pytest.raises(CorruptEntryError):
        decoded(original[:place] + bytes([flipped]) + original[place + 1 :])
    with pytest.raises(CorruptEntryError):
        decoded(original[:place])


@pytest.mark.parametrize(
    ("mark", "body"),
    [
        (b"SC1p", msgspec.msgpack.encode({"id": "1"})),
        (b"SC1p", msgspec.msgpack.encode([1, 2])),
        (b"SC1p", msgspec.msgpack.encode(entry()) + b"more"),
        (b"SC1d", b"not deflated"),
        (b"SC1d", zlib.compress(bytes(65 * 1024 * 1024))),
        (b"SC2p", msgspec.msgpack.encode(entry())),
    ],
    ids=["incomplete", "not an object", "with a rest", "not deflated", "a bomb", "of another version"],
)
def test_sound_bytes_that_are_no_entry_of_ours_are_refused(mark: bytes, body: bytes) -> None:
    with pytest.raises(CorruptEntryError):
        decoded(mark + crc32(body).to_bytes(4, "big") + body)


def test_what_an_earlier_version_has_written_is_read() -> None:
    fields = msgspec.to_builtins(entry())
    del fields["likeness"]
    body = msgspec.msgpack.encode(fields)
    assert decoded(b"SC1p" + crc32(body).to_bytes(4, "big") + body) == entry()

"""Headers of any shape say something about caching or nothing; a wrong corpus version alone is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cache.directives import CacheDirectives, read_directives
from api.errors import InvalidRequest


@pytest.mark.parametrize(
    ("value", "no_cache", "no_store"),
    [
        (b"no-cache", True, False),
        (b"NO-CACHE", True, False),
        (b" no-store ", False, True),
        (b"max-age=0, no-cache, no-store", True, True),
        (b"no-cache,no-cache", True, False),
        (b'no-cache="set-cookie, x"', True, False),
        (b'private="no-store", x="no-cache, no-store"', False, False),
        (b'x="unfinished, no-store', False, False),
        (b"no-cached, xno-store, no store", False, False),
        (b",,;=\xff", False, False),
        (b"", False, False),
    ],
)
def test_cache_control_is_read_as_http_has_it(value: bytes, no_cache: bool, no_store: bool) -> None:
    found = read_directives([(b"cache-control", value)])
    assert found == CacheDirectives(no_cache=no_cache, no_store=no_store)


def test_several_headers_add_up() -> None:
    found = read_directives([(b"cache-control", b"no-cache"), (b"accept", b"x"), (b"cache-control", b"no-store")])
    assert (found.no_cache, found.no_store) == (True, True)


def test_no_header_says_nothing() -> None:
    assert read_directives([(b"content-type", b"application/json")]) == CacheDirectives()


@pytest.mark.parametrize(("value", "sampled"), [(b"true", True), (b" True ", True), (b"1", False), (b"false", False)])
def test_sampled_answers_are_asked_for_by_the_word_true(value: bytes, sampled: bool) -> None:
    assert read_directives([(b"x-cache-sampled", value)]).sampled is sampled


@pytest.mark.parametrize("value", [b"7", b"2026-11-21T14:00:00Z", b"!" * 128, b" padded "])
def test_a_corpus_version_is_a_word(value: bytes) -> None:
    assert read_directives([(b"x-corpus-version", value)]).corpus_version == value.decode().strip()


@pytest.mark.parametrize("value", [b"", b" ", b"two words", b"x" * 129, b"\xfcber", b"tab\there", b"nul\0"])
def test_what_is_no_corpus_version_is_refused_by_name(value: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_directives([(b"x-corpus-version", value)])
    assert refused.value.param == "X-Corpus-Version"
    assert "128" in refused.value.message


def test_two_corpus_versions_are_refused_and_the_same_twice_is_not() -> None:
    with pytest.raises(InvalidRequest, match="more than once"):
        read_directives([(b"x-corpus-version", b"1"), (b"x-corpus-version", b"2")])
    assert read_directives([(b"x-corpus-version", b"1")] * 2).corpus_version == "1"


@given(st.lists(st.tuples(st.sampled_from([b"cache-control", b"x-cache-sampled"]), st.binary(max_size=60))))
def test_no_bytes_break_the_reader(headers: list[tuple[bytes, bytes]]) -> None:
    assert isinstance(read_directives(headers), CacheDirectives)

"""What a client says about caching, in the headers of its request."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from api.errors import InvalidRequest

CACHE_CONTROL, SAMPLED, CORPUS_VERSION = b"cache-control", b"x-cache-sampled", b"x-corpus-version"
HEADERS = frozenset({CACHE_CONTROL, SAMPLED, CORPUS_VERSION})
_CORPUS_VERSION = re.compile(rb"[!-~]{1,128}")
# A quoted argument may hold commas: RFC 9111 has `no-cache="field, field"` too.
_QUOTED = re.compile(rb'"(?:\\.|[^"\\])*"?')


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheDirectives:
    no_cache: bool = False
    """Do not look up: the client wants a fresh answer."""
    no_store: bool = False
    """Do not keep the answer."""
    sampled: bool = False
    """An answer that another draw would have made different will do."""
    corpus_version: str | None = None
    """Which state of the documents behind the question the client means."""


_NONE = CacheDirectives()


def read_directives(headers: Iterable[tuple[bytes, bytes]]) -> CacheDirectives:
    """`headers`: names in lower case. Directives that are not known say nothing, as HTTP has it.

    Raises InvalidRequest for a corpus version that cannot be one: answers of the wrong one would be wrong answers.
    """
    said = [(name, value) for name, value in headers if name in HEADERS]
    if not said:
        return _NONE
    words: set[bytes] = set()
    corpus_versions = []
    sampled = False
    for name, value in said:
        if name == CACHE_CONTROL:
            words |= _directives(value)
        elif name == SAMPLED:
            sampled = sampled or value.strip().lower() == b"true"
        else:
            corpus_versions.append(value.strip())
    return CacheDirectives(
        no_cache=b"no-cache" in words,
        no_store=b"no-store" in words,
        sampled=sampled,
        corpus_version=_corpus_version(corpus_versions),
    )


def _directives(value: bytes) -> set[bytes]:
    """The names in a Cache-Control header, whatever their arguments."""
    names = (part.partition(b"=")[0] for part in _QUOTED.sub(b"", value).split(b","))
    return {name.strip().lower() for name in names}


def _corpus_version(values: list[bytes]) -> str | None:
    if not values:
        return None
    if len(set(values)) > 1:
        raise InvalidRequest(
            "The X-Corpus-Version header was sent more than once, with different values.",
            param="X-Corpus-Version",
            code="duplicate_header",
        )
    if not _CORPUS_VERSION.fullmatch(values[0]):
        raise InvalidRequest(
            "The X-Corpus-Version header must be 1 to 128 visible ASCII characters without spaces.",
            param="X-Corpus-Version",
            code="invalid_value",
        )
    return values[0].decode("ascii")

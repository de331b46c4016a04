"""Deterministic text embeddings: hashed features of words, so that texts which share words are near each other.

Each text becomes a unit vector of `DIMENSIONS`: stems, pairs of stems and letter trigrams are hashed to a few places
each, with a sign (feature hashing, Weinberger et al. 2009). Similar wording gives a high cosine; meaning plays no part.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from serving.mock_llm.errors import ContextOverflow, InvalidRequest
from serving.mock_llm.terms import is_stop_word, stem
from serving.mock_llm.tokenizer import tokenize, tokens_of_ids
from serving.mock_llm.wire.requests import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.mock_llm.wire.requests import EmbeddingRequest

DIMENSIONS = 384
MAX_INPUTS = 2048
_PLACES = 4
_STOP_WORD_WEIGHT = 0.15
_PAIR_WEIGHT = 0.4
_TRIGRAM_WEIGHT = 0.12
_WORD = re.compile(r"\w+(?:\.\d+)?")


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A unit vector. Fewer `dimensions` are the first ones, scaled to length 1 again, as with Matryoshka models."""
    vector = [0.0] * DIMENSIONS
    for feature, weight in _features(text):
        for place, sign in _places(feature):
            vector[place] += sign * weight
    vector = vector[:dimensions]
    length = math.sqrt(sum(value * value for value in vector))
    if length == 0.0:
        return [1.0] + [0.0] * (dimensions - 1)
    return [value / length for value in vector]


def embedding_reply(request: EmbeddingRequest, *, model: str, max_model_len: int) -> dict[str, Any]:
    """The body of `/v1/embeddings`. Raises InvalidRequest."""
    dimensions = request.dimensions or DIMENSIONS
    if dimensions > DIMENSIONS:
        raise InvalidRequest(f"'dimensions' can be at most {DIMENSIONS} for this model.", param="dimensions")
    data: list[dict[str, Any]] = []
    count = 0
    for index, (text, tokens) in enumerate(_inputs(request)):
        if tokens > max_model_len:
            raise ContextOverflow(
                f"This model's maximum context length is {max_model_len} tokens. However, input {index} has {tokens}.",
                param="input",
            )
        count += tokens
        vector: list[float] | str = embed(text, dimensions)
        if request.encoding_format == "base64":
            vector = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _inputs(request: EmbeddingRequest) -> list[tuple[str, int]]:
    """`(text, tokens)` of each input."""
    rows = rows_of(request.input, param="input")
    if len(rows) > MAX_INPUTS:
        raise InvalidRequest(f"'input' can have at most {MAX_INPUTS} entries.", param="input")
    return [
        (row, len(tokenize(row))) if isinstance(row, str) else (" ".join(tokens_of_ids(row)), len(row)) for row in rows
    ]


def _features(text: str) -> Iterator[tuple[str, float]]:
    words = [word.lower() for word in _WORD.findall(text)]
    if not words:
        yield f"text:{text}", 1.0
    stems = [stem(word) for word in words]
    for word, root in zip(words, stems, strict=True):
        yield f"word:{root}", _STOP_WORD_WEIGHT if is_stop_word(word) else 1.0
        if not is_stop_word(word):
            for start in range(len(root) - 2):
                yield f"letters:{root[start : start + 3]}", _TRIGRAM_WEIGHT
    content = [root for word, root in zip(words, stems, strict=True) if not is_stop_word(word)]
    for one, other in pairwise(content):
        yield f"pair:{one} {other}", _PAIR_WEIGHT


@lru_cache(maxsize=65536)
def _places(feature: str) -> tuple[tuple[int, float], ...]:
    digest = blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=4 * _PLACES).digest()
    numbers = struct.unpack(f"<{_PLACES}I", digest)
    return tuple((number % DIMENSIONS, 1.0 if number & 0x8000_0000 else -1.0) for number in numbers)

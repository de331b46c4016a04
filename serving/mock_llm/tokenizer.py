"""A cheap, reversible stand-in for a tokenizer: `"".join(tokenize(text)) == text`, about 4 characters a token.

It is not the tokenizer of any model. Counts come out near those of a BPE vocabulary for English and numbers, and the
same text always gives the same tokens, which is all that queueing, blocks and prefix hashes need.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Words take their leading space along, as BPE does. Letters outside ASCII get shorter pieces, as they do in real
# vocabularies. The alternatives together match every character there is.
_PIECE = re.compile(r" ?[A-Za-z]{1,5}| ?[^\W\d_A-Za-z]{1,2}| ?\d{1,3}| ?_| ?[^\w\s]{1,3}|\s{1,4}")


def tokenize(text: str) -> list[str]:
    return _PIECE.findall(text)


def tokens_of_ids(ids: Iterable[int]) -> list[str]:
    """One token for each id of a prompt given as token ids; there is no vocabulary to look them up in."""
    return [f"<|{token_id}|>" for token_id in ids]

"""Words of a text, which of them tell nothing, and a form of them that can be compared."""

from __future__ import annotations

import re
from typing import NamedTuple

# "R&D", "AX-200", "O'Neill" and "U.S." are a word each; the possessive is none of it, and "top-line" is two.
_TOKEN = re.compile(r"[^\W_]+(?:(?:[&.](?=[^\W_])|-(?=\d)|(?<=\d)-(?=[^\W_])|['\u2019](?!s\b))[^\W_]+)*")
_SHORTEST_STEM = 3


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that stand in any question and any text.
STOP_WORDS = word_set(
    """
    a about above across after again against all also although always am among an and another any anybody
    anyone anything anywhere are around as at away back be because been before being below beside between both
    but by can cannot could d did do does doing done down during each either else enough ever every everyone
    everything except few for from get gets getting give given go goes going gone got had has have having he
    hello her here hers hi him his how however i if in into is isn it its itself just kindly know let like ll
    look looks m many may maybe me might mine more most much must my myself need needs neither never no nobody
    nor not now of off ok okay on once one only onto or other others our ours out over own per perhaps please
    put quite rather re really s said same say says see shall she should show shows since so some somebody
    someone something still such t take taken takes tell than thank thanks that the their theirs them then
    there these they thing things this those though through thus to together told too toward towards under
    until up upon us use used uses using ve very via want wants was we well were what whatever when whenever
    where whether which while who whoever whom whose why will with within without won would wouldn yes yet you
    your yours yourself
    """
)
# Words of asking, which the answer does not repeat.
ASKING_WORDS = word_set(
    """
    according achieve achieved amount answer came come comes describe detail details explain figure figures
    find generate generated happen happened information list made make makes mean means number please question
    quote report reported reports summarise summarize value work works
    """
)


class Token(NamedTuple):
    start: int
    end: int
    text: str
    lower: str


def tokens_of(text: str) -> list[Token]:
    return [Token(match.start(), match.end(), word := match.group(), word.lower()) for match in _TOKEN.finditer(text)]


def stem(word: str) -> str:
    """A word in lower case without its plural or its common verb ending: rough, but a prefix of its other forms."""
    word = word.lower()
    for endings in (("ies", "sses", "es", "s"), ("ings", "ing", "ed")):
        for ending in endings:
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM and not word.endswith("ss"):
                word = word[: -len(ending)] + ("ss" if ending == "sses" else "")
                break
    return word[:-1] if len(word) > _SHORTEST_STEM + 1 and word[-1] in "ey" else word


def is_telling(word: str) -> bool:
    """Whether a text that has the word is likelier to be the one that is looked for."""
    lower = word.lower()
    return lower not in STOP_WORDS and (len(lower) > 1 or lower.isdigit())

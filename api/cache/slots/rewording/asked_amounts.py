"""Questions for an amount, whatever its words: what was done (deeds.py) and what moved (moves.py) as figures."""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.rewording.deeds import with_deeds, without_parts
from api.cache.slots.rewording.moves import with_moves
from api.cache.slots.rewording.spending import with_one_name, with_spending
from api.cache.slots.words.items import Item
from api.cache.slots.words.lexicon import Lexicon, Word


def with_amounts(items: Sequence[Item], words: Sequence[Word], lexicon: Lexicon) -> list[Item]:
    """The items as they are in a question for the figure's name."""
    spent = with_spending(items, words, lexicon)
    done = with_deeds(without_parts(spent), words, lexicon)
    return with_moves(with_one_name(done, words), words, lexicon)

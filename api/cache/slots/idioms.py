"""Questions about people, places and events, each in one form: the tables of rewording.py.

Only what the answer cannot tell apart stands together. Who leads a division, is named to an office, or chairs a
committee is another question than who leads the company, took the office or chairs the board.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.lexicon import Lexicon, Word
from api.cache.slots.reading import Item
from api.cache.slots.rewording import compiled, reworded

_PEOPLE = {
    "question:who auxiliary:is C metrics:ceo": """
        ?who is? =runs|=running|=run C
        ?who is C =run by
        ?who is by C =run
        ?who is? =leads|=leading|=heads|=heading|=boss K
        ?who is K =led|=headed by
        ?who is =boss|=head of K
        ?who is in =charge of|at C
        ?who is at =helm of|at C
    """,
    "question:who auxiliary:was C metrics:ceo": """
        ?who =ran C
        ?who =led|=headed K
        ?who was K =run|=led|=headed by
        ?who was in =charge of|at C
        ?who was at =helm of|at C
    """,
    "question:who auxiliary:is C metrics:chair": """
        ?who is m:chair|chair of? C =board?
        ?who is C m:chair|chair
        ?who =chairs =board of C
        ?who =chairs m:board of C
        ?who =chairs C m:board|=board?
        ?who is m:chair|chair of C m:board|=board
    """,
    "question:who auxiliary:is C metrics:auditor": """
        ?which|?what|?who =accounting|=audit|=auditing? company =audits C
        ?which|?what =accounting|=audit|=auditing? company is C m:auditor
        ?which|?what =accounting|=audit|=auditing? company is m:auditor of|for|at C
        ?which|?what m:auditor do C use
    """,
    "question:who auxiliary:is C metrics:board": """
        ?who =sits|=serves on|=on C m:board|=board
        ?who =sits|=serves on|=on =board|m:board of|at C
        ?who is on|=on C m:board|=board
        ?who is on|=on =board|m:board of|at C
        ?who is =members of C =board|m:board
        ?who is C =directors
        ?who is =directors of C
    """,
}
_RULES = compiled(_PEOPLE)


def in_plain_words(items: Sequence[Item], words: Sequence[Word], lexicon: Lexicon) -> list[Item]:
    return reworded(items, words, lexicon, _RULES)

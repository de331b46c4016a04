"""Questions about people, places and events, each in one form: the tables of rewording.py.

Only what the answer cannot tell apart stands together. Who leads a division, is named to an office, or chairs a
committee is another question than who leads the company, took the office or chairs the board.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.rewording.idioms_of_amounts import AMOUNTS
from api.cache.slots.rewording.idioms_of_dates import DATES
from api.cache.slots.rewording.idioms_of_deals import DEALS
from api.cache.slots.rewording.idioms_of_events import DONE, EXPECTED, HIGH, SAID, STATES, STOCK, WHY
from api.cache.slots.rewording.rewording import compiled, reworded
from api.cache.slots.words.items import Item
from api.cache.slots.words.lexicon import Lexicon, Word

_PEOPLE = {
    "question:who auxiliary:is C metrics:ceo": """
        ?who is? =runs|=running|=run K
        ?who is K =run by
        ?who is by K =run
        ?who is? =leads|=leading|=heads|=heading|=boss K
        ?who is K =led|=headed by
        ?who is =boss|=head of K
        ?who is? =running|=runs =show at K
        ?who is in =charge of|at K
        ?who is at =helm of|at K
    """,
    "question:who auxiliary:was C metrics:ceo": """
        ?who =ran|=led K as m:ceo
        ?who =ran K
        ?who =led|=headed K
        ?who was K =run|=led|=headed by
        ?who was in =charge of|at K
        ?who was at =helm of|at K
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
        ?which|?what|?who =accounting|=audit|=auditing? =company|=firm? =audits C =accounts|=books?
        ?which|?what =accounting|=audit|=auditing? =company|=firm is C m:auditor
        ?which|?what =accounting|=audit|=auditing? =company|=firm is m:auditor of|for|at C
        ?which|?what m:auditor do C use
        ?which|?what =accounting? =company|=firm =serves|=acts as C m:auditor
        ?which|?what =accounting? =company|=firm serve_as|act_as C m:auditor
    """,
    "question:who auxiliary:is C metrics:board": """
        ?who =sits|=serves on the? C m:board|=board
        ?who =sits|=serves on =board|m:board of|at C
        ?who is on the? C m:board|=board
        ?who is on =board|m:board of|at C
        ?who is =members of the? C m:board|=board
        list? =members of the? C m:board|=board
        ?list =members of the? C m:board|=board
        ?who is C =directors
        ?who is =directors of C
    """,
    # Which person does is another question.
    "question:who auxiliary:is C metrics:largest-shareholder": """
        ?which m:shareholders =owns|=holds d:max =stake|shares|stock in|of C
        =who =owns|=holds d:max|d:most =stake|shares|stock in|of C
        =who =owns|=holds d:max|d:most C =stake|shares|stock
    """,
    "question:who auxiliary:is idiom:chair-of C A1 =committee": """
        ?who =heads|=leads|=chairs C A1 =committee
        ?who =heads|=leads|=chairs A1 =committee of|at|for C
        ?who is =head|chair|m:chair of C A1 =committee
        ?who is =head|chair|m:chair of A1 =committee of|at|for C
    """,
    # What is part of a company no person owns.
    "question:who idiom:own S": """
        ?which|?what =company|=firm =owns S
        ?which|?what =company|=firm is =owner of S
    """,
    "question:who idiom:own D": """
        =who =owns D
        =who is =owner of D
        =who is D =owner
        ?who is D =owned by
        by ?who is D =owned
    """,
    "question:what auxiliary:is C metrics:competitors": """
        ?who do C compete with
        ?who =competes with C
        ?which|?what =companies|=firms =compete with C
        ?which|?what =companies|=firms do C compete with
        ?which|?what =companies|=firms is C m:competitors
        ?which|?what =companies|=firms is m:competitors of C
    """,
    "question:what auxiliary:is C metrics:suppliers": """
        ?who =supplies C
        ?which|?what =companies|=firms =supply C
        ?which|?what =companies|=firms is C m:suppliers
        ?which|?what =companies|=firms is m:suppliers of C
    """,
    "question:what auxiliary:is C metrics:ticker": """
        ?what|?which m:ticker do C use
        ?what|?which m:ticker|=symbol do C stock? trade d:under
        d:under ?what|?which m:ticker|=symbol do C stock? trade
        d:under ?what|?which m:ticker|=symbol is C stock? trade|list
        ?what|?which m:ticker|=symbol is C stock? trade|list d:under
    """,
}
# Wherever the company's name stands.
_OFFICES = {"... C P ...b?": "... P of|at|for C ...b?"}
_SUCCESSION = {
    "question:who auxiliary:did idiom:succeed C as ...": """
        ?who replace|succeed C as ...
        ?who take-over from C as ...
    """,
    "question:when auxiliary:did C idiom:become D? P": """
        ?when|?which-year did C become|take-over|begin as? D? P
        =since ?when have C be D? P
    """,
}
_TABLES = (
    compiled({**_OFFICES, **STOCK}),
    compiled(WHY),
    compiled(HIGH),
    compiled(AMOUNTS),
    compiled({**_PEOPLE, **_SUCCESSION, **DEALS, **DATES, **SAID, **EXPECTED, **STATES, **DONE}),
)


def in_plain_words(items: Sequence[Item], words: Sequence[Word], lexicon: Lexicon) -> list[Item]:
    return reworded(items, words, lexicon, _TABLES)

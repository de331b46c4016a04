"""What companies buy, pay, expect and achieve: tables of rewording.py."""

from __future__ import annotations

# "Buys" is "acquires" only where a company that is no investor does, and nothing else is said: shares, chips and stakes
# are bought too.
_ACQUISITIONS = {
    "auxiliary:did C idiom:acquire D": """
        did E acquire|d:buy|take-over D
        was|is D acquire|d:buy|take-over by E
    """,
    "question:when auxiliary:did C idiom:acquire D": """
        ?when|?which-year did E acquire|d:buy|take-over D
        ?when|?which-year was D acquire|d:buy|take-over by E
        ?when|?which-year was E' acquire|d:buy|take-over of D
        ?when|?which-year was acquire|d:buy|take-over of D by E
        ?when|?which-year did E' acquire|d:buy|take-over of D take|happen|occur =place?
        ?when|?which-year did acquire|d:buy|take-over of D by E take|happen|occur =place?
    """,
    "question:why auxiliary:did C idiom:acquire D": """
        ?why did E acquire|d:buy|take-over D
        ?why was D acquire|d:buy|take-over by E
        ?why E' acquire|d:buy|take-over of D
        ?what was E' ?why acquire|d:buy|take-over D
        ?what was E' =rationale|=reasons|=reason|=motive for|=behind acquire|d:buy|take-over D
        ?what was =rationale|=motive for|=behind E' acquire|d:buy|take-over of D
    """,
    "question:who auxiliary:did idiom:acquire D": """
        !Q =who =acquired|=bought|=purchased D
        !Q ?who was D acquire|d:buy|take-over by
        !Q by ?who was D acquire|d:buy|take-over
    """,
    # Nor is it a company that bought what a person did.
    "question:who auxiliary:did idiom:acquire F": """
        !Q ?which|?what =company|=firm =acquired|=bought|=purchased F
        !Q ?which|?what =company|=firm was F acquire|d:buy|take-over by
        !Q by ?which|?what =company|=firm was F acquire|d:buy|take-over
    """,
    "question:what auxiliary:did C idiom:acquired-companies": """
        ?which|?what =companies|=firms did|have E acquire|d:buy|take-over
        ?which|?what =companies|=firms was acquire|d:buy|take-over by E
        ?which|?what =acquisitions did|have E make|complete
        ?which|?what =acquisitions was make|complete by E
        ?what is|was E' =acquisitions
        ?what is|was =acquisitions of|by E
        list|?list =companies|=firms acquire|d:buy|take-over by E
        list|?list the-company|=companies|=firms that? E have? acquire|d:buy|take-over
        list|?list the-company acquire|d:buy|take-over by E
        list|?list =all? of? E' =acquisitions
        list|?list =all? =acquisitions of|by E
        =companies|=firms acquire|d:buy|take-over by E
        E' =acquisitions
    """,
    "question:how-much auxiliary:did C idiom:buy-at-price D": """
        ?how-much|?what did C pay for U
        ?what soft|m:price|=sum did C pay for U
        ?how-much|?what did E pay|spend to acquire|d:buy|take-over D
        ?what soft|m:price|=sum did E pay to acquire|d:buy|take-over D
        ?how-much did E spend on acquire|d:buy|take-over of? D
        ?how-much did E pay in|for its|E' acquire|d:buy|take-over of D
        ?how-much did E acquire|d:buy|take-over D for
        for ?how-much did E acquire|d:buy|take-over D
        at|for ?what m:price did E acquire|d:buy|take-over D
        ?how-much was D acquire|d:buy|take-over by E for
        ?how-much was D acquire|d:buy|take-over for by E
        ?how-much was pay by C for U
        ?how-much was pay for U by C
        ?what was|is acquire|d:buy|take-over? m:price E pay for U
        ?what was|is acquire|d:buy|take-over? m:price that? E pay to acquire|d:buy|take-over D
        ?what was|is acquire|d:buy|take-over? m:price of D pay by E
        ?what was acquire|d:buy|take-over? m:price of D ?when E acquire|d:buy|take-over it
        ?what was|is acquire|d:buy|take-over? m:price pay by E for U
        ?what was soft C pay for U
        ?what was|is acquire|d:buy|take-over? m:price of|for|in E' acquire|d:buy|take-over of D
        ?what was|is =cost of|for E' acquire|d:buy|take-over of D
        ?what was|is acquire|d:buy|take-over? m:price in|of|for acquire|d:buy|take-over of D by E
        ?what was|is =cost of acquire|d:buy|take-over of D by E
        ?how-much|?what did E' acquire|d:buy|take-over of D =cost
        ?how-much|?what did acquire|d:buy|take-over of D by E =cost
        ?how-much|?what did acquire|d:buy|take-over of D =cost E
    """,
    "question:when auxiliary:did C idiom:complete-acquisition D": """
        ?when|?which-year did E complete|close its? acquire|d:buy|take-over of D
        ?when|?which-year did E complete|close its? the? D acquire|d:buy|take-over
        ?when|?which-year did E =finish acquire|d:buy|take-over D
        ?when|?which-year was acquire|d:buy|take-over of D complete|close by E
        ?when|?which-year was E' acquire|d:buy|take-over of D complete|close
        ?when|?which-year did E' acquire|d:buy|take-over of D close
    """,
    "auxiliary:did C idiom:complete-acquisition D": """
        did|have E complete|close its? acquire|d:buy|take-over of D
        was|have acquire|d:buy|take-over of D be? complete|close by E
        was|have E' acquire|d:buy|take-over of D be? complete|close
    """,
}
# What is estimated for a company or its figure, as analysts do; a company's own guidance is another measure.
_STREET = "b:estimate|b:consensus|=expectations"
# Its own expectations are its guidance.
_BEAT = "d:beat|d:exceed|d:top|d:outperform"
# Figures of which more is better: costs that are above the estimates do not beat them.
_GOOD = "|".join(
    f"m:{figure}"
    for figure in (
        *(
            "revenue",
            "net-sales",
            "earnings",
            "eps",
            "diluted-eps",
            "basic-eps",
            "profit",
            "net-income",
            "gross-profit",
        ),
        *("operating-income", "ebitda", "ebit", "free-cash-flow", "gross-margin", "operating-margin", "net-margin"),
        *("deliveries", "bookings", "gross-bookings", "same-store-sales", "subscribers", "paid-subscribers"),
    )
)
_EXPECTATIONS = {
    f"auxiliary:did C {_GOOD}? idiom:beat-consensus": f"""
        did C {_BEAT} analyst? {_STREET}
        did C {_BEAT} its analyst {_STREET}
        did C {_GOOD} {_BEAT} analyst? {_STREET}
        did C {_GOOD} come_in d:above analyst? {_STREET}
        did C {_GOOD} any d:above analyst? {_STREET}
        did C {_BEAT} its? analyst? {_GOOD} {_STREET}
        did C {_BEAT} analyst? {_STREET} for|on {_GOOD}
        was C {_GOOD} d:above analyst? {_STREET}
        was C {_GOOD} d:higher|d:better than analyst? {_STREET}
    """,
    f"auxiliary:did C {_GOOD}? idiom:miss-consensus": f"""
        did C d:miss analyst? {_STREET}
        did C d:miss its analyst {_STREET}
        did C d:down d:short of its? analyst? {_GOOD}? {_STREET}
        did C {_GOOD} d:miss analyst? {_STREET}
        did C {_GOOD} come_in d:below analyst? {_STREET}
        did C {_GOOD} any d:below analyst? {_STREET}
        did C d:miss its? analyst? {_GOOD} {_STREET}
        did C d:miss analyst? {_STREET} for|on {_GOOD}
        was C {_GOOD} d:below analyst? {_STREET}
        was C {_GOOD} d:lower|d:worse than analyst? {_STREET}
    """,
}
DEALS = {**_ACQUISITIONS, **_EXPECTATIONS}

"""What companies buy, pay, expect and achieve: tables of rewording.py."""

from __future__ import annotations

# "Buys" is "acquires" only between companies and where nothing else is said: shares, chips and stakes are bought too.
_ACQUISITIONS = {
    "auxiliary:did C idiom:acquire D": """
        did C acquire|d:buy D
        was|is D acquire|d:buy by C
        was|is D take =over by C
    """,
    "question:when auxiliary:did C idiom:acquire D": """
        ?when|?which-year did C acquire|d:buy D
        ?when|?which-year was D acquire|d:buy by C
        ?when|?which-year was D take =over by C
        ?when|?which-year was C' acquire|d:buy of D
        ?when|?which-year was acquire|d:buy of D by C
        ?when|?which-year did C' acquire|d:buy of D take|happen|occur =place?
        ?when|?which-year did acquire|d:buy of D by C take|happen|occur =place?
    """,
    "question:why auxiliary:did C idiom:acquire D": """
        ?why did C acquire|d:buy D
        ?why was D acquire|d:buy by C
        ?why C' acquire|d:buy of D
    """,
    "question:who auxiliary:did idiom:acquire D": """
        ?who =acquired|=bought|=purchased D
        ?which|?what =company|=firm =acquired|=bought|=purchased D
        ?who was D acquire|d:buy by
        by ?who was D acquire|d:buy
        ?which|?what =company|=firm was D acquire|d:buy by
        by ?which|?what =company|=firm was D acquire|d:buy
        by ?who was D take =over
        ?who was D take =over by
    """,
    "question:what auxiliary:did C idiom:acquired-companies": """
        ?which|?what =companies|=firms did|have C acquire|d:buy
        ?which|?what =companies|=firms was acquire|d:buy by C
        ?which|?what =acquisitions did|have C make|complete
        ?which|?what =acquisitions was make|complete by C
        ?what is|was C' =acquisitions
        ?what is|was =acquisitions of|by C
        list|?list =companies|=firms acquire|d:buy by C
        list|?list the-company|=companies|=firms that? C have? acquire|d:buy
        list|?list the-company acquire|d:buy by C
        list|?list =all? of? C' =acquisitions
        list|?list =all? =acquisitions of|by C
        =companies|=firms acquire|d:buy by C
        C' =acquisitions
    """,
    "question:how-much auxiliary:did C idiom:buy-at-price D": """
        ?how-much|?what did C pay for D
        ?what soft|m:price|=sum did C pay for D
        ?how-much|?what did C pay|spend to acquire|d:buy D
        ?what soft|m:price|=sum did C pay to acquire|d:buy D
        ?how-much did C spend on acquire|d:buy of? D
        ?how-much did C pay in|for its|C' acquire|d:buy of D
        ?how-much did C acquire|d:buy D for
        for ?how-much did C acquire|d:buy D
        at|for ?what m:price did C acquire|d:buy D
        ?how-much was D acquire|d:buy by C for
        ?how-much was D acquire|d:buy for by C
        ?how-much was pay by C for D
        ?how-much was pay for D by C
        ?what was|is acquire|d:buy? m:price C pay for D
        ?what was|is acquire|d:buy? m:price that? C pay to acquire|d:buy D
        ?what was|is acquire|d:buy? m:price of D pay by C
        ?what was|is acquire|d:buy? m:price pay by C for D
        ?what was soft C pay for D
        ?what was|is acquire|d:buy? m:price|m:costs of|for C' acquire|d:buy of D
        ?what was|is acquire|d:buy? m:price|m:costs in|of|for acquire|d:buy of D by C
        ?how-much|?what did C' acquire|d:buy of D m:costs
        ?how-much|?what did acquire|d:buy of D by C m:costs
        ?how-much|?what did acquire|d:buy of D m:costs C
    """,
    "question:when auxiliary:did C idiom:complete-acquisition D": """
        ?when|?which-year did C complete|close its? acquire|d:buy of D
        ?when|?which-year did C complete|close its? D acquire|d:buy
        ?when|?which-year did C =finish acquire|d:buy D
        ?when|?which-year was acquire|d:buy of D complete|close by C
        ?when|?which-year was C' acquire|d:buy of D complete|close
        ?when|?which-year did C' acquire|d:buy of D close
    """,
    "auxiliary:did C idiom:complete-acquisition D": """
        did|have C complete|close its? acquire|d:buy of D
        was|have acquire|d:buy of D be? complete|close by C
        was|have C' acquire|d:buy of D be? complete|close
    """,
}
# What is estimated for a company or its figure, as analysts do; a company's own guidance is another measure.
_STREET = "b:estimate|b:consensus|=expectations"
_BEAT = "d:beat|d:exceed|d:top|d:outperform"
_EXPECTATIONS = {
    "auxiliary:did C M? idiom:beat-consensus": f"""
        did C {_BEAT} analyst? {_STREET}
        did C M {_BEAT} analyst? {_STREET}
        did C M come_in d:above analyst? {_STREET}
        did C M any d:above analyst? {_STREET}
        did C {_BEAT} analyst? M {_STREET}
        did C {_BEAT} analyst? {_STREET} for|on M
        was C M d:above analyst? {_STREET}
        was C M d:higher|d:better than analyst? {_STREET}
    """,
    "auxiliary:did C M? idiom:miss-consensus": f"""
        did C d:miss analyst? {_STREET}
        did C M d:miss analyst? {_STREET}
        did C M come_in d:below analyst? {_STREET}
        did C M any d:below analyst? {_STREET}
        did C d:miss analyst? M {_STREET}
        did C d:miss analyst? {_STREET} for|on M
        was C M d:below analyst? {_STREET}
        was C M d:lower|d:worse than analyst? {_STREET}
    """,
}
DEALS = {**_ACQUISITIONS, **_EXPECTATIONS}

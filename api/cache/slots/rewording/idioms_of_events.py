"""What companies say, expect, reach and launch, and what moved their figures: tables of rewording.py."""

from __future__ import annotations

_AHEAD = "b:expected|=project|anticipate|predict"
_LOOKING = "=expecting|=projecting|=forecasting|=anticipating|=predicting"
_MAIN = "main|=primary|=principal|=chief"
_CAUSES = "=drivers|=driver|=causes|=cause|=factors|=factor|=reasons|=reason"
_SPEAKERS = "=management|=executives|=leadership"
_CALL = "m:earnings-call|=call"
_GOODS = "=products|=product|=models|=model|=vehicles|=vehicle|=services|=service"

# The price of the stock is what falls when a stock falls.
STOCK = {
    "... C metrics:share-price V ...b?": """
        ... K stock|=shares to? V ...b?
        ... shares of K to? V ...b?
        ... V in|of K stock ...b?
    """,
    "?why is C metrics:share-price d:up ...b?": """
        ?why is K stock|shares d:up ...b?
    """,
}
WHY = {
    "question:why auxiliary:did ... ...b": """
        ?what =led ... to ...b
    """,
    "question:why is|was ... ...b?": f"""
        ?what is|was ... =driven|=caused by ...b?
        ?what is|was ... because ...b?
        ?what is|was =responsible for ... ...b?
        ?what is|was {_MAIN} {_CAUSES} of|=behind|in|for ... ...b?
        ?what is|was {_MAIN} ?why ... ...b?
    """,
    "question:why A1 ... ...b?": f"""
        {_MAIN} ?why A1 ... ...b?
    """,
}
_DEGREE = "=high|=low|=strong|=weak|=large|=small"
HIGH = {
    f"question:why is|was C {_DEGREE} ...m T? ...t?": f"""
        ?why is|was C T? ...m so? {_DEGREE} ...t?
    """,
    f"?why C {_DEGREE} ...m ...t?": f"""
        ?why C ...m to be so? {_DEGREE} ...t?
        ?why C ...m so? {_DEGREE} ...t?
    """,
    f"question:why auxiliary:was C {_DEGREE} ...m": f"""
        ?why did C have =such? {_DEGREE} ...m
    """,
}
SAID = {
    "question:what auxiliary:did C idiom:say-about ... idiom:on metrics:earnings-call T1? T2?": f"""
        ?what did C {_SPEAKERS}? say about ... on|in|during its? T1? {_CALL} T2?
        ?what did {_SPEAKERS} say about ... on|in|during C' T1? {_CALL} T2?
        ?what =comments|=commentary did C {_SPEAKERS}? make|give|provide about|on ... on|in|during its? T1? {_CALL} T2?
        ?what was C {_SPEAKERS}? =comments|=commentary about|on ... on|in|during its? T1? {_CALL} T2?
        ?what was say about ... on|in|during C' T1? {_CALL} T2?
        on|in|during its? T1? {_CALL} T2? ?what did C {_SPEAKERS}? say about ...
        on|in|during C' T1? {_CALL} T2? ?what did {_SPEAKERS} say about ...
    """,
    "question:what auxiliary:did C idiom:say-about ...": """
        ?what did C =management? say about ...
        ?what =comments|=commentary did C =management? make|give|provide about|on ...
        ?what was C =management? =comments|=commentary about|on ...
    """,
}
EXPECTED = {
    "question:what do C basis:guidance A1? A2? M T": f"""
        ?what|?how-much|?how-many A1? A2? M do C {_AHEAD}
        ?what|?how-much|?how-many A1? A2? M do C {_AHEAD} to generate|earn|report|make|post|achieve|deliver
        ?what do C {_AHEAD} its? A1? A2? M to be
        ?what do C {_AHEAD} its? A1? A2? M
        ?what do C {_AHEAD} for its? A1? A2? L
        ?how-much|?what do C {_AHEAD} to spend|invest on|in A1? A2? M
    """,
    # Not what it is expected to do, by others.
    "question:what is C basis:guidance A1? A2? M T": f"""
        ?what|?how-much|?how-many A1? A2? M is C {_LOOKING}
        ?what|?how-much|?how-many A1? A2? M is C {_LOOKING} to generate|earn|report|make|post|achieve|deliver
        ?what is C {_LOOKING} its? A1? A2? M
        ?what is C {_LOOKING} for its? A1? A2? L
    """,
    "question:what did C basis:guidance A1? A2? M": """
        ?what|?how-much A1? A2? M did C b:forecast
        ?what did C b:forecast its? A1? A2? M
        ?what did C b:forecast for its? A1? A2? L
    """,
    "question:what C basis:guidance A1 A2? T": f"""
        ?what do C {_AHEAD} for its? Y1 Y2?
    """,
    "question:what C basis:guidance A1 A2?": """
        ?what is b:guidance for C' A1 A2?
        ?what is C' A1 A2? b:guidance
    """,
    "did|have C directions:cut A1? A2? b:guidance": """
        did|have C d:cut|d:lower|d:down its? A1? A2? b:guidance
    """,
    "auxiliary:did C directions:cut A1? A2? b:guidance": """
        was C' A1? A2? b:guidance d:cut
    """,
    "did|have C directions:raise A1? A2? b:guidance": """
        did|have C d:raise|d:up its? A1? A2? b:guidance
    """,
    "auxiliary:did C directions:raise A1? A2? b:guidance": """
        was C' A1? A2? b:guidance d:raise|=increased
    """,
    "did|have C idiom:meet A1? A2? A3? target|b:guidance": """
        did|have C d:meet|=hit|achieve|=reach|=reached its? A1? A2? A3? target|b:guidance
    """,
    "auxiliary:did C idiom:meet A1? A2? A3? target|b:guidance": """
        was C' A1? A2? A3? target|b:guidance d:meet|=hit|achieve|=reached
    """,
}
STATES = {
    "H C idiom:profitable": """
        H C earn|generate|report|post|record|achieve m:profit
        H C profitable
    """,
    "H C metrics:dividend": """
        H C stock? pay|offer =any? m:dividend
        H C pay its? m:shareholders m:dividend
        H C pay =any? m:dividend to its? m:shareholders
    """,
    "auxiliary:do C metrics:dividend": """
        is C m:dividend =payer
        is C m:dividend pay stock|company
    """,
    "auxiliary:did C =ever pay m:dividend": """
        did|have C =ever pay m:dividend
        did|have C =ever pay m:dividend to its? m:shareholders
        have m:dividend =ever be pay by C
    """,
    "auxiliary:did C =ever ...": "have C =ever ...",
    "auxiliary:did C metrics:layoffs": """
        did C lay-off =any? m:headcount|=people|=staff|=workers|=employees?
        was there =any? m:layoffs at C
        did C have =any? m:layoffs
    """,
}
DONE = {
    f"question:which {_GOODS} auxiliary:did C idiom:launch": f"""
        ?which|?what =new? {_GOODS} did C launch|introduce
        ?which|?what =new? {_GOODS} was launch|introduce by C
        list|?list? =new? {_GOODS} launch|introduce by C
    """,
    "question:which A1 auxiliary:do C idiom:own": """
        ?which|?what A1 do C own
        list|?list =all? A1 =owned by C
    """,
    # Goods, which are sold every day; a business is sold once.
    f"question:which {_GOODS} auxiliary:do C directions:sell": f"""
        ?which|?what {_GOODS} do C d:sell
        list|?list =all? {_GOODS} =sold by C
    """,
    "question:when auxiliary:was C metrics:stock-split": """
        ?when|?which-year did C' m:stock-split take|happen|occur =place?
        ?when|?which-year did C split|=split its stock|shares
        ?when|?which-year did C have|do|=perform its? m:stock-split
        ?which-year was C' m:stock-split
    """,
    "auxiliary:did C metrics:stock-split": """
        did C split|=split its stock|shares
        did C do|=perform|=undergo|have m:stock-split
    """,
    # A company alone decides about these.
    "auxiliary:did C idiom:suspend m:dividend": """
        did C suspend its m:dividend
        was C' m:dividend suspend
    """,
    "auxiliary:did C directions:cut m:price": "was C' m:price d:cut",
    "auxiliary:did C directions:raise m:price": "was C' m:price d:raise",
    "question:when auxiliary:did C announce T? m:dividend|m:stock-split|m:buybacks|b:guidance": """
        ?when did C announce its? T? m:dividend|m:stock-split|m:buybacks|b:guidance
        ?when was C' T? m:dividend|m:stock-split|m:buybacks|b:guidance announce
    """,
    "question:what auxiliary:did C idiom:declare m:dividend": """
        ?what|?how-much m:dividend did C declare
        ?what|?how-much m:dividend was declare by C
        ?what was m:dividend declare by C
    """,
    "auxiliary:was C idiom:fined": """
        was C =fined
        did C get|receive fine
    """,
    "question:how-much auxiliary:was C idiom:fined": """
        ?how-much was C =fined
        ?what fine did C receive|get
        ?what|?how-much was fine =imposed on C
    """,
    "question:why auxiliary:was C idiom:fined": """
        ?why was C =fined
        ?why did C get|receive fine
    """,
    "question:which A1 auxiliary:do C idiom:face": """
        ?which|?what A1 is C =facing
        ?which|?what A1 do C face
    """,
    "question:when auxiliary:did C idiom:spin-off D": """
        ?when|?which-year did C spin-off D
        ?when|?which-year was D spin-off from|by C
        ?when|?which-year was C' spin-off of D
        ?when|?which-year did C' spin-off of D take =place
    """,
    "did|have C directions:sell =any? m:assets": """
        did|have C divest =any? m:assets
    """,
    "auxiliary:did C directions:sell =any? m:assets": """
        was =any? m:assets divest by C
    """,
}

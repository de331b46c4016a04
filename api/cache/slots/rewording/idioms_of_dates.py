"""When and where: tables of rewording.py.

The year of a founding, an offering or a purchase is what "when" is answered with; of a peak or a payment it is not.
"""

from __future__ import annotations

_STARTED = "found|establish|begin|create|=formed"
_RESULTS = "m:earnings|R|=results"
_TELL = "report|announce|release|publish|post"

DATES = {
    "question:who C metrics:founder": """
        ?who =established|=started|=created|=formed K
        ?who was K establish|create|=formed by
        by ?who was K establish|create|=formed
    """,
    "question:when C metrics:founding-date": f"""
        ?when|?which-year was K {_STARTED} in?
        ?when|?which-year was C found in?
        ?when|?which-year did C get found
        ?when was =founding|=foundation of C
    """,
    "question:when C metrics:ipo-date": """
        ?which-year did C m:ipo|m:ipo-date
        ?which-year was C' m:ipo
        ?when|?which-year did C have|hold|do its? m:ipo|m:ipo-date
    """,
    "question:when auxiliary:do C metrics:earnings-date": f"""
        !T ?when do|modal:will|is C =next? {_TELL} its? =next? b:quarterly? {_RESULTS} =next?
        !T ?when is C' =next? b:quarterly? {_RESULTS}|doc:earnings-release =due|=out|release|publish?
        !T ?when is C' =next doc:quarterly-report =due|=out?
        ?when do C {_TELL} its? b:quarterly? {_RESULTS}
        ?when is C' b:quarterly? {_RESULTS}|doc:earnings-release
    """,
    "question:when auxiliary:did C metrics:earnings-date": f"""
        ?when did C {_TELL} its? b:quarterly? {_RESULTS}
        ?when was C' b:quarterly? {_RESULTS} {_TELL}
    """,
    "question:when C metrics:fiscal-year-end": """
        ?when do C' =fiscal|=financial end-year on?
        ?when do C end|close its =fiscal|=financial year
        ?when do =fiscal|=financial year of|at C end
        ?when do C' =fiscal|=financial year end|close on?
        ?when is C' =fiscal|=financial end-year
        ?when is end of C' =fiscal|=financial year
        ?what is end ?when C' =fiscal|=financial year
        ?what is C' =fiscal|=financial end-year =date?
        C' =fiscal|=financial end-year =date?
    """,
    "question:where auxiliary:is C metrics:headquarters": """
        ?which|?what =city is C m:headquarters in?
        ?where is C m:headquarters =located|=situated
        ?where is m:headquarters of C =located|=situated
        C m:headquarters =location
    """,
    "question:what auxiliary:is C idiom:listing-exchange": """
        on? ?which|?what stock? =exchange is C stock|shares? list|trade|=listed on?
        on? ?which|?what stock? =exchange do C stock|shares? trade on?
        on? ?which|?what stock? =exchange is|do shares of C list|trade|=listed on?
        ?where is C stock|shares? list|=listed
    """,
    "question:when C m:ex-dividend-date": "?when do|modal:will|is C =next? m:ex-dividend-date =next?",
    "question:when C metrics:dividend-payment-date": """
        ?when do|modal:will C pay its m:dividend
        ?when is C' m:dividend pay
        ?what is =payment|=pay =date for|of C' m:dividend
    """,
    "question:when C b:half-yearly|b:quarterly|b:annual|=special|=final metrics:dividend-payment-date": """
        ?when do|modal:will C pay its b:half-yearly|b:quarterly|b:annual|=special|=final m:dividend
        ?what is =payment|=pay =date for|of C' b:half-yearly|b:quarterly|b:annual|=special|=final m:dividend
    """,
}

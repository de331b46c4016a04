"""Questions for amounts in words that no rule takes apart: tables of rewording.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Is or was, does or did.
_PAY = """
    ?how-much {did} C pay its? m:ceo
    ?how-much {was} C m:ceo pay
    ?how-much {was} m:ceo of|at C pay
    ?how-much {did} C m:ceo earn|make|get|receive
    ?how-much {did} m:ceo of|at C earn|make|get|receive
    ?what {was} C m:ceo b:total? pay|=compensation|=remuneration
    ?what {was} b:total? pay|=compensation|=remuneration of C m:ceo
    ?what {was} b:total? pay|=compensation|=remuneration of m:ceo of|at C
    ?what {was} b:total m:ceo-compensation of|at C
    ?what {was} C b:total m:ceo-compensation
    ?what {did} C pay its? m:ceo
"""
_SHARES = """
    ?how-many shares {did} C have =outstanding
    ?how-many shares of C {was} =outstanding
    ?how-many C shares {was} =outstanding
"""


def _both_tenses(becomes: str, patterns: str) -> dict[str, str]:
    return {
        becomes.format(was=was): "\n".join(
            line for line in patterns.format(was=was, did=did).split("\n") if line.strip()
        )
        for was, did in (("was", "did"), ("is", "do"))
    }


AMOUNTS: Final[Mapping[str, str]] = {
    **_both_tenses("question:what auxiliary:{was} C metrics:ceo-compensation", _PAY),
    **_both_tenses("question:what auxiliary:{was} C metrics:shares-outstanding", _SHARES),
}

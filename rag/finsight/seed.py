"""A hundred sentences of the corpus, ten of each company: something to fill a collection with.

Texts and no vectors: kernels of int8 models differ between processors, so vectors are made when the texts are loaded.
"""

from __future__ import annotations

import random

from rag.finsight.companies import COMPANIES
from rag.finsight.ledger import SEED, Ledger
from rag.finsight.questions import facts, spread

_OF_EACH = 10


def seed_passages(ledger: Ledger, seed: int = SEED) -> list[dict[str, str]]:
    """The rows of pgvector_seed.csv."""
    draw = random.Random(f"{seed}:seed")  # noqa: S311 - a choice of sentences
    everything = list(facts(ledger))
    chosen = [
        fact
        for company in COMPANIES
        for fact in spread([fact for fact in everything if fact.company is company], _OF_EACH, draw)
    ]
    return [
        {
            "id": f"s{number:03}",
            "company": fact.company.name,
            "ticker": fact.company.ticker,
            "period": str(fact.period),
            "metric": fact.metric.name,
            "text": fact.evidence,
        }
        for number, fact in enumerate(chosen, 1)
    ]

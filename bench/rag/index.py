"""How many of the nearest chunks a search finds that does not look at all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from bench.gateway import KEY
from bench.load import LoadError
from bench.rag import filling
from bench.rag.client import Corpus, corpus
from bench.rag.exact import Tenant, as_tenant
from bench.rag.filling import COLLECTION, Filled
from bench.rag.library import facts
from bench.rag.scoring import overlap
from bench.rag.servers import OTHER_KEY, OTHER_TENANT, TENANT, Platform

DEPTH = 10
EF_SEARCH = (20, 40, 100, 200, 400)
_VERSION = "v1"  # by meaning alone
_BATCH = 50
_CONNECTIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Of one question: the share of the exact nearest. Seconds of the SQL."""

    question: str
    platform: float
    """By the gateway as it is set."""
    by_graph: dict[int, float]
    """By `ef_search`, asked of Postgres directly."""
    graph_s: dict[int, float]
    exact_s: float


@dataclass(frozen=True, kw_only=True)
class Recalled:
    """Of one tenant."""

    tenant: str
    chunks: int
    found: Sequence[Found]


async def run(platform: Platform, filled: Filled, *, questions: int, progress: Callable[[str], None]) -> list[Recalled]:
    """For the tenant, and for its small neighbour in the same tables. Raises LoadError and psycopg.Error."""
    tenants = (
        (TENANT, KEY, filling.SEED, filled.documents, filled.chunks),
        (OTHER_TENANT, OTHER_KEY, filling.OTHER_SEED, filled.neighbour_documents, filled.neighbour_chunks),
    )
    results = []
    for tenant, key, seed, documents, chunks in tenants:
        asked = some_questions(seed, documents, questions)
        async with corpus(port=platform.port, collection=COLLECTION, connections=_CONNECTIONS, key=key) as own:
            vectors = await _vectors(own, asked)
            with as_tenant(
                platform.stores.database_url, tenant, collection=COLLECTION, dimensions=len(vectors[0])
            ) as direct:
                if direct.chunks() != chunks:
                    raise LoadError(f"{tenant} sees {direct.chunks()} chunks, and has {chunks}")
                found = [
                    await _compare(own, direct, question, vector)
                    for question, vector in zip(asked, vectors, strict=True)
                ]
        progress(f"{tenant}: compared {len(found)} questions with {chunks:,} chunks")
        results.append(Recalled(tenant=tenant, chunks=chunks, found=found))
    return results


def some_questions(seed: int, documents: int, count: int) -> list[str]:
    """By chance from what the documents answer; the same each time."""
    known = [fact.question for fact in facts(seed, documents)]
    return Random(seed).sample(known, min(count, len(known)))  # noqa: S311  # repeatable, not a secret


async def _vectors(own: Corpus, texts: Sequence[str]) -> list[list[float]]:
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    return [vector for batch in batches for vector in await own.vectors(batch)]


async def _compare(own: Corpus, direct: Tenant, question: str, vector: Sequence[float]) -> Found:
    """Not at the same time: each has the machine to itself."""
    exact = direct.exact(vector, DEPTH)
    answered = await own.passages(question, version=_VERSION, top_k=DEPTH)
    graphs = {ef_search: direct.by_graph(vector, DEPTH, ef_search=ef_search) for ef_search in EF_SEARCH}
    return Found(
        question=question,
        platform=overlap([passage.chunk_id for passage in answered.passages], exact.chunks, DEPTH),
        by_graph={
            ef_search: overlap([chunk for chunk, _ in nearest.chunks], exact.chunks, DEPTH)
            for ef_search, nearest in graphs.items()
        },
        graph_s={ef_search: nearest.took_s for ef_search, nearest in graphs.items()},
        exact_s=exact.took_s,
    )

"""Both ways of finding chunks, in collections small and large."""

from __future__ import annotations

import psycopg
import pytest

from rag.store.postgres_corpus import PostgresCorpus
from rag.store.schema import CorpusSchema
from rag.store.search_queries import search_query
from rag.types import Piece
from tests.integration.rag.store.workshop import DIMENSIONS, Workshop, search, store, vector, vectors

NUMBERED = [f"Passage number {number}" for number in range(300)]


@pytest.fixture(params=["exact", "graph"])
def corpus(request: pytest.FixtureRequest, workshop: Workshop) -> PostgresCorpus:
    return workshop.corpus(exact_up_to=0 if request.param == "graph" else 1_000)


async def test_the_nearest_come_first(corpus: PostgresCorpus, tenant: str) -> None:
    around = {"same": vector(1), "near": vector(4, 3), "across": vector(0, 1), "against": vector(-1)}
    await store(corpus, tenant, "docs", list(around), vectors=list(around.values()))
    assert await search(corpus, tenant, "docs", vector=vector(1)) == (list(around), [])
    assert await search(corpus, tenant, "docs", vector=vector(1), count=2) == (["same", "near"], [])


async def test_the_graph_finds_what_comparing_all_finds(workshop: Workshop, tenant: str) -> None:
    exact, graph = workshop.corpus(), workshop.corpus(exact_up_to=0)
    await store(exact, tenant, "docs", NUMBERED)
    for asked in vectors(20, seed=5):
        expected, _ = await search(exact, tenant, "docs", vector=asked)
        found, _ = await search(graph, tenant, "docs", vector=asked)
        assert len(set(found) & set(expected)) >= 9
        assert len(found) == 10


async def test_a_collection_that_is_rare_among_the_others_loses_nothing(workshop: Workshop, tenant: str) -> None:
    """Between the question and the rare collection stand more chunks of another than a walk looks at."""
    corpus = workshop.corpus(exact_up_to=0, ef_search=10, max_scan_tuples=50)
    await store(corpus, f"other-{tenant}", "docs", NUMBERED, vectors=[vector(1, 0.001 * n) for n in range(300)])
    await store(corpus, tenant, "docs", ["far away", "farther"], vectors=[vector(-1, 1), vector(-1)])
    assert await search(corpus, tenant, "docs", vector=vector(1)) == (["far away", "farther"], [])


async def test_chunks_with_all_words_come_before_those_with_some(corpus: PostgresCorpus, tenant: str) -> None:
    texts = [
        "Revenue of Harbor Foods in Q3 2024 was high.",
        "Revenue of Harbor Foods in Q2 2024 was low.",
        "Harbor Foods has a harbour.",
        "Revenue of Meadow Freight in Q3 2024 was higher.",
        "Weather report.",
    ]
    await store(corpus, tenant, "docs", texts)
    _, found = await search(corpus, tenant, "docs", words=("Harbor Foods", "Q3 2024", "revenue"))
    assert found == [texts[0], texts[1], texts[2], texts[3]]


async def test_words_near_each_other_count_more(corpus: PostgresCorpus, tenant: str) -> None:
    far = "Margin. " + "Something else entirely was said here. " * 5 + "Operating costs."
    await store(corpus, tenant, "docs", [far, "The operating margin rose."])
    _, found = await search(corpus, tenant, "docs", words=("operating", "margin"))
    assert found == ["The operating margin rose.", far]


async def test_a_word_that_nothing_has_does_not_hide_the_others(corpus: PostgresCorpus, tenant: str) -> None:
    await store(corpus, tenant, "docs", ["The operating margin rose."])
    _, found = await search(corpus, tenant, "docs", words=("Zyxwv", "margins", "operating"))
    assert found == ["The operating margin rose."]


async def test_titles_and_headings_are_searched_too(corpus: PostgresCorpus, tenant: str) -> None:
    piece = Piece(text="It was high.", headings=("Harbor Foods", "Revenue"))
    await store(corpus, tenant, "docs", [piece], title="Annual report")
    for words in (("annual",), ("harbor", "revenue"), ("annual report", "harbor", "high")):
        assert await search(corpus, tenant, "docs", words=words) == ([], ["It was high."])


@pytest.mark.parametrize("words", [("the", "of"), ("",), ("?!",), ("\0",), ("'", "&", "|", "!", ":*", "<->", "(")])
async def test_words_that_say_nothing_find_nothing(workshop: Workshop, tenant: str, words: tuple[str, ...]) -> None:
    corpus = workshop.corpus()
    await store(corpus, tenant, "docs", ["Revenue rose."])
    assert await search(corpus, tenant, "docs", words=words) == ([], [])


@pytest.mark.parametrize("words", [("re'venue",), ("revenue & !rose",), ("revenue:*",), ("a" * 3000, "revenue")])
async def test_what_looks_like_an_operator_is_text(workshop: Workshop, tenant: str, words: tuple[str, ...]) -> None:
    corpus = workshop.corpus()
    await store(corpus, tenant, "docs", ["Revenue rose."])
    _, found = await search(corpus, tenant, "docs", words=words)
    assert found in (["Revenue rose."], [])


async def test_a_text_cannot_name_another_collection(workshop: Workshop, tenant: str) -> None:
    """The word by which keyword search knows a collection."""
    corpus = workshop.corpus()
    await store(corpus, tenant, "docs", ["Revenue rose."])
    id_ = (await corpus.collection(tenant, "docs")).id
    await store(corpus, tenant, "other", [f"Revenue fell. @{id_} '@{id_}' @{id_}:1"], title=f"@{id_}")
    assert await search(corpus, tenant, "docs", words=("revenue",)) == ([], ["Revenue rose."])


async def test_each_list_has_as_many_as_were_asked_for(corpus: PostgresCorpus, tenant: str) -> None:
    await store(corpus, tenant, "docs", NUMBERED)
    by_meaning, by_words = await search(corpus, tenant, "docs", vector=vector(1), words=("passage",), count=30)
    assert (len(set(by_meaning)), len(set(by_words))) == (30, 30)
    assert await search(corpus, tenant, "docs") == ([], [])


async def test_vectors_too_long_for_a_graph_are_all_compared(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus(exact_up_to=0)
    long = {"dimensions": 4_096}
    await store(corpus, tenant, "docs", ["one", "two"], vectors=[vector(1, **long), vector(0, 1, **long)], **long)
    assert await search(corpus, tenant, "docs", vector=vector(0, 1, **long), words=("two",)) == (
        ["two", "one"],
        ["two"],
    )


@pytest.mark.parametrize("way", ["graph", "exact", "words"])
async def test_every_way_is_by_its_index(workshop: Workshop, tenant: str, way: str) -> None:
    """Where policies decide, Postgres leaves an index aside unless its conditions are known to tell nothing."""
    await store(workshop.corpus(), tenant, "docs", NUMBERED)
    query = search_query(
        DIMENSIONS, meaning=way != "words", exact=way == "exact", words=way == "words", words_indexed=True
    )
    plan = await _plan(workshop.url, query)
    table = f"chunks_{DIMENSIONS}"
    used = {"graph": f"{table}_graph", "exact": f"{table}_place", "words": f"{table}_words"}
    assert [index for index in used if used[index] in plan] == [way]
    assert "Seq Scan" not in plan
    assert way == "graph" or f"Index Scan using {table}_pkey" in plan


async def _plan(url: str, query: bytes) -> str:
    """For whatever values, on a connection as searches have it."""
    names = [b"vector", b"collection", b"count", b"place", b"chunks", b"step_1", b"step_2", b"step_3", b"step_4"]
    used = [name for name in names if b"%%(%b)b" % name in query]
    numbered = query % {name: b"$%d" % number for number, name in enumerate(used, start=1)}
    schema = CorpusSchema(statement_timeout_s=5)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await schema.adopt(connection)
        rows = await (await connection.execute(b"EXPLAIN (GENERIC_PLAN, COSTS OFF) " + numbered)).fetchall()
    return "\n".join(row for (row,) in rows)

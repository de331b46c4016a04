"""The built-in model itself: what it reads of a text, that nothing but the text counts, and what damages it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest

from serving.embedders.base import EmbedderTimeout, EmbedderUnavailable
from serving.embedders.minilm_onnx import MiniLMEmbedder
from serving.embedders.model_files import GRAPH_FILE, TOKENIZER_FILE, read_model_files
from serving.embedders.wordpiece import WordPiece

LONG_S = 30.0


async def embedded(embedder: MiniLMEmbedder, *texts: str) -> list[bytes]:
    return await embedder.embed(texts, timeout_s=LONG_S)


async def test_a_vector_depends_on_its_text_alone(minilm: MiniLMEmbedder) -> None:
    """Bit for bit, which int8 in a batch would not be: its activations are scaled by the whole batch."""
    question = "What was Apple's gross margin in Q3 2024?"
    (alone,) = await embedded(minilm, question)
    assert (await embedded(minilm, "x", question, "long " * 200, "🚀"))[1] == alone
    among = await minilm.embed(["other " * number for number in range(1, 20)] + [question], timeout_s=LONG_S, bulk=True)
    assert among[-1] == alone


async def test_two_loads_agree(minilm: MiniLMEmbedder, minilm_dir: Path) -> None:
    other = MiniLMEmbedder(minilm_dir)
    await other.start()
    assert await embedded(other, "net income") == await embedded(minilm, "net income")
    await other.aclose()


async def test_what_stands_behind_256_tokens_does_not_count(minilm: MiniLMEmbedder) -> None:
    words = "revenue " * 254  # one token each, and the two special ones
    one, other, shorter = await embedded(minilm, words + "cats", words + "dogs", words[:-8])
    assert one == other
    assert one != shorter


async def test_tokens_are_counted_to_the_end_of_the_text(minilm: MiniLMEmbedder) -> None:
    assert await minilm.token_counts(["", "revenue", "revenue " * 5_000]) == [2, 3, 5_002]


async def test_questions_pass_bulk_work(minilm: MiniLMEmbedder) -> None:
    bulk = asyncio.create_task(minilm.embed(["revenue " * 300] * 100, timeout_s=LONG_S, bulk=True))
    await asyncio.sleep(0.05)
    for number in range(5):
        await embedded(minilm, f"question {number}")
    assert not bulk.done()
    bulk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bulk


async def test_late_bulk_work_is_dropped(minilm: MiniLMEmbedder) -> None:
    with pytest.raises(EmbedderTimeout):
        await minilm.embed(["revenue " * 300] * 2_000, timeout_s=0.05, bulk=True)
    # Done with all of it would be a minute later.
    assert await minilm.embed(["question"], timeout_s=10.0)


def test_the_start_of_a_long_text_gives_the_tokens_of_all_of_it(minilm_dir: Path) -> None:
    words = WordPiece(read_model_files(minilm_dir).tokenizer, max_tokens=256)
    longest = WordPiece(read_model_files(minilm_dir).tokenizer, max_tokens=1_000_000)
    for text in (
        "word " * 20_000,
        "a" * 50_000,
        "unbelievably " * 4_000,
        f"{'x' * 90} " * 500,
        " " * 20_000 + "late words " * 300,
        "東京" * 10_000,
        "é" * 5_000 + " ok" * 5_000,
    ):
        whole = longest.ids(text[:65_536])
        assert words.ids(text) == ([*whole[:255], whole[-1]] if len(whole) > 256 else whole)


def test_a_text_counted_in_pieces_has_the_tokens_of_the_whole(minilm_dir: Path) -> None:
    words = WordPiece(read_model_files(minilm_dir).tokenizer, max_tokens=1_000_000)
    for text in (
        "word " * 13_000,
        "unbelievably, " * 4_000,
        "a line\nand another\n" * 3_000,
        "東京は日本の首都です。" * 1_000,
        " " * 20_000 + "late words " * 300,
        "Größe café naïve " * 2_000,
    ):
        assert len(text) < 65_536
        assert words.counts([text]) == [len(words.ids(text))]


async def test_a_text_of_megabytes_does_not_hold_up_the_event_loop(minilm: MiniLMEmbedder) -> None:
    """The tokeniser keeps Python's lock where it is asked for one text: nine seconds for these eight megabytes."""
    counting = asyncio.create_task(minilm.token_counts(["net interest income " * 400_000]))
    turns = 0
    while not counting.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert await counting == [1_200_002]
    assert turns > 20


@pytest.fixture
def damaged(minilm_dir: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(minilm_dir, folder)
    return folder


@pytest.mark.parametrize("name", [GRAPH_FILE, TOKENIZER_FILE])
async def test_a_damaged_file_is_not_loaded(damaged: Path, name: str) -> None:
    content = bytearray((damaged / name).read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / name).write_bytes(content)
    embedder = MiniLMEmbedder(damaged)
    with pytest.raises(EmbedderUnavailable, match=f"{name} is not as made: run `make up`"):
        await embedder.start()
    for asked in (embedder.embed(["a"], timeout_s=1), embedder.token_counts(["a"]), embedder.check()):
        with pytest.raises(EmbedderUnavailable, match=f"{name} is not as made"):
            await asked
    await embedder.aclose()


async def test_once_repaired_it_starts(damaged: Path, minilm_dir: Path) -> None:
    (damaged / GRAPH_FILE).write_bytes(b"")
    embedder = MiniLMEmbedder(damaged)
    with pytest.raises(EmbedderUnavailable):
        await embedder.start()
    shutil.copy(minilm_dir / GRAPH_FILE, damaged)
    await embedder.start()
    await embedder.check()
    await embedder.aclose()


async def test_without_a_start_it_says_so(minilm_dir: Path) -> None:
    embedder = MiniLMEmbedder(minilm_dir)
    with pytest.raises(EmbedderUnavailable, match="was not started"):
        await embedder.embed(["a"], timeout_s=1)


async def test_its_name_is_that_of_the_files(minilm: MiniLMEmbedder, minilm_dir: Path) -> None:
    manifest = read_model_files(minilm_dir).manifest
    assert (manifest.name, manifest.dimensions) == ("all-MiniLM-L6-v2/int8.1", 384)
    assert (minilm.name, minilm.dimensions) == ("all-MiniLM-L6-v2/int8.1.2", 384), "as it is run, too"


async def test_paraphrases_are_near_and_other_subjects_far(minilm: MiniLMEmbedder) -> None:
    raw = await embedded(
        minilm,
        "What was Apple's revenue in Q3 2024?",
        "How much revenue did Apple report for the third quarter of 2024?",
        "How do I bake sourdough bread?",
    )
    asked, paraphrase, other = (np.frombuffer(vector, "<f4") for vector in raw)
    assert asked @ paraphrase > 0.85
    assert asked @ other < 0.3

"""What is built to answer from documents, and that nothing of it is even imported where it is off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from api.bootstrap import Services, build
from api.bootstrap.reranking import make_reranker
from api.grounding.corpus import CorpusGrounding
from api.grounding.off import GroundingOff
from api.settings import Settings, SettingsError
from rag.reranking.http_reranker import HttpReranker
from rag.reranking.term_reranker import TermReranker
from rag.rewriting.glossary import GlossaryError
from serving.http.pool import ConnectionPool

ROOT = Path(__file__).resolve().parents[4]


async def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **variables: str) -> Services:
    for name, value in {"DATA_DIR": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    return build(Settings.load(None))


async def test_by_default_documents_are_answered_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    services = await built(monkeypatch, tmp_path)
    assert isinstance(services.pipeline.grounding, CorpusGrounding)
    assert services.corpus is not None
    assert set(services.corpus_services.dependencies) == {"corpus", "embedder"}


async def test_without_a_cache_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    services = await built(monkeypatch, tmp_path, SEMANTIC_CACHE_ENABLED="false")
    assert isinstance(services.pipeline.grounding, CorpusGrounding)
    assert services.corpus is not None
    await services.corpus.answers.forget("finsight", "reports")  # nothing is kept, and nothing fails


async def test_off_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    services = await built(monkeypatch, tmp_path, RAG_ENABLED="false")
    assert isinstance(services.pipeline.grounding, GroundingOff)
    assert services.corpus is None
    assert not services.corpus_services.dependencies
    assert not services.corpus_services.starts


async def test_a_glossary_that_is_wrong_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong = tmp_path / "glossary.yaml"
    wrong.write_text("figures: [", encoding="utf-8")
    with pytest.raises(GlossaryError):
        await built(monkeypatch, tmp_path, RAG_GLOSSARY=str(wrong))


@pytest.mark.parametrize(
    ("chosen", "made"),
    [("terms", TermReranker), ("off", type(None)), ("http", HttpReranker)],
)
async def test_the_reranker_is_the_one_that_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chosen: str, made: type
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RAG_RERANKER", chosen)
    monkeypatch.setenv("RAG_RERANK_BASE_URL", "http://127.0.0.1:9/v1")
    pool = ConnectionPool(connect_timeout_s=1)
    assert type(make_reranker(Settings.load(None).rag, pool)) is made
    await pool.aclose()


def test_a_server_for_reranking_needs_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_RERANKER", "http")
    with pytest.raises(SettingsError, match="needs RAG_RERANK_BASE_URL"):
        Settings.load(None)


def test_off_nothing_of_it_is_imported(tmp_path: Path) -> None:
    """In a process of its own: this one has imported it for other tests."""
    program = (
        "import asyncio, sys\n"
        "from api.bootstrap import build\n"
        "from api.settings import Settings\n"
        "async def main(): build(Settings.load(None))\n"
        "asyncio.run(main())\n"
        "parts = ('rag.store', 'rag.parsing', 'rag.rewriting', 'rag.retriever', 'rag.ingest', 'rag.prompts')\n"
        "print([name for name in sys.modules if name.startswith(parts)])\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path), "RAG_ENABLED": "false"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "[]\n", done.stdout + done.stderr

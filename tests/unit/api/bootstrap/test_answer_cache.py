"""What is built for which settings, and what is not even imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from api.bootstrap import Services, build
from api.cache.off import CacheOff
from api.cache.semantic_cache import SemanticCache
from api.settings import Settings

ROOT = Path(__file__).resolve().parents[4]
ADMIN = {"ADMIN_API_KEY": "a-key-for-administrators"}
OFF = {"SEMANTIC_CACHE_ENABLED": "false"}


async def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **variables: str) -> Services:
    for name, value in {"DATA_DIR": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    return build(Settings.load(None))


def states(services: Services) -> set[str]:
    return set(services.answer_cache.dependencies)


async def test_by_default_there_is_a_cache_and_no_administration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = await built(monkeypatch, tmp_path)
    assert isinstance(services.pipeline.cache, SemanticCache)
    assert services.cache_admin is None
    assert states(services) == {"cache-index", "embedder"}
    assert services.answer_cache.describe is not None
    assert services.answer_cache.describe() == {"index": "undecided", "embedder": services.embedders.builtin.name}


async def test_without_an_index_no_embedder_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    services = await built(monkeypatch, tmp_path, SEMANTIC_CACHE_INDEX="off", **ADMIN)
    assert isinstance(services.pipeline.cache, SemanticCache)
    assert services.cache_admin is not None
    assert states(services) == set()
    assert services.answer_cache.describe is not None
    assert services.answer_cache.describe() == {"index": "off", "embedder": "off"}


async def test_a_cache_that_is_off_can_be_looked_into(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    services = await built(monkeypatch, tmp_path, **OFF, **ADMIN)
    assert isinstance(services.pipeline.cache, CacheOff)
    assert services.cache_admin is not None
    assert states(services) == set()
    assert services.answer_cache.describe is None
    explained = await services.cache_admin.explain("Apple revenue 2023", "Apple revenue 2024")
    assert explained.verdict.value == "different"
    assert services.answer_cache.starts == ()
    async with services.answer_cache.running():
        pass


async def test_off_and_without_administrators_nothing_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    services = await built(monkeypatch, tmp_path, **OFF)
    assert isinstance(services.pipeline.cache, CacheOff)
    assert services.cache_admin is None
    assert (services.answer_cache.starts, services.answer_cache.closes) == ((), ())


def test_off_it_imports_no_library_of_an_embedder(tmp_path: Path) -> None:
    """Nor for its administration. In a process of its own: this one has imported them for other tests."""
    program = (
        "import asyncio, sys\n"
        "from api.bootstrap import build\n"
        "from api.settings import Settings\n"
        "async def main(): build(Settings.load(None))\n"
        "asyncio.run(main())\n"
        "print([name for name in ('onnxruntime', 'numpy', 'tokenizers', 'torch') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path), **OFF, **ADMIN, "RAG_ENABLED": "false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "[]\n", done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "variables", "name"),
    [
        ("openai", {"EMBEDDER_BASE_URL": "http://127.0.0.1:9/v1", "EMBEDDER_MODEL": "some-model"}, "some-model/openai"),
        ("sentence-transformers", {"EMBEDDER_MODEL": "some/model"}, "some/model/float32"),
    ],
)
async def test_another_embedder_is_another_scope(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, variables: dict[str, str], name: str
) -> None:
    services = await built(monkeypatch, tmp_path, EMBEDDER=kind, **variables)
    assert services.embedders.for_questions.name == name
    assert services.embedders.builtin is not services.embedders.for_questions
    assert services.answer_cache.describe is not None
    assert services.answer_cache.describe()["embedder"] == name

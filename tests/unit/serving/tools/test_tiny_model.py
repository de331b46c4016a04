"""When a tiny model is made and when not. What it is made of needs torch: tests/real/engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving.tools.tiny_model import LABEL, DirectoryTaken, TinyModel, main, make


def label(directory: Path, **changed: int) -> None:
    directory.mkdir()
    (directory / LABEL).write_text(json.dumps({**TinyModel().label(), **changed}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": 0}, "layers must be a whole number from 1 to 128, not 0"),
        ({"hidden_size": 100}, "hidden_size must be a multiple of 64 from 64 to 8192, not 100"),
        ({"hidden_size": 0}, "hidden_size must be a multiple of 64 from 64 to 8192, not 0"),
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295, not -1"),
    ],
)
def test_a_wrong_size_is_an_error_with_what_is_allowed(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        TinyModel(**fields)


def test_a_model_that_is_there_is_left_alone(tmp_path: Path) -> None:
    label(tmp_path / "model")
    before = (tmp_path / "model" / LABEL).stat().st_mtime_ns
    assert make(tmp_path / "model", TinyModel()) is False
    assert (tmp_path / "model" / LABEL).stat().st_mtime_ns == before


def test_another_model_is_not_overwritten(tmp_path: Path) -> None:
    label(tmp_path / "model", layers=3)
    with pytest.raises(DirectoryTaken, match="holds a model with layers 3, hidden_size 128, seed 0: delete it or name"):
        make(tmp_path / "model", TinyModel())


@pytest.mark.parametrize("content", ["", "[]", "[1]", "1", "{", "\xff"])
def test_something_else_is_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / LABEL).write_bytes(content.encode("latin-1"))
    with pytest.raises(DirectoryTaken, match="holds something else: name another directory"):
        make(tmp_path / "model", TinyModel())


def test_a_file_of_that_name_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("mine")
    with pytest.raises(SystemExit, match="holds something else"):
        main([str(tmp_path / "model")])
    assert (tmp_path / "model").read_text() == "mine"


@pytest.mark.parametrize("older", [False, True])
def test_without_torch_it_says_what_to_install_and_leaves_nothing(
    tmp_path: Path, older: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TRANSFORMERS_VERBOSITY", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "")
    if older:
        label(tmp_path / "model", format=0)  # made again, if it could be
    with pytest.raises(SystemExit, match="transformers is not installed: run"):
        main([str(tmp_path / "model")])
    assert [entry.name for entry in tmp_path.iterdir()] == (["model"] if older else [])

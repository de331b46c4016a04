"""The model that the project makes itself."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from serving.tools.tiny_model import LABEL
from tests.real.engine.vllm_process import ENGINE_PYTHON, ROOT

pytestmark = pytest.mark.real


def start(directory: Path, *options: str) -> subprocess.Popen[str]:
    command = [str(ENGINE_PYTHON), "-m", "serving.tools.tiny_model", str(directory), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    """What it said."""
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


def digests(directory: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in directory.iterdir()}


def test_two_at_once_make_one_and_the_same_model(tiny_model: Path, tmp_path: Path) -> None:
    made = [start(tmp_path / "model") for _ in range(2)]
    for process in made:
        assert finish(process).startswith(f"{tmp_path / 'model'}: ")
    assert digests(tmp_path / "model") == digests(tiny_model)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_layers_width_and_seed_are_what_was_asked_for(tiny_model: Path, tmp_path: Path) -> None:
    finish(start(tmp_path / "wide", "--layers", "3", "--hidden-size", "512", "--seed", "1"))
    config = json.loads((tmp_path / "wide" / "config.json").read_text())
    assert (config["num_hidden_layers"], config["hidden_size"], config["head_dim"]) == (3, 512, 64)
    assert (config["num_attention_heads"], config["num_key_value_heads"]) == (8, 2)
    assert digests(tmp_path / "wide")["tokenizer.json"] == digests(tiny_model)["tokenizer.json"]


def test_a_model_of_an_older_version_is_made_again(tiny_model: Path, tmp_path: Path) -> None:
    older = tmp_path / "model"
    older.mkdir()
    label = json.loads((tiny_model / LABEL).read_text())
    (older / LABEL).write_text(json.dumps({**label, "format": 0}))
    assert finish(start(older)) == f"{older}: made\n"
    assert digests(older) == digests(tiny_model)

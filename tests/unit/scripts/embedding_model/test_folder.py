from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.embedding_model.folder import Files, copy, ensure, is_whole
from serving.embedders.model_files import GRAPH_FILE, MANIFEST_FILE, RECIPE, TOKENIZER_FILE, Manifest, read_model_files

CONTENTS = {GRAPH_FILE: b"graph", TOKENIZER_FILE: b"words"}
MANIFEST = Manifest(
    model="m",
    precision="int8",
    dimensions=3,
    max_tokens=5,
    recipe=RECIPE,
    weights_sha256="00",
    files={name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()},
)
FILES: Files = {MANIFEST_FILE: MANIFEST.encoded(), **CONTENTS}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models" / "m"


def never() -> Files:
    raise AssertionError("it is there")


def test_it_is_built_once(folder: Path) -> None:
    assert ensure(folder, build=lambda: FILES) is True
    assert is_whole(folder)
    assert ensure(folder, build=never) is False


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / GRAPH_FILE).write_bytes(b"grapf"),
        lambda folder: (folder / TOKENIZER_FILE).unlink(),
        lambda folder: (folder / MANIFEST_FILE).write_text("{"),
    ],
)
def test_what_is_damaged_is_built_anew(folder: Path, damage: Callable[[Path], object]) -> None:
    ensure(folder, build=lambda: FILES)
    damage(folder)
    assert not is_whole(folder)
    assert ensure(folder, build=lambda: FILES) is True
    assert read_model_files(folder).graph == b"graph"


def test_of_two_at_once_one_builds(folder: Path) -> None:
    built: list[int] = []
    both = threading.Barrier(2)

    def build() -> Files:
        built.append(1)
        return FILES

    def race() -> bool:
        both.wait(10)
        return ensure(folder, build=build)

    with ThreadPoolExecutor(2) as pool:
        outcomes = [future.result() for future in [pool.submit(race), pool.submit(race)]]
    assert sorted(outcomes) == [False, True]
    assert len(built) == 1


def test_a_build_that_fails_leaves_nothing_that_looks_whole(folder: Path) -> None:
    def build() -> Files:
        raise RuntimeError("no index")

    with pytest.raises(RuntimeError, match="no index"):
        ensure(folder, build=build)
    assert list(folder.iterdir()) == []
    assert ensure(folder, build=lambda: FILES) is True


def test_a_copy_is_whole_and_its_own(folder: Path, tmp_path: Path) -> None:
    ensure(folder, build=lambda: FILES)
    copy(folder, tmp_path / "other")
    assert is_whole(tmp_path / "other")
    (tmp_path / "other" / GRAPH_FILE).write_bytes(b"")
    assert is_whole(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)  # no temporary file is left

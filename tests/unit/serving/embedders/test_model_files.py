"""A folder that is whole is read; whatever else it is, there is one sentence about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from serving.embedders.base import EmbedderUnavailable
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in {**CONTENTS, MANIFEST_FILE: MANIFEST.encoded()}.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_a_whole_folder_is_read(folder: Path) -> None:
    files = read_model_files(folder)
    assert (files.graph, files.tokenizer, files.manifest) == (b"graph", b"words", MANIFEST)


def test_vectors_are_named_after_model_precision_and_recipe() -> None:
    assert MANIFEST.name == f"m/int8.{RECIPE}"


@pytest.mark.parametrize("name", [GRAPH_FILE, TOKENIZER_FILE, MANIFEST_FILE])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(EmbedderUnavailable, match=rf"{name} cannot be read \(No such file.*run `make up`"):
        read_model_files(folder)


@pytest.mark.parametrize("name", [GRAPH_FILE, TOKENIZER_FILE])
@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: bytes([raw[0] ^ 1]) + raw[1:], lambda _: b""])
def test_one_bit_is_damage(folder: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    (folder / name).write_bytes(damage(CONTENTS[name]))
    with pytest.raises(EmbedderUnavailable, match=rf"is damaged, .*{name} is not as made: run `make up`"):
        read_model_files(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"{}", b'{"model": "m"}', b"null"])
def test_a_manifest_that_makes_no_sense_is_damage(folder: Path, content: bytes) -> None:
    (folder / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(EmbedderUnavailable, match=f"is damaged, .*{MANIFEST_FILE} cannot be read"):
        read_model_files(folder)


@pytest.mark.parametrize("field", ["files", "recipe"])
def test_fields_of_another_kind_are_damage(folder: Path, field: str) -> None:
    fields = {**json.loads(MANIFEST.encoded()), field: ["x"]}
    (folder / MANIFEST_FILE).write_text(json.dumps(fields))
    with pytest.raises(EmbedderUnavailable, match="is damaged"):
        read_model_files(folder)


def test_files_of_another_recipe_are_made_anew(folder: Path) -> None:
    (folder / MANIFEST_FILE).write_bytes(replace(MANIFEST, recipe=RECIPE + 1).encoded())
    with pytest.raises(EmbedderUnavailable, match="of another version of the platform: run `make up`"):
        read_model_files(folder)

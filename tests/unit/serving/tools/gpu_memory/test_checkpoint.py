"""The sizes of weights from the files that hold them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from serving.tools.command_line import InputError
from serving.tools.gpu_memory.checkpoint import INDEX_NAME, read_checkpoint
from serving.tools.gpu_memory.numbers import Dtype

SIZES = {"F32": 4, "BF16": 2, "I32": 4, "F8_E4M3": 1}


def write_safetensors(path: Path, tensors: dict[str, tuple[str, list[int]]], *, missing_bytes: int = 0) -> None:
    header, offset = {}, 0
    for name, (dtype, shape) in tensors.items():
        size = SIZES[dtype]
        for dimension in shape:
            size *= dimension
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(offset - missing_bytes))


def write_index(folder: Path, names: dict[str, str], **metadata: int) -> None:
    (folder / INDEX_NAME).write_text(json.dumps({"metadata": metadata, "weight_map": names}))


def test_headers_say_shapes_and_kinds(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"a": ("F32", [10, 4]), "b": ("BF16", [6]), "c": ("I32", [3])})
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert found.source == "the tensors of model.safetensors"
    assert found.total_bytes == 160 + 12 + 12
    # Loaded, floats are of the dtype that is computed in; packed integers stay as they are.
    assert found.bytes_as(Dtype.FLOAT16, stored=Dtype.FLOAT32, quantized=False) == 46 * 2 + 12
    assert found.bytes_as(Dtype.FLOAT16, stored=Dtype.FLOAT32, quantized=True) == 184


def test_the_index_picks_the_files(tmp_path: Path) -> None:
    for name in ("model-1.safetensors", "model-2.safetensors", "copy-for-another-loader.safetensors"):
        write_safetensors(tmp_path / name, {name: ("BF16", [100])})
    write_index(tmp_path, {"a": "model-1.safetensors", "b": "model-2.safetensors"}, total_size=7)
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert (found.total_bytes, found.source) == (400, "the tensors of 2 safetensors files")


def test_the_index_alone_says_the_total(tmp_path: Path) -> None:
    write_index(tmp_path, {"a": "model-1.safetensors"}, total_size=14_483_464_192)
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert found.bytes_as(Dtype.BFLOAT16, stored=Dtype.BFLOAT16, quantized=False) == 14_483_464_192
    assert found.bytes_as(Dtype.FLOAT32, stored=Dtype.BFLOAT16, quantized=False) == 2 * 14_483_464_192


def test_the_same_weights_in_a_second_file_do_not_count(tmp_path: Path) -> None:
    for name in ("consolidated.safetensors", "model.safetensors"):
        write_safetensors(tmp_path / name, {"a": ("BF16", [100])})
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert found.total_bytes == 200


def test_a_folder_without_weights_has_none(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "a pointer of Git LFS, perhaps"),
        (b"", "is not a safetensors file"),
        (struct.pack("<Q", 30) + b"{}", "is cut short within its header"),
        (struct.pack("<Q", 2) + b"{]", "cannot be read as a safetensors file"),
        (struct.pack("<Q", 2) + b"[]", "the header is no JSON object"),
        (struct.pack("<Q", 8) + b'{"a":{}}', "the header's entry of a tensor is wrong"),
    ],
)
def test_what_is_no_safetensors_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=rf"model\.safetensors: .*{message}"):
        read_checkpoint(tmp_path)


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"a": ("BF16", [100])}, missing_bytes=1)
    with pytest.raises(InputError, match="is cut short: it has 199 bytes of tensors where its header says 200"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not an index"),
        ("[]", "not an index"),
        ('{"weight_map": {"a": "x.safetensors"}}', "has no 'metadata.total"),
    ],
)
def test_a_wrong_index_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / INDEX_NAME).write_text(text)
    with pytest.raises(InputError, match=message):
        read_checkpoint(tmp_path)

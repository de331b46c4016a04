"""How large a model's weights are, from the files that hold them."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.tools.command_line import InputError
from serving.tools.gpu_memory.numbers import Dtype

INDEX_NAME = "model.safetensors.index.json"
_MAX_HEADER_BYTES = 100 * 2**20  # the format's own limit
# Bytes of one number, by the format's names. Those of FLOATS are turned into the dtype that the model computes in.
_FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_OTHERS = {
    "I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1,
    "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """`numbers`: how many there are of each kind; without them, `total_bytes` as stored."""

    source: str
    total_bytes: int
    numbers: Mapping[str, int] | None = None

    def bytes_as(self, dtype: Dtype, *, stored: Dtype, quantized: bool) -> int:
        """Once loaded to compute in `dtype`. The weights of a quantised model stay as they are."""
        if quantized:
            return self.total_bytes
        if self.numbers is None:
            return self.total_bytes * dtype.size // stored.size
        return sum(
            count * (dtype.size if kind in _FLOATS else _OTHERS.get(kind, 1)) for kind, count in self.numbers.items()
        )


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """From the headers of the safetensors files; from their index if they are not there; None without either.

    Raises InputError for a file that is not what its name says, or not whole.
    """
    index = folder / INDEX_NAME
    if index.is_file():
        return _from_index(index)
    files = sorted(folder.glob("*.safetensors"))
    # Some repositories hold the same weights a second time, in one file for another loader.
    files = [file for file in files if not file.name.startswith("consolidated")] or files
    return _from_headers(files) if files else None


def _from_index(index: Path) -> Checkpoint:
    try:
        document = json.loads(index.read_text(encoding="utf-8"))
        names = sorted(set(document["weight_map"].values()))
        total = int(document.get("metadata", {}).get("total_size", 0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{index}: not an index of safetensors files ({type(error).__name__}: {error}).") from error
    files = [index.parent / str(name) for name in names]
    if files and all(file.is_file() for file in files):
        return _from_headers(files)
    if total <= 0:
        raise InputError(f"{index}: has no 'metadata.total_size', and the files that it names are not beside it.")
    return Checkpoint(source=f"'total_size' of {index.name}", total_bytes=total)


def _from_headers(files: list[Path]) -> Checkpoint:
    numbers: Counter[str] = Counter()
    total = 0
    for file in files:
        for kind, shape, size in _tensors(file):
            count = 1
            for dimension in shape:
                count *= dimension
            numbers[kind] += count
            total += size
    what = files[0].name if len(files) == 1 else f"{len(files)} safetensors files"
    return Checkpoint(source=f"the tensors of {what}", total_bytes=total, numbers=numbers)


def _tensors(file: Path) -> list[tuple[str, list[int], int]]:
    """Dtype, shape and stored bytes of each. Raises InputError."""
    header, data_bytes = _header(file)
    tensors = []
    try:
        for name, tensor in header.items():
            if name != "__metadata__":
                begin, end = tensor["data_offsets"]
                tensors.append((str(tensor["dtype"]), [int(size) for size in tensor["shape"]], int(end) - int(begin)))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: the header's entry of a tensor is wrong ({error!r}).") from error
    stored = sum(size for _, _, size in tensors)
    if stored > data_bytes:
        raise InputError(f"{file}: is cut short: it has {data_bytes} bytes of tensors where its header says {stored}.")
    return tensors


def _header(file: Path) -> tuple[dict[str, Any], int]:
    """The header, and how many bytes follow it. Raises InputError."""
    try:
        with file.open("rb") as opened:
            start = opened.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else _MAX_HEADER_BYTES + 1
            if length > _MAX_HEADER_BYTES:
                raise InputError(f"{file}: is not a safetensors file; a pointer of Git LFS, perhaps?")
            text = opened.read(length)
        if len(text) < length:
            raise InputError(f"{file}: is cut short within its header.")
        header = json.loads(text)
        if not isinstance(header, dict):
            raise InputError(f"{file}: the header is no JSON object.")
        return header, file.stat().st_size - 8 - length
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: cannot be read as a safetensors file ({error}).") from error
